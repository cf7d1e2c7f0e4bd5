"""Size, place and principal axes of every object, from the sums of its coordinates: whole numbers, so exact in any order.

Voxels are boxes, not points: each adds its own second moment, side^2 / 12. An axis length is that of the ellipsoid with the
same second moments, 2 sqrt(5 lambda), so that an ellipsoid has its own axes (as in scikit-image). Places count from the middle of voxel
(0, 0, 0), as everywhere in this package.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from fibsem_ij.measure.columns import Definition, Table, Voxel, sides
from fibsem_ij.measure.objects import Objects
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
    zz, zy, zx, yy, yx, xx = objects.sums[:, 3:].T
    second = np.stack([zz, zy, zx, zy, yy, yx, zx, yx, xx], 1).reshape(-1, 3, 3)
    mean = objects.sums[:, :3] / objects.voxels[:, None]
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


def centroids(table: Table, voxel_nm: Voxel) -> Floats:
    """In voxels (n, 3), of the table that `moments` gave."""
    return np.stack([table[f"centroid_{name}"] for name in "zyx"], 1) / sides(voxel_nm)
