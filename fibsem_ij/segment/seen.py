"""A stack as a network sees it: smaller by its context, each slice with its grain-filtered versions as more channels.

A slice is made smaller by the mean of squares of context x context pixels, the last row and column mirrored where it does not divide;
probabilities come back by linear interpolation onto the same pixel centres. Grains are filtered at full size (arrays.grain).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.volume import ArrayLike

Float = npt.NDArray[np.float32]
Pixels = npt.NDArray[Any]


class Seen:
    """(z, c, y, x): the grey slice, then what is left of it without its small grains. Grains of `kept` slices are filtered once."""

    def __init__(self, src: ArrayLike, *, context: int = 1, grain_px: Sequence[int] = (), kept: Collection[int] = ()) -> None:
        depth, height, width = src.shape
        self.src, self.context, self.grain_px = src, context, tuple(grain_px)
        self.shape = (depth, 1 + len(self.grain_px), -(-height // context), -(-width // context))
        self.dtype = np.dtype(src.dtype)
        self._kept: dict[int, Pixels | None] = dict.fromkeys(kept)

    def __getitem__(self, z: int) -> Pixels:
        grey = np.asarray(self.src[z])[None]
        return smaller(np.concatenate((grey, self.grains(z))) if self.grain_px else grey, self.context)

    def grains(self, z: int) -> Pixels:
        """(filters, y, x) at full size."""
        from fibsem_ij.arrays.grain import grains

        made = self._kept.get(z)
        if made is None:
            made = grains(np.asarray(self.src[z]), self.grain_px)
            if z in self._kept:
                self._kept[z] = made
        return made


class Window:
    """A part of the slices of `seen`: `box`, in pixels of the stack, and what more it takes to a multiple of the context."""

    def __init__(self, seen: Seen, box: tuple[slice, slice]) -> None:
        self.seen, self.dtype = seen, seen.dtype
        self.rows, self.cols = (slice(n.start // seen.context, -(-n.stop // seen.context)) for n in box)
        self.shape = (*seen.shape[:2], self.rows.stop - self.rows.start, self.cols.stop - self.cols.start)
        self.inside = tuple(slice(n.start % seen.context, n.start % seen.context + n.stop - n.start) for n in box)

    def __getitem__(self, z: int) -> Pixels:
        return self.seen[z][:, self.rows, self.cols]

    def back(self, values: Float) -> Float:
        """(c, y, x) of the window -> of the box."""
        return larger(values, self.seen.context)[:, *self.inside]


def smaller(planes: Pixels, context: int) -> Pixels:
    """(c, y, x)"""
    if context == 1:
        return planes
    full = np.pad(planes, [(0, 0), *((0, -n % context) for n in planes.shape[1:])], mode="symmetric").astype(np.float32)
    height, width = (n // context for n in full.shape[1:])
    return np.asarray(full.reshape(-1, height, context, width, context).mean((2, 4)))


def larger(values: Float, context: int) -> Float:
    """(c, y, x), each pixel become context x context."""
    if context == 1:
        return values
    import cv2

    height, width = (n * context for n in values.shape[1:])
    return np.stack([cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR) for plane in values])
