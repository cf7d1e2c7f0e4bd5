"""What the tiles of a slice sum over their pixels, in compiled loops: without them two thirds of a fit would be copies.

A picture here is two-dimensional and cut into a grid (rows, cols) of tiles of the same size: a whole level of a slice, or the pixels
that were chosen from it, n of each tile, as a picture of rows x (cols n). Of the fixed slice there are `gx`, `gy` and `grey` (SENTINEL
where there is no picture), of the moving one `image`; tiles count along the rows. The loops hold no lock, so two workers are twice as
fast; sums may be taken in any order (`reassoc`), which is always the same one on one machine.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]
Grid = tuple[int, int]

SENTINEL = -1e4  # what a level holds where there is no picture; far outside of any normalised grey
_SEEN = np.float32(SENTINEL / 10)  # grey above it is picture


def products(gx: Float, gy: Float, grey: Float, grid: Grid) -> Float:
    """All products of two of gx, gy, grey and 1, summed where there is picture: (tiles, 4, 4)."""
    sums = np.empty((grid[0] * grid[1], 4, 4), np.float32)
    compiled(_products)(gx, gy, grey, *grid, sums)
    return sums


def middle(image: Float, grey: Float, light: Float, grid: Grid, *, each: int) -> float:
    """The median of the sizes of residuals, of about `each` pixels a tile that both slices show; 0 where there is none."""
    size = (grey.shape[0] // grid[0]) * (grey.shape[1] // grid[1])
    step = size // each | 1
    some = np.empty(len(light) * -(-size // step), np.float32)
    seen = compiled(_sizes)(image, grey, light, *grid, step, some)
    return float(np.partition(some, seen // 2)[seen // 2]) if seen else 0.0


def weighed(image: Float, gx: Float, gy: Float, grey: Float, light: Float, grid: Grid, *, size: float) -> Float:
    """Of each tile: the sum of the weights size / (size + residual ** 2), and of weight x residual x gx, gy, grey, 1: (tiles, 5)."""
    sums = np.empty((len(light), 5), np.float32)
    compiled(_weighed)(image, gx, gy, grey, light, *grid, np.float32(size), sums)
    return sums


@cache
def compiled(function: Callable[..., Any]) -> Any:
    import numba

    # NB: in Python's way of errors each division is a branch, and no loop that divides would run on whole registers.
    return numba.njit(function, nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})


def _products(gx: Float, gy: Float, grey: Float, rows: int, cols: int, sums: Float) -> None:
    height, width = grey.shape[0] // rows, grey.shape[1] // cols
    for t in range(rows * cols):
        row, left = t // cols * height, t % cols * width
        xx, xy, yy, xg, yg = np.float32(0), np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        gg, x, y, g, n = np.float32(0), np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        for i in range(row, row + height):
            gx_row, gy_row, grey_row = gx[i, left:left + width], gy[i, left:left + width], grey[i, left:left + width]
            for k in range(width):
                seen = np.float32(1) if grey_row[k] > _SEEN else np.float32(0)
                here = grey_row[k] * seen
                xx += gx_row[k] * gx_row[k]
                xy += gx_row[k] * gy_row[k]
                yy += gy_row[k] * gy_row[k]
                xg += gx_row[k] * here
                yg += gy_row[k] * here
                gg += here * here
                x += gx_row[k] * seen
                y += gy_row[k] * seen
                g += here
                n += seen
        for j, line in enumerate(((xx, xy, xg, x), (xy, yy, yg, y), (xg, yg, gg, g), (x, y, g, n))):
            for k in range(4):
                sums[t, j, k] = line[k]


def _sizes(image: Float, grey: Float, light: Float, rows: int, cols: int, step: int, some: Float) -> int:
    """Fills `some`, and says how many are of pixels that both show; the others are infinite, the last when sorted."""
    height, width = grey.shape[0] // rows, grey.shape[1] // cols
    each, seen = len(some) // (rows * cols), 0
    for t in range(rows * cols):
        row, left = t // cols * height, t % cols * width
        for k in range(each):
            y, x = row + k * step // width, left + k * step % width
            if grey[y, x] > _SEEN and image[y, x] > _SEEN:
                some[t * each + k] = abs(image[y, x] - light[t, 0] * grey[y, x] - light[t, 1])
                seen += 1
            else:
                some[t * each + k] = np.inf
    return seen


def _weighed(image: Float, gx: Float, gy: Float, grey: Float, light: Float, rows: int, cols: int, size: np.float32, sums: Float) -> None:
    height, width = grey.shape[0] // rows, grey.shape[1] // cols
    for t in range(rows * cols):
        row, left, gain, offset = t // cols * height, t % cols * width, light[t, 0], light[t, 1]
        weights, x, y, z, w = np.float32(0), np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        for i in range(row, row + height):
            # NB: a row as an array of its own is known to begin at 0: its loop runs on whole registers.
            gx_row, gy_row, grey_row = gx[i, left:left + width], gy[i, left:left + width], grey[i, left:left + width]
            image_row = image[i, left:left + width]
            for k in range(width):
                seen = np.float32(1) if grey_row[k] > _SEEN else np.float32(0)
                here = grey_row[k] * seen
                residual = image_row[k] - gain * here - offset * seen
                weight = size / (size + residual * residual)
                weights += weight
                residual *= weight
                x += residual * gx_row[k]
                y += residual * gy_row[k]
                z += residual * here
                w += residual * seen
        sums[t, 0], sums[t, 1], sums[t, 2], sums[t, 3], sums[t, 4] = weights, x, y, z, w
