"""Convex hull and solidity of every object.

The hull is that of the voxels' middles, and its volume is that of the voxels whose middles lie in it: a convex object of voxels is
its own hull, whatever its size, and its solidity is 1. (scikit-image takes the hull of the voxels' sides and counts middles in that,
which takes 9 % from the solidity of a ball of 20 voxels across.)

A corner of the hull is a corner of the convex outline in its own slice, so each slice gives its outlines' corners and is
forgotten. The voxels inside are counted line by line along x from the hull's triangles, so the cost is that of its surface.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.compiled import compiled
from fibsem_ij.arrays.runs import runs
from fibsem_ij.measure.columns import Definition, Table, Voxel, sides
from fibsem_ij.measure.convex import fan, triangles
from fibsem_ij.measure.objects import Counts, Objects, Rows, over_slices
from fibsem_ij.volume import ArrayLike

Points = npt.NDArray[np.int64]
_LINES = 2**22  # lines along x that are counted at a time
_TASK = 64  # objects of a task: one is too little
_EPS = 1e-9  # a middle as near as this to the hull lies on it

DEFINITIONS: Mapping[str, Definition] = {
    "hull_volume": (3, "Volume of the voxels whose middles lie in the convex hull of the object's, which may be flat."),
    "solidity": (0, "volume / hull volume: 1 for what is convex."),
    "solidity_filled": (0, "filled volume / hull volume."),
}


def hull(labels: ArrayLike, objects: Objects, *, voxel_nm: Voxel) -> Table:
    """Without `solidity_filled`, for which holes must be known."""
    voxels = objects.voxels.astype(np.float64)
    some = np.flatnonzero(objects.box_voxels > objects.voxels)  # what fills its box is its own hull
    points = _points(labels, objects) if len(some) else []
    with ThreadPoolExecutor() as pool:
        parts = pool.map(lambda rows: [_hull_voxels(points[row]) for row in rows], np.split(some, range(_TASK, len(some), _TASK)))
        voxels[some] = np.fromiter(chain.from_iterable(parts), np.float64, len(some))
    return {"hull_volume": voxels * sides(voxel_nm).prod(), "solidity": objects.voxels / voxels}


def _points(labels: ArrayLike, objects: Objects) -> list[Points]:
    """Of each object the corners (z, y, x) of its outlines in all slices."""
    found = np.concatenate([np.empty((0, 4), np.int64), *over_slices(_outlines, labels, objects)])
    found = found[np.argsort(found[:, 0], kind="stable")]
    return np.split(found[:, 1:], np.searchsorted(found[:, 0], np.arange(1, len(objects)))) if len(objects) else []


def _outlines(rows: Rows, k: int, z: int) -> Points:
    """The corners of the convex outline of every object in a slice: row, z, y, x."""
    ends: Points = _ends(runs(rows[k]), rows.shape[2] + 1, z)
    return ends[_corners(ends[:, 0], ends[:, 2], ends[:, 3])]


def _hull_voxels(points: Points) -> float:
    """Voxels whose middles lie in the hull of points (n, 3)."""
    if (found := triangles(points)).size == 0:
        points = points[:, np.argsort(points.min(0) - points.max(0), kind="stable")]  # so that it is longest across slices
        found = fan(points)
    low, high = points.min(0), points.max(0)
    step = max(1, _LINES // int(high[1] - low[1] + 1))
    return float(sum(_inside(found, z, min(z + step, high[0] + 1), low[1], high[1] + 1) for z in range(low[0], high[0] + 1, step)))


@compiled
def _ends(found: Counts, line: int, z: int) -> Points:
    """The first and the last voxel of each run of an object, in order of row, y, x: row, z, y, x. Runs come in order of y, x."""
    own = np.flatnonzero(found[:, 0] >= 0)
    order = own[np.argsort(found[own, 0], kind="mergesort")]  # stable
    ends = np.empty((2 * len(order), 4), np.int64)
    for i in range(len(order)):
        row, start, stop = found[order[i]]
        ends[2 * i], ends[2 * i + 1] = (row, z, start // line, start % line), (row, z, (stop - 1) // line, (stop - 1) % line)
    return ends


@compiled
def _corners(group: Counts, line: Counts, value: Counts) -> npt.NDArray[np.bool_]:
    """Which points are corners of their group's convex outline; they are in order of group, line, value.

    Andrew's chain (1979): forward along the lowest values of the lines, and back along the highest, which is the same seen upside down.
    """
    count = len(group)
    kept, chain = np.zeros(count, np.bool_), np.empty(count, np.int64)
    for way in (1, -1):
        length = 0
        for i in range(count):
            c = i if way > 0 else count - 1 - i
            if length and group[chain[0]] != group[c]:
                kept[chain[:length]] = True
                length = 0
            if length and line[chain[length - 1]] == line[c]:
                continue
            while length > 1:
                a, b = chain[length - 2], chain[length - 1]
                if (line[b] - line[a]) * (value[c] - value[a]) > (value[b] - value[a]) * (line[c] - line[a]):
                    break
                length -= 1
            chain[length] = c
            length += 1
        kept[chain[:length]] = True
    return kept


@compiled
def _inside(corners: Points, first: int, stop: int, low: int, high: int) -> int:
    """Whole points in the body with these triangles (t, 3, 3), in slices first..stop - 1 and lines low..high - 1.

    A line along x enters and leaves through sides of triangles in its slice, at the lowest and the highest x they have there.
    """
    enter, leave = np.full((stop - first, high - low), np.inf), np.full((stop - first, high - low), -np.inf)
    ys, xs = np.empty(3), np.empty(3)
    for triangle in corners:
        a, b, c = triangle[0, 0], triangle[1, 0], triangle[2, 0]
        for z in range(max(first, min(a, b, c)), min(stop, max(a, b, c) + 1)):
            count = 0
            for i in range(3):  # where the triangle's edges meet the slice; one that lies in it is told by the others
                p, q = triangle[i], triangle[(i + 1) % 3]
                if p[0] != q[0] and min(p[0], q[0]) <= z <= max(p[0], q[0]):
                    part = (z - p[0]) / (q[0] - p[0])
                    ys[count], xs[count] = p[1] + part * (q[1] - p[1]), p[2] + part * (q[2] - p[2])
                    count += 1
            for i in range(count):
                for j in range(count):
                    for y in range(int(np.ceil(ys[i] - _EPS)), int(np.floor(ys[j] + _EPS)) + 1):
                        part = (y - ys[i]) / (ys[j] - ys[i]) if ys[j] - ys[i] > _EPS else 0.0
                        x = xs[i] + part * (xs[j] - xs[i])
                        enter[z - first, y - low] = min(enter[z - first, y - low], x)
                        leave[z - first, y - low] = max(leave[z - first, y - low], x)
    return int(np.where(enter <= leave, np.floor(leave + _EPS) - np.ceil(enter - _EPS) + 1, 0).sum())
