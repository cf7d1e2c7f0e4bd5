"""What two label stacks, or the objects of one, have to do with each other: tables with units, a row an object as in `measure.apply`.

    within      in which parent, how far in, how near to its membrane; and what each parent holds     relations, nucleoli
    nearest     the nearest object of another stack, or of its own                                   nearest
    displaced   where it is in a later stack, or in another                                          displacement
    touching    a row a pair that touches: over which area                                           relations, surface

`voxel_nm` None is that of `labels`, where it has one; else all is in pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from fibsem_ij.measure import displacement, fibres, moments, nucleoli, relations, surface
from fibsem_ij.measure import nearest as neighbours
from fibsem_ij.measure.columns import LABEL, Definition, Table, Voxel, named
from fibsem_ij.measure.objects import Objects
from fibsem_ij.volume import ArrayLike, checked_voxel

DEFINITIONS: Mapping[str, Definition] = MappingProxyType({
    "class": (0, "The name of the class that has this number, in a label image of classes."),
    **{name: is_ for module in (relations, neighbours, nucleoli, displacement, fibres) for name, is_ in module.DEFINITIONS.items()}})


def within(labels: ArrayLike, parent: ArrayLike, *, voxel_nm: Voxel = None, fill: bool = False) -> tuple[Table, Table]:
    """One row an object, and one row a parent. `fill`: parents with their holes, where what they hold was cut out of them."""
    voxel = of_one_grid(labels, parent, voxel_nm)
    outside: ArrayLike = relations.Whole(parent) if fill else parent
    inner, outer = Objects.of(labels), Objects.of(outside)
    shared = relations.overlaps(labels, inner, outside, outer)
    rows = relations.parents(labels, inner, outside, outer, shared=shared)
    near = nucleoli.proximity(_centroids(labels, inner, voxel), rows["parent"], outside, outer, _centroids(outside, outer, voxel),
                              voxel_nm=voxel)
    return _named(rows | near, voxel), _named(relations.children(outer, rows["parent"], shared, voxel_nm=voxel), voxel)


def nearest(labels: ArrayLike, others: ArrayLike | None = None, *, voxel_nm: Voxel = None) -> Table:
    """The nearest of `others`, on the same grid; without them, of its own stack."""
    voxel = of_one_grid(labels, labels if others is None else others, voxel_nm)
    here = Objects.of(labels)
    middles = _centroids(labels, here, voxel)
    if others is None:
        return _named(neighbours.nearest(labels, here, voxel_nm=voxel) | neighbours.between_centroids(middles), voxel)
    there = Objects.of(others)
    return _named(neighbours.nearest(labels, here, others, there, voxel_nm=voxel)
                  | neighbours.between_centroids(middles, _centroids(others, there, voxel)), voxel)


def displaced(labels: ArrayLike, later: ArrayLike, *, voxel_nm: Voxel = None, by: str = "id", farthest: float = np.inf) -> Table:
    """One row an object. The stacks may differ in size and in voxels."""
    voxel, then = _voxel(labels, voxel_nm), _voxel(later, voxel_nm)
    if (voxel is None) != (then is None):
        raise ValueError(f"expected voxel sizes of both stacks or of none, got {voxel} and {then}; give the one that is missing")
    here, there = Objects.of(labels), Objects.of(later)
    return _named(displacement.displacements(here.ids, _centroids(labels, here, voxel), there.ids, _centroids(later, there, then),
                                             by=by, farthest=farthest), voxel)


def touching(labels: ArrayLike, *, voxel_nm: Voxel = None) -> Table:
    """One row a pair of objects that share faces."""
    voxel, objects = _voxel(labels, voxel_nm), Objects.of(labels)
    return _named(relations.contacts(*surface.areas(labels, objects, voxel_nm=voxel), objects), voxel)


def _voxel(labels: ArrayLike, voxel_nm: Voxel) -> Voxel:
    return checked_voxel(voxel_nm if voxel_nm is not None else getattr(labels, "voxel_nm", None))


def of_one_grid(one: ArrayLike, two: ArrayLike, voxel_nm: Voxel) -> Voxel:
    """The voxel size of two stacks that lie on each other."""
    if tuple(one.shape) != tuple(two.shape):
        raise ValueError(f"expected two label stacks of one shape, got {tuple(one.shape)} and {tuple(two.shape)}; "
                         "crop or scale one to the other")
    here, there = _voxel(one, voxel_nm), _voxel(two, voxel_nm)
    if here and there and not np.allclose(here, there, rtol=1e-3):
        raise ValueError(f"expected two label stacks of one voxel size, got {here} and {there} nm; give the right one as voxel_nm")
    return here


def _centroids(labels: ArrayLike, objects: Objects, voxel_nm: Voxel) -> npt.NDArray[np.float64]:
    table = moments.moments(labels, objects, voxel_nm=voxel_nm)
    return np.stack([table[f"centroid_{axis}"] for axis in "zyx"], 1)


def _named(table: Table, voxel_nm: Voxel) -> Table:
    return named(table, {**LABEL, **moments.DEFINITIONS, **DEFINITIONS}, voxel_nm=voxel_nm)
