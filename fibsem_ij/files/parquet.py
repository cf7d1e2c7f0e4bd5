"""Tables as Parquet: for pandas, R and DuckDB, and for tables too long for CSV. Called by `tables`, by the name of the file.

The same columns come back as from CSV (int64, uint64, float64, bool, text); a missing number is NaN here and null in the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.files.whole import whole

Table = dict[str, npt.NDArray[Any]]


def read(path: Path) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        found = pq.ParquetFile(path).read()
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(f"{path}: expected a Parquet table, got {error}; write it again, or export it as CSV") from error
    names = found.column_names
    if len(set(names)) < len(names):
        raise ValueError(f"{path}: expected column names that differ, got {max(names, key=names.count)!r} twice; rename one")
    return {name: _array(found.column(name), f"{path}: column {name!r}") for name in names}


def write(path: Path, table: Mapping[str, npt.NDArray[Any]], *, instead_of: Path | None = None) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {name: _arrow(column) for name, column in table.items()}
    with whole(path, instead_of=instead_of) as part:
        pq.write_table(pa.table(columns), part)


def _arrow(column: npt.NDArray[Any]) -> Any:
    import pyarrow as pa

    if column.dtype.kind == "f":
        return pa.array(column.astype(np.float64), mask=np.isnan(column))
    if column.dtype.kind in "iub":
        return pa.array(_narrow(column))
    return pa.array([str(cell) for cell in column.tolist()], pa.string())


def _narrow(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Whole numbers as CSV gives them back: int64 where they fit."""
    if column.dtype.kind == "b" or (column.dtype.kind == "u" and int(column.max(initial=0)) > np.iinfo(np.int64).max):
        return column
    return column.astype(np.int64)


def _array(column: Any, what: str) -> npt.NDArray[Any]:
    import pyarrow as pa
    from pyarrow import types

    kind = column.type
    if types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if types.is_string(kind) or types.is_large_string(kind):
        return np.array(["" if cell is None else cell for cell in column.to_pylist()], np.str_)
    if types.is_floating(kind) or ((types.is_integer(kind) or types.is_null(kind)) and column.null_count):
        return np.asarray(column.cast(pa.float64()).to_numpy(), np.float64)
    if types.is_integer(kind) or (types.is_boolean(kind) and not column.null_count):
        return _narrow(column.to_numpy())
    raise ValueError(f"{what}: expected numbers, text, or true and false without gaps, got {kind}; convert it, or export the table as CSV")
