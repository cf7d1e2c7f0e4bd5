"""Nucleoli, or whatever lies inside something: how near to its membrane.

proximity = dcc / (dcc + ds): dcc from the centroid of the nucleolus to that of its nucleus, ds from the centroid of the
nucleolus to the nearest point of the nuclear surface; 0 in the middle, 1 at the membrane. The surface are the middles of
voxel faces (`faces`); where the border of the stack cuts a nucleus there is none.

NB: nuclei have to be whole. Where nucleoli are holes in the label of their nucleus, the nearest surface is that of the hole:
give `relations.Whole(nuclei)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.compiled import compiled
from fibsem_ij.measure.columns import Definition, Table, Voxel, sides
from fibsem_ij.measure.faces import faces
from fibsem_ij.measure.objects import Objects
from fibsem_ij.volume import ArrayLike

Floats = npt.NDArray[np.float64]

DEFINITIONS: Mapping[str, Definition] = MappingProxyType({
    "parent_centroid_distance": (1, "dcc: from the centroid of the object to that of its parent."),
    "membrane_distance": (1, "ds: from the centroid of the object to the nearest point of the surface of its parent."),
    "membrane_proximity": (0, "dcc / (dcc + ds): 0 in the middle of the parent, 1 at its membrane."),
})


def proximity(centroids: Floats, parent: npt.NDArray[np.int64], nuclei: ArrayLike, nuclear: Objects, nuclear_centroids: Floats, *,
              voxel_nm: Voxel) -> Table:
    """Of objects with `centroids` (n, 3) and the numbers of their `parent`s; NaN for one that has none."""
    row = np.where(parent != 0, np.searchsorted(nuclear.ids, parent), -1)
    order = np.argsort(row, kind="stable")
    first = np.searchsorted(row[order], np.arange(len(nuclear) + 1))  # the members of nucleus i are order[first[i]:first[i + 1]]
    squared, half = np.full(len(row), np.inf), sides(voxel_nm) / 2
    for _, found in faces(nuclei, nuclear):
        _closer(found, half, order, first, centroids, squared)
    dcc, ds = np.full(len(row), np.nan), np.where(np.isfinite(squared), np.sqrt(squared), np.nan)
    dcc[row >= 0] = np.linalg.norm(centroids[row >= 0] - nuclear_centroids[row[row >= 0]], axis=1)
    with np.errstate(invalid="ignore"):  # both 0: neither in the middle nor at the membrane
        return {"parent_centroid_distance": dcc, "membrane_distance": ds, "membrane_proximity": dcc / (dcc + ds)}


@compiled
def _closer(found: Any, half: Any, order: Any, first: Any, centroids: Any, squared: Any) -> None:
    """The least squared distance so far, from each centroid to the faces (row, z, y, x) of its own nucleus."""
    for face in range(len(found)):
        row = found[face, 0]
        z, y, x = found[face, 1] * half[0], found[face, 2] * half[1], found[face, 3] * half[2]
        for i in range(first[row], first[row + 1]):
            c = centroids[order[i]]
            far = (z - c[0]) ** 2 + (y - c[1]) ** 2 + (x - c[2]) ** 2
            squared[order[i]] = min(squared[order[i]], far)
