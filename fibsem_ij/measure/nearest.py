"""Nearest neighbours: from the surface of each object to the nearest surface of another, and between centroids.

The other is of the same stack, or of another stack on the same grid. The distance is that between the two nearest face
middles (`faces`), exact: 0 where two share a face, or, in two stacks, where one crosses the other. For one that lies inside
another it is the way to the surface around it. Of equals, such as two cells with a wall between them, the nearest is the one that
the object lies in, else that of the lowest number.

Branch and bound: patches of surface stand for their faces. One face of each gives an upper bound for every object, the
boxes of the patches say which pairs can be nearer, and of these pairs alone the faces are read again and compared, the
most promising first. What is in memory is a box for each patch and the faces of a few, not the surfaces.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.compiled import compiled
from fibsem_ij.measure.columns import Definition, Table, Voxel, sides
from fibsem_ij.measure.faces import Patches, of_patches, patches
from fibsem_ij.measure.objects import Objects
from fibsem_ij.measure.relations import homes, overlaps
from fibsem_ij.volume import ArrayLike

Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]
_AT_ONCE = 512  # patches whose neighbours are listed together

DEFINITIONS: Mapping[str, Definition] = MappingProxyType({
    "nearest_id": (0, "The number of the object whose surface is nearest, 0 for none."),
    "nearest_distance": (1, "From the surface of the object to the nearest surface of another; 0 where they share a face or cross."),
    "nearest_centroid_distance": (1, "From the centroid of the object to the nearest centroid of another, whichever that is."),
})


def nearest(labels: ArrayLike, objects: Objects, others: ArrayLike | None = None, other_objects: Objects | None = None, *,
            voxel_nm: Voxel) -> Table:
    """One row an object: the nearest of `others`, or of the rest of its own stack."""
    alike, stack = others is None, labels if others is None else others
    targets = objects if other_objects is None else other_objects
    shared = (np.empty((0, 2), np.int64), np.empty(0, np.int64)) if alike else overlaps(labels, objects, stack, targets)
    home = homes(*shared, len(objects))[0]
    here = patches(labels, objects)
    there = here if alike else patches(stack, targets)
    half = sides(voxel_nm) / 2
    bound = _bounds(here, there, len(objects), half, alike=alike)
    one, two, gap = _candidates(here, there, bound, half, alike=alike)
    used = [np.unique(np.concatenate([one, two]))] * 2 if alike else [np.unique(one), np.unique(two)]
    points, first = of_patches(labels, objects, here.codes[used[0]])
    other_points, other_first = (points, first) if alike else of_patches(stack, targets, there.codes[used[1]])
    boxes = np.concatenate([there.low[used[1]], there.high[used[1]]], 1)
    row, squared = _nearest(np.searchsorted(used[0], one), np.searchsorted(used[1], two), gap, here.rows[one], there.rows[two],
                               points, first, other_points, other_first, boxes, home, half, bound)
    _cross(row, squared, *shared, home, objects, targets)
    return {"nearest_id": np.where(row >= 0, targets.ids[row] if len(targets) else 0, 0),
            "nearest_distance": np.where(row >= 0, np.sqrt(squared), np.nan)}


def between_centroids(centroids: Floats, others: Floats | None = None) -> Table:
    """The same of centroids (n, 3), in their unit; without `others`, among themselves."""
    from scipy.spatial import cKDTree

    targets = centroids if others is None else others
    rank = 1 if others is None else 0
    far = np.full(len(centroids), np.nan)
    if len(centroids) and len(targets) > rank:
        far = cKDTree(targets).query(centroids, k=[rank + 1])[0][:, 0]
    return {"nearest_centroid_distance": far}


def _bounds(here: Patches, there: Patches, count: int, half: Floats, *, alike: bool) -> Floats:
    """No object's nearest is farther than this."""
    from scipy.spatial import cKDTree

    bound = np.full(count, np.inf)
    if not len(here) or not len(there):
        return bound
    tree, k = cKDTree(there.one * half), 1
    todo = np.arange(len(here))
    while len(todo):
        k = min(k * 8 if alike else k, len(there))
        far, at = tree.query(here.one[todo] * half, k=np.arange(1, k + 1))
        far[alike & (there.rows[at] == here.rows[todo, None])] = np.inf
        np.minimum.at(bound, here.rows[todo], far.min(1))
        todo = todo[np.isinf(bound[here.rows[todo]])] if k < len(there) else todo[:0]
    return bound * (1 + 1e-9)


