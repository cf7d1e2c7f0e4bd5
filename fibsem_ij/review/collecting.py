"""Corrections put to work: labels changed through the log of `labels edit`, slices added to what is drawn, one matrix changed; then what
depends on it.

Everything is read and checked before anything is written. Where nothing was corrected not a byte changes. Afterwards review/ shows the
workspace as it is then, so that a person can go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij import files
from fibsem_ij.files import transforms as door
from fibsem_ij.files.folder import CLASSES
from fibsem_ij.files.json_files import write_json
from fibsem_ij.review import listing, opening, placing, reading, versions
from fibsem_ij.review import opened as record
from fibsem_ij.review.layers import Layer, begun, layers
from fibsem_ij.review.opened import Opened
from fibsem_ij.verbs.edits import edit
from fibsem_ij.volume import Labels, Transforms, Volume
from fibsem_ij.workspace import Workspace

Pixels = npt.NDArray[Any]


@dataclass(frozen=True)
class Collected:
    drawn: tuple[str, ...] = ()  # files added to or changed in drawn/
    voxels: Mapping[str, int] = field(default_factory=dict)  # layer -> how many of its voxels changed
    placed: tuple[str, ...] = ()  # slices that were put elsewhere
    good: int = 0  # slices that are marked good now and were not
    warnings: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.drawn or self.voxels or self.placed or self.good)

    @property
    def asks_for_a_run(self) -> bool:
        return bool(self.drawn or self.voxels or self.placed)


def collect(workspace: Workspace, *, who: str = "") -> Collected:
    """Read what a person corrected in review/, and change the workspace accordingly."""
    opened = record.read(workspace.review)
    stack = listing.stack_of(workspace)
    there = layers(workspace, stack)
    found = reading.corrections(workspace.review, opened, there)
    if not found:
        return Collected()
    moved = _moved(workspace, found) if found.pairs or found.nudges else None
    drawn = [path for name, slices in found.slices.items() for path in add_drawn(there[name], slices, like=stack, who=who)]
    voxels = {name: _relabelled(there[name], slices) for name, slices in found.slices.items() if not there[name].is_classes}
    if moved:
        write_transforms(workspace, moved, [stack.names[z] for z in (*found.pairs, *found.nudges)], who=who)
    good = listing.mark_good(workspace.queue, [(z, stack.names[z]) for z in sorted(found.good)]) if found.good else 0
    placed = tuple(stack.names[z] for z in sorted({*found.pairs, *found.nudges}))
    for name in opened.changed(workspace.review):
        if name in (record.ROIS, record.NUDGES):  # what a label image said is in the log of its edits, or drawn
            with versions.replacing(workspace.review / name, did="collected", who=who):
                pass
    show_again(workspace)
    added = tuple(path.relative_to(workspace.folder).as_posix() for path in drawn)
    return Collected(added, voxels, placed, good, _doubts(workspace, placed))


def nudge(workspace: Workspace, name: str, *, dx: float, dy: float, angle: float, who: str = "") -> Collected:
    """Put one slice elsewhere, see `placing`."""
    stack = listing.stack_of(workspace)
    alike = [z for z, known in enumerate(stack.names) if record.is_called(known, name)]
    if not alike:
        raise ValueError(f"expected the name of a slice, {stack.names[0]} to {stack.names[-1]}, got {name!r}")
    found = reading.Corrections(nudges={alike[0]: (dx, dy, angle)})
    write_transforms(workspace, _moved(workspace, found), [stack.names[alike[0]]], who=who)
    return Collected(placed=(stack.names[alike[0]],), warnings=_doubts(workspace, (stack.names[alike[0]],)))


def write_transforms(workspace: Workspace, moved: Transforms, names: list[str], *, who: str) -> None:
    with versions.replacing(workspace.transforms, did=f"placed by hand: {', '.join(names)}", who=who):
        door.write(workspace.transforms, moved)


def _moved(workspace: Workspace, found: reading.Corrections) -> Transforms:
    if not workspace.transforms.exists():
        raise FileNotFoundError(f"expected {workspace.transforms} to correct, it does not exist; run register fit first")
    before = door.read(workspace.transforms)
    motions = {z: placing.nudge(*motion, canvas=before.canvas) for z, motion in found.nudges.items()}
    motions |= {z: placing.fitted(src, dst, model=before.model) for z, (src, dst) in found.pairs.items()}
    return placing.placed(before, motions)


def add_drawn(layer: Layer, slices: Mapping[int, Pixels], *, like: Volume, who: str = "") -> list[Path]:
    """Corrected slices become drawn ones; those that they replace are kept (`versions`). Nothing where the layer has no drawn one."""
    if layer.drawn is None:
        return []
    slices = {**begun(layer, like), **slices}
    layer.drawn.mkdir(parents=True, exist_ok=True)
    dtype, voxel = _as_drawn(layer, slices, like)
    if layer.is_classes and not (layer.drawn / CLASSES).exists():
        write_json(layer.drawn / CLASSES, {str(i): name for i, name in layer.classes.items()})
    paths = []
    for z, pixels in slices.items():
        path = layer.drawn / f"{like.names[z]}.tif"
        with versions.replacing(path, did="corrected in review", who=who):
            files.write(path, Labels(pixels.astype(dtype)[None], voxel, (like.names[z],)))
        paths.append(path)
    return paths


def _as_drawn(layer: Layer, slices: Mapping[int, Pixels], like: Volume) -> tuple[Any, tuple[float, float, float] | None]:
    """Pixel type and voxel size as the layer has them already: a folder of slices is of one kind."""
    assert layer.drawn is not None
    largest = max(int(pixels.max()) for pixels in slices.values())
    if not any(path.suffix.lower() in (".tif", ".tiff", ".png") for path in layer.drawn.iterdir()):
        return np.dtype(np.uint8 if layer.is_classes else np.uint16 if largest < 2**16 else np.uint32), like.voxel_nm
    known = files.read_labels(layer.drawn)
    if any(path.suffix.lower() != ".tif" for path in layer.drawn.iterdir() if path.suffix.lower() in (".tiff", ".png")):
        raise ValueError(f"{layer.drawn}: expected slices called NAME.tif to add corrected ones to, got others; convert them to .tif")
    if largest > np.iinfo(known.dtype).max:
        raise ValueError(f"{layer.drawn}: expected numbers that {known.dtype} holds like the other slices, got {largest}; convert its "
                         "slices to 16 bit in Fiji, or renumber")
    return known.dtype, known.voxel_nm


def _relabelled(layer: Layer, slices: Mapping[int, Pixels]) -> int:
    names = ", ".join(layer.src.names[z] for z in sorted(slices))
    return edit(layer.path, f"review {names}", lambda src: lambda z, found: _into(slices[z], found) if z in slices else found)


def _into(now: Pixels, found: Pixels) -> Pixels:
    if now.max() > np.iinfo(found.dtype).max:
        raise ValueError(f"expected numbers that {found.dtype} holds, got {now.max()}; write the labels as uint32 first")
    return now.astype(found.dtype)


def show_again(workspace: Workspace) -> Opened:
    """Write the same positions as the workspace is now."""
    opened = record.read(workspace.review)
    stack = listing.stack_of(workspace)
    there = layers(workspace, stack)
    return opening.write(workspace, opened.positions, stack, there, opened.rois if opened.rois in there else next(iter(there), None))


def _doubts(workspace: Workspace, placed: tuple[str, ...]) -> tuple[str, ...]:
    drawn = [path for name in placed for path in sorted(workspace.drawn.glob(f"*/{name}.tif"))]
    return tuple(f"{path.relative_to(workspace.folder).as_posix()} was drawn on the slice as it lay before; look whether it still fits"
                 for path in drawn)


