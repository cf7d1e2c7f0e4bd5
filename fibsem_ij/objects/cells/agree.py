"""Two passes through a section, one from each side, made one.

A track that met no cell is, in this order: the cell that the other pass gave to most of it, or a thing of its own, together
with all that it touches. A voxel that both passes give the same cell has it, and so has, next to a drawn slice, the voxel
that the pass from there numbers; but on a boundary close to a dispute nobody is sure. The rest is disputed, and is flooded
in three dimensions from what is sure, over the boundaries (smoothed in z too, where gaps close) and both passes' outlines.
Nothing here knows which pass went up, so the result does not depend on the direction of z, but for ties in the flood.
"""

from __future__ import annotations

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter

from fibsem_ij.objects.cells.flow import Grey, Labels
from fibsem_ij.objects.cells.follow import Event, Mask, Pass, edges, flooded
from fibsem_ij.objects.cells.numbers import renamed
from fibsem_ij.objects.cells.options import Options
from fibsem_ij.objects.slabs import label

SMOOTH_PX = 0.8
DOUBT_PX = 8  # how far a dispute makes a boundary doubtful
OUTLINE = 100  # how high a pass's outline stands beside a boundary of 255


def resolved(mine: Pass, other: Pass) -> tuple[list[Labels], list[Event]]:
    """The slices of `mine`, its tracks named as `other` sees them. Both passes in the same order of slices."""
    seen: dict[int, dict[int, int]] = {}
    for a, b in zip(mine.labels, other.labels, strict=True):
        pairs, voxels = np.unique(np.stack([a[a < 0], b[a < 0]], 1), axis=0, return_counts=True)
        for (track, cell), n in zip(pairs.tolist(), voxels.tolist(), strict=True):
            cells = seen.setdefault(track, {})
            cells[cell] = cells.get(cell, 0) + n
    names, events = {}, []
    for track, cells in seen.items():
        best = max(cells, key=lambda cell: (cells[cell], -cell))
        share = cells[best] / sum(cells.values())
        if best > 0 and share > 0.5:
            names[track] = best
            events.append((mine.begun[track], track, "other side", share, best))
    return [renamed(labels, names) for labels in mine.labels], events


def agreed(up: list[Labels], down: list[Labels], cells: Mask, boundary: Grey, ends: tuple[Labels, Labels], first: int,
           options: Options) -> tuple[Labels, int]:
    """The section (z, y, x) with its drawn ends; what is nobody's is numbered from `first`."""
    a, b = np.stack(up), np.stack(down)
    own, count = label((a <= 0) & (b <= 0) & (a != b), connectivity=26)
    sure = np.where((a == b) & (a > 0), a, 0)
    for n, near in ((0, a), (-1, b)):
        sure[n] = np.where(sure[n] > 0, sure[n], np.maximum(near[n], 0))
    around = np.ones((2 * DOUBT_PX + 1,) * 2, np.uint8)
    for one, inside, wall in zip(sure, cells[1:-1], boundary[1:-1], strict=True):
        doubt = cv2.dilate(((one == 0) & inside).view(np.uint8), around)
        one[(wall >= options.inside * 255) & (doubt > 0)] = 0
    sure = np.where(own > 0, own.astype(np.int32) + (first - 1), sure)
    seeds = np.concatenate([ends[0][None], sure, ends[1][None]])
    hills = gaussian_filter(boundary.astype(np.float32), SMOOTH_PX)
    for labels in (a, b):
        lines = np.stack([edges(one, 1) & (one > 0) for one in labels])
        hills[1:-1] = np.maximum(hills[1:-1], gaussian_filter(lines * np.float32(OUTLINE), (0, SMOOTH_PX, SMOOTH_PX)))
    found = flooded(np.rint(hills).astype(np.uint8), seeds, cells)[1:-1]
    alone = np.where(np.minimum(a, b) > 0, np.minimum(a, b), np.maximum(a, b))  # disputed, and nothing sure hangs together with it
    return np.where((found == 0) & (alone > 0), alone, found), first + count


def one_sided(labels: list[Labels], first: int) -> tuple[Labels, int]:
    """The section of the only pass there is; its tracks are numbered from `first`."""
    stack = np.stack(labels)
    own, count = label(stack < 0, connectivity=26)
    return np.where(stack < 0, own.astype(np.int32) + (first - 1), stack), first + count


def named(tracks: list[Labels], section: Labels, zs: list[int]) -> list[Event]:
    """What became of the tracks that nobody knew."""
    told: dict[int, Event] = {}
    for z, labels, numbers in zip(zs, tracks, section, strict=True):
        on = (labels < 0) & (numbers > 0)
        for track, number in np.unique(np.stack([labels[on], numbers[on]], 1), axis=0).tolist():
            told.setdefault(track, (z, track, "own", 1.0, number))
    return list(told.values())
