"""Of all objects of a stack the number, the box, the voxels and the sums of their coordinates, in one pass, run by run.

Each object has a line in a table that grows, found by its number (open addressing). Sums are of whole numbers, so exact in any
order, and taken from the origin, since the box is not known yet. Far from it they may go round past 2^63: moved to the corner
of the box (`about`) they are right again, as what is added and what is taken away go round alike.
"""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.compiled import compiled
from fibsem_ij.arrays.runs import Runs

Counts = npt.NDArray[np.int64]
PAIRS = tuple(combinations_with_replacement(range(3), 2))  # zz, zy, zx, yy, yx, xx
_BOX, _VOXELS, _SUMS, _RUNS = slice(1, 7), 7, slice(8, 17), 17  # of a line: first (z, y, x), stop (z, y, x); z, y, x and the products


class Sums:
    def __init__(self) -> None:
        self._table, self._count = np.empty((64, _RUNS + 1), np.int64), 0
        self._lines = np.full(2 * len(self._table), -1)

    def add(self, runs: Runs, line: int, z: int) -> None:
        """Slice z; `line`: what its runs count by."""
        done = 0
        while True:
            done, self._count = _add(runs, done, line, z, self._lines, self._table, self._count)
            if done == len(runs):
                break
            self._table = np.concatenate([self._table, np.empty_like(self._table)])
            self._lines = np.full(2 * len(self._table), -1)
            _place(self._table, self._count, self._lines)

    def table(self) -> tuple[Counts, Counts, Counts, Counts, Counts]:
        """Numbers (n,), rising; boxes (n, 2, 3); voxels (n,); sums (n, 9) of coordinates counted from the box; runs (n,)."""
        table = self._table[np.argsort(self._table[:self._count, 0])]
        boxes, voxels = table[:, _BOX].reshape(-1, 2, 3), table[:, _VOXELS]
        return table[:, 0].copy(), boxes, voxels.copy(), about(boxes[:, 0], voxels, table[:, _SUMS]), table[:, _RUNS].copy()


def about(start: Counts, voxels: Counts, sums: Counts) -> Counts:
    """The sums (n, 9) when coordinates count from `start` (n, 3)."""
    moved = sums.copy()
    moved[:, :3] -= start * voxels[:, None]
    for k, (i, j) in enumerate(PAIRS, 3):
        moved[:, k] -= start[:, i] * sums[:, j] + start[:, j] * moved[:, i]
    return moved


@compiled
def _line_of(number: int, lines: Counts, table: Counts) -> int:
    """Where in `lines` the object's line in the table is told, or is to be told."""
    mask = len(lines) - 1
    at = (number * -7046029254386353131 >> 20) & mask  # Knuth's multiplicative hash (1973), 2^64 by the golden ratio
    while lines[at] >= 0 and table[lines[at], 0] != number:
        at = (at + 1) & mask
    return at


@compiled
def _place(table: Counts, count: int, lines: Counts) -> None:
    for i in range(count):
        lines[_line_of(table[i, 0], lines, table)] = i


@compiled
def _add(runs: Runs, done: int, line: int, z: int, lines: Counts, table: Counts, count: int) -> tuple[int, int]:
    """From run `done` on, until the table is full: how far, and how many objects there are."""
    for i in range(done, len(runs)):
        number, first, stop = runs[i]
        if number == 0:
            continue
        at = _line_of(number, lines, table)
        if lines[at] < 0:
            if count == len(table):
                return i, count
            lines[at] = count
            table[count] = 0
            table[count, 0], table[count, 1], table[count, 2], table[count, 3] = number, z, first // line, line
            count += 1
        own, y = table[lines[at]], first // line
        a, b, n = first - y * line, stop - y * line, stop - first
        along = (a + b - 1) * n // 2
        square = (b * (b - 1) * (2 * b - 1) - a * (a - 1) * (2 * a - 1)) // 6
        own[2], own[3] = min(own[2], y), min(own[3], a)
        own[4], own[5], own[6] = max(own[4], z + 1), max(own[5], y + 1), max(own[6], b)
        own[7] += n
        own[8] += z * n
        own[9] += y * n
        own[10] += along
        own[11] += z * z * n
        own[12] += z * y * n
        own[13] += z * along
        own[14] += y * y * n
        own[15] += y * along
        own[16] += square
        own[17] += 1
    return len(runs), count
