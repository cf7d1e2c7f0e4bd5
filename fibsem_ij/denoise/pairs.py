"""What every way of denoising shares: the split of the slices, the patches that are drawn, the slices a network is judged by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from fibsem_ij.denoise.noise import Noise
from fibsem_ij.denoise.options import Options
from fibsem_ij.learn.ahead import Batch
from fibsem_ij.learn.scale import Scale
from fibsem_ij.volume import ArrayLike

FLAT = 4.0  # times that a flat patch counts, which a network gets right long after the others
_JUDGED, _SIDE = 4, 256  # slices, and px of the middle of each, that a validation looks at


def split(depth: int, options: Options) -> tuple[list[int], list[int]]:
    """Slices to train on, and slices held back: the last ones, which resemble the others least. One or two slices serve as both."""
    count = round(depth * options.held) or int(depth > 2 and options.held > 0)
    everything = list(range(depth))
    return everything[: depth - count], everything[depth - count :] or everything


def spread(slices: Sequence[int], count: int) -> list[int]:
    """At most `count` of them, evenly."""
    return [slices[i] for i in sorted({round(i) for i in np.linspace(0, len(slices) - 1, min(count, len(slices)))})]


def judged(src: ArrayLike, slices: Sequence[int], *, neighbours: int, scale: Scale) -> Tensor:
    """(n, 2k + 1, y, x): the middle of some slices, with their neighbours, in network units."""
    last = src.shape[0] - 1
    chosen = spread(slices, _JUDGED)
    around = [[min(max(k, 0), last) for k in range(z - neighbours, z + neighbours + 1)] for z in chosen]
    return torch.from_numpy(scale.forward(np.stack([[_middle(src, z) for z in zs] for zs in around])))


def _middle(src: ArrayLike, z: int) -> npt.NDArray[Any]:
    window = (slice(max(0, (n - _SIDE) // 2), max(0, (n - _SIDE) // 2) + _SIDE) for n in src.shape[1:])
    return np.asarray(src[(z, *window)])


def around(seen: Tensor) -> Tensor:
    """The brightness around each pixel of (b, 1, y, x)."""
    return functional.avg_pool2d(seen, 5, 1, 2, count_include_pad=False)


def variance(brightness: Tensor, noise: Noise, scale: Scale) -> Tensor:
    """Of the noise, in network units as the brightness is."""
    return noise.variance(brightness / scale.gain + scale.offset) * scale.gain**2  # type: ignore[no-any-return]


def loss(module: nn.Module, batch: Batch) -> Tensor:
    """Mean squared error of (noisy, truth, weight of each patch)."""
    noisy, truth, weight = batch
    each = ((module(noisy) - truth) ** 2).mean((1, 2, 3))
    return (each * weight).sum() / weight.sum()  # type: ignore[no-any-return]


def score(module: nn.Module, noisy: Tensor, truth: Tensor) -> float:
    """PSNR in dB of one network unit, image by image."""
    device = next(module.parameters()).device
    off = torch.cat([module(image[None].to(device)).cpu() for image in noisy]) - truth
    return -10 * float(torch.log10((off.double() ** 2).mean()))


class Finite:
    """A stack whose NaN and infinity are errors that name the slice."""

    def __init__(self, src: ArrayLike, what: str) -> None:
        self.src, self.what, self.shape, self.dtype = src, what, tuple(src.shape), src.dtype

    def __getitem__(self, key: Any) -> Any:
        found = np.asarray(self.src[key])
        if found.dtype.kind == "f" and not np.isfinite(found).all():
            z = key[0] if isinstance(key, tuple) else key
            raise ValueError(f"slice {z} of {self.what}: expected finite grey values, got NaN or infinity; replace them first")
        return found
