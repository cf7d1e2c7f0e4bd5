"""measure over files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fibsem_ij import measure
from fibsem_ij.files import sidecar
from fibsem_ij.measure import columns
from fibsem_ij.volume import Labels, Volume


def measured(stack: Labels, image: Volume | None, *, options: measure.Options, progress: Callable[[int, int], None] | None = None) -> Any:
    """The table of a label image; of one of classes it says which each row is."""
    table = measure.apply(stack, image=image, options=options, progress=progress)
    names = np.array([stack.classes.get(number, "") for number in table["label"].tolist()], np.str_)
    return {"label": table["label"], "class": names, **table} if stack.classes else table


def write(path: Path, table: Any, stack: Labels, **about: Any) -> None:
    """The table, and beside it what its columns are."""
    sidecar.write(path, table, columns.described(table, voxel_nm=stack.voxel_nm), voxel_nm=stack.voxel_nm, **about)
