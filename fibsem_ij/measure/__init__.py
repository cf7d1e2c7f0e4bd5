"""Room 5: labels -> one row per object.

In comes a label stack (z, y, x), anything with `.shape`, `.dtype` and `[]`; out goes a table: a dict of columns, `label`
first, a row for each object in order of its number. Lengths, areas and volumes are physical and say so in their names
(`volume_nm3`); without a voxel size they are in pixels (`volume_px3`). A measure that means nothing for an object is NaN.

    size       voxels, volume, centroid, box, extent, principal axes      moments
    surface    area, sphericity, circular variance                        surface, slopes
    hull       volume of the convex hull, solidity                        hull, convex
    topology   Euler number, holes, fenestration                          topology
    skeleton   the longest path through a filament                        skeleton
    grey       mean, deviation, extremes of the image inside              grey
    texture    co-occurrence and size zones of grey levels                texture
    spectrum   pattern spectrum of openings and closings                  texture

With `parent`, another label stack, each row also says in which of its objects it lies (`between`, as is all that has to do
with two stacks or with pairs of objects). `columns` knows what every column is.

A group is a function of the whole stack: it streams slice by slice and adds up for all objects at once. No object is cut out
(but by the skeleton, which says on which grid), so the cost is that of the voxels and the surface, not of the boxes, and one object
may be as large as the stack.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from fibsem_ij.measure import groups
from fibsem_ij.measure.columns import Table, Voxel
from fibsem_ij.measure.options import Options
from fibsem_ij.volume import ArrayLike, checked_voxel

__all__ = ["Options", "Table", "apply"]


def apply(labels: ArrayLike, *, image: ArrayLike | None = None, parent: ArrayLike | None = None, options: Options | None = None,
          voxel_nm: Voxel = None, progress: Callable[[int, int], None] | None = None) -> Table:
    """The table of a label stack. `voxel_nm` None: that of `labels`, where it has one. `progress(done, all)` counts groups."""
    from fibsem_ij.measure import columns

    options = options or Options()
    voxel = checked_voxel(voxel_nm or getattr(labels, "voxel_nm", None))
    found = _measured(labels, image, options, voxel, progress)
    table = columns.named(found, columns.definitions(), voxel_nm=voxel)
    if parent is not None:
        from fibsem_ij.measure import between

        table |= between.within(labels, parent, voxel_nm=voxel)[0]
    return table


def _measured(labels: ArrayLike, image: Any, options: Options, voxel: Voxel, progress: Callable[[int, int], None] | None) -> Table:
    """The columns of all groups, without units."""
    from fibsem_ij.measure.objects import Objects

    if image is None and (grey := [name for name in options.groups if groups.needs_image(name)]):
        raise ValueError(f"expected an image for {', '.join(grey)}, got labels only; give the grey stack they were made from")
    objects = Objects.of(labels)
    if doubt := objects.doubt(labels.shape):
        warnings.warn(doubt, stacklevel=3)
    given = groups.Given(labels, objects, image, voxel, options)
    found: Table = {"label": objects.ids}
    for done, name in enumerate(options.groups, 1):
        found |= groups.measured(name, given)
        if progress:
            progress(done, len(options.groups))
    if {"hull_volume", "filled_volume"} <= found.keys():
        found["solidity_filled"] = found["filled_volume"] / found["hull_volume"]
    return found
