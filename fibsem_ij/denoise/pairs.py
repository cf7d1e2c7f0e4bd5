"""What every way of denoising shares: the split of the slices, the patches that are drawn, the slices a network is judged by."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fibsem_ij.arrays.slices import around, middle, spread
from fibsem_ij.denoise.noise import Noise
from fibsem_ij.denoise.options import Options
from fibsem_ij.learn.ahead import Batch
from fibsem_ij.learn.patches import Patches
from fibsem_ij.learn.scale import Scale
from fibsem_ij.volume import ArrayLike

FLAT = 4.0  # times that a flat patch counts, which a network gets right long after the others
_JUDGED, _SIDE = 4, 256  # slices, and px of the middle of each, that a validation looks at


def split(depth: int, options: Options, bad: Collection[int] = ()) -> tuple[list[int], list[int]]:
    """Slices to train on, and slices held back: the last ones, which resemble the others least. One or two slices serve as both.

    Where there are any, slices whose neighbours are all there: one that stands in for its own neighbour gives its noise away.
    """
    good = dict.fromkeys(z for z in range(depth) if z not in bad)
    near = range(-options.neighbours, options.neighbours + 1)
    whole = [z for z in good if all(z + k in good for k in near)] or list(good)
    count = round(len(whole) * options.held) or int(len(whole) > 2 and options.held > 0)
    return whole[: len(whole) - count], whole[len(whole) - count :] or whole


def patches(src: ArrayLike, truth: ArrayLike | None, slices: Sequence[int], *, scale: Scale, options: Options) -> Patches:
    return Patches(src, truth, slices, size=options.patch, neighbours=options.neighbours, scale=scale.forward, augment=options.augment)


def judged(src: ArrayLike, slices: Sequence[int], *, neighbours: int, scale: Scale) -> Tensor:
    """(n, 2k + 1, y, x): the middle of some slices, with their neighbours, in network units."""
    chosen = [slices[i] for i in spread(len(slices), _JUDGED)]
    grey = [[middle(src, k, _SIDE) for k in around(z, neighbours, src.shape[0])] for z in chosen]
    return torch.from_numpy(scale.forward(np.stack(grey)))


def brightness(seen: Tensor) -> Tensor:
    """The brightness around each pixel of (b, 1, y, x)."""
    return functional.avg_pool2d(seen, 5, 1, 2, count_include_pad=False)


def variance(level: Tensor, noise: Noise, scale: Scale) -> Tensor:
    """Of the noise at a brightness, both in network units."""
    grey: Tensor = noise.variance(level / scale.gain + scale.offset)
    return grey * scale.gain**2


def flattened(seen: Tensor, rng: np.random.Generator, *, share: float, noise: Noise, scale: Scale) -> tuple[Tensor, Tensor, Tensor]:
    """Of patches (b, 2k + 1, y, x) a share made noise on nothing; a brightness found in each; which are flat (the last two (b, 1, 1, 1)).

    So the network is told what it cannot find in one noisy stack: patches whose truth is known.
    """
    flat = torch.from_numpy(rng.random(len(seen)) < share)[:, None, None, None]
    middle, spot = seen.shape[1] // 2, int(rng.integers(seen[0, 0].numel()))
    level = brightness(seen[:, middle : middle + 1]).flatten(1)[:, spot, None, None, None]
    drawn = torch.from_numpy(rng.standard_normal(seen.shape, np.float32))
    return torch.where(flat, level + variance(level, noise, scale).sqrt() * drawn, seen), level, flat


def loss(module: nn.Module, batch: Batch) -> Tensor:
    """Mean squared error of (noisy, truth, weight of each patch)."""
    noisy, truth, weight = batch
    each: Tensor = ((module(noisy) - truth) ** 2).mean((1, 2, 3))
    return (each * weight).sum() / weight.sum()


def score(module: nn.Module, noisy: Tensor, truth: Tensor) -> float:
    """PSNR in dB of one network unit, image by image."""
    device = next(module.parameters()).device
    off = torch.cat([module(image[None].to(device)).cpu() for image in noisy]) - truth
    return -10 * float(torch.log10((off.double() ** 2).mean()))
