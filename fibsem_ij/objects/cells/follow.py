"""One pass from a drawn slice into a section: every slice gets the numbers of the one before, islands get tracks.

The cells of the slice before are carried along the flow; their cores seed a watershed on the slice's mask, and what stops
it depends on the way: carried outlines everywhere, only in regions where two cells would merge, or the network's
boundaries with carried outlines in their gaps (`frame`), after which the corrected slice is carried on. So an island has
the number of what lies over it, and a protrusion that breaks off keeps its cell's. A region that nothing was carried into
begins a track, with a negative number; a track that hangs together with a cell becomes that cell, backwards too. A slice
that shows little of what was carried into it is bad, and takes what was carried; what vanishes in one slice alone is
carried past it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from fibsem_ij.objects.cells.flow import Flow, Grey, Labels, carry
from fibsem_ij.objects.cells.numbers import pairs, present, renamed
from fibsem_ij.objects.cells.options import Options

Mask = npt.NDArray[np.bool_]
Event = tuple[int, int, str, float, int]  # z, track, event, iou, into

BAD = 0.4  # IoU of the mask with what was carried into it, below which a slice is bad
CARRIED = 200  # how high a carried outline stands beside a boundary of 255
NEW = 0.1  # share of a region that was carried into it, below which it is new


@dataclass(eq=False)
class Pass:
    """What one pass made of its slices, in its own order. Its tracks are first, first - 2, ...: the other pass has the others."""

    first: int
    labels: list[Labels] = field(default_factory=list)
    begun: dict[int, int] = field(default_factory=dict)  # track -> z
    joined: dict[int, int] = field(default_factory=dict)  # track -> the cell it met
    events: list[Event] = field(default_factory=list)


def follow(start: Labels, slices: list[tuple[Grey, Grey]], flows: list[Flow], zs: list[int], first: int,
           options: Options) -> Pass:
    """`slices`: interior and boundary of each; `flows[i]` leads from slice i back to the one before it."""
    done, before, pure, ghost = Pass(first), start, start, np.zeros_like(start)
    for (interior, boundary), along, z in zip(slices, flows, zs, strict=True):
        carried, pure = carry(np.where(before, before, ghost), along), carry(pure, along)
        level = options.inside * 255
        cells = (interior >= level) | (boundary >= level)
        if np.count_nonzero(cells & (carried != 0)) < BAD * np.count_nonzero(cells | (carried != 0)):
            done.events.append((z, 0, "bridged", 0.0, 0))
            before = carried
        else:
            inner = (interior >= level) & (boundary < level) if options.way == "frame" else cells
            before = _slice(cells, inner, boundary, carried if options.way == "frame" else pure, carried, z, done, options)
            ghost = _vanished(carried, before, ghost)
        done.labels.append(before)
    done.labels = [renamed(labels, done.joined) for labels in done.labels]
    return done


def _slice(cells: Mask, inner: Mask, boundary: Grey, outlines: Labels, carried: Labels, z: int, done: Pass, options: Options) -> Labels:
    seeds = np.where(cells, carried, 0)
    kept = np.where(inner & ~edges(carried, options.core_px), seeds, 0)
    lost = np.setdiff1d(present(seeds), present(kept))  # too thin to have a core
    kept = np.where(np.isin(seeds, lost), seeds, kept)
    hills, pieces = _hills(cells, inner, boundary, outlines, options)
    kept = _tracks(pieces, carried, kept, z, done, options)
    _join(pieces, kept, carried, z, done)
    return flooded(hills, kept, cells)


def _hills(cells: Mask, inner: Mask, boundary: Grey, outlines: Labels, options: Options) -> tuple[Grey, Labels]:
    """What stops the flood, and the pieces that hang together before it."""
    lines = edges(outlines, 1) & (outlines != 0)
    if options.way == "frame":  # where the network saw no boundary, the carried outline stands in
        seen = cv2.GaussianBlur(boundary, (0, 0), 1)
        return np.maximum(seen, cv2.GaussianBlur(lines.astype(np.uint8) * np.uint8(CARRIED), (0, 0), 1)), _pieces(inner)
    if options.way == "selective":
        regions = _pieces(cells)
        several = _several(regions, outlines)
        lines &= several[regions]
    return lines.astype(np.uint8) * np.uint8(255), _pieces(cells & ~lines)


def _several(regions: Labels, labels: Labels) -> npt.NDArray[np.bool_]:
    """Which regions hold more than one cell."""
    both, _ = pairs(regions, labels)
    return np.bincount(both[(both > 0).all(1), 0], minlength=int(regions.max()) + 1) > 1


def _tracks(pieces: Labels, carried: Labels, kept: Labels, z: int, done: Pass, options: Options) -> Labels:
    """The seeds with those of new tracks: pieces that nothing was carried into."""
    area = np.bincount(pieces.ravel())
    known = np.bincount(pieces[carried != 0], minlength=len(area)) / np.maximum(area, 1)
    names = np.zeros(len(area), np.int32)
    for piece in (1 + np.flatnonzero((area[1:] >= options.least_px) & (known[1:] < NEW))).tolist():
        names[piece] = done.first - 2 * len(done.begun)
        done.begun[int(names[piece])] = z
        done.events.append((z, int(names[piece]), "new", float(known[piece]), 0))
    return np.where(names[pieces] != 0, names[pieces], kept)


def _join(pieces: Labels, kept: Labels, carried: Labels, z: int, done: Pass) -> None:
    """Tracks that hang together with a cell become it: the cell that has most of the piece."""
    if kept.min() >= 0:
        return
    rows, voxels = pairs(pieces, kept)
    rows, voxels = rows[rows[:, 0] > 0], voxels[rows[:, 0] > 0]
    for track in np.unique(rows[rows[:, 1] < 0, 1]).tolist():
        if track in done.joined:
            continue
        there = np.isin(rows[:, 0], rows[rows[:, 1] == track, 0]) & (rows[:, 1] > 0)
        if there.any():
            cell = int(rows[there, 1][voxels[there].argmax()])
            done.joined[track] = cell
            mine = int(np.count_nonzero(carried == track))
            done.events.append((z, track, "joined", mine / max(mine + int(voxels[there].max()), 1), cell))


def _vanished(carried: Labels, found: Labels, ghost: Labels) -> Labels:
    """Pieces of what was carried of which this slice shows nothing, unless they were missing before."""
    pieces = _pieces((carried != 0) & (ghost == 0))
    seen = np.zeros(int(pieces.max()) + 1, bool)
    seen[pieces[found == carried]] = True
    return np.where((pieces > 0) & ~seen[pieces], carried, 0)


def edges(labels: Labels, reach: int) -> Mask:
    """Pixels within `reach` of another number."""
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)
    flat = labels.astype(np.float32)
    return np.asarray(cv2.dilate(flat, element) != cv2.erode(flat, element))


def _pieces(mask: Mask) -> Labels:
    return np.asarray(cv2.connectedComponents(mask.astype(np.uint8), connectivity=4, ltype=cv2.CV_32S)[1])


def flooded(hills: Grey, seeds: Labels, cells: Mask) -> Labels:
    """A watershed of `cells` from seeds of any number but 0, in two or three dimensions."""
    from scipy.ndimage import binary_dilation
    from skimage.segmentation import watershed

    open_ = cells & (seeds == 0)
    if not open_.any():
        return seeds
    near = open_ | ((seeds != 0) & binary_dilation(open_))  # NB: every seed in the mask costs as much as a voxel to fill
    top = int(seeds.max())
    marks = np.where(near, np.where(seeds < 0, top - seeds, seeds), 0)  # NB: to a watershed a negative seed is none
    found = watershed(hills, marks, mask=near).astype(np.int32)
    return np.where(open_, np.where(found > top, top - found, found), seeds)
