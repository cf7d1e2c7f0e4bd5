"""Holes filled, slab by slab: background that does not reach the border of the stack and that one class alone surrounds.

Background hangs together by faces where objects do by edges or corners, and by corners where objects do by faces
(Rosenfeld 1970), so that a wall that holds for the one holds for the other.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from fibsem_ij.arrays.slabs import Ids, Pixels, Read, Slabs, join, label


def filled(read: Read, slabs: Slabs, *, connectivity: int, shape: tuple[int, ...]) -> Read:
    """The slabs of `read`, their holes filled with the class around them."""
    read = lru_cache(1)(read)  # a slab is asked for twice in a row
    across = 26 if connectivity == 6 else 6
    low, high, last = [], [], shape[0] - 1

    def look(i: int, empty: Pixels, labels: Ids, count: int) -> None:
        pixels, seen = read(i), slabs.seen(i)
        lowest, highest = _around(pixels, labels, count)
        sides = [labels[:, [0, -1]], labels[:, :, [0, -1]], *(labels[z] for z, at in ((0, 0), (-1, last)) if _z(seen, z) == at)]
        for side in sides:  # outside of the stack there may be anything
            lowest[side], highest[side] = -1, np.iinfo(np.int64).max
        low.append(lowest)
        high.append(highest)

    joined = join(lambda i: read(i) == 0, slabs, connectivity=across, each=look)
    lowest, highest = np.full(joined.count + 1, np.iinfo(np.int64).max), np.full(joined.count + 1, -1)
    for table, a, b in zip(joined.tables, low, high, strict=True):
        np.minimum.at(lowest, table, a)
        np.maximum.at(highest, table, b)
    value = np.where(lowest == highest, lowest, 0)
    value[0] = 0

    def fill(i: int) -> Pixels:
        pixels = read(i)
        labels, _ = label(pixels == 0, connectivity=across)
        return np.where(pixels == 0, value[joined.tables[i]].astype(pixels.dtype)[labels], pixels)

    return fill


def _z(seen: slice, z: int) -> int:
    return int(seen.start if z == 0 else seen.stop - 1)


def _around(pixels: Pixels, labels: Ids, count: int) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], ...]:
    """The lowest and the highest class that a face of each piece of background touches."""
    lowest, highest = np.full(count + 1, np.iinfo(np.int64).max), np.full(count + 1, -1)
    for axis in range(3):
        before, after = (np.s_[(slice(None),) * axis + (part,)] for part in (slice(None, -1), slice(1, None)))
        for hole, wall in ((before, after), (after, before)):
            at = np.flatnonzero((labels[hole] > 0) & (pixels[wall] > 0))
            which, what = labels[hole].ravel()[at], pixels[wall].ravel()[at].astype(np.int64)
            np.minimum.at(lowest, which, what)
            np.maximum.at(highest, which, what)
    return lowest, highest
