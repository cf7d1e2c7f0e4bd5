"""A stack, drawn classes and drawn cells so small that a whole recipe takes seconds, and budgets in updates, so that it repeats."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fibsem_ij import files, phantom
from fibsem_ij.files import journal
from fibsem_ij.volume import Labels

DRAWN = (1, 4, 6)
NAMES = {1: "cytoplasm", 6: "mitochondrion"}
RECIPE = """
[input]
src = "raw.tif"
[register]
runs = 3
interpolation = "nearest"
[denoise]
updates = 4
depth = 2
base = 4
patch = 32
batch = 2
every = 2
device = "cpu"
[segment]
drawn = "classes"
updates = 30
every = 15
patch = 32
batch = 2
rate = 1e-2
warmup = 5
average = 0.5
config = {base = 4, depth = 2}
device = "cpu"
[objects]
least_voxels = 20
[measure]
groups = ["size", "grey"]
[output]
report = false
"""
NOT_THE_SAME = ("run.json", "network.json", "pairs.jsonl", journal.NAME)  # say when, how long, in which order


def lay_out(folder: Path, recipe: str = RECIPE) -> Path:
    """raw.tif, the drawn layers and recipe.toml in `folder`; the recipe's path."""
    scene = phantom.Options(blank=0, half_blank=0, defocused=0, duplicate=0, walk_px=0.3, spacing_px=60, vesicles=0)
    made = phantom.make((8, 96, 112), seed=2, options=scene)
    folder.mkdir(exist_ok=True)
    files.write(folder / "raw.tif", made.raw)
    classes = np.where(np.isin(made.classes, list(NAMES)), made.classes, 0).astype(np.uint8)
    draw(folder / "classes", Labels(classes, made.raw.voxel_nm, made.raw.names, NAMES), DRAWN)
    draw(folder / "cells", made.cells, DRAWN)
    files.write(folder / "truth.zarr", Labels(classes, made.raw.voxel_nm, made.raw.names, NAMES))
    (folder / "recipe.toml").write_text(recipe, encoding="utf-8")
    return folder / "recipe.toml"


def draw(path: Path, labels: Labels, slices: tuple[int, ...]) -> None:
    data = np.asarray(labels)[list(slices)].astype(np.uint16)
    files.write(path, Labels(data, labels.voxel_nm, tuple(labels.names[z] for z in slices), labels.classes))


def results(workspace: Path) -> dict[str, bytes]:
    """All bytes but those that say when; hidden files, which a stopped run leaves, included."""
    return {path.relative_to(workspace).as_posix(): path.read_bytes() for path in sorted(workspace.rglob("*"))
            if path.is_file() and path.name not in NOT_THE_SAME}
