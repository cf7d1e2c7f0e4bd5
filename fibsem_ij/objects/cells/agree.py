"""Two passes through a section, one from each side, made one.

A track that met no cell is, in this order: the cell that the other pass gave to most of it, or a thing of its own, together
with all that it touches. An inner voxel that both passes give the same cell has it, and so has, next to a drawn slice, the
one that the pass from there numbers; a piece too thin to have an inner voxel counts whole. From what is so agreed the
cells grow in three dimensions, through what is disputed first, where either pass has them, then anywhere inside, and into
the boundaries last, half way to one another. Through what is disputed they go where it is deep first: two cells that meet
in a gap of their boundary so meet in the gap, where it is narrow, and not half way beyond it.
Nothing here knows which pass went up, so the result does not depend on the direction of z.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import cv2
import numpy as np

from fibsem_ij.arrays.slabs import label
from fibsem_ij.objects.cells.follow import Pass, cores
from fibsem_ij.objects.cells.grow import Labels, Mask, grown
from fibsem_ij.objects.cells.numbers import middles, renamed
from fibsem_ij.objects.cells.options import Event
from fibsem_ij.objects.cells.seen import Seen

DEEP = 3  # px from what is not inner, so wide are the gaps in which cells may meet
FACES = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


def agreed(up: Pass, down: Pass, seen: Mapping[int, Seen], known: Mapping[int, Labels], first: int, *,
           each: Callable[..., Iterable[Any]] = map) -> tuple[Labels, int, list[Event]]:
    """The section `seen` (z, y, x) with its drawn ends, `known`; what is nobody's is numbered from `first`; what was decided.

    `each` maps, slice by slice. Both passes have their slices from the lowest z on. Where only one end is drawn, they are the same one.
    """
    events = {*up.events, *down.events}
    sides = []
    for mine, other in ((up, down), (down, up)):
        labels, told = _resolved(mine, other)
        events.update(told)
        between = iter(labels)
        sides.append([known[z] if z in known else next(between) for z in seen])
    found, count = _grown(sides[0], sides[1], list(seen.values()), first, each)
    for side in sides:
        events.update(_named(side, found, list(seen)))
    return found, first + count, sorted(events)


def _resolved(mine: Pass, other: Pass) -> tuple[list[Labels], list[Event]]:
    """The slices of `mine`, its tracks named as `other` sees them. Both passes in the same order of slices."""
    seen: dict[int, dict[int, int]] = {}
    for a, b in zip(mine.labels, other.labels, strict=True):
        tracks = a < 0
        pairs, voxels = np.unique(np.stack([a[tracks], b[tracks]], 1), axis=0, return_counts=True)
        for (track, cell), n in zip(pairs.tolist(), voxels.tolist(), strict=True):
            cells = seen.setdefault(track, {})
            cells[cell] = cells.get(cell, 0) + n
    names, events = {}, []
    for track, cells in seen.items():
        best = max(cells, key=lambda cell: (cells[cell], -cell))
        share = cells[best] / sum(cells.values())
        if best > 0 and share > 0.5:
            names[track] = best
            z, y, x = mine.begun[track]
            events.append(Event(z, track, "other side", share, best, y, x))
    return [renamed(labels, names) for labels in mine.labels], events


def _grown(up: list[Labels], down: list[Labels], seen: list[Seen], first: int, each: Callable[..., Iterable[Any]]) -> tuple[Labels, int]:
    """The section from what both passes say, and how many things in it are nobody's."""
    nobodys = np.stack([(np.maximum(a, b) <= 0) & (np.minimum(a, b) < 0) for a, b in zip(up, down, strict=True)])
    own, count = label(nobodys, connectivity=26)
    cells, inner = (np.stack(masks) for masks in zip(*seen, strict=True))
    near = [None if (n == 1) == (n == len(up) - 2) else a if n == 1 else b for n, (a, b) in enumerate(zip(up, down, strict=True))]
    found = np.stack(list(each(_sure, up, down, inner, near)))
    if count:
        found[nobodys] = own[nobodys].astype(np.int32) + (first - 1)
    found = grown(found, *_deep(inner), among=(np.stack(up), np.stack(down)))
    found = grown(found, inner, into=cells)
    for a, b, labels in zip(up, down, found, strict=True):
        alone = (labels == 0) & (np.maximum(a, b) > 0)  # disputed, and nothing sure hangs together with it
        labels[alone] = np.where(np.minimum(a, b) > 0, np.minimum(a, b), np.maximum(a, b))[alone]
    return found, count


def _deep(inner: Mask) -> list[Mask]:
    """The inner voxels that are DEEP faces away from others, then those that are less, at last all."""
    masks = [inner]
    for _ in range(DEEP):
        last, eroded = masks[-1], np.stack([cv2.erode(flat.view(np.uint8), FACES) for flat in masks[-1]]).view(np.bool_)
        eroded[1:] &= last[:-1]
        eroded[:-1] &= last[1:]
        masks.append(eroded)
    return masks[::-1]


def _sure(a: Labels, b: Labels, inner: Mask, near: Labels | None) -> Labels:
    """The cells of a slice that both passes agree on, or, where they do not, the near one."""
    ours, theirs = cores(a, inner), cores(b, inner)
    sure = np.where(ours == theirs, np.maximum(ours, 0), 0)
    return sure if near is None else np.where((sure == 0) & inner, np.maximum(near, 0), sure)


def _named(tracks: list[Labels], section: Labels, zs: list[int]) -> list[Event]:
    """What became of the tracks that nobody knew."""
    told: dict[int, Event] = {}
    for z, labels, numbers in zip(zs, tracks, section, strict=True):
        for track, (y, x) in middles(np.where(numbers > 0, np.minimum(labels, 0), 0)).items():
            told.setdefault(track, Event(z, track, "own", 1.0, int(numbers[y, x]), y, x))
    return list(told.values())
