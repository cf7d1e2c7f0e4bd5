"""Surface and contact areas, from voxel faces weighed by how the surface runs at each of them.

A plane with unit normal n shows, per unit of its area, |n_z| of voxel faces across z, and so on; so its area is the sum over
its faces of face area times |n . axis across the face|, whatever way it lies. n comes from heights: beside the face, `_REACH`
columns away to either side, how much farther up or down does the object end? Where the two do not lie on a straight line (an
edge, or a surface that bends that much), closer columns are taken, and at last the flatter side, so that a box keeps its
edges. Faces weighed by normals are from Lenoir, Malgouyres, Revenu (1996), heights of columns from the volume-of-fluid
methods (Cummins 2005). Marching cubes on a mask is 8 % too large, for its steps; Crofton's formula is too small on flat sides.

Between two objects each sees where itself ends; the area of contact is the mean of both.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from fibsem_ij.measure.columns import Definition, Table, Voxel, sides
from fibsem_ij.measure.objects import Objects, Rows, over_slices
from fibsem_ij.measure.slopes import faces
from fibsem_ij.volume import ArrayLike

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# In voxels; along the finer axes of anisotropic voxels as many more as they are finer.
_REACH = 2  # columns to either side
_CLIMB = 5  # how far up and down they are followed

DEFINITIONS: Mapping[str, Definition] = {
    "surface": (2, "Area of the surface: outer, of holes, and of contact with other objects; the border of the stack counts."),
    "sphericity": (0, "pi^(1/3) (6 volume)^(2/3) / surface: 1 for a ball, less for all else."),
    "circular_variance": (0, "Mean over the surface of (distance from the centroid - r)^2 / r^2, where r is the mean distance: "
                             "0 for a ball."),
}


def surface(labels: ArrayLike, objects: Objects, *, voxel_nm: Voxel, centroids: Floats, height: int | None = None) -> Table:
    """`centroids` (n, 3) in voxels. `height`: slices in memory beside those around them; it changes nothing."""
    side = sides(voxel_nm)
    sums, pairs, areas = _streamed(labels, objects, side, centroids, height)
    found = np.zeros(len(objects))
    for column in pairs.T:
        np.add.at(found, column[column >= 0], areas[column >= 0])
    weight, distance, square = sums.T
    mean = distance / weight
    return {"surface": found, "sphericity": np.cbrt(np.pi) * np.cbrt(6 * objects.voxels * side.prod())**2 / found,
            "circular_variance": np.maximum(square / weight / mean**2 - 1, 0)}


def areas(labels: ArrayLike, objects: Objects, *, voxel_nm: Voxel) -> tuple[Ints, Floats]:
    """The area of every two that touch: pairs of rows (m, 2), -1 for what is no object. An object's surface is the sum of its pairs."""
    return _streamed(labels, objects, sides(voxel_nm), np.zeros((len(objects), 3)), None)[1:]


def _streamed(labels: ArrayLike, objects: Objects, side: Floats, centroids: Floats,
              height: int | None) -> tuple[Floats, Ints, Floats]:
    """Of each object the sums of area, area * distance and area * distance^2 from the centroid; the pairs, their areas."""
    reach, climb = windows(side)
    count = len(objects)

    def one(rows: Rows, k: int, z: int) -> tuple[Floats, Ints, Floats]:
        sums = np.zeros((count, 4))
        touching, area = faces(rows, k, z, side, reach, climb, centroids, sums)
        codes, at = np.unique(touching[:, 0] * count + touching[:, 1], return_inverse=True)
        return sums, codes, _added(at, area, len(codes))

    sums, codes, found = np.zeros((count, 4)), [np.empty(0, np.int64)], [np.empty(0)]
    halo = int(max(climb[0] + 1, reach[:, 0].max()))
    for own, code, area in over_slices(one, labels, objects, halo=halo, height=height):
        sums += own
        codes.append(code)
        found.append(area)
    touching, at = np.unique(np.concatenate(codes), return_inverse=True)
    pairs = np.stack([touching // max(count, 1), touching % max(count, 1)], 1)
    alone = np.flatnonzero(sums[:, 3])
    pairs = np.concatenate([np.stack([np.full(len(alone), -1), alone], 1), pairs])
    return sums[:, :3], pairs, np.concatenate([sums[alone, 3], _added(at, np.concatenate(found), len(touching))])


def _added(at: npt.NDArray[np.intp], values: Floats, count: int) -> Floats:
    return np.bincount(at, values, count).astype(np.float64)


def windows(side: Floats) -> tuple[Ints, Ints]:
    """How many columns to look aside, for faces across axis i to columns along axis j (3, 3), and how far to climb (3,)."""
    finer = np.maximum(side[:, None] / side[None, :], 1)
    return np.rint(_REACH * finer).astype(np.int64), np.ceil(_CLIMB * side.max() / side).astype(np.int64)