def _candidates(here: Patches, there: Patches, bound: Floats, half: Floats, *, alike: bool) -> tuple[Ids, Ids, Floats]:
    """Pairs of patches that can hold the nearest, an object's together, the least gap between their boxes first."""
    from scipy.spatial import cKDTree

    found = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    near = np.flatnonzero(np.isfinite(bound[here.rows]))
    if len(near):
        tree = cKDTree((there.low + there.high) * (half / 2))
        reach = np.linalg.norm((there.high - there.low) * (half / 2), axis=1).max()
    for start in range(0, len(near), _AT_ONCE):
        these = near[start:start + _AT_ONCE]
        middle, size = (here.low + here.high)[these] * (half / 2), (here.high - here.low)[these] * (half / 2)
        lists = tree.query_ball_point(middle, bound[here.rows[these]] + np.linalg.norm(size, axis=1) + reach)
        one, two = np.repeat(these, [len(near_by) for near_by in lists]), np.concatenate(lists).astype(np.int64)
        apart = np.maximum(np.maximum(here.low[one] - there.high[two], there.low[two] - here.high[one]), 0)
        gap = ((apart * half) ** 2).sum(1)
        kept = gap <= bound[here.rows[one]] ** 2
        if alike:
            kept &= here.rows[one] != there.rows[two]
        found.append((one[kept], two[kept], gap[kept]))
    one, two, gap = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.lexsort((gap, here.rows[one]))
    return one[order], two[order], gap[order]


def _cross(row: Ids, squared: Floats, pairs: Ids, shared: Ids, home: Ids, objects: Objects, targets: Objects) -> None:
    """Two that share some voxels, and each has some of its own, are 0 apart, wherever their faces lie."""
    crossing = pairs[(shared < objects.voxels[pairs[:, 0]]) & (shared < targets.voxels[pairs[:, 1]])]
    touching = np.flatnonzero(squared == 0)
    one, two = np.concatenate([crossing, np.stack([touching, row[touching]], 1)]).T
    order = np.lexsort((two, two != home[one], one))
    one, first = np.unique(one[order], return_index=True)
    row[one], squared[one] = two[order[first]], 0


@compiled
def _nearest(one: Any, two: Any, gap: Any, rows: Any, other_rows: Any, points: Any, first: Any, others: Any, other_first: Any,
             boxes: Any, home: Any, half: Any, bound: Any) -> Any:
    """The row and the squared distance of the nearest, from pairs of patches in order of the object and of the gap between."""
    row, best = np.full(len(home), -1, np.int64), bound**2
    for pair in range(len(one)):
        a, b, box = rows[pair], other_rows[pair], boxes[two[pair]]
        if gap[pair] > best[a] or (gap[pair] == best[a] and row[a] == b):
            continue
        for i in range(first[one[pair]], first[one[pair] + 1]):
            z, y, x = points[i]
            dz, dy, dx = max(box[0] - z, z - box[3], 0), max(box[1] - y, y - box[4], 0), max(box[2] - x, x - box[5], 0)
            if (dz * half[0]) ** 2 + (dy * half[1]) ** 2 + (dx * half[2]) ** 2 > best[a]:
                continue
            for j in range(other_first[two[pair]], other_first[two[pair] + 1]):
                dz, dy, dx = z - others[j, 0], y - others[j, 1], x - others[j, 2]
                far = (dz * half[0]) ** 2 + (dy * half[1]) ** 2 + (dx * half[2]) ** 2
                if far < best[a] or (far == best[a] and (row[a] < 0 or b == home[a] or (b < row[a] != home[a]))):
                    best[a], row[a] = far, b
    return row, best
