"""What the tiles of a slice sum over their pixels, in compiled loops: without them two thirds of a fit would be copies.

A tile's pixels are `where` (tiles, n), flat indices into the slice. Of the fixed slice its `columns` (tiles, 4, n) are kept: gx, gy,
grey, 1; the moving slice is read as it lies. The loops hold no lock, so two workers are twice as fast; sums may be taken in any
order (`reassoc`), which is always the same one on one machine.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]
Where = npt.NDArray[np.int32]


def columns(gx: Float, gy: Float, grey: Float, seen: Float, where: Where) -> tuple[Float, Float]:
    """The columns, and all products of two of them (tiles, 4, 4)."""
    kept, squares = np.empty((len(where), 4, where.shape[1]), np.float32), np.empty((len(where), 4, 4), np.float32)
    _compiled(_columns)(gx.ravel(), gy.ravel(), grey.ravel(), seen.ravel(), where, kept, squares)
    return kept, squares


def sample(image: Float, where: Where, columns: Float, light: Float, *, each: int) -> Float:
    """Residuals of about `each` pixels a tile: (tiles, about each)."""
    step = where.shape[1] // each | 1
    some = np.empty((len(where), -(-where.shape[1] // step)), np.float32)
    _compiled(_sample)(image.ravel(), where, columns, light, step, some)
    return some


def weighed(image: Float, where: Where, columns: Float, light: Float, *, size: float) -> Float:
    """Of each tile: the sum of the weights size / (size + residual ** 2), and of weight x residual x each column: (tiles, 5)."""
    sums = np.empty((len(where), 5), np.float32)
    _compiled(_weighed)(image.ravel(), where, columns, light, np.float32(size), sums)
    return sums


@cache
def _compiled(function: Callable[..., None]) -> Any:
    import numba

    return numba.njit(function, nogil=True, cache=True, fastmath={"reassoc", "contract", "nsz"})


def _columns(gx: Float, gy: Float, grey: Float, seen: Float, where: Where, kept: Float, squares: Float) -> None:
    for t in range(len(where)):
        for i in range(where.shape[1]):
            at = where[t, i]
            kept[t, 0, i], kept[t, 1, i], kept[t, 2, i], kept[t, 3, i] = gx[at], gy[at], grey[at] * seen[at], seen[at]
        for j in range(4):
            for k in range(j + 1):
                total = np.float32(0)
                for i in range(where.shape[1]):
                    total += kept[t, j, i] * kept[t, k, i]
                squares[t, j, k] = squares[t, k, j] = total


def _sample(image: Float, where: Where, columns: Float, light: Float, step: int, some: Float) -> None:
    for t in range(len(where)):
        for k in range(some.shape[1]):
            i = k * step
            some[t, k] = image[where[t, i]] - light[t, 0] * columns[t, 2, i] - light[t, 1] * columns[t, 3, i]


def _weighed(image: Float, where: Where, columns: Float, light: Float, size: np.float32, sums: Float) -> None:
    n = where.shape[1]
    grey = np.empty(n, np.float32)
    for t in range(len(where)):
        for i in range(n):  # apart from the sums, which then run on whole registers
            grey[i] = image[where[t, i]]
        gain, offset = light[t, 0], light[t, 1]
        weights, x, y, z, w = np.float32(0), np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        for i in range(n):
            residual = grey[i] - gain * columns[t, 2, i] - offset * columns[t, 3, i]
            weight = size / (size + residual * residual)
            weights += weight
            residual *= weight
            x += residual * columns[t, 0, i]
            y += residual * columns[t, 1, i]
            z += residual * columns[t, 2, i]
            w += residual * columns[t, 3, i]
        sums[t, 0], sums[t, 1], sums[t, 2], sums[t, 3], sums[t, 4] = weights, x, y, z, w
