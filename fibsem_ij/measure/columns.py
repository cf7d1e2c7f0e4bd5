"""What a column of the table is called, in which unit, and what it means.

A group of measures says of each of its columns how many lengths it is a product of (its dimension) and what it is; here the
names get their units: `volume_nm3`, `centroid_z_nm` with a voxel size, `volume_px3`, `centroid_z_px` without; a column of
dimension 0 keeps its bare name. `definitions` of a table are what goes into the sidecar beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Table = dict[str, npt.NDArray[Any]]
Definition = tuple[int, str]  # dimension 0..3; one sentence
Voxel = tuple[float, float, float] | None  # nm (z, y, x)

LABEL: Mapping[str, Definition] = {"label": (0, "The number of the object in the label image.")}


def definitions() -> dict[str, Definition]:
    """Of every column that may ever be given, by its name without a unit."""
    from fibsem_ij.measure import between, groups

    found = dict(LABEL)
    for module in (*groups.modules(), between):
        if twice := found.keys() & module.DEFINITIONS.keys():
            raise ValueError(f"expected columns of {module.__name__} with names of their own, got {', '.join(sorted(twice))}; rename them")
        found |= module.DEFINITIONS
    return found


def with_unit(name: str, dimension: int, *, voxel_nm: Voxel) -> str:
    unit = "px" if voxel_nm is None else "nm"
    return f"{name}_{unit}{dimension if dimension > 1 else ''}" if dimension else name


def named(columns: Mapping[str, npt.NDArray[Any]], defined: Mapping[str, Definition], *, voxel_nm: Voxel) -> Table:
    """The columns under names with units."""
    return {with_unit(name, defined[name][0], voxel_nm=voxel_nm): column for name, column in columns.items()}


def described(names: Iterable[str], *, voxel_nm: Voxel) -> dict[str, dict[str, str]]:
    """Column with its unit -> {"unit": ..., "is": ...}, for the sidecar."""
    every = {with_unit(name, dimension, voxel_nm=voxel_nm): (dimension, is_) for name, (dimension, is_) in definitions().items()}
    unit = "px" if voxel_nm is None else "nm"
    return {name: {"unit": f"{unit}{dimension if dimension > 1 else ''}" if dimension else "", "is": is_}
            for name in names for dimension, is_ in [every[name]]}


def sides(voxel_nm: Voxel) -> npt.NDArray[np.float64]:
    """The sides of a voxel (z, y, x), 1 px each where nobody knows them."""
    return np.array(voxel_nm or (1, 1, 1), np.float64)
