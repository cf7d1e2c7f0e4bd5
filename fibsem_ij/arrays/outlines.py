"""Label slice <-> outlines, exact both ways: what every ROI is built from, and what every ROI is filled by.

A ring is a closed polygon of (x, y) pixel CORNERS: pixel (x, y) is the square from (x, y) to (x + 1, y + 1), as in ImageJ.
An outline is all rings of one label in one slice, filled by the even-odd rule: a hole is just another ring, so is an
island in it, and the direction of a ring means nothing. Pixels that touch at a corner only share one ring.

`outlines` follows no edge. A corner of label L is the end of one horizontal and of one vertical side; along a line the
corners of L, sorted, are the two ends of a side, the two ends of the next, and so on. So two sorts link the corners of
all labels at once (O'Rourke 1988, "Uniqueness of orthogonal connect-the-dots").

`fill` also takes polygons that people drew, with vertices anywhere: a pixel is inside when its centre is, with ties
broken as ImageJ's PolygonFiller breaks them. Outlines later in the list win.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise, starmap
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

_AT_ONCE = 1 << 22  # crossings or pixels in one step: 32 MB an int64 array, whatever the polygons are like

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Outline:
    """The rings of one label, each (n, 2) of (x, y): int32 when traced, float where a person drew between corners."""

    label: int
    rings: tuple[npt.NDArray[Any], ...]


class _Corners(NamedTuple):
    """Corners sorted by label, y, x: entries 2k and 2k + 1 are the two ends of a horizontal side."""

    label: npt.NDArray[Any]
    y: Ints
    x: Ints
    below: Ints  # 1 where the vertical side goes down from here, 0 where it goes up


def outlines(labels: npt.NDArray[Any]) -> list[Outline]:
    """The outlines of a label slice (y, x), in the order of their labels; 0 is background and has none."""
    if labels.ndim != 2 or labels.dtype.kind not in "bui":
        raise ValueError(f"expected a slice (y, x) of label numbers, got shape {labels.shape} of {labels.dtype}")
    if labels.dtype.kind == "i" and labels.size and labels.min() < 0:
        raise ValueError(f"expected labels of 0 or more, got {labels.min()}; renumber the labels")
    corners = _corners(labels)
    order, ends = _rings(_vertical_partners(corners))
    points = np.stack([corners.x[order], corners.y[order]], 1).astype(np.int32)
    starts = [0, *ends[:-1]][:len(ends)]
    owners = corners.label[order[starts]].tolist()
    rings = zip(owners, (points[start:end] for start, end in zip(starts, ends, strict=True)), strict=True)
    return [Outline(int(owner), tuple(ring for _, ring in group)) for owner, group in groupby(rings, key=lambda r: r[0])]


def _corners(labels: npt.NDArray[Any]) -> _Corners:
    """Every corner of every label: where a quadrant of a vertex stands alone, or where its two neighbours enclose it."""
    padded = np.pad(labels, 1)
    across, along = padded[:, 1:] != padded[:, :-1], padded[1:] != padded[:-1]
    y, x = np.nonzero((across[1:] | across[:-1]) & (along[:, 1:] | along[:, :-1]))
    around = {(south, east): padded[y + south, x + east] for south in (0, 1) for east in (0, 1)}
    found = []
    for (south, east), here in around.items():
        beside, facing, opposite = around[south, 1 - east], around[1 - south, east], around[1 - south, 1 - east]
        alone = (here != 0) & (here != beside) & (here != facing) & (here != opposite)
        enclosed = (beside != 0) & (beside == facing) & (beside != here)
        for where, owner in ((alone, here), (enclosed, beside)):
            n = int(where.sum())
            found.append((owner[where], y[where], x[where], np.full(n, south), np.full(n, east)))
    label, y, x, below, right = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.lexsort(((y * padded.shape[1] + x) * 2 + right, label))
    return _Corners(label[order], y[order], x[order], below[order])


def _vertical_partners(corners: _Corners) -> Ints:
    """For every corner the one at the other end of its vertical side."""
    height = int(corners.y.max(initial=0)) + 1
    by_column = np.lexsort(((corners.x * height + corners.y) * 2 + corners.below, corners.label))
    partners = np.empty_like(by_column)
    partners[by_column[0::2]] = by_column[1::2]
    partners[by_column[1::2]] = by_column[0::2]
    return partners


def _rings(vertical: Ints) -> tuple[Ints, list[int]]:
    """The corners ring by ring, along a horizontal side (i to i ^ 1) and a vertical one in turn; and where rings end."""
    partner, seen = vertical.tolist(), bytearray(len(vertical))
    order: list[int] = []
    ends: list[int] = []
    for start in range(0, len(partner), 2):
        if seen[start]:
            continue
        at = start
        while not seen[at]:
            other = at ^ 1
            seen[at] = seen[other] = 1
            order += (at, other)
            at = partner[other]
        ends.append(len(order))
    return np.array(order, np.int64), ends


class _Edges(NamedTuple):
    """Sides that cross rows: from (x, y) by `slope` pixels a row, over rows first <= row < last."""

    outline: Ints
    first: Ints
    last: Ints
    x: Floats
    y: Floats
    slope: Floats

    def where(self, kept: npt.NDArray[np.bool_]) -> _Edges:
        return _Edges(self.outline[kept], self.first[kept], self.last[kept], self.x[kept], self.y[kept], self.slope[kept])


def fill(found: Iterable[Outline], shape: tuple[int, int], dtype: npt.DTypeLike = np.uint32) -> npt.NDArray[Any]:
    """The slice (y, x) that the outlines enclose; what sticks out over the edge is cut off, the last outline wins."""
    found = list(found)
    labels = np.array([outline.label for outline in found], np.uint64)
    if len(found) and labels.max() > np.iinfo(np.dtype(dtype)).max:
        raise ValueError(f"expected labels that fit {np.dtype(dtype)}, got {labels.max()}; ask for a wider dtype")
    height, width = shape
    out = np.zeros(shape, dtype)
    for edges in _bands(_edges(found, height), 0, height):
        outline, row, left, right = _spans(edges, width)
        _paint(out.reshape(-1), row * width + left, right - left, labels[outline])
    return out


def _edges(found: list[Outline], height: int) -> _Edges:
    rings = [(i, ring) for i, outline in enumerate(found) for ring in outline.rings if len(ring)]
    sizes = np.array([len(ring) for _, ring in rings], np.int64)
    here = np.concatenate([ring for _, ring in rings] or [np.empty((0, 2))]).astype(np.float64)
    if not np.isfinite(here).all():
        raise ValueError("expected outlines of finite coordinates, got NaN or infinity; draw the outline again")
    following = np.arange(1, len(here) + 1)
    following[np.cumsum(sizes) - 1] = np.cumsum(sizes) - sizes
    there = here[following]
    # NB: floor(y + .5) <= row is ImageJ's "the row's centre lies between the ends".
    from_row, to_row = (np.clip(np.floor(p[:, 1] + 0.5), 0, height).astype(np.int64) for p in (here, there))
    kept = from_row != to_row
    rise = np.where(kept, there[:, 1] - here[:, 1], 1.0)
    outline = np.repeat(np.array([i for i, _ in rings], np.int64), sizes)
    slope = (there[:, 0] - here[:, 0]) / rise
    return _Edges(outline, np.minimum(from_row, to_row), np.maximum(from_row, to_row), here[:, 0], here[:, 1], slope).where(kept)


def _bands(edges: _Edges, top: int, bottom: int) -> Iterator[_Edges]:
    """The edges cut into bands of rows, halved until a band has few enough crossings to hold in memory."""
    first, last = np.maximum(edges.first, top), np.minimum(edges.last, bottom)
    met = first < last
    if bottom - top > 1 and int((last - first)[met].sum()) > _AT_ONCE:
        middle = (top + bottom) // 2
        yield from _bands(edges, top, middle)
        yield from _bands(edges, middle, bottom)
    elif met.any():
        yield edges._replace(first=first, last=last).where(met)


def _spans(edges: _Edges, width: int) -> tuple[Ints, Ints, Ints, Ints]:
    """Outline, row, left and right column of every run of pixels: between crossings 1 and 2, 3 and 4, ... of a row."""
    counts = edges.last - edges.first
    edge = np.repeat(np.arange(len(counts)), counts)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts - edges.first, counts)
    # NB: 1e-8 is ImageJ's: a centre that lies on a side is outside at its left, inside at its right.
    x = edges.x[edge] + (row + 0.5 - edges.y[edge]) * edges.slope[edge] + 1e-8
    column = np.clip(np.floor(x + 0.5), 0, width).astype(np.int64)
    height = int(row.max()) + 1
    line, column = np.divmod(np.sort((edges.outline[edge] * height + row) * (width + 1) + column), width + 1)
    outline, row = np.divmod(line[0::2], height)
    return outline, row, column[0::2], column[1::2]


def _paint(out: npt.NDArray[Any], start: Ints, length: Ints, value: npt.NDArray[Any]) -> None:
    """Writes each value over its run of the flat image, in order, some million pixels at a time."""
    total = np.cumsum(length)
    cuts = np.searchsorted(total, np.arange(_AT_ONCE, total[-1], _AT_ONCE)).tolist()
    for some in starmap(slice, pairwise([0, *cuts, len(length)])):
        before = np.cumsum(length[some]) - length[some]
        pixel = np.repeat(start[some] - before, length[some])
        out[pixel + np.arange(len(pixel))] = np.repeat(value[some], length[some])
