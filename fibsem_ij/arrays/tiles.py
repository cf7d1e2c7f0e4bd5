"""A slice cut into overlapping tiles of one size, and put together again.

What a tile gives to a pixel is the product of a weight along y and one along x, so all that is needed are the tiles along one
axis, `Span`s, whose weights sum to 1 at every pixel. Two ways to weigh:

- cosine: a tapered cosine (Tukey) window, nowhere zero: flat inside, falling over the overlap, divided by the sum of all windows.
- centre: of two tiles that overlap, each gives the half of the overlap nearer to its own centre: weights 0 and 1. With a
  stride of a third of the tile this keeps the middle ninth of every tile, and more where there is no neighbour.

Tiles are spread evenly, so the last is not squeezed against the end, and start at multiples of `grid`: a network that halves
its input n times sees the slice on the same lattice in every tile only when tiles start at multiples of 2**n. For that the
slice is padded at its end, by reflection and less than `grid`. Tiles are as small as their number and the overlap allow: 768 px are
two tiles of 416, not of 512, for what tiles share beyond the overlap is computed twice and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]

BLENDS = ("cosine", "centre")


@dataclass(frozen=True, eq=False)
class Span:
    """A tile along one axis."""

    start: int
    weights: Float  # (tile,) of each of its pixels

    @property
    def where(self) -> slice:
        return slice(self.start, self.start + len(self.weights))


def spans(length: int, *, tile: int, overlap: int, blend: str = "cosine", grid: int = 1) -> tuple[Span, ...]:
    """The tiles along an axis of `length` pixels, of `tile` at most. Neighbours share at least `overlap`; all end within padded(length)."""
    if length < 1 or tile < 1 or tile % grid or not 0 <= overlap <= tile - grid:
        raise ValueError(f"expected at least one pixel, a tile in multiples of {grid} and an overlap that leaves {grid} of it, "
                         f"got {length}, tile {tile}, overlap {overlap}; take a larger tile or a smaller overlap")
    if blend not in BLENDS:
        raise ValueError(f"expected blend as one of {', '.join(BLENDS)}, got {blend!r}; choose one of them")
    whole, shared = padded(length, grid=grid) // grid, -(-overlap // grid)  # in steps of the grid
    count = max(-(-(whole - shared) // (tile // grid - shared)), 1)
    small = shared + -(-(whole - shared) // count)
    starts = [k * (whole - small) // max(count - 1, 1) * grid for k in range(count)]
    whole, tile = whole * grid, small * grid
    windows = _tapered(starts, tile, whole, overlap) if blend == "cosine" else _halved(starts, tile, whole)
    return tuple(Span(start, weights) for start, weights in zip(starts, windows, strict=True))


def padded(length: int, *, grid: int) -> int:
    return -(-length // grid) * grid


def pad(image: npt.NDArray[Any], *, grid: int) -> npt.NDArray[Any]:
    """A slice (..., y, x) made a multiple of `grid` by reflection at its end."""
    more = [(0, -length % grid) for length in image.shape[-2:]]
    return np.pad(image, [(0, 0)] * (image.ndim - 2) + more, mode="reflect") if any(after for _, after in more) else image


def _tapered(starts: list[int], tile: int, whole: int, overlap: int) -> list[Float]:
    ramp = min(max(overlap, 1), -(-tile // 2))
    edge = np.arange(tile) + 0.5
    window = np.sin(np.pi / 2 * np.minimum(np.minimum(edge, edge[::-1]) / ramp, 1)) ** 2
    total = np.zeros(whole)
    for start in starts:
        total[start : start + tile] += window
    return [(window / total[start : start + tile]).astype(np.float32) for start in starts]


def _halved(starts: list[int], tile: int, whole: int) -> list[Float]:
    """Cut in the middle of each overlap."""
    cuts = [0, *((start + before + tile) // 2 for before, start in pairwise(starts)), whole]
    at = np.arange(tile)
    return [((cuts[n] <= start + at) & (start + at < cuts[n + 1])).astype(np.float32) for n, start in enumerate(starts)]
