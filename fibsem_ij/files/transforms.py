"""transforms.json: one matrix a slice, output pixel -> input pixel, exact both ways and fit to be edited by hand.

{"model": "affine", "voxel_nm": [z, y, x] or null, "canvas": [height, width],
 "matrices": [[[a, b, tx], [c, d, ty], [0, 0, 1]], ...], "spread_px": [...], "bad": [z, ...], "why": {"z": "blank", ...}}

Only canvas and matrices are needed. A bad slice may go without a reason in `why`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from fibsem_ij.files import tables
from fibsem_ij.files.json_files import read_json
from fibsem_ij.files.whole import write_text
from fibsem_ij.volume import Transforms

_NEEDED = {"canvas", "matrices"}
_SHIFT, _LINEAR = ("z", "tx", "ty"), ("a", "b", "c", "d")
_KNOWN = _NEEDED | {"model", "voxel_nm", "spread_px", "bad", "why"}


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
            _reasons(said.get("why", {})),
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
        "why": json.dumps({str(z): reason for z, reason in transforms.why.items()}),
    }
    write_text(Path(path), "{\n " + ",\n ".join(f'"{key}": {text}' for key, text in parts.items()) + "\n}\n")


def read_anchors(path: Path) -> dict[int, np.ndarray[Any, np.dtype[np.float64]]]:
    """Slice -> its known matrix: of a transforms.json all slices that are not bad, of a CSV the slices it has a row for.

    The columns of the CSV are z, tx, ty, and a, b, c, d where more than the shift is known, named as in the matrix above.
    """
    path = Path(path)
    if path.suffix.lower() == ".json":
        known = read(path)
        return {z: matrix for z, matrix in enumerate(known.matrices) if z not in known.bad}
    table = tables.read(path)
    if table.keys() not in ({*_SHIFT}, {*_SHIFT, *_LINEAR}) or any(column.dtype.kind not in "if" for column in table.values()):
        raise ValueError(f"{path}: expected columns of numbers {', '.join(_SHIFT)} or {', '.join(_SHIFT + _LINEAR)}, "
                         f"got {', '.join(table)}; output pixel = (x, y), input pixel = (a x + b y + tx, c x + d y + ty)")
    if table["z"].dtype.kind != "i" or len(set(table["z"].tolist())) < len(table["z"]):
        raise ValueError(f"{path}: expected each slice once in column z, a whole number from 0, got {table['z'].tolist()}")
    still = dict(zip(_LINEAR, (1.0, 0.0, 0.0, 1.0), strict=True))
    columns = {name: table.get(name, np.full(len(table["z"]), still.get(name, 0.0))) for name in (*_LINEAR, "tx", "ty")}
    if not np.isfinite(np.stack(list(columns.values()))).all():
        raise ValueError(f"{path}: expected a number in each cell, got an empty one; leave out slices that are not known")
    return {z: np.array([(a, b, tx), (c, d, ty), (0, 0, 1)], np.float64)
            for z, a, b, c, d, tx, ty in zip(table["z"].tolist(), *(column.tolist() for column in columns.values()), strict=True)}


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


def _reasons(found: Any) -> dict[int, str]:
    if not isinstance(found, dict) or not all(z.isdecimal() and isinstance(reason, str) for z, reason in found.items()):
        raise ValueError(f'expected why as {{"slice": "reason", ...}}, got {str(found)[:80]}')
    return {int(z): reason for z, reason in found.items()}
