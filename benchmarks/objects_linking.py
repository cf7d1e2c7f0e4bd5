"""What benchmarks/objects.py prints of linking: real instance labels, and stand-ins for other volumes that are made of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cc3d
import cv2
import numpy as np

from fibsem_ij import files
from fibsem_ij.arrays.scores import adapted_rand, overlaps
from fibsem_ij.objects.components import Options, components
from fibsem_ij.objects.linking import link
from fibsem_ij.objects.pieces import is_fine

PART = 160  # of the volume's 256 voxels a side
CORNERS = ((0, 0, 0), (1, 0, 1), (0, 1, 1), (1, 1, 0))
Row = tuple[str, str, str, str]


def real(folder: Path) -> Iterator[Row]:
    """As given and closed by 1, 2 and 3 px, with the ids of every 32nd slice; closed by 2 px of every 16th and 48th too."""
    for path, truth in _volumes(folder):
        for closed in range(4):
            yield from _rows(path, truth, closed, (16, 32, 48) if closed == 2 else (32,))


def stand_ins(folder: Path) -> Iterator[Row]:
    """Four parts of each, x for z, every 2nd pixel, every pixel of a part twice; as given and closed by 2 px."""
    for path, truth in _volumes(folder):
        for name, made in _made(truth):
            for closed in (0, 2):
                yield from _rows(f"{path}, {name}", np.ascontiguousarray(made), closed, (32,))


def _volumes(folder: Path) -> Iterator[tuple[str, Any]]:
    for path in sorted(folder.glob("*.tif")):
        yield path.stem, np.asarray(files.read_labels(path)).astype(np.int32)


def _made(truth: Any) -> Iterator[tuple[str, Any]]:
    for corner in CORNERS:
        part = truth[tuple(slice(at * (n - PART), at * (n - PART) + PART) for at, n in zip(corner, truth.shape, strict=True))]
        # What the cut parted is two objects.
        yield f"part {corner}", cc3d.connected_components(np.ascontiguousarray(part), connectivity=26, out_dtype=np.uint32).astype(np.int32)
    yield "x for z", truth.transpose(2, 1, 0)
    yield "every 2nd pixel", truth[:, ::2, ::2]
    yield "every pixel twice", truth[:, :PART // 2, :PART // 2].repeat(2, 1).repeat(2, 2)


def _rows(name: str, truth: Any, closed: int, steps: tuple[int, ...]) -> Iterator[Row]:
    mask = _closed((truth > 0).astype(np.uint8), closed)
    name = f"{name}, closed by {closed} px" if closed else f"{name}, as given"
    hanging = ", ".join(f"{c} neighbours {_error(components(mask, options=Options(connectivity=c)), truth):.3f}" for c in (6, 26))
    taken = "fine" if is_fine(mask) else "closed"
    asked = "well below" if closed else "< .02"
    yield f"{name}: no ids, ARE", asked, f"{_error(link(mask), truth):.4f}, taken for {taken}", hanging
    for step in steps:
        drawn = {z: truth[z] for z in range(0, len(truth), step)}
        met = np.unique(np.stack(list(drawn.values())))[1:]
        found = link(mask, drawn=drawn)
        others = np.setdiff1d(truth, [0, *met])
        own = sum(_own(found, truth, number, met) for number in others.tolist())
        right = (found == truth)[np.isin(truth, met)].mean()
        which = f"ids of every {step}{'nd' if step == 32 else 'th'}"
        yield f"{name}: {which}", ".95 right, own ids", f"{right:.4f}, {own} of {len(others)} own", ""


def _closed(mask: Any, px: int) -> Any:
    disc = np.array([[abs(x) + abs(y) <= px for x in range(-px, px + 1)] for y in range(-px, px + 1)], np.uint8)
    return np.stack([cv2.morphologyEx(flat, cv2.MORPH_CLOSE, disc) for flat in mask]) if px else mask


def _error(found: Any, truth: Any) -> float:
    return float(adapted_rand(overlaps(found, truth))[0])


def _own(found: Any, truth: Any, number: int, met: Any) -> bool:
    names, voxels = np.unique(found[truth == number], return_counts=True)
    name = names[voxels.argmax()]
    return bool(name and name not in met and voxels.max() > 0.9 * voxels.sum() and (truth[found == name] == number).mean() > 0.5)
