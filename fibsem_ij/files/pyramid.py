"""Coarser copies of a stack, each half the size along every axis, made with two slices in memory.

Grey is averaged, with the last row, column or slice repeated where a size is odd: pixel i of the coarser copy covers
2i and 2i + 1, so its centre lies half a fine pixel further. Labels and masks take pixel 2i, so their centres stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fibsem_ij.files.stack import Pixels

SMALL = 256
Shape = tuple[int, int, int]


def coarser(shape: Shape) -> list[Shape]:
    """The shapes of the copies, down to one that is SMALL."""
    shapes = []
    while max(shape) > SMALL:
        z, y, x = ((n + 1) // 2 for n in shape)
        shapes.append(shape := (z, y, x))
    return shapes


def placed(shape: Shape, voxel_nm: tuple[float, float, float] | None) -> Iterator[tuple[list[float], list[float]]]:
    """Of the stack and each copy: the size of a voxel, and where the first one's centre lies if grey was averaged; (z, y, x)."""
    step = np.ones(3)
    for size in (shape, *coarser(shape)):
        scale = step * (voxel_nm or (1.0, 1.0, 1.0))
        yield scale.tolist(), (scale * (1 - 1 / step) / 2).tolist()
        step = np.where(np.array(size) > 1, 2 * step, step)


def halved(slices: Pixels, *, nearest: bool) -> Pixels:
    """One slice of the coarser copy from two, or the last one, of the finer."""
    if nearest:
        return np.ascontiguousarray(slices[0, ::2, ::2])
    wide: Any = {"u1": np.uint16, "u2": np.uint32}.get(slices.dtype.str[1:], np.float64)
    _, y, x = slices.shape
    even = np.pad(slices, ((0, 0), (0, y % 2), (0, x % 2)), mode="edge") if y % 2 or x % 2 else slices
    total = np.add(even[0], even[-1], dtype=wide)
    total = total[::2] + total[1::2]  # whole rows first: across a row every second pixel is read, which is slow
    total = total[:, ::2] + total[:, 1::2]
    if slices.dtype.kind == "f":
        return (total / 8).astype(slices.dtype)
    total += 4
    total //= 8
    return total.astype(slices.dtype)
