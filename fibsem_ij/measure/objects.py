"""The objects of a label stack: number, box and count of voxels of each, in order of their numbers; and their voxels by row.

A table has one row an object. `Objects.rows` turns label numbers, which may be any, into these rows, -1 for background, so
that a group of measures adds up in plain arrays. `over_slices` is how it walks through a stack that does not fit into memory:
one call a slice, with as many slices around it as it needs, on all cores, the results in order of z. A float sum of an object
is the sum of its slices' sums in that order, so its bits depend neither on what is in memory at a time nor on the cores.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.boxes import Box
from fibsem_ij.arrays.slabs import SLAB_VOXELS
from fibsem_ij.volume import ArrayLike

Rows = npt.NDArray[np.int32]
Counts = npt.NDArray[np.int64]
Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Objects:
    ids: Counts  # (n,), rising
    boxes: list[Box]
    voxels: Counts  # (n,)

    @classmethod
    def of(cls, labels: ArrayLike) -> Objects:
        """All objects of a stack, in one pass, one slice in memory."""
        if len(labels.shape) != 3 or labels.dtype.kind not in "ui" or labels.dtype == np.uint64:
            raise ValueError(f"expected a label stack (z, y, x) of integers up to 63 bits, got shape {tuple(labels.shape)} of "
                             f"{labels.dtype}; number objects as uint32")
        table, waiting = np.empty((0, 8), np.int64), 0
        tables = [table]
        for z in range(labels.shape[0]):
            tables.append(_in_slice(np.asarray(labels[z]), z))
            waiting += len(tables[-1])
            if waiting > len(table) or z == labels.shape[0] - 1:  # so the cost of merging is that of what is merged
                table, waiting = _merged(np.concatenate(tables)), 0
                tables = [table]
        boxes = [(slice(a, d), slice(b, e), slice(c, f)) for a, b, c, d, e, f in table[:, 1:7].tolist()]
        return cls(table[:, 0].copy(), boxes, table[:, 7].copy())

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, pixels: npt.NDArray[Any]) -> Rows:
        """The row of each voxel; -1 for background and for numbers that are no object's."""
        pixels = _native(pixels)
        out = np.empty(pixels.shape, np.int32)
        _compiled()[1](pixels.ravel(), self.ids, out.ravel())
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
            for z in range(low + len(kept), high):
                rows[z - low] = objects.rows(np.asarray(labels[z]))
            for z, result in zip(range(start, stop), pool.map(lambda z, rows=rows, low=low: function(rows, z - low, z),
                                                              range(start, stop)), strict=True):
                if progress:
                    progress(z + 1, depth)
                yield result


def runs(pixels: npt.NDArray[Any]) -> Counts:
    """The runs along x of equal numbers other than 0 in a slice: number, y, start, stop."""
    found: Counts = _compiled()[0](_native(pixels))
    return found


def _native(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """NB: Numba knows no foreign byte order, in which TIFF files come."""
    return np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("="))


def _in_slice(pixels: npt.NDArray[Any], z: int) -> Counts:
    """Of each object: id, first (z, y, x), stop (z, y, x), voxels."""
    ids, y, start, stop = runs(pixels).T
    zs = np.full(len(ids), z)
    return _merged(np.stack([ids, zs, y, start, zs + 1, y + 1, stop, stop - start], 1))


def _merged(table: Counts) -> Counts:
    """One line for each id."""
    table = table[np.argsort(table[:, 0], kind="stable")]
    starts = np.flatnonzero(np.diff(table[:, 0], prepend=table[:1, 0] - 1))
    joint = (np.minimum, np.minimum, np.minimum, np.minimum, np.maximum, np.maximum, np.maximum, np.add)
    return np.stack([join.reduceat(column, starts) for join, column in zip(joint, table.T, strict=True)], 1) if len(table) else table


@lru_cache
def _compiled() -> tuple[Callable[..., Any], ...]:
    import numba

    return tuple(numba.njit(function, nogil=True, cache=True) for function in (_runs, _look_up))


def _runs(pixels: npt.NDArray[Any]) -> Counts:
    count = 0
    for y in range(pixels.shape[0]):
        last = 0
        for x in range(pixels.shape[1]):
            count += pixels[y, x] != last and pixels[y, x] != 0
            last = pixels[y, x]
    out = np.empty((count, 4), np.int64)
    n = -1
    for y in range(pixels.shape[0]):
        last = 0
        for x in range(pixels.shape[1]):
            here = pixels[y, x]
            if here != last and here != 0:
                n += 1
                out[n, 0], out[n, 1], out[n, 2] = here, y, x
            if here != 0:
                out[n, 3] = x + 1
            last = here
    return out


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
