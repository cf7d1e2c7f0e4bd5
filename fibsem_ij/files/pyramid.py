"""Coarser copies of a stack, each half the size along every axis, made as its slices come, with a few of them in memory.

Grey is averaged, with the last row, column or slice repeated where a size is odd: pixel i of the coarser copy covers
2i and 2i + 1, so its centre lies half a fine pixel further. Labels and masks take pixel 2i, so their centres stay.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

import numpy as np

from fibsem_ij.files.stack import Pixels

SMALL = 256
_WAIT = 4  # slices of a level that wait for the other one of their pair
Shape = tuple[int, int, int]


def coarser(shape: Shape) -> list[Shape]:
    """The shapes of the copies, down to one that is SMALL."""
    shapes = []
    while max(shape) > SMALL:
        z, y, x = ((n + 1) // 2 for n in shape)
        shapes.append(shape := (z, y, x))
    return shapes


def placed(shape: Shape, voxel_nm: tuple[float, float, float] | None) -> Iterator[tuple[list[float], list[float]]]:
    """Of the stack and each copy: the size of a voxel, and where the first one's centre lies if grey was averaged; (z, y, x)."""
    step = np.ones(3)
    for size in (shape, *coarser(shape)):
        scale = step * (voxel_nm or (1.0, 1.0, 1.0))
        yield scale.tolist(), (scale * (1 - 1 / step) / 2).tolist()
        step = np.where(np.array(size) > 1, 2 * step, step)


def halved(slices: Pixels, *, nearest: bool) -> Pixels:
    """One slice of the coarser copy from two, or the last one, of the finer."""
    if nearest:
        return np.ascontiguousarray(slices[0, ::2, ::2])
    wide: Any = {"u1": np.uint16, "u2": np.uint32}.get(slices.dtype.str[1:], np.float64)
    _, y, x = slices.shape
    even = np.pad(slices, ((0, 0), (0, y % 2), (0, x % 2)), mode="edge") if y % 2 or x % 2 else slices
    total: Pixels = np.add(even[0], even[-1], dtype=wide)
    total = total[::2] + total[1::2]  # whole rows first: across a row every second pixel is read, which is slow
    total = total[:, ::2] + total[:, 1::2]
    if slices.dtype.kind == "f":
        return np.asarray(total / 8, slices.dtype)
    total += 4
    total //= 8
    return np.asarray(total, slices.dtype)


class Copies:
    """The copies, from slices in any order. NB: a store is read more slowly than it is written, so what can be is made of slices at hand;
    of a pair that came far apart, in two runs, or a second time, the copy is made at the end, by reading."""

    def __init__(self, levels: Sequence[Any], *, nearest: bool) -> None:
        """`levels`: the stack and its copies, arrays [z], the finest first."""
        self.levels, self.nearest = levels, nearest
        self._made: list[set[int]] = [set() for _ in levels]
        self._waiting: list[dict[int, Pixels]] = [{} for _ in levels]
        self._lock = Lock()

    def add(self, z: int, pixels: Pixels, level: int = 0) -> None:
        """Slice z of a level has come."""
        if level + 1 == len(self.levels) or (self.nearest and z % 2):
            return
        if self.nearest or z ^ 1 == self.levels[level].shape[0]:
            self._put(z // 2, pixels[None], level)
            return
        with self._lock:
            other = self._waiting[level].pop(z ^ 1, None)
            if other is None:
                self._made[level].discard(z // 2)
                self._waiting[level][z] = pixels.copy()  # NB: whoever wrote it may write the next slice into the same memory
                if len(self._waiting[level]) > _WAIT:
                    del self._waiting[level][next(iter(self._waiting[level]))]
        if other is not None:
            self._put(z // 2, np.stack((other, pixels) if z % 2 else (pixels, other)), level)

    def finish(self) -> None:
        """What is not made yet."""
        for level, made in enumerate(self._made[:-1]):
            left = [z for z in range(self.levels[level + 1].shape[0]) if z not in made]
            with ThreadPoolExecutor() as pool:
                deque(pool.map(self._read, left, [level] * len(left)), maxlen=0)

    def _read(self, z: int, level: int) -> None:
        self._put(z, np.asarray(self.levels[level][2 * z:2 * z + (1 if self.nearest else 2)]), level)

    def _put(self, z: int, slices: Pixels, level: int) -> None:
        copy = halved(slices, nearest=self.nearest)
        self.levels[level + 1][z] = copy
        self._made[level].add(z)
        self.add(z, copy, level + 1)
