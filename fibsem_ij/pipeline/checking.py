"""What can be known to be wrong before hours of work: sources, drawn layers, the folder, the disk. And drawn layers brought in."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fibsem_ij import files
from fibsem_ij.files import drawn as layers
from fibsem_ij.files.whole import room_for, whole, whole_folder
from fibsem_ij.pipeline import fingerprints, source
from fibsem_ij.recipe import Recipe
from fibsem_ij.recipe.tables import LAST, Cells, Link
from fibsem_ij.recipe.values import unknown
from fibsem_ij.volume import Volume
from fibsem_ij.workspace import Workspace

_PATHS = {"register": ("anchors",), "denoise": ("clean", "scans"), "segment": ("encoder", "start", "drawn"), "objects": ("drawn",)}
_PACKED = {"raw.zarr": 1.0, "aligned.zarr": 1.0, "clean.zarr": 1.0, "probabilities.zarr": 0.3, "labels.zarr": 0.1, "labels.tif": 2.0}


def check(recipe: Recipe, workspace: Workspace, listing: source.Listing | None = None, *, room: bool = True) -> None:
    """Errors with their remedy. `room`: the disk too."""
    _check_folder(workspace.folder)
    stack = _source(recipe, workspace, listing)
    if stack:
        _check_stack(recipe, stack)
    for table, key, said in _named(recipe):
        if not recipe.path(said).exists():
            raise FileNotFoundError(f"[{table}] {key}: expected {recipe.path(said)}, it does not exist; correct the recipe")
        if key == "drawn" and workspace.folder.resolve().is_relative_to(recipe.path(said).resolve()):
            raise ValueError(f"[{table}] drawn: expected a layer that does not hold the workspace, got {recipe.path(said)}; name another "
                             "workspace")
    if stack:
        for name, path, classes in _layers(recipe, workspace):
            if path.exists() and not (recipe.register and recipe.register.options.canvas != "same"):
                _check_layer(recipe, layers.read(path, stack, classes=classes), name, classes=classes)
        if room:
            _check_room(recipe, workspace, stack)


def bring_drawn(recipe: Recipe, workspace: Workspace) -> None:
    """Layers that were drawn elsewhere, copied at the first run; one that is here is never written over."""
    for name, said in _drawn_elsewhere(recipe):
        source, here = recipe.path(said), workspace.layer(name)
        if here.exists():
            continue
        workspace.drawn.mkdir(exist_ok=True)
        if source.is_dir():
            with whole_folder(workspace.drawn / f"{name}{source.suffix}", stranger=lambda _: None) as part:
                shutil.copytree(source, part, dirs_exist_ok=True)
            continue
        beside = source.with_name("names.json")
        if beside.exists() and not (workspace.drawn / beside.name).exists():
            shutil.copy(beside, workspace.drawn / beside.name)
        with whole(workspace.drawn / f"{name}{source.suffix.lower()}") as part:
            shutil.copy(source, part)


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"expected a folder as the workspace, got the file {folder}; name another one")
    place = folder if folder.exists() else folder.parent
    if not place.is_dir():
        raise FileNotFoundError(f"expected a folder for the workspace in {place}, it is not there; make it first")
    if not os.access(place, os.W_OK | os.X_OK):
        raise PermissionError(f"expected a folder to write into, {place} does not let you; choose another one, or ask for the right")


def _source(recipe: Recipe, workspace: Workspace, listing: source.Listing | None) -> Volume | None:
    """The stack that all begins with, opened."""
    raw, said = workspace.raw, recipe.input.src
    if not said and not workspace.grey.exists():
        raise FileNotFoundError(f"expected a stack, got neither [input] src nor raw.zarr, raw.tif or a raw folder in {workspace.folder}; "
                                'write src = "..." below [input]')
    if not said:
        return files.read(raw, voxel_nm=recipe.input.voxel_nm) if raw.exists() else None
    src = recipe.path(said)
    if not fingerprints.look(src) and raw.exists():
        return files.read(raw)  # it was copied, and the disk of the microscope is gone
    if not recipe.input.copy and not src.exists() and fingerprints.look(src):
        raise ValueError(f"[input] src: expected one file or folder to link, got the pattern {src}; leave copy out, or name the folder")
    return source.read(recipe, listing).stack


def _check_stack(recipe: Recipe, stack: Volume) -> None:
    """NB: one slice is read: a format may promise what its pixels are not, as grey in three channels."""
    stack[0]
    if recipe.register and len(stack) < 2:
        raise ValueError("expected a stack of two slices or more to align, got one; leave [register] out")
    if not recipe.input.gaps and (missing := _missing(stack.names)):
        told = ", ".join((*missing[:5], *(("...",) if missing[5:] else ())))
        raise ValueError(f"[input] src: expected slice numbers in a row, got none {told}; put it there (a black slice is bridged), or "
                         "write gaps = true: then its neighbours are taken for each other's")


def _missing(names: Sequence[str]) -> list[str]:
    """The numbers that are not there, of names that differ in one number alone, which grows by the same step elsewhere."""
    runs = [re.split(r"(\d+)", name) for name in names]
    differ = [i for i, parts in enumerate(zip(*runs, strict=False)) if len(set(parts)) > 1]
    if len(differ) != 1 or not differ[0] % 2 or len({len(parts) for parts in runs}) > 1:
        return []
    numbers = [int(parts[differ[0]]) for parts in runs]
    steps = np.diff(numbers)
    step = int(np.median(steps)) if len(steps) > 2 else 0
    if step < 1 or (steps % step).any() or (steps < step).any():
        return []
    width = len(runs[0][differ[0]])
    return [f"{number:0{width}d}" for number in range(numbers[0], numbers[-1], step) if number not in set(numbers)]


def _named(recipe: Recipe) -> Iterator[tuple[str, str, str]]:
    """The files that a recipe names, beside the source."""
    for table, keys in _PATHS.items():
        for key in keys:
            said = getattr(getattr(recipe, table), key, "")
            if said and (key, said) != ("start", LAST):
                yield table, key, said


def _layers(recipe: Recipe, workspace: Workspace) -> Iterator[tuple[str, Path, bool]]:
    """Name, where it lies now, and whether it is one of classes."""
    elsewhere = dict(_drawn_elsewhere(recipe))
    wanted = [(recipe.segment.layer, recipe.segment.options.boundary_px is None)] if recipe.segment else []
    wanted += [(recipe.objects.layer, False)] if isinstance(recipe.objects, Cells | Link) and recipe.objects.layer else []
    for name, classes in wanted:
        here = workspace.layer(name)
        others = sorted(path.stem for path in workspace.drawn.glob("[!.]*") if path.suffix != ".json")
        if not here.exists() and name not in elsewhere and others and name not in others:
            raise unknown(f"{workspace.drawn}", "layer", name, others)
        yield name, here if here.exists() or name not in elsewhere else recipe.path(elsewhere[name]), classes


def _drawn_elsewhere(recipe: Recipe) -> Iterator[tuple[str, str]]:
    for table in (recipe.segment, recipe.objects):
        if (said := getattr(table, "drawn", "")) and (name := getattr(table, "layer", "")):
            yield name, said


def _check_layer(recipe: Recipe, layer: layers.Drawn, name: str, *, classes: bool) -> None:
    """Names of classes in the recipe, against those that are drawn."""
    table = recipe.segment
    if not classes or not table or table.layer != name:
        return
    known = [*layer.names.values(), *layer.undrawn.values(), "background"]
    for key in ("priority", "least_voxels", "ignore", "weights", "of"):
        for said in getattr(table, key, getattr(table.options, key, ())):
            if said not in known and not (key == "weights" and table.options.weights == _preset_weights(table)):
                raise unknown(f"[segment] {key}", "class", said, known)


def _preset_weights(table: Any) -> Any:
    from fibsem_ij import segment

    return segment.preset(table.preset).weights


def _check_room(recipe: Recipe, workspace: Workspace, stack: Volume) -> None:
    """Of what is still to be written, unpacked: grey stacks are packed by little."""
    place = workspace.folder if workspace.folder.exists() else workspace.folder.parent
    room_for(place / "raw.zarr", needed(recipe, workspace, stack))


def needed(recipe: Recipe, workspace: Workspace, stack: Volume) -> int:
    """Bytes that results will take which are not there yet."""
    from fibsem_ij.pipeline.stages import stages

    left = {path.name for stage in stages(recipe, workspace) for path in stage.writes if not path.exists()}
    if not recipe.input.copy:
        left.discard("raw.zarr")
    voxels = float(np.prod(stack.shape, dtype=np.float64))
    return int(sum(_PACKED.get(name, 0) * voxels * (stack.dtype.itemsize if name in ("raw.zarr", "aligned.zarr", "clean.zarr") else 1)
                   for name in left))

