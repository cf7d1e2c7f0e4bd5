"""The voxel faces of a slice, each with the area of surface that it stands for (why: see `surface`)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.compiled import compiled

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_BENT = 2  # by how many voxels two heights may miss a straight line; the grid alone makes 1


@compiled
def faces(rows: npt.NDArray[np.int32], k: int, z: int, side: Floats, reach: Ints, climb: Ints, centroids: Floats,
          sums: Floats) -> tuple[Ints, Floats]:
    """Of slice k of `rows`, which is z of the stack: pairs of rows that touch, any number of times, and half of their area.

    `sums` (n, 4) gathers area, area * distance and area * distance^2 from the centroid, and the area that faces no object.
    """
    shape, flat = np.array(rows.shape), rows.ravel()
    strides = np.array([shape[1] * shape[2], shape[2], 1])
    pairs, areas, count = np.empty((1024, 2), np.int64), np.empty(1024), 0
    at = np.empty(3, np.int64)
    for y in range(shape[1]):
        for x in range(shape[2]):
            here = (k * shape[1] + y) * shape[2] + x
            row = flat[here]
            if row < 0:
                continue
            at[0], at[1], at[2] = k, y, x
            for axis in range(3):
                for way in (-1, 1):
                    beyond = at[axis] + way
                    other = flat[here + way * strides[axis]] if 0 <= beyond < shape[axis] else -1
                    if other == row:
                        continue
                    area = side[0] * side[1] * side[2] / side[axis] * _share(flat, shape, strides, at, here, axis, way, side, reach, climb)
                    square = 0.0
                    for i in range(3):
                        place = (z if i == 0 else at[i]) + (way * 0.5 if i == axis else 0.0) - centroids[row, i]
                        square += (place * side[i])**2
                    sums[row, 0] += area
                    sums[row, 1] += area * np.sqrt(square)
                    sums[row, 2] += area * square
                    if other < 0:
                        sums[row, 3] += area
                        continue
                    low, high = min(row, other), max(row, other)
                    if count and pairs[count - 1, 0] == low and pairs[count - 1, 1] == high:  # as a rule
                        areas[count - 1] += area / 2
                        continue
                    if count == len(areas):
                        pairs, areas = np.concatenate((pairs, pairs)), np.concatenate((areas, areas))
                    pairs[count, 0], pairs[count, 1], areas[count] = low, high, area / 2
                    count += 1
    return pairs[:count], areas[:count]


@compiled
def _share(flat: Any, shape: Ints, strides: Ints, at: Ints, here: int, axis: int, way: int, side: Floats, reach: Ints,
           climb: Ints) -> float:
    """|n . axis| of the surface at the face of voxel `here` that looks along `way` of `axis`."""
    up = min(climb[axis], shape[axis] - 1 - at[axis] if way > 0 else at[axis])
    down = min(climb[axis], at[axis] if way > 0 else shape[axis] - 1 - at[axis])
    row, step, nothing = flat[here], way * strides[axis], -climb[axis] - 1
    square = 1.0
    for across in range(3):
        if across == axis:
            continue
        distance = reach[axis, across]
        while True:
            aside = distance * strides[across]
            one = _height(flat, row, here + aside, step, up, down, nothing) if at[across] + distance < shape[across] else nothing
            two = _height(flat, row, here - aside, step, up, down, nothing) if at[across] >= distance else nothing
            straight = abs(one + two) <= _BENT
            if (straight and max(abs(one), abs(two)) < climb[axis]) or distance == 1:
                break
            distance -= 1
        rise = abs(one - two) / 2 if straight else min(abs(one), abs(two))
        if one != nothing or two != nothing:  # else a tip or a ridge of one voxel, which has its face
            square += (rise / distance * side[axis] / side[across])**2
    return float(1 / np.sqrt(square))


@compiled
def _height(flat: Any, row: int, at: int, step: int, up: int, down: int, nothing: int) -> int:
    """How much farther along `step` than at the face the column of voxel `at` is of this row; `nothing` where it is not in sight."""
    if flat[at] == row:
        for height in range(up):
            at += step
            if flat[at] != row:
                return height
        return up
    for depth in range(down):
        at -= step
        if flat[at] == row:
            return -depth - 1
    return nothing
