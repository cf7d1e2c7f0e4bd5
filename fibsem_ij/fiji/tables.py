"""ij.measure.ResultsTable <-> columns, `dict[str, np.ndarray]`: float64 for numbers, str for text.

ImageJ keeps every number as a double, so whole numbers beyond 2^53 are refused. A column `Label` of text becomes the row labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.fiji.errors import FijiError, translated
from fibsem_ij.fiji.words import one_line

Columns = dict[str, npt.NDArray[Any]]
_EXACT_DOUBLE = 1 << 53


def to_table(columns: Mapping[str, npt.ArrayLike]) -> Any:
    """A ResultsTable, not shown."""
    from jpype import JArray, JClass, JDouble

    arrays = {one_line(str(name), "a column name"): np.asarray(values) for name, values in columns.items()}
    lengths = {name: array.shape for name, array in arrays.items()}
    if not arrays or "" in arrays or len(set(lengths.values())) != 1 or any(len(shape) != 1 or not shape[0] for shape in lengths.values()):
        raise FijiError(f"expected named columns of one length, at least one row, got shapes {lengths}")
    with translated("fill a results table"):
        table = JClass("ij.measure.ResultsTable")()
        for name, array in arrays.items():
            if array.dtype.kind in "biuf":
                table.setValues(name, JArray(JDouble)(_doubles(name, array)))
            else:
                _set_text(table, name, array)
        if (got := int(table.size())) != len(array):
            raise FijiError(f"expected {len(array)} rows in ImageJ, got {got}")
    return table


def from_table(table: Any) -> Columns:
    with translated("read a results table"):
        return {str(heading): _column(table, str(heading)) for heading in table.getHeadings()} if int(table.size()) else {}


def _column(table: Any, heading: str) -> npt.NDArray[Any]:
    if heading == "Label" and int(table.getColumnIndex(heading)) == table.COLUMN_NOT_FOUND:
        return np.array([str(table.getLabel(row) or "") for row in range(int(table.size()))], str)
    numbers = np.array(table.getColumn(heading), np.float64)
    # NB: a cell of text reads as NaN.
    if np.isnan(numbers).any() and any(cell.getString() is not None for cell in table.getColumnAsVariables(heading)):
        return np.array([str(text) for text in table.getColumnAsStrings(heading)], str)
    return numbers


def _doubles(name: str, array: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    if array.dtype.kind in "iu" and len(array) and max(int(array.max()), -int(array.min())) > _EXACT_DOUBLE:
        raise FijiError(f"expected whole numbers within +-2^53 in column {name!r}, got {int(array.max())}; store them as text")
    return array.astype(np.float64)


def _set_text(table: Any, name: str, array: npt.NDArray[Any]) -> None:
    texts = [one_line(str(value), f"text in column {name!r}") for value in array]
    for row, text in enumerate(texts):
        if name == "Label":
            if row >= int(table.size()):
                table.addRow()
            table.setLabel(text, row)
        else:
            table.setValue(name, row, text)
