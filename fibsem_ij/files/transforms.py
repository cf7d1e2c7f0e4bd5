"""transforms.json: one matrix a slice, output pixel -> input pixel, exact both ways and fit to be edited by hand.

{"model": "affine", "voxel_nm": [z, y, x] or null, "canvas": [height, width],
 "matrices": [[[a, b, tx], [c, d, ty], [0, 0, 1]], ...], "spread_px": [...], "bad": [z, ...]}
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from fibsem_ij.files.json_files import read_json
from fibsem_ij.files.whole import write_text
from fibsem_ij.volume import Transforms

_NEEDED = {"canvas", "matrices"}
_KNOWN = _NEEDED | {"model", "voxel_nm", "spread_px", "bad"}


def read(path: Path) -> Transforms:
    said = read_json(Path(path))
    if not _NEEDED <= said.keys() <= _KNOWN:
        odd = sorted(_NEEDED - said.keys()) or sorted(said.keys() - _KNOWN)
        raise ValueError(f"{path}: expected the keys {', '.join(sorted(_KNOWN))}, got {', '.join(sorted(said))}; look at {', '.join(odd)}")
    try:
        return Transforms(
            _matrices(said["matrices"]),
            _canvas(said["canvas"]),
            said.get("model", "affine"),
            said.get("voxel_nm"),
            None if said.get("spread_px") is None else np.array(said["spread_px"], np.float64),
            tuple(_whole(said.get("bad", []), "bad")),
        )
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error


def write(path: Path, transforms: Transforms) -> None:
    spread = transforms.spread_px if transforms.spread_px is not None else np.zeros(len(transforms))
    parts = {
        "model": json.dumps(transforms.model),
        "voxel_nm": json.dumps(transforms.voxel_nm),
        "canvas": json.dumps(transforms.canvas),
        "matrices": "[\n  " + ",\n  ".join(json.dumps(m, allow_nan=False) for m in transforms.matrices.tolist()) + "\n ]",
        "spread_px": json.dumps(spread.tolist()),
        "bad": json.dumps(transforms.bad),
    }
    write_text(Path(path), "{\n " + ",\n ".join(f'"{key}": {text}' for key, text in parts.items()) + "\n}\n")


def _matrices(found: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    for z, matrix in enumerate(found):
        shape = [len(row) for row in matrix]
        if shape != [3, 3, 3] or any(isinstance(v, bool) or not isinstance(v, int | float) for row in matrix for v in row):
            raise ValueError(f"expected 3 x 3 numbers in the matrix of slice {z}, got {str(matrix)[:80]}")
    return np.array(found, np.float64)


def _canvas(found: Any) -> tuple[int, int]:
    sizes = _whole(found, "canvas")
    if len(sizes) != 2:
        raise ValueError(f"expected canvas as [height, width], got {sizes}")
    return sizes[0], sizes[1]


def _whole(found: Any, key: str) -> list[int]:
    if not isinstance(found, list) or any(isinstance(n, bool) or not isinstance(n, int) for n in found):
        raise ValueError(f"expected a list of whole numbers in {key}, got {str(found)[:80]}")
    return found
