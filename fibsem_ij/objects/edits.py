"""Corrections to a label stack: merge, split, delete, reassign, and each of them undone.

A correction is streamed: slices in, slices out, and a record of every run of pixels that changed, with the number it had
and the number it got. The record alone undoes it, exactly, and tells whether it was done at all. Runs are flat indices
(z, y, x): first, length, old, new.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.volume import ArrayLike, WritableArray

Pixels = npt.NDArray[Any]
Runs = npt.NDArray[np.int64]  # (n, 4)
Change = Callable[[int, Pixels], Pixels]
Point = tuple[int, int, int]


def apply(labels: ArrayLike, out: WritableArray, change: Change) -> Runs:
    """out[z] = change(z, labels[z]); what changed."""
    size = labels.shape[1] * labels.shape[2]
    runs = []
    for z in range(labels.shape[0]):
        old = np.asarray(labels[z])
        new = change(z, old)
        runs.append(_runs(old.ravel(), new.ravel(), z * size))
        out[z] = new
    return np.concatenate(runs)


def merge(keep: int, gone: Sequence[int]) -> Change:
    """The objects `gone` become part of `keep`."""
    return lambda z, found: _put(found, np.isin(found, _objects(keep, *gone)[1:]), keep)


def delete(numbers: Sequence[int]) -> Change:
    return lambda z, found: _put(found, np.isin(found, _objects(*numbers)), 0)


def reassign(number: int, to: int, *, first: int, last: int) -> Change:
    """In slices first..last, object `number` is called `to`."""
    _objects(number, to)
    if not 0 <= first <= last:
        raise ValueError(f"expected slices first <= last, from 0, got {first} to {last}; count from 0")
    return lambda z, found: _put(found, (found == number) & (first <= z <= last), to)


def split(labels: ArrayLike, number: int, seeds: Sequence[Point], *, voxel_nm: tuple[float, float, float] | None = None) -> Change:
    """Cut an object where it is narrow between the seeds (z, y, x): the first part keeps the number, the others get new ones."""
    from fibsem_ij.arrays.boxes import boxes
    from fibsem_ij.objects.splitting import parted

    numbers, where = boxes(labels)
    if number not in numbers or len(seeds) < 2:
        raise ValueError(f"expected an object and two seeds or more, got {number} and {len(seeds)}; look in the label image")
    box = where[numbers.tolist().index(number)]
    mask = np.asarray(labels[box]) == number
    marks = np.zeros(mask.shape, np.int32)
    for n, seed in enumerate(seeds, 1):
        at = tuple(c - b.start for c, b in zip(seed, box, strict=True))
        if not all(0 <= a < length for a, length in zip(at, mask.shape, strict=True)) or not mask[at] or marks[at]:
            raise ValueError(f"expected seeds (z, y, x) that differ, on object {number}, got {seed}; look in the label image")
        marks[at] = n
    parts = parted(mask, marks, voxel_nm=voxel_nm)
    names = np.array([number, number, *range(int(numbers.max()) + 1, int(numbers.max()) + len(seeds))])

    def change(z: int, found: Pixels) -> Pixels:
        if not box[0].start <= z < box[0].stop:
            return found
        here = mask[z - box[0].start]
        new = found.copy()
        new[box[1:]][here] = _fits(names, found)[parts[z - box[0].start]][here]
        return new

    return change


def undo(runs: Runs, *, shape: tuple[int, ...]) -> Change:
    """What was changed gets its old number; refused where it has been changed since."""
    size = shape[1] * shape[2]

    def change(z: int, found: Pixels) -> Pixels:
        new = found.copy().ravel()
        here = runs[(runs[:, 0] >= z * size) & (runs[:, 0] < (z + 1) * size)]
        at = np.repeat(here[:, 0] - z * size - np.cumsum(here[:, 1]) + here[:, 1], here[:, 1]) + np.arange(here[:, 1].sum())
        if (new[at] != np.repeat(here[:, 3], here[:, 1])).any():
            raise ValueError(f"expected slice {z} as the edit left it, got other numbers; it was changed since, so it cannot be undone")
        new[at] = np.repeat(here[:, 2], here[:, 1])
        return new.reshape(found.shape)

    return change


def was_done(labels: ArrayLike, runs: Runs) -> bool:
    """Whether a stack shows an edit, or a crash came between its record and its pixels."""
    first, _, _, new = (int(n) for n in runs[0])
    z, rest = divmod(first, labels.shape[1] * labels.shape[2])
    return int(np.asarray(labels[z]).ravel()[rest]) == new


def _runs(old: Pixels, new: Pixels, start: int) -> Runs:
    at = np.flatnonzero(old != new)
    if not len(at):
        return np.empty((0, 4), np.int64)
    was, now = old[at].astype(np.int64), new[at].astype(np.int64)
    first = np.flatnonzero(np.append(True, (np.diff(at) > 1) | (np.diff(was) != 0) | (np.diff(now) != 0)))
    return np.stack([at[first] + start, np.diff(first, append=len(at)), was[first], now[first]], 1)


def _put(found: Pixels, where: npt.NDArray[np.bool_], number: int) -> Pixels:
    return np.where(where, _fits(np.array([number]), found)[0], found)


def _fits(numbers: npt.NDArray[np.int64], found: Pixels) -> Pixels:
    if numbers.max() > np.iinfo(found.dtype).max:
        raise ValueError(f"expected a number that {found.dtype} holds, got {numbers.max()}; write the labels as uint32 first")
    return numbers.astype(found.dtype)


def _objects(*numbers: int) -> Sequence[int]:
    if min(numbers) < 1 or len(set(numbers)) < len(numbers):
        raise ValueError(f"expected object numbers from 1 that differ, got {list(numbers)}; 0 is background")
    return numbers
