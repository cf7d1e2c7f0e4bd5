"""Components: a mask, classes or grey values -> one number for every piece that hangs together.

A stack of any size, slab by slab (`slabs`), with the same result whatever the height of the slabs: numbers run from 1
without gaps, by the first voxel in (z, y, x) order. What hangs together:

- with `threshold`, neighbours at or above it (grey values, probabilities);
- with `delta`, neighbours above the threshold whose grey values differ by no more than `delta`;
- without both, neighbours of the same number other than 0 (a mask, or the numbers of classes).

A hole is background that does not reach the border of the stack and that one class alone surrounds; it is filled before
pieces are told apart. Then small pieces go (`least_...`, one number, or one for each class), then all but the `largest`
(of equal size the first), then what is left is `split` where it is pinched (`splitting`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.slabs import Ids, Joined, Pixels, Read, Slabs, join
from fibsem_ij.volume import ArrayLike, WritableArray

Least = float | Mapping[int, float]


@dataclass(frozen=True)
class Options:
    threshold: float | None = None
    connectivity: int = 26
    delta: float | None = None
    fill_holes: bool = False
    least_voxels: Least = 0  # smaller pieces go; {class: voxels} for classes apart
    least_nm3: Least = 0  # the same by volume; the voxel size must be known
    largest: int | None = None
    split_px: float | None = None  # cut where a piece is narrower by this than on both sides, see `splitting`
    slab: int | None = None  # slices at once; None: all into memory, a few million voxels into `out`

    def __post_init__(self) -> None:
        if self.connectivity not in (6, 18, 26):
            raise ValueError(f"expected a connectivity of 6, 18 or 26, got {self.connectivity}; 6 counts faces, 26 corners too")
        if self.delta is not None and (self.fill_holes or not self.delta >= 0):
            raise ValueError(f"expected delta of 0 or more and no fill_holes beside it, got {self.delta}; a grey object has no holes")
        if self.largest is not None and self.largest < 1:
            raise ValueError(f"expected to keep the largest 1 or more, got {self.largest}; leave it out to keep all")
        if self.slab is not None and self.slab < 1:
            raise ValueError(f"expected slabs of at least one slice, got {self.slab}; leave it out for the default")
        if self.split_px is not None and not self.split_px > 0:
            raise ValueError(f"expected split_px above 0, got {self.split_px}; leave it out to split nothing")


PRESETS = MappingProxyType({"chromosomes": Options(connectivity=26, delta=10, largest=12)})


def components(src: ArrayLike, out: WritableArray | None = None, *, options: Options | None = None,
               count: Callable[[int], None] | None = None) -> Any:
    """The pieces of `src` as uint32, (z, y, x). `count` is told how many. NB: `out` is read back, and each slice is written twice."""
    options = options or Options()
    _check(src, options)
    slabs = Slabs.of(src.shape, options.slab or (src.shape[0] if out is None else None))
    read = _values(src, slabs, options)
    if options.fill_holes:
        from fibsem_ij.arrays.holes import filled

        read = filled(read, slabs, connectivity=options.connectivity, shape=src.shape)
    keep = _Kept(slabs, src.shape, out, counted=_chosen(options))
    joined = join(read, slabs, connectivity=options.connectivity, delta=options.delta, each=keep)
    if keep.counted:
        joined = _select(joined, keep, options, getattr(src, "voxel_nm", None))
    found, number = keep.finish(joined), joined.count
    if options.split_px is not None:
        from fibsem_ij.objects.splitting import split

        number = split(found, found, least_px=options.split_px, voxel_nm=getattr(src, "voxel_nm", None))
    if count:
        count(number)
    return found


class _Kept:
    """The slabs as they are labelled, with their own numbers, until it is known which are one."""

    def __init__(self, slabs: Slabs, shape: tuple[int, ...], out: WritableArray | None, *, counted: bool) -> None:
        self.slabs, self.shape, self.counted = slabs, shape, counted
        self.out: Any = out
        self.voxels: list[npt.NDArray[np.int64]] = []  # of each number of each slab
        self.classes: list[Pixels] = []

    def __call__(self, i: int, pixels: Pixels, labels: Ids, count: int) -> None:
        shared = int(i > 0)
        if self.counted:
            self.voxels.append(np.bincount(labels[shared:].ravel(), minlength=count + 1))
            of = np.zeros(count + 1, pixels.dtype)
            of[labels.ravel()] = pixels.ravel()
            self.classes.append(of)
        if self.out is None:
            self.out = labels if len(self.slabs) == 1 else np.empty(self.shape, np.uint32)
        if self.out is not labels:
            self.out[self.slabs.own(i)] = labels[shared:]

    def finish(self, joined: Joined) -> Any:
        for i, table in enumerate(joined.tables):
            if not np.array_equal(table, np.arange(len(table))):
                own = self.slabs.own(i)
                self.out[own] = table[np.asarray(self.out[own])]
        return self.out


def _check(src: ArrayLike, options: Options) -> None:
    if len(src.shape) != 3 or 0 in src.shape:
        raise ValueError(f"expected a stack (z, y, x), got shape {tuple(src.shape)}; of probabilities give one class: array[c]")
    if src.dtype.kind not in "bui" and options.threshold is None and options.delta is None:
        raise ValueError(f"expected a mask or class numbers, got {src.dtype}; give a threshold")


def _values(src: ArrayLike, slabs: Slabs, options: Options) -> Read:
    """What hangs together where it is equal (or within delta)."""
    def read(i: int) -> Pixels:
        pixels = np.asarray(src[slabs.seen(i)])
        if options.threshold is None:
            return pixels
        above = pixels >= options.threshold
        return above if options.delta is None else np.where(above, pixels, pixels.dtype.type(0))

    return read


def _chosen(options: Options) -> bool:
    return bool(options.least_voxels or options.least_nm3 or options.largest)


def _select(joined: Joined, kept: _Kept, options: Options, voxel_nm: tuple[float, float, float] | None) -> Joined:
    """The components that are large enough, numbered anew in the same order."""
    voxels = np.zeros(joined.count + 1, np.int64)
    classes = np.zeros(joined.count + 1, kept.classes[0].dtype)
    for table, counts, of in zip(joined.tables, kept.voxels, kept.classes, strict=True):
        np.add.at(voxels, table, counts)
        classes[table] = of
    stay = voxels >= _least(options.least_voxels, classes)
    if options.least_nm3:
        if voxel_nm is None:
            raise ValueError("expected a voxel size with least_nm3, got none; give voxel_nm, or least_voxels")
        stay &= voxels * prod(voxel_nm) >= _least(options.least_nm3, classes)
    stay[0] = False
    if options.largest is not None:
        order = np.flatnonzero(stay)
        stay[order[np.argsort(-voxels[order], kind="stable")[options.largest:]]] = False
    return joined.renamed(np.where(stay, np.cumsum(stay), 0).astype(np.uint32))


def _least(least: Least, classes: Pixels) -> Any:
    if not isinstance(least, Mapping):
        return least
    limits = np.zeros(len(classes))
    for number, limit in least.items():
        limits[classes == number] = limit
    return limits
