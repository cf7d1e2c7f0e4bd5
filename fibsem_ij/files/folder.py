"""A folder, or a glob, of slices: one .tif, .png or (Janelia's) .dat a slice, in natural order (2 before 10), named by its stem.

Written as ImageJ TIFFs, each of which carries the voxel size; classes go to names.json, {"1": "mitochondrion", ...}.
Read: all headers are checked at the start, no pixel before it is asked for. Names may have gaps. Files that are no
images are left alone; images of another format, or of two formats, are refused, since a slice could be among them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fibsem_ij.files import dat, tiff
from fibsem_ij.files.globs import matching
from fibsem_ij.files.json_files import read_json, write_json
from fibsem_ij.files.scans import Acquired
from fibsem_ij.files.stack import Filled, Pixels, Slices, Window
from fibsem_ij.files.stored import Found, checked_record, holding
from fibsem_ij.files.whole import room_for, whole_folder
from fibsem_ij.volume import Labels, Volume

SUFFIXES = (".tif", ".tiff", ".png", ".dat")
OTHER_IMAGES = (".bmp", ".dm3", ".dm4", ".gif", ".jpeg", ".jpg", ".jp2", ".mrc", ".webp")
CLASSES = "names.json"
_CLOCK_S = 2  # of coarse disks
MARK = ".fibsem_ij"  # lies in folders that were written here, so that only these are ever replaced


def natural(name: str) -> list[tuple[int, int, str]]:
    """The order of slice names: runs of digits count as numbers."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(0, int(p), p) if p[0] in "0123456789" else (1, 0, p) for p in parts]


def look(path: Path, *, only: Collection[str] | None = None, detector: str = "") -> Found:
    """`only`: slices of these names. `detector`: see dat."""
    files = listed(path, only=only)
    founds = [slice_of(file, detector=detector) for file in files]
    first = founds[0]
    for file, found in zip(files, founds, strict=True):
        if (got := _kind(found)) != (wanted := _kind(first)):
            raise ValueError(f"{file}: expected {wanted} like {files[0].name}, got {got}; crop, convert or move it away")
    shape = (len(files), *first.data.shape[1:])
    record = {k: v for k, v in first.record.items() if k == "dtype"}
    if (named := files[0].parent / CLASSES).exists():
        record = checked_record({**record, "classes": read_json(named)}, str(named))
    data = Slices(shape, first.data.dtype, partial(_pixels, [found.data for found in founds]))
    names, scans = tuple(file.stem for file in files), tuple(found.acquired.scans[0] if found.acquired else None for found in founds)
    acquired = Acquired(names, scans) if any(scans) else None
    return Found(data, acquired.voxel_nm if acquired else first.voxel_nm, names, record, acquired)


@contextmanager
def create(path: Path, noun: Volume) -> Iterator[Filled]:
    stored = holding(noun, tiff.HOLDS, what="a folder of .tif")
    check_names(noun.names)
    with whole_folder(path, stranger=partial(_stranger, names=noun.names)) as part:
        room_for(part, int(np.prod(noun.shape, dtype=np.float64)) * stored.itemsize)
        files = [part / f"{name}.tif" for name in noun.names]

        def put(z: int, pixels: Pixels) -> None:
            one = type(noun)(pixels[None], noun.voxel_nm, (noun.names[z],))
            with tiff.fill(files[z], one, stored) as slice_out:
                slice_out[0] = pixels

        out = Filled(noun.names, noun.shape, noun.dtype, put=put, back=Slices(noun.shape, noun.dtype, partial(_written, files)))
        yield out
        out.check_done()
        if isinstance(noun, Labels) and noun.classes:
            write_json(part / CLASSES, {str(k): v for k, v in noun.classes.items()})
        (part / MARK).touch()


def listed(path: Path, *, only: Collection[str] | None = None) -> list[Path]:
    """The files of a folder or glob, a slice each, in their order."""
    glob = not path.is_dir()
    found = matching(path) if glob else [p for p in path.iterdir() if not p.name.startswith(".")]
    files = sorted((p for p in found if _slice(p) and (only is None or p.stem in only)), key=lambda p: natural(p.stem))
    others = sorted(p.name for p in found if p.suffix.lower() in OTHER_IMAGES or (glob and not _slice(p)))
    if others:
        raise ValueError(f"{path}: expected slices in .tif, .png or .dat, got {others[0]}; convert it to .tif or move it away")
    if not files:
        raise ValueError(f"{path}: expected slices in .tif, .png or .dat, got none; check the name")
    if len(kinds := sorted({p.suffix.lower().replace("tiff", "tif") for p in files}, reverse=True)) > 1:
        raise ValueError(f"{path}: expected slices of one format, got {' and '.join(kinds)}; give a glob, such as '*{kinds[0]}'")
    return files


def _slice(file: Path) -> bool:
    """NB: a .dat may be anything."""
    return file.suffix.lower() in SUFFIXES and (file.suffix.lower() != ".dat" or dat.found(file))


def slice_of(file: Path, *, detector: str = "") -> Found:
    if file.suffix.lower() == ".png":
        from fibsem_ij.files import png

        return png.look(file)
    if file.suffix.lower() == ".dat":
        return dat.look(file, detector=detector)
    found = tiff.look(file)
    if found.data.shape[0] != 1:
        raise ValueError(f"{file}: expected one slice, got a stack of {found.data.shape[0]}; open the file itself")
    return found


def _kind(found: Found) -> str:
    voxel = f" with voxels of {' x '.join(f'{n:.6g}' for n in found.voxel_nm)} nm" if found.voxel_nm else ""
    return f"{found.data.shape[1]} x {found.data.shape[2]} {found.record.get('dtype', found.data.dtype)}{voxel}"


def _pixels(slices: Sequence[Any], z: int, window: Window) -> Pixels:
    return np.asarray(slices[z][(0, *window)])


def _written(files: Sequence[Path], z: int, window: Window) -> Pixels:
    found = tiff.look(files[z])
    return np.asarray(found.restored(str(files[z]))[(0, *window)])


def check_names(names: Sequence[str]) -> None:
    """Names that become files, one a slice, and come back in the same order on any system."""
    for name in names:
        if not name or name != name.strip(" .") or re.search(r'[<>:"/\\|?*\x00-\x1f\x7f]', name) or len(name.encode()) > 200:
            raise ValueError(f"expected slice names that can be file names, got {name!r}; rename the slice")
    if len({name.casefold() for name in names}) < len(names):
        raise ValueError("expected slice names that differ by more than case, got two that do not; rename one")
    if list(names) != (order := sorted(names, key=natural)):
        z = next(z for z, name in enumerate(names) if name != order[z])
        raise ValueError(f"expected slice names in natural order, got {names[z]!r} where {order[z]!r} belongs; rename them")


def _stranger(path: Path, *, names: Sequence[str]) -> str | None:
    """What in an older folder is no result of the same slices: raw and drawn slices are .tif files in folders too."""
    ours = {MARK, CLASSES, *(f"{name}.tif" for name in names)}
    there = {p.name for p in path.iterdir()}
    unknown = sorted(there - ours | _edited(path, there) if MARK in there else there)
    return next((name for name in unknown if not name.startswith(".")), None)


def _edited(path: Path, names: Collection[str]) -> set[str]:
    """Slices that somebody changed since they were written: a result that is being corrected is drawn. NB: the mark came last."""
    written = (path / MARK).stat().st_mtime
    return {name for name in names if (path / name).stat().st_mtime > written + _CLOCK_S}
