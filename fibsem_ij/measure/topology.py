"""Euler number of every object, and the holes that it alone surrounds.

An object hangs together by corners, background by faces. The Euler number is that of the union of its closed voxels, corners -
edges + faces - cubes: pieces - tunnels + hollows. Every corner of the grid adds what its 2 x 2 x 2 voxels make of it (Gray
1971), so one look at each does for all objects; where the surface is flat, or a straight edge, they make nothing. A hole
(`arrays.holes`) is a piece of background that touches one object only; an object in it keeps it from being a hole.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import combinations, product

import numpy as np

from fibsem_ij.arrays.compiled import compiled
from fibsem_ij.arrays.holes import Background, Pieces, pieces
from fibsem_ij.measure.columns import Definition, Table, Voxel, sides
from fibsem_ij.measure.objects import Counts, Objects, Rows, over_slices
from fibsem_ij.volume import ArrayLike

_MOST = np.int32(2**31 - 1)  # so that & makes -1 the highest and leaves what is 0 or more

DEFINITIONS: Mapping[str, Definition] = {
    "euler": (0, "Euler number: pieces - tunnels + hollows, voxels hanging together by corners."),
    "filled_volume": (3, "Volume with its holes: background that the object alone surrounds."),
    "fenestrated_percent": (0, "100 (filled volume - volume) / filled volume."),
}


def topology(labels: ArrayLike, objects: Objects, *, voxel_nm: Voxel, height: int | None = None) -> Table:
    """`height`: slices in memory; it changes nothing."""
    euler, holes = _counted(labels, objects, height) if len(objects) else np.zeros((2, 0), np.int64)
    filled = objects.voxels + holes
    return {"euler": euler, "filled_volume": filled * sides(voxel_nm).prod(), "fenestrated_percent": 100 * holes / filled}


@lru_cache
def _worth() -> Counts:
    """What a corner of the grid adds, in eighths, by which of its 8 voxels are there (bit 4 z + 2 y + x).

    The corner itself, half of each of its 6 edges, a quarter of its 12 faces, an eighth of its 8 voxels; all closed."""
    worth = np.zeros(256, np.int64)
    for bits in range(1, 256):
        there = np.array([bits >> i & 1 for i in range(8)], bool).reshape(2, 2, 2)
        edges = [np.take(there, i, axis) for axis, i in product(range(3), (0, 1))]
        faces = [np.take(np.take(there, i, b), j, a) for a, b in combinations(range(3), 2) for i, j in product((0, 1), repeat=2)]
        worth[bits] = 8 - 4 * sum(v.any() for v in edges) + 2 * sum(v.any() for v in faces) - there.sum()
    return worth


def _counted(labels: ArrayLike, objects: Objects, height: int | None) -> tuple[Counts, Counts]:
    """Of each object the Euler number, and the voxels of the background that it alone surrounds; each slice read once."""
    depth, *plane = labels.shape
    eighths, background, nothing = np.zeros(len(objects), np.int64), Background(connectivity=26), np.full(plane, -1, np.int32)

    def one(rows: Rows, k: int, z: int) -> tuple[Counts, Pieces]:
        found = np.zeros(len(objects), np.int64)
        _corners(rows[k - 1] if z else nothing, rows[k], _worth(), found)
        if z == depth - 1:
            _corners(rows[k], nothing, _worth(), found)
        return found, pieces(rows[k], connectivity=26, border=z in (0, depth - 1), background=-1)

    for found, new in over_slices(one, labels, objects, halo=1, height=height):
        eighths += found
        background.add(new)
    holes = np.zeros(len(objects), np.int64)
    np.add.at(holes, *background.surrounded()[1:])
    return eighths // 8, holes


@compiled
def _corners(above: Rows, below: Rows, worth: Counts, found: Counts) -> None:
    """What the corners of the grid between two slices make of each object.

    Line by line: of every four voxels above each other, which are there, and are they of one object? Where two objects meet, the eight
    around a corner are looked at one by one.
    """
    height, width = above.shape
    nothing, corner = np.full(width, np.int32(-1)), np.empty(8, np.int32)
    bits = np.zeros(width + 2, np.uint8)  # with a margin of nothing
    high, low = np.full(width + 2, np.int32(-1)), np.full(width + 2, _MOST)
    for y in range(height + 1):
        a, c = (above[y - 1], below[y - 1]) if y else (nothing, nothing)
        b, d = (above[y], below[y]) if y < height else (nothing, nothing)
        for x in range(width):
            bits[x + 1] = (a[x] >= 0) | (b[x] >= 0) << 2 | (c[x] >= 0) << 4 | (d[x] >= 0) << 6
            high[x + 1] = max(a[x], b[x], c[x], d[x])
            low[x + 1] = min(a[x] & _MOST, b[x] & _MOST, c[x] & _MOST, d[x] & _MOST)
        for x in range(width + 1):
            row = max(high[x], high[x + 1])
            if row < 0:
                continue
            if min(low[x], low[x + 1]) == row:
                if worth[bits[x] | bits[x + 1] << 1]:
                    found[row] += worth[bits[x] | bits[x + 1] << 1]
                continue
            for i, line in enumerate((a, b, c, d)):
                corner[2 * i], corner[2 * i + 1] = line[x - 1] if x else -1, line[x] if x < width else -1
            done = 0
            for i in range(8):
                row, of = corner[i], 0
                if row < 0 or done >> i & 1:
                    continue
                for j in range(8):
                    of |= (corner[j] == row) << j
                done |= of
                found[row] += worth[of]
