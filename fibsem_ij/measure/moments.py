"""Size, place and principal axes of every object, from the sums of its coordinates: whole numbers, so exact in any order.

Voxels are boxes, not points: each adds its own second moment, side^2 / 12. An axis length is that of the ellipsoid with the
same second moments, 2 sqrt(5 lambda), so that an ellipsoid has its own axes (as in scikit-image). Places count from the middle of voxel
(0, 0, 0), as everywhere in this package.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fibsem_ij.measure.columns import Definition, Table, Voxel, sides
from fibsem_ij.measure.objects import Counts, Objects, Rows
from fibsem_ij.volume import ArrayLike

Floats = npt.NDArray[np.float64]
_ROUND = 1e-9  # axes whose moments differ by less have no direction

DEFINITIONS: Mapping[str, Definition] = {
    "voxels": (0, "Number of voxels."),
    "volume": (3, "Number of voxels times the volume of one."),
    **{f"centroid_{axis}": (1, f"Mean {axis} of the voxels' middles; the middle of the first voxel is 0.") for axis in "zyx"},
    **{f"box_{axis}_{end}": (0, f"{which} of the object along {axis}, counted from 0.") for axis in "zyx"
       for end, which in (("start", "First voxel"), ("stop", "First voxel behind the last"))},
    "cut": (0, "1 where the object touches the border of the stack, so that some of it may lie outside, else 0."),
    "extent": (0, "voxels / voxels of the box."),
    **{f"axis_length_{i}": (1, f"{which} axis of the ellipsoid with the same second moments: 2 sqrt(5 lambda_{i}).")
       for i, which in enumerate(("Longest", "Middle", "Shortest"), 1)},
    **{f"axis_{axis}": (0, f"{axis} of the unit vector along the longest axis; empty where no axis is longest.") for axis in "zyx"},
}


def moments(labels: ArrayLike, objects: Objects, *, voxel_nm: Voxel) -> Table:
    side = sides(voxel_nm)
    starts = np.array([[s.start for s in box] for box in objects.boxes], np.int64).reshape(-1, 3)
    stops = np.array([[s.stop for s in box] for box in objects.boxes], np.int64).reshape(-1, 3)
    first, second = _sums(labels, objects, starts)
    mean = first / objects.voxels[:, None]
    lengths, axis = _principal(second / objects.voxels[:, None, None] - mean[:, :, None] * mean[:, None, :], side)
    centroid = (starts + mean) * side
    return {"voxels": objects.voxels, "volume": objects.voxels * side.prod(),
            **{f"centroid_{name}": centroid[:, i] for i, name in enumerate("zyx")},
            **{f"box_{name}_{end}": corner[:, i] for i, name in enumerate("zyx") for end, corner in (("start", starts), ("stop", stops))},
            "cut": ((starts == 0) | (stops == labels.shape)).any(1).astype(np.int64), "extent": objects.voxels / (stops - starts).prod(1),
            **{f"axis_length_{i + 1}": lengths[:, i] for i in range(3)}, **{f"axis_{name}": axis[:, i] for i, name in enumerate("zyx")}}


def _principal(spread: Floats, side: Floats) -> tuple[Floats, Floats]:
    """Covariances (n, 3, 3) in voxels -> axis lengths (n, 3), the longest first; unit vector (n, 3) along it."""
    values, vectors = np.linalg.eigh((spread + np.eye(3) / 12) * side[:, None] * side)  # rising
    axis = vectors[:, :, 2]
    axis = axis * np.sign(np.take_along_axis(axis, np.abs(axis).argmax(1)[:, None], 1)) + 0.0  # no ends: the largest part is positive
    axis[values[:, 1] > values[:, 2] * (1 - _ROUND)] = np.nan
    return 2 * np.sqrt(5 * values[:, ::-1]), axis


def _sums(labels: ArrayLike, objects: Objects, starts: Counts) -> tuple[Counts, Counts]:
    """Of the coordinates, counted from the object's box: sums (n, 3) and sums of products (n, 3, 3)."""
    sums = np.zeros((len(objects), 9), np.int64)
    for z in range(labels.shape[0]):
        _compiled()(objects.rows(np.asarray(labels[z])), z, starts, sums)
    zz, zy, zx, yy, yx, xx = sums[:, 3:].T
    return sums[:, :3], np.stack([zz, zy, zx, zy, yy, yx, zx, yx, xx], 1).reshape(-1, 3, 3)


@lru_cache
def _compiled() -> Callable[..., None]:
    import numba

    compiled: Callable[..., None] = numba.njit(_add, nogil=True, cache=True)
    return compiled


def _add(rows: Rows, z: int, starts: Counts, sums: Counts) -> None:
    """Run by run: the coordinates of a run are start..stop - 1."""
    for y in range(rows.shape[0]):
        x = 0
        while x < rows.shape[1]:
            row, start = rows[y, x], x
            while x < rows.shape[1] and rows[y, x] == row:
                x += 1
            if row < 0:
                continue
            a, b, n = start - starts[row, 2], x - starts[row, 2], x - start
            dz, dy = z - starts[row, 0], y - starts[row, 1]
            along = (a + b - 1) * n // 2
            square = (b * (b - 1) * (2 * b - 1) - a * (a - 1) * (2 * a - 1)) // 6
            own = sums[row]
            own[0] += dz * n
            own[1] += dy * n
            own[2] += along
            own[3] += dz * dz * n
            own[4] += dz * dy * n
            own[5] += dz * along
            own[6] += dy * dy * n
            own[7] += dy * along
            own[8] += square


def centroids(table: Table, voxel_nm: Voxel) -> Floats:
    """In voxels (n, 3), of the table that `moments` gave."""
    return np.stack([table[f"centroid_{name}"] for name in "zyx"], 1) / sides(voxel_nm)
