"""The stack that a recipe begins with, as the microscope gave it, and what its headers say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fibsem_ij.files import importing, tables
from fibsem_ij.recipe import Recipe


def read(recipe: Recipe) -> importing.Imported:
    """NB: a stack that is linked is read by whoever opens the workspace, so nothing is cut off it."""
    said = recipe.input
    return importing.read(recipe.path(said.src), voxel_nm=said.voxel_nm, databar=said.databar or not said.copy)


def tell(found: importing.Imported, table: Path, say: Callable[[str], None]) -> None:
    """The notes, and the table of slices."""
    for note in found.notes:
        say(note)
    if found.acquired:
        tables.write(table, found.acquired.table())
    else:
        table.unlink(missing_ok=True)
