"""review/review.json: what each position of the small stack is, and fingerprints of what was written, so that only what a person changed
counts.

    {"at": "2026-11-25T18:00:00+00:00", "stack": "aligned.zarr", "positions": [{"z": 45, "name": "0045", "told": "segmentation: ..."}, ...],
     "rois": "labels", "slices": {"labels": ["sha256 of the slice at each position", ...], ...}, "written": {"labels.tif": "sha256", ...}}

A position is that of an ImageJ stack, from 1. `told` is empty for the slices beside, which are there for context.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.files.json_files import read_json, write_json

STACK, ROIS, NUDGES, RECORD = "stack.tif", "rois.zip", "nudges.csv", "review.json"


@dataclass(frozen=True)
class Position:
    z: int
    name: str
    told: str  # stage and reason

    @property
    def label(self) -> str:
        """As the slice is called in ImageJ."""
        return f"{self.name} {self.told or 'beside'}"


@dataclass(frozen=True)
class Opened:
    at: str
    stack: str  # name of the grey stack
    positions: tuple[Position, ...]
    rois: str | None  # the layer whose outlines rois.zip holds
    slices: Mapping[str, Sequence[str]]  # layer -> fingerprint of its slice at each position
    written: Mapping[str, str]  # file -> fingerprint

    def changed(self, folder: Path) -> list[str]:
        """The files that are not as they were written or collected."""
        names = dict.fromkeys([*self.written, ROIS])  # points for the registration may be all that there is to save
        return [name for name in names if (folder / name).exists() and of_file(folder / name) != self.written.get(name)]


def is_called(slice_: str, name: str) -> bool:
    """Whether a person means that slice: by its name, with or without leading zeros."""
    return name in (slice_, slice_.lstrip("0") or "0")


def read(folder: Path) -> Opened:
    path = folder / RECORD
    if not path.exists():
        raise FileNotFoundError(f"expected {path}, which review open writes, it does not exist; run review open first")
    said = read_json(path)
    try:
        positions = tuple(Position(int(one["z"]), str(one["name"]), str(one["told"])) for one in said["positions"])
        slices = {str(layer): [str(known) for known in all_] for layer, all_ in said["slices"].items()}
        written = {str(name): str(known) for name, known in said["written"].items()}
        inside = all(Path(name).name == name for name in written)
        if not positions or not inside or any(len(known) != len(positions) for known in slices.values()):
            raise ValueError("positions, slices and files that do not fit together")
        return Opened(str(said["at"]), str(said["stack"]), positions, said["rois"] and str(said["rois"]), slices, written)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path}: expected the record of review open, got {type(error).__name__}: {error}; open again") from error


def write(folder: Path, opened: Opened) -> None:
    said: dict[str, Any] = asdict(opened)
    write_json(folder / RECORD, said)


def of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_slice(pixels: npt.NDArray[Any]) -> str:
    """The same for the same numbers, whatever type holds them."""
    return hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels, "<u8").tobytes()).hexdigest()
