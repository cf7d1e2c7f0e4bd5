"""A microscope's stack brought in: the picture without the data bar below it, voxels by the headers, and what a person should be told.

`files.read` gives the pixels as they lie on disk; here they are taken as slices of one specimen. The data bar is no specimen: it
stands still while the specimen moves, and would hold a registration fast.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fibsem_ij import files
from fibsem_ij.files import dat, folder
from fibsem_ij.files.scans import Acquired, Voxel
from fibsem_ij.files.stack import Pixels, Slices, Window
from fibsem_ij.files.stored import Found
from fibsem_ij.volume import Volume


@dataclass(frozen=True)
class Imported:
    stack: Volume
    acquired: Acquired | None  # what the headers say, where there are any
    notes: tuple[str, ...]


def read(path: Path, *, voxel_nm: Voxel | None = None, databar: bool = False, only: Collection[str] | None = None,
         detector: str = "") -> Imported:
    """`databar`: keep it. `only`: slices of these names, in a folder. `detector`: see dat."""
    module = files.format_of(files.existing(path))
    more: dict[str, Any] = {"detector": detector} if module in (folder, dat) else {}
    found: Found = module.look(path, **more, **({"only": only} if module is folder else {}))
    stack, acquired = found.volume(voxel_nm, str(path)), found.acquired
    notes = acquired.notes(voxel_nm) if acquired else []
    if acquired and (rows := acquired.bar_px):
        notes.append(f"{rows} rows of a data bar below the picture are " + ("kept" if databar else "left out; databar = true keeps them"))
        stack = stack if databar else replace(stack, data=_above(stack.data, rows))
    elif acquired and any(scan and scan.bar_px for scan in acquired.scans):
        notes.append("some slices have a data bar below the picture, others none or another: nothing is cut off")
    return Imported(stack, acquired, tuple(notes))


def is_folder(path: Path) -> bool:
    """Whether each slice is a file of its own."""
    return bool(files.format_of(files.existing(path)) is folder)


def _above(data: Any, rows: int) -> Slices:
    depth, height, width = data.shape
    return Slices((depth, height - rows, width), np.dtype(data.dtype), partial(_cropped, data, height - rows))


def _cropped(data: Any, height: int, z: int, window: Window) -> Pixels:
    return np.asarray(data[z, :height])[window]
