"""The objects of a label stack: number, box and count of voxels of each, in order of their numbers; and their voxels by row.

A table has one row an object. `Objects.rows` turns label numbers, which may be any, into these rows, -1 for background, so
that a group of measures adds up in plain arrays. `over_slices` is how it walks through a stack that does not fit into memory:
one call a slice, with as many slices around it as it needs, on all cores, the results in order of z. A float sum of an object
is the sum of its slices' sums in that order, so its bits depend neither on what is in memory at a time nor on the cores.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from math import prod
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.boxes import Box
from fibsem_ij.arrays.compiled import compiled
from fibsem_ij.arrays.runs import native, runs
from fibsem_ij.arrays.slabs import SLAB_VOXELS
from fibsem_ij.measure.sums import Sums
from fibsem_ij.volume import ArrayLike

Rows = npt.NDArray[np.int32]
Counts = npt.NDArray[np.int64]
Result = TypeVar("Result")

# Of what is everywhere: numbers, pixels in a row.
_MANY = 16
_SHORT = 4


@dataclass(frozen=True, eq=False)
class Objects:
    ids: Counts  # (n,), rising
    boxes: list[Box]
    voxels: Counts  # (n,)
    sums: Counts  # (n, 9) of coordinates and of their products, counted from the box
    runs: Counts  # (n,) along x

    @classmethod
    def of(cls, labels: ArrayLike) -> Objects:
        """All objects of a stack, in one pass, a few slices in memory."""
        if len(labels.shape) != 3 or labels.dtype.kind not in "ui":
            raise ValueError(f"expected a label stack (z, y, x) of integers, got shape {tuple(labels.shape)} of {labels.dtype}; "
                             "number objects as uint32")
        sums, line = Sums(), labels.shape[2] + 1
        with ThreadPoolExecutor() as pool:
            for z, found in enumerate(_of_slices(lambda _, pixels: runs(pixels), labels, range(labels.shape[0]), pool)):
                sums.add(found, line, z)
        ids, corners, *rest = sums.table()
        if labels.dtype.kind == "u" and (ids < 0).any():
            raise ValueError("expected a label stack with numbers below 2^63, got larger ones; number objects as uint32")
        return cls(ids, [(slice(a, d), slice(b, e), slice(c, f)) for a, b, c, d, e, f in corners.reshape(-1, 6).tolist()], *rest)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def box_voxels(self) -> Counts:
        return np.array([prod(s.stop - s.start for s in box) for box in self.boxes], np.int64)

    def doubt(self, shape: tuple[int, ...]) -> str:
        """Why this looks like no label stack but like a grey one, which no file tells apart; empty where it does not.

        A grey stack is full of many numbers that are everywhere and that change from pixel to pixel. Objects are somewhere.
        """
        spread = 2 * self.box_voxels > prod(shape)
        everywhere, lengths = self.voxels[spread].sum(), self.voxels[spread].sum() / max(self.runs[spread].sum(), 1)
        if spread.sum() < _MANY or 2 * everywhere < prod(shape) or lengths > _SHORT:
            return ""
        return (f"{spread.sum():,} of {len(self):,} numbers are all over the stack, in runs of {lengths:.1f} px: it looks like a grey "
                "image, and objects are measured on their label image")

    def rows(self, pixels: npt.NDArray[Any], out: Rows | None = None) -> Rows:
        """The row of each voxel; -1 for background and for numbers that are no object's."""
        out = np.empty(pixels.shape, np.int32) if out is None else out
        _look_up(native(pixels).ravel(), self.ids, out.reshape(-1))
        return out


def over_slices(function: Callable[[Rows, int, int], Result], labels: ArrayLike, objects: Objects, *, halo: int = 0,
                height: int | None = None, progress: Callable[[int, int], None] | None = None) -> Iterator[Result]:
    """function(rows (h, y, x), k, z) for every slice z, which is rows[k], with up to `halo` slices on either side of it."""
    depth, *plane = labels.shape
    height = height or max(os.cpu_count() or 1, SLAB_VOXELS // max(1, plane[0] * plane[1]))
    rows, first = np.empty((0, *plane), np.int32), 0  # slices from `first` on
    with ThreadPoolExecutor() as pool:
        for start in range(0, depth, height):
            stop = min(start + height, depth)
            low, high = max(start - halo, 0), min(stop + halo, depth)
            kept, rows = rows[low - first:], np.empty((high - low, *plane), np.int32)
            rows[:len(kept)], first = kept, low

            def look(z: int, pixels: npt.NDArray[Any], rows: Rows = rows, low: int = low) -> Rows:
                return objects.rows(pixels, rows[z - low])

            for _ in _of_slices(look, labels, range(low + len(kept), high), pool):
                pass
            for z, result in zip(range(start, stop), pool.map(lambda z, rows=rows, low=low: function(rows, z - low, z),
                                                              range(start, stop)), strict=True):
                if progress:
                    progress(z + 1, depth)
                yield result


def _of_slices(function: Callable[[int, npt.NDArray[Any]], Result], labels: ArrayLike, zs: Iterable[int],
               pool: ThreadPoolExecutor) -> Iterator[Result]:
    """function(z, pixels), in order. One thread reads, since not every reader bears two, and is few slices ahead."""
    coming: deque[Future[Result]] = deque()
    for z in zs:
        coming.append(pool.submit(function, z, np.asarray(labels[z])))
        if len(coming) > 2 * (os.cpu_count() or 1):
            yield coming.popleft().result()
    yield from (future.result() for future in coming)


@compiled
def _look_up(pixels: npt.NDArray[Any], ids: Counts, out: Rows) -> None:
    last, row, end = np.int64(0), np.int64(-1), np.int64(ids.size - 1)
    for i in range(pixels.size):
        here = np.int64(pixels[i])
        if here != last:
            last, row = here, np.int64(-1)
            if here != 0 and ids.size:
                row = min(max(here - ids[0], np.int64(0)), end)  # it is here where numbers have no gaps
                if ids[row] != here:
                    row = min(np.int64(np.searchsorted(ids, here)), end)
                if ids[row] != here:
                    row = np.int64(-1)
        out[i] = row
