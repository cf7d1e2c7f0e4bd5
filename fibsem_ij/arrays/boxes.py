"""Where each object lies: the boxes of all numbers of a label stack, in one pass, one slice in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.volume import ArrayLike

Box = tuple[slice, slice, slice]


def boxes(labels: ArrayLike) -> tuple[npt.NDArray[np.int64], list[Box]]:
    """The numbers other than 0, in order, and the box (z, y, x) of each."""
    low: dict[int, npt.NDArray[np.int64]] = {}
    high: dict[int, npt.NDArray[np.int64]] = {}
    for z in range(labels.shape[0]):
        for number, first, stop in zip(*_in_slice(np.asarray(labels[z])), strict=True):
            low[number] = np.minimum(low[number], (z, *first)) if number in low else np.array((z, *first))
            high[number] = np.maximum(high[number], (z + 1, *stop)) if number in high else np.array((z + 1, *stop))
    numbers = sorted(low)
    return np.array(numbers, np.int64), [_box(low[n], high[n]) for n in numbers]


def _box(low: npt.NDArray[np.int64], high: npt.NDArray[np.int64]) -> Box:
    z, y, x = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return (z, y, x)


def _in_slice(found: npt.NDArray[Any]) -> tuple[list[int], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The numbers of a slice, and the first and the last corner (y, x) of each; by runs along x, which are far fewer than pixels."""
    flat = found.ravel()
    edge = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    width = found.shape[1]
    starts = np.union1d(edge, np.arange(0, len(flat), width))
    stops = np.append(starts[1:], len(flat))
    kept = flat[starts] != 0
    starts, stops = starts[kept], stops[kept]
    numbers, row = np.unique(flat[starts], return_inverse=True)
    first = np.full((len(numbers), 2), len(flat), np.int64)
    last = np.zeros((len(numbers), 2), np.int64)
    np.minimum.at(first, row, np.stack([starts // width, starts % width], 1))
    np.maximum.at(last, row, np.stack([starts // width + 1, (stops - 1) % width + 1], 1))
    return [int(n) for n in numbers], first, last
