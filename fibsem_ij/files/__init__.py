"""The door to disk: stacks, label stacks, tables and transforms in and out; every `read` has its `write`.

A stack is told apart by name: `.tif` (ImageJ stack; BigTIFF, OME-TIFF and plain pages are read too), a folder or glob
of slices, `.zarr` (OME-Zarr, also `image.zarr/labels/cells`), `.mrc`, `.npy`, `.nrrd`, `.dat` (Janelia's slices, in alone). What is
read stays on disk until it is asked for; what is written appears under its name only when it is whole. Each module says what it can hold,
and what it does about the rest: tiff, folder, zarr, mrc, npy, nrrd, dat. Beside them: tables (CSV, Parquet), sidecar (what
their columns mean), transforms (JSON), rois (ROI sets), networks, edit_log (corrections to labels), drawn (layers that
somebody drew), probabilities (a channel for each class), meshes (STL, OBJ, PLY). importing brings a microscope's stack in with
what its headers say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.files.globs import WILD, is_glob
from fibsem_ij.volume import Labels, Volume

if TYPE_CHECKING:
    from fibsem_ij.files.stack import Filled
    from fibsem_ij.files.stored import Found

__all__ = ["create", "read", "read_labels", "write"]

Name = str | PathLike[str]
Voxel = tuple[float, float, float]
_FORMATS = {".tif": "tiff", ".tiff": "tiff", ".zarr": "zarr", ".mrc": "mrc", ".npy": "npy", ".nrrd": "nrrd", ".dat": "dat"}


def read(path: Name, *, voxel_nm: Voxel | None = None) -> Volume:
    """The stack at `path`, opened and checked but not read; `voxel_nm` goes before what the file says."""
    path = Path(path)
    found: Found = format_of(existing(path)).look(path)
    return found.volume(voxel_nm, str(path))


def read_labels(path: Name, *, voxel_nm: Voxel | None = None) -> Labels:
    """The label stack at `path`: whole numbers, also where the file holds them as float32."""
    path = Path(path)
    module = format_of(existing(path))
    if hasattr(module, "labels_in"):
        path = module.labels_in(path)
    found: Found = module.look(path)
    return found.labels(voxel_nm, str(path))


def write(path: Name, noun: Volume) -> None:
    """Write a Volume or Labels slice by slice, one slice in memory."""
    path = Path(path)
    with format_of(path, writing=True).create(path, noun) as out:
        for z in range(len(noun)):
            out[z] = noun[z]


@contextmanager
def create(path: Name, *, shape: Sequence[int], dtype: npt.DTypeLike, voxel_nm: Voxel | None = None, names: Sequence[str] = (),
           labels: bool = False, classes: Mapping[int, str] | None = None, resume: str = "", of: Sequence[str] = ()) -> Iterator[Filled]:
    """An array to fill, `out[z] = slice`, in any order; it becomes `path` at a clean exit with every slice written.

    `resume`, of a .zarr, says what the stack is made of: after a stop, a power cut included, the same `resume` finds the slices
    that were written, `out.done`, and the rest is filled. `of` says of each slice what it is made of: those that an older `path` has of
    the same are taken over, in `out.done` too.
    """
    from fibsem_ij.files.stack import Blank

    path = Path(path)
    z, y, x = (int(n) for n in shape)
    blank = Blank((z, y, x), np.dtype(dtype))
    if labels or classes:
        noun: Volume = Labels(blank, voxel_nm, tuple(names), classes or {})
    else:
        noun = Volume(blank, voxel_nm, tuple(names))
    if resume and path.suffix.lower() != ".zarr":
        raise ValueError(f"expected a .zarr to fill over several runs, got {path.name}; name it .zarr")
    with format_of(path, writing=True).create(path, noun, **({"resume": resume, "of": of} if resume else {})) as out:
        yield out


def format_of(path: Path, *, writing: bool = False) -> Any:
    """The module of a name."""
    if any(part.lower().endswith(".zarr") for part in path.parts):
        return import_module("fibsem_ij.files.zarr")
    if writing and path.name.lower().endswith((".ome.tif", ".ome.tiff", ".dat")):
        kind = ".dat" if path.suffix.lower() == ".dat" else "OME-TIFF"
        raise ValueError(f"expected a format to write, got {path.name}: {kind} is only read; name it .tif (ImageJ) or .zarr (OME-Zarr)")
    glob = is_glob(path, "*?" if writing else WILD)  # a bracket in a name to write is a bracket
    if not path.is_dir() and path.suffix.lower() in _FORMATS and not glob:
        return import_module(f"fibsem_ij.files.{_FORMATS[path.suffix.lower()]}")
    if path.is_dir() or not path.suffix or glob:
        if writing and glob:
            raise ValueError(f"expected a name to write, got the pattern {path}; name a folder")
        return import_module("fibsem_ij.files.folder")
    known = ", ".join(_FORMATS)
    raise ValueError(f"{path}: expected a stack ({known}, a folder or a glob of slices), got {path.suffix!r}; convert it in Fiji")


def existing(path: Path) -> Path:
    if not path.exists() and not is_glob(path):
        raise FileNotFoundError(f"expected {path}, it does not exist; check the name")
    return path
