"""Beside a table, in a JSON file of the same name (measures.csv, measures.json): what each of its columns is, and in which unit.

    {"table": "measures.csv", "rows": 12, "voxel_nm": [8, 4, 4], "columns": {"volume_nm3": {"unit": "nm3", "is": "..."}, ...}, ...}
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.files import tables
from fibsem_ij.files.json_files import as_json, read_json
from fibsem_ij.files.whole import whole


def write(path: Path, table: Mapping[str, npt.ArrayLike], columns: Mapping[str, Mapping[str, str]], **about: Any) -> None:
    """The table, and beside it `columns` (name -> unit, is) and whatever else there is to say about it."""
    may_write(path)
    if missing := sorted(set(table) - set(columns)):
        raise ValueError(f"expected the meaning of every column, got none of {', '.join(missing)}; define it")
    rows = max((np.size(column) for column in table.values()), default=0)
    said = {"table": path.name, "rows": rows, **about, "columns": {name: dict(columns[name]) for name in table}}
    with whole(beside(path)) as told:  # NB: on disk before the table has its name, as the disk may be full; and in place after it
        told.write_text(as_json(said), encoding="utf-8", newline="\n")
        tables.write(path, table, instead_of=beside(path))


def read(path: Path) -> dict[str, Any]:
    """What lies beside the table `path`; empty where nothing does."""
    file = beside(path)
    return read_json(file) if file.exists() else {}


def beside(path: Path) -> Path:
    return path.with_suffix(".json")


def may_write(path: Path) -> None:
    """Refuse, before the work, a name that says no table, or a sidecar over JSON that is something else."""
    if path.suffix.lower() not in (".csv", ".parquet", ".pq"):
        raise ValueError(f"expected a table to write, .csv or .parquet, got {path}; give it one of these names")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"expected the folder {path.parent} to hold {path.name}, it does not exist; make it first")
    if not {"table", "columns"} <= (read(path) or {"table": 0, "columns": 0}).keys():
        raise ValueError(f"expected {beside(path)} to be the notes of an older table, got something else; name the table otherwise")
