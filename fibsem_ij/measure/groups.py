"""The groups of measures by name: the one place where they are registered.

A group is a module that says of each of its columns what it is (DEFINITIONS, see `columns`), and a function of what is `Given`. A group of
another package is a module with DEFINITIONS, `columns(given)`, and NEEDS_IMAGE = True where it does (`sockets`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from fibsem_ij import sockets
from fibsem_ij.volume import ArrayLike

if TYPE_CHECKING:
    from fibsem_ij.measure.columns import Table, Voxel
    from fibsem_ij.measure.objects import Objects
    from fibsem_ij.measure.options import Options


@dataclass(frozen=True)
class Given:
    """What a group may use. `objects` has a row each; `measure.objects.over_slices` walks through `labels` with those rows."""

    labels: ArrayLike  # (z, y, x)
    objects: Objects
    image: Any  # grey, of the same shape; None where there is none
    voxel_nm: Voxel
    options: Options

    @cached_property
    def size(self) -> Table:
        """The columns of the group size, which others stand on."""
        from fibsem_ij.measure.moments import moments

        return moments(self.labels, self.objects, voxel_nm=self.voxel_nm)

    @property
    def levels(self) -> dict[str, Any]:
        return {"levels": self.options.levels, "span": self.options.span}


@dataclass(frozen=True)
class Group:
    where: str  # its module, within measure
    columns: Callable[[Any, Given], Table]  # of that module, and of what is given
    needs_image: bool = False

    @property
    def module(self) -> Any:
        return import_module(f"fibsem_ij.measure.{self.where}")


GROUPS: Mapping[str, Group] = MappingProxyType({
    "size": Group("moments", lambda _, of: of.size),
    "surface": Group("surface", lambda module, of: module.surface(of.labels, of.objects, centroids=_centroids(of), voxel_nm=of.voxel_nm)),
    "hull": Group("hull", lambda module, of: module.hull(of.labels, of.objects, voxel_nm=of.voxel_nm)),
    "topology": Group("topology", lambda module, of: module.topology(of.labels, of.objects, voxel_nm=of.voxel_nm)),
    "skeleton": Group("skeleton", lambda module, of: module.skeleton(of.labels, of.objects, crop_voxels=of.options.crop_voxels,
                                                                     voxel_nm=of.voxel_nm)),
    "grey": Group("grey", lambda module, of: module.grey(of.labels, of.objects, of.image), needs_image=True),
    "texture": Group("texture", lambda module, of: module.texture(of.labels, of.objects, of.image, **of.levels), needs_image=True),
    "spectrum": Group("texture", lambda module, of: module.spectrum.spectrum(
        of.labels, of.objects, of.image, radius=of.options.spectrum_radius, columns=of.options.spectrum_columns, **of.levels),
        needs_image=True),
})


def names() -> tuple[str, ...]:
    """All that can be asked for, those of other packages included."""
    return sockets.names("measures", GROUPS)


def needs_image(name: str) -> bool:
    return GROUPS[name].needs_image if name in GROUPS else bool(getattr(sockets.load("measures", name), "NEEDS_IMAGE", False))


def measured(name: str, given: Given) -> Table:
    """The columns of one group, without units."""
    if name in GROUPS:
        return GROUPS[name].columns(GROUPS[name].module, given)
    theirs: Table = sockets.load("measures", name).columns(given)
    return theirs


def modules() -> list[Any]:
    """Those whose DEFINITIONS say what their columns are."""
    theirs = [sockets.load("measures", name) for name in names()[len(GROUPS):]]
    return [*dict.fromkeys(group.module for group in GROUPS.values()), *theirs]


def _centroids(given: Given) -> Any:
    from fibsem_ij.measure.moments import centroids

    return centroids(given.size, given.voxel_nm)
