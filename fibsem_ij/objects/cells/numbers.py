"""Pairs of numbers, and numbers replaced: by tables, not by sorting pixels, which costs far more."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.scores import overlaps
from fibsem_ij.objects.cells.grow import Labels


def pairs(a: Labels, b: Labels) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The pairs of numbers (n, 2) that lie on each other, and the pixels of each."""
    low = int(a.min()), int(b.min())
    table = overlaps(a - low[0], b - low[1])
    return np.column_stack([table.result, table.truth]).astype(np.int64) + low, table.voxels


def middles(labels: Labels) -> dict[int, tuple[int, int]]:
    """A pixel (y, x) of each number in a slice: the middle one of its pixels in reading order, so that it is one of them."""
    at = np.flatnonzero(labels)
    numbers = labels.ravel()[at]
    order = np.argsort(numbers, kind="stable")
    names, first, count = np.unique(numbers[order], return_index=True, return_counts=True)
    y, x = np.unravel_index(at[order][first + count // 2], labels.shape)
    return {name: (y, x) for name, y, x in zip(names.tolist(), y.tolist(), x.tolist(), strict=True)}


def renamed(labels: Labels, names: dict[int, int]) -> Labels:
    """A slice with some numbers replaced."""
    low, high = int(labels.min()), int(labels.max())
    here = {old: new for old, new in names.items() if low <= old <= high}
    if not here:
        return labels
    table = np.arange(low, high + 1, dtype=np.int32)
    table[np.array(list(here)) - low] = list(here.values())
    return table[labels - low]
