"""Stochastic TurboReg for many pairs at once, on a GPU: the sums over pixels are taken there, for all pairs in one go.

It is the same fit (`turboreg.Fit`): slices are made ready and steps are solved on the CPU, in double precision; only what is summed over
pixels (`sums`) is computed on the device, and only those sums, 5 numbers a tile, come back. A level of each slice goes there once,
however many pairs the slice is in, and leaves with the level. Pixels are read between pixels exactly, where OpenCV's warp knows 32
places between two: matrices agree with those of the CPU to about .01 px, not to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fibsem_ij.learn.device import choose
from fibsem_ij.register.models import Matrix
from fibsem_ij.register.pyramid import Level, Pyramid, every_pixel
from fibsem_ij.register.sums import SENTINEL, Grid
from fibsem_ij.register.turboreg import SAMPLED, Fit, TurboReg, typical, weight_size

_PIXELS = 2**24  # of all pairs that are summed in one go: some ten arrays of so many numbers lie on the device


@dataclass(frozen=True)
class Together:
    """An aligner that is given all pairs of a chunk: `many`."""

    one: TurboReg = field(default_factory=TurboReg)
    device: str = "auto"

    @property
    def model(self) -> str:
        return self.one.model

    def prepare(self, image: npt.NDArray[np.generic]) -> Pyramid:
        return self.one.prepare(image)

    def __call__(self, fixed: Any, moving: Any, *, rng: np.random.Generator) -> Matrix:
        ready = [image if isinstance(image, Pyramid) else self.prepare(image) for image in (fixed, moving)]
        return self.many([(ready[0], ready[1])], rngs=[rng])[0]

    @torch.inference_mode()
    def many(self, pairs: Sequence[tuple[Pyramid, Pyramid]], *, rngs: Sequence[np.random.Generator]) -> list[Matrix]:
        device = choose(self.device)
        fits = [self.one.begun(*pair) for pair in pairs]
        for n, steps in self.one.plan(fits[0].fixed):
            level = _Level(n, device)
            at_once = max(1, _PIXELS // fits[0].fixed.levels[n].still.grey.size)
            for _ in range(steps):
                for first in range(0, len(fits), at_once):
                    some = fits[first:first + at_once]
                    for fit, scale, told in zip(some, *level.told(some), strict=True):
                        fit.move(n, scale, told)
        return [fit.runs(self.one.runs, rng) for fit, rng in zip(fits, rngs, strict=True)]


class _Level:
    """Level n of the slices, on the device."""

    def __init__(self, n: int, device: torch.device) -> None:
        self.n, self.device = n, device
        self.there: dict[tuple[int, str], Tensor] = {}

    def _put(self, slices: Sequence[Pyramid], name: str) -> Tensor:
        """One array of each slice, stacked; carried over once a slice."""
        for image in slices:
            if (id(image), name) not in self.there:
                self.there[id(image), name] = torch.tensor(_ARRAYS[name](image.levels[self.n]), device=self.device)
        return torch.stack([self.there[id(image), name] for image in slices])

    def told(self, fits: Sequence[Fit]) -> tuple[list[float], npt.NDArray[np.float64]]:
        """Of each pair: the typical residual; and of each of its tiles what `sums.weighed` tells, (pairs, tiles, 5)."""
        fixed, moving = ([getattr(fit, side) for fit in fits] for side in ("fixed", "moving"))
        columns = self._put(fixed, "columns")  # (pairs, tiles, 4, n)
        matrices, light = (torch.tensor(np.stack(of), dtype=torch.float32, device=self.device)
                           for of in ([fit.at_level(self.n) for fit in fits], [fit.light for fit in fits]))
        image = _between(self._put(moving, "moving"), self._put(fixed, "where"), matrices)
        residual = image - (light[..., None] * columns[:, :, 2:]).sum(2)
        scales = [typical(middle) for middle in _middles(residual, (image > SENTINEL / 10) & (columns[:, :, 3] > 0))]
        size = torch.tensor([weight_size(scale) for scale in scales], device=self.device)[:, None, None]
        weight = size / (size + residual**2)
        products = (columns @ (weight * residual)[..., None])[..., 0]
        told = torch.cat((weight.sum(2)[..., None], products), 2).cpu().numpy().astype(np.float64)
        return scales, told


def _middles(residual: Tensor, seen: Tensor) -> list[float]:
    """Of each pair, as `sums.middle`."""
    step = residual.shape[2] // SAMPLED | 1
    sizes = torch.where(seen, residual.abs(), torch.inf)[..., ::step].flatten(1).sort(1).values
    at = sizes.isfinite().sum(1, keepdim=True) // 2
    found: list[float] = sizes.gather(1, at.clamp(max=sizes.shape[1] - 1))[:, 0].nan_to_num(posinf=0.0).tolist()
    return found


def _columns(level: Level) -> npt.NDArray[np.float32]:
    """(tiles, 4, n): gx, gy, grey, 1; the last two 0 where there is no picture."""
    still = level.still
    seen = still.grey > SENTINEL / 10
    each = still.gx, still.gy, np.where(seen, still.grey, np.float32(0)), seen.astype(np.float32)
    return np.stack([_tiled(image, level.grid) for image in each], 1)


def _where(level: Level) -> npt.NDArray[np.int32]:
    """(tiles, n) flat index of a tile's pixels."""
    where = level.still.where
    return every_pixel(level.moving.shape, level.grid).copy() if where is None else _tiled(where, level.grid)


def _tiled(image: npt.NDArray[Any], grid: Grid) -> npt.NDArray[Any]:
    (rows, cols), height, width = grid, image.shape[0] // grid[0], image.shape[1] // grid[1]
    return image[:rows * height, :cols * width].reshape(rows, height, cols, width).swapaxes(1, 2).reshape(rows * cols, -1)


_ARRAYS: dict[str, Callable[[Level], npt.NDArray[Any]]] = {"columns": _columns, "where": _where, "moving": lambda level: level.moving}


def _between(images: Tensor, where: Tensor, matrices: Tensor) -> Tensor:
    """Grey (pairs, tiles, n) at where the matrices (pairs, 2, 3) put pixels `where` of images (pairs, y, x); SENTINEL outside."""
    height, width = images.shape[1:]
    x, y = (where % width).float(), torch.div(where, width, rounding_mode="floor").float()
    x, y = (m[:, 0, None, None] * x + m[:, 1, None, None] * y + m[:, 2, None, None] for m in matrices.unbind(1))
    left, top = x.floor(), y.floor()
    flat, grey = images.flatten(1), torch.zeros_like(x)
    for dy in (0, 1):
        for dx in (0, 1):
            at_x, at_y = left + dx, top + dy
            inside = (at_x >= 0) & (at_x < width) & (at_y >= 0) & (at_y < height)
            index = at_y.clamp(0, height - 1).long() * width + at_x.clamp(0, width - 1).long()
            value = flat.gather(1, index.flatten(1)).view_as(x)
            share = (1 - (x - at_x).abs()) * (1 - (y - at_y).abs())
            grey += share * torch.where(inside, value, SENTINEL)
    return grey
