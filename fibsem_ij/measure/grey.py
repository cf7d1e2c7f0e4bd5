"""Grey values of each object: mean, deviation, ends and median, slice by slice.

Mean and squares are taken of each slice about its own mean, and put together in order of z (Chan, Golub and LeVeque 1979), so that
nothing is lost by cancellation. The median is exact (`ranks`); of an even number of voxels it is the mean of the two in the middle.
"""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.compiled import compiled
from fibsem_ij.measure.columns import Definition, Table
from fibsem_ij.measure.objects import Counts, Objects, Rows
from fibsem_ij.measure.ranks import at_ranks, inside
from fibsem_ij.volume import ArrayLike

DEFINITIONS: MappingProxyType[str, Definition] = MappingProxyType({
    "grey_mean": (0, "Mean grey value of the object's voxels."),
    "grey_sd": (0, "Standard deviation of the grey values, sqrt(sum (g - mean)^2 / N)."),
    "grey_min": (0, "Grey value of the darkest voxel."),
    "grey_max": (0, "Grey value of the brightest voxel."),
    "grey_median": (0, "Median grey value; the mean of the two in the middle where N is even."),
})

Floats = npt.NDArray[np.float64]


def grey(labels: ArrayLike, objects: Objects, image: ArrayLike) -> Table:
    """Columns grey_mean, grey_sd, grey_min, grey_max, grey_median of the grey values as they are."""
    n = len(objects.ids)
    voxels, mean, squares = np.zeros(n, np.int64), np.zeros(n), np.zeros(n)
    low, high = np.full(n, np.inf), np.full(n, -np.inf)
    for rows, values in inside(labels, objects, image):
        _add(rows, values.astype(np.float64), voxels, mean, squares, low, high)
    middle = at_ranks(labels, objects, image, np.stack([(objects.voxels - 1) // 2, objects.voxels // 2])).astype(np.float64)
    return {"grey_mean": mean, "grey_sd": np.sqrt(squares / voxels), "grey_min": low, "grey_max": high,
            "grey_median": middle[0] + (middle[1] - middle[0]) / 2}


@compiled
def _add(rows: Rows, values: Floats, voxels: Counts, mean: Floats, squares: Floats, low: Floats, high: Floats) -> None:
    """Add the voxels of a slice to what is known of each object."""
    count, middle, spread = np.zeros(voxels.size, np.int64), np.zeros(voxels.size), np.zeros(voxels.size)
    for i in range(rows.size):
        row, value = rows[i], values[i]
        count[row] += 1
        middle[row] += value
        low[row], high[row] = min(low[row], value), max(high[row], value)
    for row in range(voxels.size):
        middle[row] /= max(count[row], 1)
    for i in range(rows.size):
        off = values[i] - middle[rows[i]]
        spread[rows[i]] += off * off
    for row in range(voxels.size):
        if count[row]:
            before, both = voxels[row], voxels[row] + count[row]
            off, share = middle[row] - mean[row], count[row] / both
            mean[row] += off * share
            squares[row] += spread[row] + off * off * before * share
            voxels[row] = both
