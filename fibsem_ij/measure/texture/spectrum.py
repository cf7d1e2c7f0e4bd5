"""The pattern spectrum of each object (Maragos 1989): how much of its texture is bright or dark detail of each size, in 3D.

The grey levels inside an object are opened and closed with radius 1, 2, ..., n. What the opening of radius k takes away beyond that
of k - 1 is the spectrum at k, what the closing of radius k adds is that at -k; shares of the whole, they are a distribution over
-n..-1, 1..n: at k bright detail 2k - 1 or 2k voxels across, at -k dark. Its moments are the features.

An opening sees nothing outside of its object: its window is what k steps between 26-neighbours reach inside the object, a cube where
there is room. Such a window is the union of windows of radius k - 1, so larger openings take away more, in an object of any form.
Radii are in voxels, whatever the voxel size. A closing is the opening of the levels turned over.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.compiled import compiled
from fibsem_ij.measure.columns import Definition, Table
from fibsem_ij.measure.objects import Counts, Objects
from fibsem_ij.measure.texture.levels import Coded, Codes, Span, summed
from fibsem_ij.volume import ArrayLike

LARGEST = 16
_SHARES = ("s(k): share of the grey taken away by the opening of radius k voxels beyond that of k - 1, s(-k) of the grey added by the "
           "closing, inside the object")
DEFINITIONS: MappingProxyType[str, Definition] = MappingProxyType({
    "spectrum_mean": (0, f"Mean of the pattern spectrum, sum k s(k); {_SHARES}."),
    "spectrum_sd": (0, f"Standard deviation of the pattern spectrum; {_SHARES}."),
    "spectrum_skew": (0, f"Skewness of the pattern spectrum, third central moment / sd^3; {_SHARES}."),
    "spectrum_kurtosis": (0, f"Kurtosis of the pattern spectrum, fourth central moment / sd^4, 3 for a Gaussian; {_SHARES}."),
    **{f"spectrum_{sign}{k}": (0, f"Pattern spectrum, {what} of radius {k} voxels: its share of what all openings and closings change.")
       for sign, what in (("-", "closing"), ("", "opening")) for k in range(1, LARGEST + 1)},
})


def spectrum(labels: ArrayLike, objects: Objects, image: ArrayLike, *, levels: int = 32, span: Span | None = None, radius: int = 3,
             columns: bool = False, slab: int | None = None, workers: int | None = None) -> Table:
    """Columns spectrum_mean, spectrum_sd, spectrum_skew, spectrum_kurtosis, and with `columns` the spectrum itself; NaN for a flat grey."""
    if not 1 <= radius <= LARGEST:
        raise ValueError(f"expected a radius of 1 to {LARGEST} voxels, got {radius}; the distribution has one value a voxel of radius")
    coded = Coded.of(labels, objects, image, levels, span)

    def work(block: Codes, sums: Counts) -> None:
        core = (slice(2 * radius, -2 * radius),) * 3
        if block[core].any():
            lowest = block - block % np.uint32(levels)
            ends = lowest + lowest + np.uint32(levels - 1)
            rows = lowest[core] // np.uint32(levels)
            for way, code in enumerate((block, ends - block)):
                for k, opened in enumerate(_openings(code, lowest, ends, radius)):
                    _add(opened[core], lowest[core], rows, sums[way, k])

    sums = summed(work, coded, (2, radius + 1, len(objects.ids) + 1), reach=2 * radius, slab=slab, workers=workers)[:, :, 1:]
    bright, dark = sums[:, :-1] - sums[:, 1:]
    with np.errstate(invalid="ignore"):  # nothing of nothing is NaN
        changed = np.concatenate([dark[::-1], bright])
        share = changed / changed.sum(0)  # (2 * radius, n)
        sizes = np.array([*range(-radius, 0), *range(1, radius + 1)])
        found = _moments(sizes, share)
    return found | {f"spectrum_{size}": row for size, row in zip(sizes, share, strict=True) if columns}


def _moments(sizes: Counts, share: npt.NDArray[np.float64]) -> Table:
    mean = sizes @ share
    off = sizes[:, None] - mean
    sd = np.sqrt((off**2 * share).sum(0))
    skew, kurtosis = ((off**n * share).sum(0) / sd**n for n in (3, 4))
    return {"spectrum_mean": mean, "spectrum_sd": sd, "spectrum_skew": skew, "spectrum_kurtosis": kurtosis}


def _openings(code: Codes, lowest: Codes, ends: Codes, radius: int) -> Iterator[Codes]:
    """The codes, and their openings of radius 1, 2, ...: good from 2 * radius voxels inside the block.

    `ends` is the lowest code of a voxel's object and its highest together, so less the codes it turns bright to dark: what was
    the least is then the most.
    """
    yield code
    eroded = code
    for k in range(1, radius + 1):
        eroded = _least(eroded, lowest, k)
        opened = ends - eroded
        for step in range(1, k + 1):
            opened = _least(opened, lowest, 2 * radius - k + step)
        yield ends - opened


@compiled
def _least(code: Codes, lowest: Codes, margin: int) -> Codes:
    """The least level among a voxel and its 26 neighbours of the same object, from `margin` voxels inside the block.

    NB: less `lowest`, the code of another object is too large or wraps around to be larger still, so the least is always its own.
    """
    out = np.empty_like(code)
    depth, height, width = code.shape
    stop = width - margin
    for z in range(margin, depth - margin):
        for y in range(margin, height - margin):
            own, best = lowest[z, y, margin:stop], out[z, y, margin:stop]
            if not own.any():
                best[:] = 0
                continue
            best[:] = np.uint32(2**32 - 1)
            for dz in range(-1, 2):
                for dy in range(-1, 2):
                    row = code[z + dz, y + dy]
                    before, here, after = row[margin - 1:stop - 1], row[margin:stop], row[margin + 1:stop + 1]
                    for x in range(stop - margin):
                        left, middle, right = np.uint32(before[x] - own[x]), np.uint32(here[x] - own[x]), np.uint32(after[x] - own[x])
                        best[x] = min(min(best[x], left), min(middle, right))
            for x in range(stop - margin):
                best[x] += own[x]
    return out


@compiled
def _add(code: Codes, lowest: Codes, rows: Codes, sums: Counts) -> None:
    for z in range(rows.shape[0]):
        for y in range(rows.shape[1]):
            for x in range(rows.shape[2]):
                sums[rows[z, y, x]] += np.int64(code[z, y, x] - lowest[z, y, x])
