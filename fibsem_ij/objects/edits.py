"""Corrections to a label stack: merge, split, delete, reassign, renumber, a decision of `cells` taken back; each of them undone.

A correction is streamed: slices in, slices out, and a record of every run of pixels that changed, with the number it had
and the number it got. The record alone undoes it, exactly, and tells whether it was done at all. Runs are flat indices
(z, y, x): first, length, old, new.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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


def renumber(labels: ArrayLike) -> Change:
    """The objects are numbered 1, 2, ... without gaps, in the order of their numbers."""
    from fibsem_ij.arrays.boxes import boxes

    numbers = np.append(0, boxes(labels)[0])
    return lambda z, found: np.searchsorted(numbers, found).astype(found.dtype)


def undo_event(labels: ArrayLike, events: Mapping[str, npt.NDArray[Any]], row: int) -> Change:
    """A decision of `cells`, by its row in the log (from 1), taken back.

    `joined`, `other side`: the island that the track was gets a number of its own. `own`: the thing goes. `bridged`: the
    slice is empty. A row `new` says only that a track began; another says what became of it.
    """
    if not 1 <= row <= len(events["z"]):
        raise ValueError(f"expected a row from 1 to {len(events['z'])}, got {row}; the first event is row 1")
    z, track, event, into = (events[name][row - 1].item() for name in ("z", "track", "event", "into"))
    of = np.flatnonzero(events["track"] == track)
    if event == "bridged":
        return lambda at, found: np.zeros_like(found) if at == z else found
    if event == "own":
        return delete([into])
    if event == "new":
        others = [str(n + 1) for n in of.tolist() if n != row - 1]
        raise ValueError(f"expected a row that decides, row {row} says that a track began; see row {', '.join(others) or '(none)'}")
    began = of[events["event"][of] == "new"][0]
    point = tuple(events[name][began].item() for name in ("z", "y", "x"))
    return island(labels, into, point, until=z if event == "joined" else None)


def island(labels: ArrayLike, number: int, point: Point, *, until: int | None = None) -> Change:
    """The region of an object at a point (z, y, x) gets a number of its own, with what lies over and under it.

    It is followed by overlap, from slice to slice, not into slice `until`, and to where it meets the largest region of the object.
    """
    z, y, x = point
    here = np.zeros(labels.shape[1:], np.bool_)
    here[y, x] = True
    if (seen := int(np.asarray(labels[z])[y, x])) != number:
        raise ValueError(f"expected object {number} at {z},{y},{x} (z, y, x), got {seen}; it was changed, reassign by hand")
    regions: dict[int, npt.NDArray[np.bool_]] = {}
    for step in (1, -1):
        at, region = z, _region(labels, number, z, here)
        while region.any():
            regions[at] = region
            at += step
            region = _region(labels, number, at, region) if 0 <= at < labels.shape[0] and at != until else np.zeros_like(here)
    if not regions:
        raise ValueError(f"expected an island of object {number} at {z},{y},{x} (z, y, x), got its largest part there; split it by seeds")
    new = max(int(np.max(labels[at])) for at in range(labels.shape[0])) + 1
    return lambda at, found: _put(found, regions[at], new) if at in regions else found


def _region(labels: ArrayLike, number: int, z: int, over: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The regions of an object in a slice that `over` meets; none where its largest is among them."""
    import cv2

    parts = cv2.connectedComponents((np.asarray(labels[z]) == number).view(np.uint8), connectivity=4)[1]
    met = np.bincount(parts[over], minlength=int(parts.max()) + 1) > 0
    met[0] = False
    size = np.bincount(parts.ravel())
    size[0] = 0
    return np.asarray(met[parts] if not met[size.argmax()] else np.zeros_like(over))


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
