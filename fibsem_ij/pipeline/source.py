"""The stack that a recipe begins with, as the microscope gives it: which slices are there, which are still being written, what they say.

A microscope that is at work writes a slice while we look. A young file that grows while one waits, and a last one that is young and cannot
be read yet, are left for the next run, and told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fibsem_ij.files import folder, importing, tables
from fibsem_ij.pipeline import fingerprints
from fibsem_ij.recipe import Recipe

WAIT = 1.0  # s, for young files to grow
_YOUNG = 60.0  # s


@dataclass(frozen=True)
class Listing:
    """At one time, for the whole of a run. Nothing, where the source is one file."""

    slices: Mapping[str, str] = field(default_factory=dict)  # name -> size and time of its file, in the order of the stack
    left: tuple[str, ...] = ()  # names of those that are still being written


def listed(recipe: Recipe, *, wait: float = 0.0) -> Listing:
    src = recipe.path(recipe.input.src)
    if not recipe.input.src or not fingerprints.look(src) or not importing.is_folder(src):
        return Listing()
    files = folder.listed(src)
    looks = {file: _look(file) for file in files}
    young = [file for file in files if time.time() - file.stat().st_mtime < _YOUNG]
    if young and wait:
        time.sleep(wait)
    # A link shows the folder as it is.
    left = [file for file in young if recipe.input.copy and (_look(file) != looks[file] or (file is files[-1] and not _readable(file)))]
    slices = {file.stem: look for file, look in looks.items() if file not in left}
    if not slices or len(slices) + len(left) < len(files):  # all of them young, or two of one name: for the reader to refuse
        return Listing({file.stem: look for file, look in looks.items()})
    return Listing(slices, tuple(file.stem for file in left))


def read(recipe: Recipe, listing: Listing | None = None) -> importing.Imported:
    """NB: a stack that is linked is read by whoever opens the workspace, so nothing is cut off it."""
    said, listing = recipe.input, listed(recipe) if listing is None else listing
    if said.detector and not said.copy:
        raise ValueError(f"[input] detector: expected none of a stack that is linked, got {said.detector}; leave copy out")
    return importing.read(recipe.path(said.src), voxel_nm=said.voxel_nm, databar=said.databar or not said.copy, detector=said.detector,
                          only=listing.slices.keys() if listing.slices and listing.left else None)


def tell(found: importing.Imported, listing: Listing, table: Path, say: Callable[[str], None]) -> None:
    """The notes, and the table of slices."""
    for note in found.notes:
        say(note)
    if listing.left:
        say(f"{', '.join(listing.left)}: still being written; left for the next run")
    if found.acquired:
        tables.write(table, found.acquired.table())
    else:
        table.unlink(missing_ok=True)


def _look(file: Path) -> str:
    stat = file.stat()
    return f"{stat.st_size}-{stat.st_mtime_ns}"


def _readable(file: Path) -> bool:
    try:
        folder.slice_of(file)
    except ValueError:
        return False
    return True
