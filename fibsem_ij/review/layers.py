"""What a person may correct: the numbered things and the classes of a workspace, each a stack of label slices.

    labels, cells    the numbered things of labels.zarr and cells.zarr. A correction changes them, is logged and can be undone; of cells
                     that were followed from drawn slices, the corrected slice becomes a drawn one too.
    classes          the classes of classes.zarr, over them what is drawn. A corrected slice becomes a drawn one, to be learned from.

The drawn layer of the classes is the folder in drawn/ with a names.json, that of the cells the one without; where there are several, the
ones called `classes` and `cells`. A layer that is a ROI set or a label stack becomes a folder when the first slice is added to it. Classes
have the numbers that names.json gives them, whatever those of classes.zarr are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij import files
from fibsem_ij.files import drawn as drawn_layers
from fibsem_ij.files.folder import CLASSES
from fibsem_ij.files.json_files import read_json
from fibsem_ij.volume import Labels, Volume
from fibsem_ij.workspace import Workspace

NAMES = ("labels", "cells", "classes")

Pixels = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Layer:
    name: str
    src: Labels
    path: Path
    drawn: Path | None  # the folder that corrected slices are added to
    classes: Mapping[int, str] = field(default_factory=dict)  # of a layer of classes, numbered as they are drawn

    @property
    def is_classes(self) -> bool:
        return self.name == "classes"

    def __getitem__(self, z: int) -> Pixels:
        """Slice z (y, x) as a person corrects it."""
        if not self.is_classes:
            return self.src[z]
        assert self.drawn is not None
        by_hand = self.drawn / f"{self.src.names[z]}.tif"
        if by_hand.exists():
            as_drawn: Pixels = files.read_labels(by_hand)[0].astype(np.uint8)
            return as_drawn
        numbers = np.zeros(256, np.uint8)
        numbers[list(self._renumbered)] = list(self._renumbered.values())
        drawn_as: Pixels = numbers[self.src[z]]
        return drawn_as

    @property
    def _renumbered(self) -> dict[int, int]:
        """Class of classes.zarr -> the number it is drawn with; the same where classes.zarr does not name its classes."""
        if not self.src.classes:
            return {i: i for i in self.classes}
        as_drawn = {name: i for i, name in self.classes.items()}
        if unknown := set(self.src.classes.values()) - as_drawn.keys():
            raise ValueError(f"expected the classes of {self.path} in {self.drawn}/{CLASSES}, got no {min(unknown)} there; add it")
        return {i: as_drawn[name] for i, name in self.src.classes.items()}


def layers(workspace: Workspace, like: Volume) -> dict[str, Layer]:
    """Those that are there, in the order of NAMES."""
    found = {}
    for name in NAMES:
        path: Path = getattr(workspace, name)
        if not path.exists():
            continue
        src = files.read_labels(path)
        if src.shape != like.shape:
            raise ValueError(f"{path}: expected {like.shape} (z, y, x) like the grey stack, got {src.shape}; run the stage again")
        drawn = drawn_layer(workspace, classes=name == "classes")
        if name == "classes":
            found[name] = Layer(name, src, path, drawn, _named(drawn, src))
        else:
            followed = (path.parent / f"{path.name}.events.csv").exists()  # from drawn cells
            found[name] = Layer(name, src, path, drawn if followed and (drawn.exists() or _file_of(drawn)) else None)
    return found


def begun(layer: Layer, like: Volume) -> dict[int, Pixels]:
    """What is drawn in a layer that is not yet a folder, slice by slice, with the numbers of the layer."""
    file = _file_of(layer.drawn) if layer.drawn and not layer.drawn.exists() else None
    if not file:
        return {}
    drawn = drawn_layers.read(file, like, classes=layer.is_classes)
    if not layer.is_classes:
        return dict(drawn.slices)
    numbers = {name: i for i, name in layer.classes.items()}
    if unknown := [name for name in drawn.names.values() if name not in numbers]:
        raise ValueError(f"{file}: expected classes {', '.join(numbers)} to add a corrected slice to, got {unknown[0]}; make it a folder "
                         "of label slices "
                         "with a names.json")
    table = np.zeros(256, np.uint8)
    for i, name in drawn.names.items():
        table[i] = numbers[name]
    return {z: table[pixels] for z, pixels in drawn.slices.items()}


def drawn_layer(workspace: Workspace, *, classes: bool) -> Path:
    """The folder of the drawn classes, or cells, whether or not it is there."""
    usual = "classes" if classes else "cells"
    found = {path.name: path for path in sorted(workspace.drawn.glob("*"))
             if path.is_dir() and not path.name.startswith(".") and path.suffix != ".zarr" and (path / CLASSES).exists() == classes}
    if len(found) > 1 and usual not in found:
        raise ValueError(f"expected one drawn layer of {usual}, got {', '.join(found)}; call the one to add corrections to {usual}")
    return found.get(usual) or next(iter(found.values()), workspace.drawn / usual)


def _file_of(folder: Path) -> Path | None:
    """The ROI set or label stack that is drawn instead of a folder."""
    there = (folder.with_name(f"{folder.name}{ending}") for ending in (".zip", ".tif", ".tiff", ".zarr"))
    return next((path for path in there if path.exists()), None)


def _named(drawn: Path, src: Labels) -> dict[int, str]:
    said = read_json(drawn / CLASSES) if (drawn / CLASSES).exists() else src.classes
    return {int(i): str(name) for i, name in said.items()} or {i: f"class {i}" for i in range(1, 256)}
