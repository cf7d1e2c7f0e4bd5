"""A small workspace with everything in it: moving discs as cells, two classes, probabilities, transforms, drawn slices, events."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np

from fibsem_ij import files
from fibsem_ij.files import probabilities, tables, transforms
from fibsem_ij.volume import Labels, Transforms, Volume
from fibsem_ij.workspace import Workspace

DEPTH, SIDE = 16, 72
VOXEL = (8.0, 4.0, 4.0)
CLASSES = {1: "mitochondrion", 2: "membrane"}
RNG = np.random.default_rng(7)


def cells() -> np.ndarray:
    """Three discs that drift and grow slowly, one with a hole; numbers 3, 5 and 300."""
    y, x = np.mgrid[:SIDE, :SIDE]
    found = np.zeros((DEPTH, SIDE, SIDE), np.uint32)
    for number, (cy, cx, r) in {3: (18, 18, 10), 5: (50, 22, 12), 300: (34, 54, 11)}.items():
        for z in range(DEPTH):
            away = np.hypot(y - cy - 0.3 * z, x - cx - 0.2 * z)
            found[z][(away < r + 0.1 * z) & ((number != 5) | (away > 4))] = number
    return found


CELLS = cells()
KINDS = np.where(CELLS == 3, 1, np.where(CELLS > 0, 2, 0)).astype(np.uint8)


def grey(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    clean = np.choose(KINDS, [150, 60, 220]) + 20 * np.sin(np.arange(SIDE) / 3)
    return np.clip(clean + rng.normal(0, 6, KINDS.shape), 0, 255).astype(np.uint8)


def shares(sure: int = 240) -> np.ndarray:
    """Probabilities (c, z, y, x), a little unsure at the borders."""
    hard = np.stack([i == KINDS for i in CLASSES]).astype(np.float32) * sure
    return np.stack([[cv2.GaussianBlur(plane, (0, 0), 1) for plane in stack] for stack in hard]).astype(np.uint8)


def store(path: Path, found: np.ndarray) -> None:
    with probabilities.create(path, names=CLASSES, shape=found.shape[1:], voxel_nm=VOXEL) as out:
        for z in range(found.shape[1]):
            out[:, z] = found[:, z]


def workspace(folder: Path, *, labels: np.ndarray | None = CELLS, classes: bool = True, events: bool = True) -> Workspace:
    """Grey, transforms, and what is asked for of the rest; slices 2 and 11 are drawn."""
    place = Workspace(folder)
    files.write(folder / "raw.zarr", Volume(grey(), VOXEL))
    files.write(place.aligned, Volume(grey(), VOXEL))
    transforms.write(place.transforms, Transforms(np.tile(np.eye(3), (DEPTH, 1, 1)), (SIDE, SIDE), voxel_nm=VOXEL))
    if labels is not None:
        files.write(place.labels, Labels(labels, VOXEL))
    if classes:
        files.write(place.classes, Labels(KINDS, VOXEL, classes=CLASSES))
        place.drawn.mkdir()
        files.write(place.drawn / "classes", Labels(KINDS[[2, 11]], VOXEL, ("0002", "0011"), CLASSES))
    if events:
        place.drawn.mkdir(exist_ok=True)
        files.write(place.drawn / "cells", Labels(CELLS[[2, 11]].astype(np.uint16), VOXEL, ("0002", "0011")))
        rows = {"z": [4, 4], "track": [-1, -2], "event": ["joined", "new"], "iou": [0.2, 0.0], "into": [5, 0]}
        tables.write(place.events, {name: np.array(column) for name, column in rows.items()})
    return place


def prints(folder: Path) -> dict[str, str]:
    """Every file and what is in it."""
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file()}
