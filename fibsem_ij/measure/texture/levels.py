"""Grey levels inside objects, as one number a voxel that texture measures compare.

The grey values of `span` are cut into `levels` of equal width, 0 to levels - 1; what lies beyond goes to the end levels. The span is
one for all objects, so that their textures compare: if none is given, the 1st to the 99th percentile of the voxels of all objects
together (exact; the darkest grey value that has 1 % of the voxels at or below it).

A voxel's code is (row + 1) * levels + level, and 0 outside of the objects, with `row` its object's place in the table. So two voxels
of one object with the same level have the same code, and voxels of one object are less than `levels` apart.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil, isfinite

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.compiled import compiled
from fibsem_ij.arrays.slabs import SLAB_SLICES, SLAB_VOXELS
from fibsem_ij.measure.objects import Counts, Objects, Rows
from fibsem_ij.measure.ranks import Grey, at_ranks, checked, not_finite
from fibsem_ij.volume import ArrayLike

Codes = npt.NDArray[np.uint32]
Span = tuple[float, float]

PERCENT = (1.0, 99.0)


def span_of(labels: ArrayLike, objects: Objects, image: ArrayLike, *, percent: Span = PERCENT) -> Span:
    """The grey values at two percentiles of the voxels of all objects together; (0, 1) where there are none."""
    voxels = int(objects.voxels.sum())
    if not voxels:
        return (0.0, 1.0)
    ranks = np.array([[max(ceil(p / 100 * voxels) - 1, 0)] for p in percent])
    low, high = at_ranks(labels, objects, image, ranks, together=True)[:, 0]
    return (float(low), float(high))


@dataclass(frozen=True, eq=False)
class Coded:
    """Labels and image together, in codes."""

    labels: ArrayLike
    objects: Objects
    image: ArrayLike
    levels: int
    span: Span

    @classmethod
    def of(cls, labels: ArrayLike, objects: Objects, image: ArrayLike, levels: int, span: Span | None) -> Coded:
        checked(labels, image)
        if not 2 <= levels <= (2**32 - 1) // (len(objects.ids) + 1):
            raise ValueError(f"expected 2 grey levels or more, and fewer than 2^32 for all objects together, got {levels} for each of "
                             f"{len(objects.ids)}; 32 are usual")
        if span is None:
            span = span_of(labels, objects, image)
        elif not (isfinite(span[0]) and isfinite(span[1]) and span[0] <= span[1]):
            raise ValueError(f"expected a span of grey values (low, high), got {span}; leave it out for the percentiles {PERCENT}")
        return cls(labels, objects, image, levels, span)

    def read(self, z: slice) -> tuple[Grey, Grey]:
        return np.asarray(self.labels[z]), np.asarray(self.image[z])

    def codes(self, labels: Grey, image: Grey) -> Codes:
        low, high = self.span
        out = np.empty(labels.shape, np.uint32)
        finite = _code(self.objects.rows(labels), image.astype(np.float64), low, high - low or np.inf, self.levels, out)
        if not finite:
            raise ValueError(not_finite("the image"))
        return out


def summed(work: Callable[[Codes, Counts], None], coded: Coded, shape: tuple[int, ...], *, reach: int, slab: int | None = None,
           workers: int | None = None) -> Counts:
    """What `work(block, sums)` adds to `sums` over the blocks of a stack, of whole numbers: the same in any order.

    A block is codes with `reach` voxels more on all sides, 0 beyond the stack. Slabs are read here, one at a time; bands of
    rows in them are coded and worked on by threads, each with sums of its own.
    """
    depth, height, width = coded.labels.shape
    slab = min(slab or max(SLAB_SLICES, 2 * SLAB_VOXELS // (height * width)), depth)
    band = max(2 * reach, SLAB_VOXELS // 4 // ((slab + 2 * reach) * (width + 2 * reach)))
    count = workers or os.cpu_count() or 1
    spare = [np.zeros(shape, np.int64) for _ in range(count)]
    with ThreadPoolExecutor(count) as pool:
        for z in range(0, depth, slab):
            zs, above = _reaching(z, z + slab, reach, depth)
            labels, image = coded.read(zs)

            def one(y: int, labels: Grey = labels, image: Grey = image, above: tuple[int, int] = above) -> None:
                ys, before = _reaching(y, y + band, reach, height)
                block = np.pad(coded.codes(labels[:, ys], image[:, ys]), (above, before, (reach, reach)))
                sums = spare.pop()
                work(block, sums)
                spare.append(sums)

            list(pool.map(one, range(0, height, band)))
    total: Counts = np.sum(spare, axis=0)
    return total


def steps_before(shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """The way in memory to the 13 neighbours that come before a voxel; the other 13 are those that it comes before."""
    _, height, width = shape
    return np.array([(z * height + y) * width + x for z in (-1, 0, 1) for y in (-1, 0, 1) for x in (-1, 0, 1)][:13])


def _reaching(start: int, stop: int, reach: int, size: int) -> tuple[slice, tuple[int, int]]:
    """Where to read start - reach to stop + reach, and how much of it lies beyond the ends."""
    stop = min(stop, size)
    low, high = max(start - reach, 0), min(stop + reach, size)
    return slice(low, high), (low - start + reach, stop + reach - high)


@compiled
def _code(rows: Rows, image: npt.NDArray[np.float64], low: float, width: float, levels: int, out: Codes) -> bool:
    """Whether all grey values inside were finite."""
    finite = True
    for z in range(rows.shape[0]):
        for y in range(rows.shape[1]):
            for x in range(rows.shape[2]):
                row, level = rows[z, y, x], (image[z, y, x] - low) * levels / width
                if row < 0:
                    out[z, y, x] = 0
                    continue
                finite &= np.isfinite(level)
                out[z, y, x] = (row + 1) * levels + int(min(max(level, 0), levels - 1))
    return finite
