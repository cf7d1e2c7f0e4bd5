"""The names of a workspace: one folder, and where in it each thing lies. The folder is the state (design: the workspace).

Every path is given whether or not anything is there; `raw`, `grey` and `layer` look. Light to import, and reads no pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_RAW = ("raw.zarr", "raw.tif", "raw.tiff", "raw.mrc", "raw.npy", "raw")  # a stack that was not copied is what it was


@dataclass(frozen=True)
class Workspace:
    folder: Path  # or its name

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))

    @property
    def raw(self) -> Path:
        """What the microscope gave: raw.zarr, or the raw.tif, raw folder, ... that lies there or is linked there."""
        return next((path for name in _RAW if (path := self.folder / name).exists()), self.folder / _RAW[0])

    @property
    def slices(self) -> Path:
        """What the microscope's headers say of each slice."""
        return self.folder / "slices.csv"

    @property
    def transforms(self) -> Path:
        return self.folder / "transforms.json"

    @property
    def pairs(self) -> Path:
        """The pairs of slices that were fitted, for the next run."""
        return self.folder / "pairs.jsonl"

    @property
    def aligned(self) -> Path:
        return self.folder / "aligned.zarr"

    @property
    def clean(self) -> Path:
        return self.folder / "clean.zarr"

    @property
    def grey(self) -> Path:
        """The latest grey stack there is: clean, else aligned, else raw."""
        return next((path for path in (self.clean, self.aligned) if path.exists()), self.raw)

    @property
    def drawn(self) -> Path:
        """The folder of layers."""
        return self.folder / "drawn"

    def layer(self, name: str) -> Path:
        """A drawn layer: the folder drawn/NAME, or the ROI set or label stack of that name."""
        inside = (self.drawn / f"{name}{ending}" for ending in ("", ".zip", ".tif", ".tiff", ".zarr"))
        return next((path for path in inside if path.exists()), self.drawn / name)

    @property
    def networks(self) -> Path:
        return self.folder / "networks"

    def network(self, stage: str) -> Path:
        return self.networks / stage

    @property
    def probabilities(self) -> Path:
        return self.folder / "probabilities.zarr"

    @property
    def classes(self) -> Path:
        """One class a pixel."""
        return self.folder / "classes.zarr"

    @property
    def cells(self) -> Path:
        """Numbered cells, where labels.zarr numbers what lies in them."""
        return self.folder / "cells.zarr"

    @property
    def labels(self) -> Path:
        """Numbered things."""
        return self.folder / "labels.zarr"

    @property
    def events(self) -> Path:
        """What was decided where cells split, met or ended."""
        return self.folder / f"{self.labels.name}.events.csv"

    @property
    def labels_tif(self) -> Path:
        return self.folder / "labels.tif"

    @property
    def rois(self) -> Path:
        return self.folder / "rois.zip"

    @property
    def measures(self) -> Path:
        return self.folder / "measures.csv"

    @property
    def queue(self) -> Path:
        """The slices worth a look, the most doubtful first."""
        return self.folder / "review.csv"

    @property
    def review(self) -> Path:
        """The folder that `review open` wrote for Fiji."""
        return self.folder / "review"

    @property
    def rounds(self) -> Path:
        """One row a training: round, slices drawn, slices in the stack, score on held-back slices."""
        return self.folder / "rounds.csv"

    @property
    def report(self) -> Path:
        return self.folder / "report.html"

    @property
    def run(self) -> Path:
        """What ran, of what, with which result."""
        return self.folder / "run.json"

    @property
    def recipe(self) -> Path:
        return self.folder / "recipe.toml"

    @property
    def lock(self) -> Path:
        """There while a run is in it: who holds it."""
        return self.folder / "run.lock"
