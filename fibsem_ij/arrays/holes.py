"""Holes: pieces of background that do not reach the border of the stack and that one class, or object, alone surrounds.

Background hangs together by faces where objects do by edges or corners, and by corners where objects do by faces
(Rosenfeld 1970), so that a wall that holds for the one holds for the other.

Each slice is taken as its runs, and those of background are joined to pieces within the slice (`pieces`); `Background` joins the
pieces of one slice with those of the next (union-find). So any slices can be done side by side, and what is kept of a slice is a line for
each of its pieces.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.compiled import compiled
from fibsem_ij.arrays.runs import Runs, runs
from fibsem_ij.arrays.slabs import Pixels, Read, Slabs

Numbers = npt.NDArray[np.int64]
_OPEN = 2**62  # beyond the border of the stack there may be anything: the highest number around a piece that reaches it


@dataclass(frozen=True, eq=False)
class Pieces:
    runs: Runs
    line: int  # from one line to the next, in what runs count by
    piece: Numbers  # (runs,) -1 for what is not background
    around: Numbers  # (pieces, 3): the lowest and the highest number at the faces of each, its voxels


def pieces(pixels: Pixels, *, connectivity: int, border: bool, background: int = 0) -> Pieces:
    """Of one slice; `connectivity` is that of the objects, `border` whether it is the first or the last one of the stack."""
    found, line = runs(pixels), pixels.shape[1] + 1
    return Pieces(found, line, *_pieces(found, line, len(pixels), background, connectivity == 6, border))


class Background:
    """The pieces of all slices so far, each a line: which lower one it belongs to, or itself; and what is around it."""

    def __init__(self, *, connectivity: int) -> None:
        self.corners = connectivity == 6
        self.firsts: list[int] = []  # by slice
        self._count = 0
        self._up, self._around = np.empty(64, np.int64), np.empty((64, 3), np.int64)
        self._last: Pieces | None = None

    def __len__(self) -> int:
        return self._count

    def add(self, new: Pieces) -> None:
        """The pieces of the next slice."""
        first, count = self._count, self._count + len(new.around)
        while count > len(self._up):
            self._up, self._around = np.resize(self._up, 2 * len(self._up)), np.resize(self._around, (2 * len(self._up), 3))
        self._up[first:count], self._around[first:count] = np.arange(first, count), new.around
        if last := self._last:
            for shift in (0, -new.line, new.line) if self.corners else (0,):
                _meet(last.runs, last.piece, self.firsts[-1], new.runs, new.piece, first, shift, self.corners, shift == 0,
                      self._up, self._around)
        self.firsts.append(first)
        self._last, self._count = new, count

    def surrounded(self) -> tuple[Numbers, Numbers, Numbers]:
        """Of the lines that are holes: which they are, the number that alone surrounds each, and its voxels."""
        up, around = self._up[:self._count], self._around[:self._count]
        _settle(up, around)
        low, high = around[up, :2].T
        hole = np.flatnonzero(low == high)
        return hole, low[hole], around[hole, 2]


def filled(read: Read, slabs: Slabs, *, connectivity: int, shape: tuple[int, ...]) -> Read:
    """The slabs of `read`, their holes filled with the class around them."""
    read = lru_cache(1)(read)  # a slab is asked for twice in a row
    background = Background(connectivity=connectivity)

    def found(i: int) -> list[Pieces]:
        with ThreadPoolExecutor() as pool:
            return list(pool.map(lambda z, pixels: pieces(pixels, connectivity=connectivity, border=z in (0, shape[0] - 1)),
                                 range(slabs.seen(i).start, slabs.seen(i).stop), read(i)))

    for i in range(len(slabs)):
        for new in found(i)[slabs.own(i).start - slabs.seen(i).start:]:
            background.add(new)
    hole, of, _ = background.surrounded()
    value = np.zeros(len(background) + 1, np.int64)  # the last is for runs that are no background
    value[hole] = of

    def fill(i: int) -> Pixels:
        out = np.array(read(i))
        for z, one, slice_ in zip(range(slabs.seen(i).start, slabs.seen(i).stop), found(i), out, strict=True):
            of = value[np.where(one.piece < 0, -1, background.firsts[z] + one.piece)]
            painted = of.repeat(one.runs[:, 2] - one.runs[:, 1]).reshape(slice_.shape)
            slice_[painted != 0] = painted[painted != 0]
        return out

    return fill


@compiled
def _pieces(runs: Runs, line: int, height: int, background: int, corners: bool, border: bool) -> tuple[Numbers, Numbers]:
    """Which piece each run belongs to, and what is around each piece within the slice."""
    n = len(runs)
    up, around = np.arange(n), np.empty((n, 3), np.int64)
    for i in range(n):
        number, start, stop = runs[i]
        around[i] = _OPEN, -1, stop - start
        if number == background:
            if border or start < line or start >= line * (height - 1) or start % line == 0 or stop % line == line - 1:
                around[i, 0], around[i, 1] = -1, _OPEN
            else:
                before, after = runs[i - 1, 0], runs[i + 1, 0]
                around[i, 0], around[i, 1] = min(before, after), max(before, after)
    piece = np.where(runs[:, 0] == background, np.arange(n), -1)
    _meet(runs, piece, 0, runs, piece, 0, line, corners, True, up, around)
    _settle(up, around)
    count = 0
    for i in range(n):
        if piece[i] >= 0:
            if up[i] == i:
                around[count], piece[i] = around[i], count
                count += 1
            else:
                around[piece[up[i]], 2] += around[i, 2]
                piece[i] = piece[up[i]]
    return piece, around[:count].copy()


@compiled
def _meet(one: Runs, one_piece: Numbers, one_first: int, two: Runs, two_piece: Numbers, two_first: int, shift: int, corners: bool,
          faces: bool, up: Numbers, around: Numbers) -> None:
    """Joins what meets of two sequences of runs when the second is moved back by `shift`; with `faces`, tells what is around."""
    i = j = 0
    while i < len(one) and j < len(two):
        start, stop = two[j, 1] - shift, two[j, 2] - shift
        a, b = one_piece[i], two_piece[j]
        if one[i, 1] < stop and start < one[i, 2]:
            if a >= 0 and b >= 0:
                _join(a + one_first, b + two_first, up)
            elif faces and a >= 0:
                _note(around[a + one_first], two[j, 0])
            elif faces and b >= 0:
                _note(around[b + two_first], one[i, 0])
        if corners and one[i, 2] == stop:  # the only place where two touch by a corner, and by nothing else
            if a >= 0 and j + 1 < len(two) and two_piece[j + 1] >= 0 and two[j + 1, 1] - shift == stop:
                _join(a + one_first, two_piece[j + 1] + two_first, up)
            if b >= 0 and i + 1 < len(one) and one_piece[i + 1] >= 0 and one[i + 1, 1] == stop:
                _join(one_piece[i + 1] + one_first, b + two_first, up)
        ahead = one[i, 2] - stop
        i += ahead <= 0
        j += ahead >= 0


@compiled
def _note(around: Numbers, number: int) -> None:
    around[0], around[1] = min(around[0], number), max(around[1], number)


@compiled
def _join(a: int, b: int, up: Numbers) -> None:
    """Union-find with path halving; the lower one leads."""
    while up[a] != a:
        up[a] = up[up[a]]
        a = up[a]
    while up[b] != b:
        up[b] = up[up[b]]
        b = up[b]
    up[max(a, b)] = min(a, b)


@compiled
def _settle(up: Numbers, around: Numbers) -> None:
    """Each to the lowest of its piece, which gathers what is around all of it. NB: voxels stay where they are."""
    for i in range(len(up)):
        up[i] = lead = up[up[i]]  # what leads comes first
        around[lead, 0], around[lead, 1] = min(around[lead, 0], around[i, 0]), max(around[lead, 1], around[i, 1])
