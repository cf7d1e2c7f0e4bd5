"""One pass from a drawn slice into a section: every slice gets the numbers of the one before, islands get tracks.

The cells of the slice before are carried along the flow; their cores are the seeds from which they grow again on the
slice's mask, half way to one another. What they enter last depends on the way: carried outlines everywhere, only in
regions where two cells would merge, or the network's boundaries (`frame`; in their gaps the carried outline stays), after
which the corrected slice is carried on. So an island has the number of what lies over it, and a protrusion that breaks
off keeps its cell's. A region that nothing was carried into begins a track, with a negative number; a track that hangs
together with a cell becomes that cell, backwards too. A slice that shows little of what was carried into it, and is not
like the slice behind it either, is bad, and takes what was carried; what vanishes in one slice alone is carried past it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from fibsem_ij.objects.cells.flow import carry, flow
from fibsem_ij.objects.cells.grow import Labels, Mask, grown
from fibsem_ij.objects.cells.numbers import middles, pairs, renamed
from fibsem_ij.objects.cells.options import Event, Options
from fibsem_ij.objects.cells.seen import Grey, Seen

BAD = 0.4  # IoU of the mask with what was carried into it, and with the next slice's, below which a slice is bad
NEW = 0.1  # share of a region that was carried into it, below which it is new


@dataclass(eq=False)
class Pass:
    """What one pass made of its slices, in its own order. Its tracks are first, first - 2, ...: the other pass has the others."""

    first: int
    labels: list[Labels] = field(default_factory=list)
    begun: dict[int, tuple[int, int, int]] = field(default_factory=dict)  # track -> z, y, x
    joined: dict[int, int] = field(default_factory=dict)  # track -> the cell it met
    events: list[Event] = field(default_factory=list)


def follow(start: Labels, interiors: list[Grey], seen: list[Seen], zs: list[int], first: int, options: Options) -> Pass:
    """Into the slices `zs`, of which `seen` is known; `interiors` has one more, that of the slice where the pass starts."""
    done, before, pure, ghost = Pass(first), start, start, np.zeros_like(start)
    for n, ((cells, inner), z) in enumerate(zip(seen, zs, strict=True)):
        along = flow(interiors[n + 1], interiors[n], options)
        carried = carry(np.where(before, before, ghost), along)
        if options.way != "frame":
            pure = carry(pure, along)
            inner = _between(cells, pure, options)
        if _unlike(cells, carried != 0) and _unlike(cells, seen[n + 1][0] if n + 1 < len(seen) else np.zeros_like(cells)):
            done.events.append(Event(z, 0, "bridged", 0.0, 0, 0, 0))
            before = carried
        else:
            before = _slice(cells, inner, carried, z, done, options)
            ghost = _vanished(carried, before, ghost)
        done.labels.append(before)
    done.labels = [renamed(labels, done.joined) for labels in done.labels]
    return done


def _slice(cells: Mask, inner: Mask, carried: Labels, z: int, done: Pass, options: Options) -> Labels:
    core = inner & ~edges(carried, options.core_px) if options.core_px else inner
    pieces = _pieces(inner)
    kept = _tracks(pieces, carried, cores(np.where(cells, carried, 0), core), z, done, options)
    _join(pieces, kept, carried, z, done)
    return grown(kept, inner, into=cells)


def _unlike(cells: Mask, others: Mask) -> bool:
    """Whether two masks have little in common; an empty one has nothing."""
    return bool(np.count_nonzero(cells & others) <= BAD * np.count_nonzero(cells | others))


def _between(cells: Mask, outlines: Labels, options: Options) -> Mask:
    """Cells but for the carried outlines."""
    lines = edges(outlines, 1) & (outlines != 0)
    if options.way == "selective":
        regions = _pieces(cells)
        lines &= _several(regions, outlines)[regions]
    return np.asarray(cells & ~lines)


def _several(regions: Labels, labels: Labels) -> npt.NDArray[np.bool_]:
    """Which regions hold more than one cell."""
    both, _ = pairs(regions, labels)
    return np.bincount(both[(both > 0).all(1), 0], minlength=int(regions.max()) + 1) > 1


def _tracks(pieces: Labels, carried: Labels, kept: Labels, z: int, done: Pass, options: Options) -> Labels:
    """The seeds with those of new tracks: pieces that nothing was carried into."""
    voxels = np.bincount((2 * pieces + (carried != 0)).ravel(), minlength=2 * int(pieces.max()) + 2).reshape(-1, 2)  # (piece, known)
    area = voxels.sum(1)
    known = voxels[:, 1] / np.maximum(area, 1)
    new = 1 + np.flatnonzero((area[1:] >= options.least_px) & (known[1:] < NEW))
    if not len(new):
        return kept
    names = np.zeros(len(area), np.int32)
    names[new] = done.first - 2 * (len(done.begun) + np.arange(len(new)))
    tracks = names[pieces]
    where = middles(tracks)
    for piece, track in zip(new.tolist(), names[new].tolist(), strict=True):
        done.begun[track] = (z, *where[track])
        done.events.append(Event(z, track, "new", float(known[piece]), 0, *where[track]))
    return np.where(tracks != 0, tracks, kept)


def _join(pieces: Labels, kept: Labels, carried: Labels, z: int, done: Pass) -> None:
    """Tracks that hang together with a cell become it: the cell that has most of the piece."""
    if kept.min() >= 0:
        return
    rows, voxels = pairs(pieces, kept)
    rows, voxels = rows[rows[:, 0] > 0], voxels[rows[:, 0] > 0]
    where = middles(np.minimum(kept, 0))
    for track in np.unique(rows[rows[:, 1] < 0, 1]).tolist():
        if track in done.joined:
            continue
        there = np.isin(rows[:, 0], rows[rows[:, 1] == track, 0]) & (rows[:, 1] > 0)
        if there.any():
            cell = int(rows[there, 1][voxels[there].argmax()])
            done.joined[track] = cell
            mine = int(np.count_nonzero(carried == track))
            done.events.append(Event(z, track, "joined", mine / max(mine + int(voxels[there].max()), 1), cell, *where[track]))


def _vanished(carried: Labels, found: Labels, ghost: Labels) -> Labels:
    """Pieces of what was carried of which this slice shows nothing, unless they were missing before."""
    here = (carried != 0) & (ghost == 0)
    seen = grown((here & (found == carried)).astype(np.int32), here)
    return np.where(here & (seen == 0), carried, 0)


def cores(labels: Labels, core: Mask) -> Labels:
    """Labels within the core; pieces that are too thin to reach into it stay whole."""
    reached = grown(np.where(core, labels, 0), labels != 0, among=(labels,))
    return np.where(core | (reached == 0), labels, 0)


def edges(labels: Labels, reach: int) -> Mask:
    """Pixels within `reach` of another number."""
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)
    flat = labels.astype(np.float32)
    return np.asarray(cv2.dilate(flat, element) != cv2.erode(flat, element))


def _pieces(mask: Mask) -> Labels:
    return np.asarray(cv2.connectedComponents(mask.astype(np.uint8), connectivity=4, ltype=cv2.CV_32S)[1])
