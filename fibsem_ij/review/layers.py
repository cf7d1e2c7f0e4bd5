"""What a person may correct: the numbered things and the classes of a workspace, each a stack of label slices.

    labels, cells    the numbered things of labels.zarr and cells.zarr. A correction changes them, is logged and can be undone; of cells
                     that were followed from drawn slices, the corrected slice becomes a drawn one too.
    classes          the classes of classes.zarr, over them what is drawn. A corrected slice becomes a drawn one, to be learned from.

The drawn layer of the classes is the folder in drawn/ with a names.json, that of the cells the one without; where there are several, the
ones called `classes` and `cells`. Classes have the numbers that names.json gives them, whatever those of classes.zarr are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij import files
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
            return files.read_labels(by_hand)[0].astype(np.uint8)
        numbers = np.zeros(256, np.uint8)
        numbers[list(self._renumbered)] = list(self._renumbered.values())
        return numbers[self.src[z]]

    @property
    def _renumbered(self) -> dict[int, int]:
        """Class of classes.zarr -> the number it is drawn with."""
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
        if name == "classes":
            drawn = drawn_layer(workspace, classes=True) or workspace.drawn / "classes"
            named = read_json(drawn / CLASSES) if (drawn / CLASSES).exists() else src.classes
            found[name] = Layer(name, src, path, drawn, {int(i): str(said) for i, said in named.items()})
        else:
            found[name] = Layer(name, src, path, _cells_layer(workspace, path))
    return found


def _cells_layer(workspace: Workspace, path: Path) -> Path | None:
    """Of cells that were followed from drawn ones, which the log of events tells."""
    followed = (path.parent / f"{path.name}.events.csv").exists()
    return drawn_layer(workspace, classes=False) if followed else None


def drawn_layer(workspace: Workspace, *, classes: bool) -> Path | None:
    """The drawn layer of classes, or of cells, that slices can be added to; None where there is none."""
    usual = "classes" if classes else "cells"
    found = {path.name: path for path in sorted(workspace.drawn.glob("*"))
             if path.is_dir() and not path.name.startswith(".") and (path / CLASSES).exists() == classes}
    if len(found) > 1 and usual not in found:
        raise ValueError(f"expected one drawn layer of {usual}, got {', '.join(found)}; call the one to add corrections to {usual}")
    alone = workspace.layer(usual)
    if not found and alone.is_file():
        raise ValueError(f"{alone}: expected a folder of label slices to add corrected ones to, got a file; turn it into one: "
                         f"fibsem-ij labels from-rois {alone.name} {usual} --like ..., then keep the slices that are drawn")
    return found.get(usual) or next(iter(found.values()), None)
