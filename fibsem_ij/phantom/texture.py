"""Materials -> clean grey: mean, slow shade, fine grain, ribosome-like dots, then the blur of the beam.

All noise of slice z comes from its own generator, so slabs may be made in any order; blur in z looks two slices aside.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from fibsem_ij.phantom.cells import Tissue, slabs, workers
from fibsem_ij.phantom.fields import F32, Field, smooth
from fibsem_ij.phantom.options import LOOKS, Options

HALO = 2  # slices
SMEAR = np.array([0.04, 0.24, 0.44, 0.24, 0.04], np.float32)  # over z, sd about 0.9 slices
GRAIN_PX = 1.3
TABLE = np.array([LOOKS[m] for m in sorted(LOOKS)], np.float32)  # (material, kind grey dots grain shade)


def paint(tissue: Tissue, options: Options, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    out = np.zeros(tissue.shape, np.uint8)
    shade = smooth(tissue.shape, 18, rng)
    crowd = smooth(tissue.shape, 9, rng)
    tint = rng.normal(0, 1, int(tissue.cells.max()) + 1).astype(np.float32)
    tint[0] = 0
    key = int(rng.integers(2**31))

    def work(span: tuple[int, int]) -> None:
        first, last = max(span[0] - HALO, 0), min(span[1] + HALO, len(out))
        sharp = [_sharp(tissue, z, shade, crowd, tint, key) for z in range(first, last)]
        for z in range(*span):
            near = [sharp[min(max(z + k, first), last - 1) - first] for k in range(-HALO, HALO + 1)]
            grey = sum(w * s for w, s in zip(SMEAR, near, strict=True))
            out[z] = np.clip(np.rint(_blur(np.asarray(grey, np.float32), options.psf_px)), 0, 255)

    with workers() as pool:
        list(pool.map(work, slabs(len(out))))
    return out


def _blur(slice_: F32, sigma: float) -> F32:
    return np.asarray(cv2.GaussianBlur(slice_, (0, 0), sigma) if sigma > 0 else slice_, np.float32)


def _grain(z: int, shape: tuple[int, ...], key: int) -> F32:
    return np.random.default_rng((key, z)).standard_normal(shape, np.float32)


def _sharp(tissue: Tissue, z: int, shade: Field, crowd: Field, tint: F32, key: int) -> F32:
    """One slice before the beam blurs it."""
    material, cells = tissue.material[z], tissue.cells[z]
    size = material.shape
    _, grey, dots, grain, slow = (TABLE[:, i][material] for i in range(5))
    noise = sum(w * _grain(z + k + 8, size, key) for w, k in zip((0.5, 0.7, 0.5), (-1, 0, 1), strict=True))
    fine = _blur(np.asarray(noise, np.float32), GRAIN_PX) * np.float32(2 * np.pi**0.5 * GRAIN_PX)
    spots = np.maximum(fine + 0.6 * crowd.slice(z) - np.float32(0.55), 0)
    return np.asarray(grey + slow * (shade.slice(z) * 0.6 + tint[cells] * 0.9) + grain * fine - dots * spots, np.float32)
