"""A slice as its runs along x of equal numbers: of what can be done by runs, voxels cost ten times as much.

A run is (number, start, stop), line after line, background (0) as well. Starts and stops count along lines that are one pixel
longer than those of the slice, start = y (width + 1) + x: so the last run of a line and the first of the next do not meet.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.compiled import compiled

Runs = npt.NDArray[np.int64]  # (n, 3)


def runs(pixels: npt.NDArray[Any]) -> Runs:
    return _runs(native(pixels))


def native(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """NB: Numba knows no foreign byte order, in which TIFF files come."""
    return np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("="))


@compiled
def _runs(pixels: npt.NDArray[Any]) -> Runs:
    """Where a pixel differs from the one before is marked first; of the marks, eight are looked at together."""
    height, width = pixels.shape
    marks = np.zeros((width + 7) // 8 * 8, np.uint8)
    eights = marks.view(np.uint64)
    out, n = np.empty((2 * height + 1, 3), np.int64), 0
    for y in range(height):
        line, at = pixels[y], y * (width + 1)
        count = 1
        for x in range(1, width):
            marks[x] = line[x] != line[x - 1]
            count += marks[x]
        if n + count > len(out):
            more = np.empty((2 * (n + count), 3), np.int64)
            more[:n] = out[:n]
            out = more
        out[n, 0], out[n, 1] = line[0], at
        for i in range(len(eights)):
            if eights[i]:
                for x in range(8 * i, 8 * i + 8):
                    if marks[x]:
                        out[n, 2] = at + x
                        n += 1
                        out[n, 0], out[n, 1] = line[x], at + x
        out[n, 2] = at + width
        n += 1
    return out[:n]
