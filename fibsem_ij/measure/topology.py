"""Euler number of every object, and the holes that it alone surrounds.

An object hangs together by corners, background by faces. The Euler number is that of the union of its closed voxels, corners -
edges + faces - cubes: pieces - tunnels + hollows. Every corner of the grid adds what its 2 x 2 x 2 voxels make of it (Gray
1971), so one look at each does for all objects. A hole is a piece of background that does not reach the border of the stack
and touches one object only; an object in it keeps it from being a hole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import combinations, product
from typing import Any

import numpy as np

from fibsem_ij.arrays.slabs import Ids, Pixels, Slabs, join
from fibsem_ij.measure.columns import Definition, Table, Voxel, sides
from fibsem_ij.measure.objects import Counts, Objects, Rows
from fibsem_ij.volume import ArrayLike

DEFINITIONS: Mapping[str, Definition] = {
    "euler": (0, "Euler number: pieces - tunnels + hollows, voxels hanging together by corners."),
    "filled_volume": (3, "Volume with its holes: background that the object alone surrounds."),
    "fenestrated_percent": (0, "100 (filled volume - volume) / filled volume."),
}


def topology(labels: ArrayLike, objects: Objects, *, voxel_nm: Voxel, height: int | None = None) -> Table:
    """`height`: slices of a slab; it changes nothing."""
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
    """Of each object the Euler number, and the voxels of the background that it alone surrounds; slab by slab, each read once."""
    slabs, depth = Slabs.of(labels.shape, height), labels.shape[0]
    look_at = _compiled()[1]
    seen: list[Counts] = []
    rows, eighths = np.empty((0, 0, 0), np.int32), np.zeros(len(objects), np.int64)

    def read(i: int) -> Pixels:
        nonlocal rows
        rows = np.stack([objects.rows(np.asarray(labels[z])) for z in range(slabs.seen(i).start, slabs.seen(i).stop)])
        return rows < 0

    def each(i: int, pixels: Pixels, pieces: Ids, count: int) -> None:
        part = slabs.seen(i)
        top, bottom = part.start == 0, part.stop == depth
        table = np.zeros((count + 1, 3), np.int64)  # lowest and highest row around the piece, its voxels
        table[:, :2] = len(objects), -1
        corners = _corners_of(np.pad(rows, ((int(top), int(bottom)), (1, 1), (1, 1)), constant_values=-1), len(objects), pool)
        look_at(rows, pieces, slabs.own(i).start - part.start, top, bottom, table)
        seen.append(table)
        for found in corners:
            np.add(eighths, found, out=eighths)

    with ThreadPoolExecutor() as pool:
        joined = join(read, slabs, connectivity=6, each=each)
    low, high, voxels = np.full(joined.count + 1, len(objects)), np.full(joined.count + 1, -1), np.zeros(joined.count + 1, np.int64)
    for number, table in zip(joined.tables, seen, strict=True):
        np.minimum.at(low, number, table[:, 0])
        np.maximum.at(high, number, table[:, 1])
        np.add.at(voxels, number, table[:, 2])
    hole = np.flatnonzero(low == high)
    found = np.zeros(len(objects), np.int64)
    np.add.at(found, low[hole], voxels[hole])
    return eighths // 8, found


def _corners_of(rows: Rows, count: int, pool: ThreadPoolExecutor) -> Iterator[Counts]:
    """What the corners of the grid between any two slices of `rows` (with a margin of nothing) make of each object; under way at once."""
    counted, worth = _compiled()[0], _worth()

    def one(k: int) -> Counts:
        found = np.zeros(count, np.int64)
        counted(rows[k], rows[k + 1], worth, found)
        return found

    return pool.map(one, range(len(rows) - 1))


@lru_cache
def _compiled() -> tuple[Callable[..., Any], ...]:
    import numba

    return tuple(numba.njit(function, nogil=True, cache=True) for function in (_corners, _around))


def _corners(above: Rows, below: Rows, worth: Counts, found: Counts) -> None:
    """The corners of the grid between two slices that have a margin of nothing all around."""
    corner = np.empty(8, np.int32)
    for y in range(above.shape[0] - 1):
        last, plain = np.int32(-1), True
        for x in range(above.shape[1] - 1):
            before, was_plain = last, plain
            last = above[y, x + 1]
            plain = above[y + 1, x + 1] == last and below[y, x + 1] == last and below[y + 1, x + 1] == last
            if plain and was_plain and last == before:
                continue
            corner[0], corner[1], corner[2], corner[3] = before, last, above[y + 1, x], above[y + 1, x + 1]
            corner[4], corner[5], corner[6], corner[7] = below[y, x], below[y, x + 1], below[y + 1, x], below[y + 1, x + 1]
            done = 0
            for i in range(8):
                row, bits = corner[i], 0
                if row < 0 or done >> i & 1:
                    continue
                for j in range(8):
                    bits |= (corner[j] == row) << j
                done |= bits
                found[row] += worth[bits]


def _around(rows: Rows, pieces: Ids, own: int, top: bool, bottom: bool, table: Counts) -> None:
    """Lowest and highest row at the faces of each piece of background, its voxels from slice `own` on.

    At the border of the stack, beyond which there may be anything, a piece has -1 and more than there are."""
    depth, height, width = rows.shape
    for z in range(depth):
        for y in range(height):
            edge = (top and z == 0) or (bottom and z == depth - 1) or y == 0 or y == height - 1
            for x in range(width):
                piece = pieces[z, y, x]
                if piece == 0:
                    continue
                table[piece, 2] += z >= own
                if edge or x == 0 or x == width - 1:
                    table[piece, 0], table[piece, 1] = -1, 2**31
                    continue
                before, after = max(z - 1, 0), min(z + 1, depth - 1)
                for row in (rows[before, y, x], rows[after, y, x], rows[z, y - 1, x], rows[z, y + 1, x],
                            rows[z, y, x - 1], rows[z, y, x + 1]):
                    if row >= 0:
                        table[piece, 0], table[piece, 1] = min(table[piece, 0], row), max(table[piece, 1], row)
