"""Tables as CSV, or as Parquet where the name ends in .parquet. In Python a table is a dict of columns, name -> array, all as long.

What is read equals what was written: integers are int64 (uint64 past its range), numbers float64, then bool, then
text. A missing number is NaN here and an empty cell in the file, as ImageJ's Results have it. `label` comes first.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.files import parquet
from fibsem_ij.files.whole import write_text

Table = dict[str, npt.NDArray[Any]]
FIRST = "label"
_WHOLE = re.compile(r"0|-?[1-9][0-9]*")  # NB: 0045 is the name of a slice, not a number
_NUMBER = re.compile(r"|[+-]?(inf|nan|(0|[1-9][0-9]*)(\.[0-9]*)?(e[+-]?[0-9]+)?|\.[0-9]+(e[+-]?[0-9]+)?)", re.IGNORECASE)


def read(path: Path) -> Table:
    if _is_parquet(path):
        return parquet.read(Path(path))
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: expected a CSV table, got {error}; save it as UTF-8 CSV") from error
    if not rows:
        raise ValueError(f"{path}: expected a first row of column names, got an empty file")
    head, cells = rows[0], rows[1:]
    if len(set(head)) < len(head):
        raise ValueError(f"{path}: expected column names that differ, got {max(head, key=head.count)!r} twice; rename one")
    for i, row in enumerate(cells, 2):
        if len(row) != len(head):
            raise ValueError(f"{path}, line {i}: expected {len(head)} cells, got {len(row)}; the file was cut or edited")
    return {name: _column([row[i] for row in cells]) for i, name in enumerate(head)}


def write(path: Path, table: Mapping[str, npt.ArrayLike], *, instead_of: Path | None = None) -> None:
    """`instead_of`: see `whole`."""
    names = sorted(table, key=lambda name: name != FIRST)
    columns = [np.asarray(table[name]) for name in names]
    lengths = {name: column.shape for name, column in zip(names, columns, strict=True)}
    if not names or len(set(lengths.values())) > 1 or columns[0].ndim != 1:
        raise ValueError(f"expected columns of one length, got {lengths}")
    if _is_parquet(path):
        parquet.write(Path(path), dict(zip(names, columns, strict=True)), instead_of=instead_of)
        return
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(zip(*(_cells(name, column) for name, column in zip(names, columns, strict=True)), strict=True))
    write_text(Path(path), out.getvalue(), instead_of=instead_of)


def _is_parquet(path: Path) -> bool:
    return Path(path).suffix.lower() in (".parquet", ".pq")


def _cells(name: str, column: npt.NDArray[Any]) -> list[str]:
    if column.dtype.kind == "f":
        return ["" if np.isnan(v) else repr(float(v)) for v in column.tolist()]
    cells = [str(v) for v in column.tolist()]
    if column.dtype.kind not in "uib":
        if cells and _column(cells).dtype.kind != "U":
            raise ValueError(f"expected text in column {name!r}, got {cells[0]!r}, ... that read back as numbers; put a letter before them")
        if any("\r" in cell or "\0" in cell for cell in cells):
            raise ValueError(f"expected text in column {name!r} without control characters, got some; remove them")
    return cells


def _column(cells: list[str]) -> npt.NDArray[Any]:
    if cells and all(map(_WHOLE.fullmatch, cells)):
        numbers = [int(cell) for cell in cells]
        if min(numbers) >= -(2**63) and max(numbers) < 2**63:
            return np.array(numbers, np.int64)
        if min(numbers) >= 0 and max(numbers) < 2**64:
            return np.array(numbers, np.uint64)
    if all(map(_NUMBER.fullmatch, cells)):
        return np.array([float(cell or "nan") for cell in cells], np.float64)
    if set(cells) <= {"True", "False"}:
        return np.array([cell == "True" for cell in cells])
    return np.array(cells, np.str_)
