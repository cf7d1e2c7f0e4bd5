"""Relations: which object lies in which, how much of a cell its organelles fill, and how far two that touch do so.

Two label stacks on one grid, such as mitochondria and cells. An object belongs to the parent that holds most of its voxels;
of equals to the lowest number. What a parent is filled with is counted voxel by voxel, so that an object that reaches into
two cells fills some of both. A parent's volume is all that carries its number: an organelle cut out of the label of its
cell lies outside of it, unless the cells are made `Whole` first.

Only counts are taken, slice by slice, so the result is exact and depends on no order.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import prod
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.holes import filled
from fibsem_ij.arrays.slabs import Slabs
from fibsem_ij.measure.columns import Definition, Table, Voxel
from fibsem_ij.measure.objects import Objects
from fibsem_ij.volume import ArrayLike

Ids = npt.NDArray[np.int64]

DEFINITIONS: Mapping[str, Definition] = MappingProxyType({
    "parent": (0, "The number of the parent that holds most of the object's voxels, 0 for none."),
    "parent_share": (0, "The share of the object's voxels that lie in its parent, 0 to 1."),
    "children": (0, "How many objects have this parent."),
    "children_volume": (3, "The volume of all labelled voxels in this parent."),
    "volume_fraction": (0, "The share of the parent's voxels that are labelled: children_volume / volume."),
    "children_per_um3": (0, "Number density: children / volume, in cubic micrometres."),
    "children_per_px3": (0, "Number density: children / volume, in voxels."),
    "other": (0, "The number of the object that touches this one."),
    "contact_surface": (2, "The area over which the two touch."),
})


class Whole:
    """A label stack with its holes filled (`arrays.holes`), each slice when it is asked for."""

    def __init__(self, labels: ArrayLike) -> None:
        self.shape, self.dtype = labels.shape, labels.dtype
        self._slabs = slabs = Slabs.of(labels.shape, None)
        fill = filled(lambda i: np.stack([np.asarray(labels[z]) for z in range(*slabs.seen(i).indices(slabs.depth))]), slabs,
                      connectivity=26, shape=labels.shape)
        self._filled = lru_cache(1)(fill)

    def __getitem__(self, z: int) -> npt.NDArray[Any]:
        i = z // self._slabs.height
        return np.asarray(self._filled(i)[z - self._slabs.seen(i).start])


def overlaps(labels: ArrayLike, objects: Objects, others: ArrayLike, other_objects: Objects) -> tuple[Ids, Ids]:
    """Pairs of rows (m, 2) that share voxels, in order, and how many each."""
    if tuple(labels.shape) != tuple(others.shape):
        raise ValueError(f"expected two label stacks of one shape, got {tuple(labels.shape)} and {tuple(others.shape)}; "
                         "crop or scale one to the other")
    width = max(len(other_objects), 1)
    codes, counts = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for z in range(labels.shape[0]):
        inner, outer = objects.rows(np.asarray(labels[z])), other_objects.rows(np.asarray(others[z]))
        code, count = _counted(np.where((inner >= 0) & (outer >= 0), inner.astype(np.int64) * width + outer, -1).ravel())
        codes.append(code)
        counts.append(count)
    found, at = np.unique(np.concatenate(codes), return_inverse=True)
    voxels = np.zeros(len(found), np.int64)
    np.add.at(voxels, at, np.concatenate(counts))
    return np.stack([found // width, found % width], 1), voxels


def parents(labels: ArrayLike, objects: Objects, parent: ArrayLike, parent_objects: Objects, *,
            shared: tuple[Ids, Ids] | None = None) -> Table:
    """One row an object: its parent, and how much of it lies there. `shared` is what `overlaps` gave, where it is known."""
    row, voxels = homes(*(shared or overlaps(labels, objects, parent, parent_objects)), len(objects))
    return {"parent": np.append(parent_objects.ids, 0)[row], "parent_share": voxels / objects.voxels}


def homes(pairs: Ids, voxels: Ids, count: int) -> tuple[Ids, Ids]:
    """Of `count` objects the row of the one that each shares most voxels with, -1 for none, and how many."""
    order = np.lexsort((pairs[:, 1], -voxels, pairs[:, 0]))
    row, first = np.unique(pairs[order, 0], return_index=True)
    home, most = np.full(count, -1), np.zeros(count, np.int64)
    home[row], most[row] = pairs[order[first], 1], voxels[order[first]]
    return home, most


def children(parent_objects: Objects, parent: Ids, shared: tuple[Ids, Ids], *, voxel_nm: Voxel) -> Table:
    """One row a parent: what it holds. `parent` is the column of `parents`, `shared` what `overlaps` gave."""
    size = prod(voxel_nm or (1, 1, 1))
    (pairs, voxels), volume = shared, parent_objects.voxels * size
    count = np.zeros(len(volume), np.int64)
    np.add.at(count, np.searchsorted(parent_objects.ids, parent[parent != 0]), 1)
    held = np.zeros(len(volume), np.int64)
    np.add.at(held, pairs[:, 1], voxels)
    density = {"children_per_um3": count / (volume * 1e-9)} if voxel_nm else {"children_per_px3": count / volume}
    return {"label": parent_objects.ids, "voxels": parent_objects.voxels, "volume": volume, "children": count,
            "children_volume": held * size, "volume_fraction": held / parent_objects.voxels, **density}


def contacts(pairs: Ids, areas: npt.NDArray[np.float64], objects: Objects) -> Table:
    """One row a pair that touches, from `surface.areas`, whose pairs with -1 are with the outside."""
    kept = (pairs >= 0).all(1) & (areas > 0)
    low, high = np.sort(objects.ids[pairs[kept]], axis=1).reshape(-1, 2).T
    order = np.lexsort((high, low))
    return {"label": low[order], "other": high[order], "contact_surface": areas[kept][order]}


def _counted(codes: npt.NDArray[Any]) -> tuple[Ids, Ids]:
    """How often each code other than -1 is there; by runs, which are far fewer than pixels."""
    starts = np.flatnonzero(np.diff(codes, prepend=-2))
    lengths = np.diff(starts, append=len(codes))
    held = codes[starts] >= 0
    found, at = np.unique(codes[starts][held], return_inverse=True)
    counts = np.zeros(len(found), np.int64)
    np.add.at(counts, at, lengths[held])
    return found, counts
