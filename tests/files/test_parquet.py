"""Tables as Parquet: the same comes back as from CSV, and other programs read and write the same files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fibsem_ij.files import tables

COLUMN = st.one_of(
    arrays.arrays(np.int64, 4), arrays.arrays(np.bool_, 4), arrays.arrays(np.float64, 4), arrays.arrays(np.uint64, 4),
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=8), min_size=4, max_size=4)
    .map(lambda cells: np.array([f"x{c}y" for c in cells])))
NAME = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), min_size=1, max_size=8)


@settings(deadline=None, max_examples=60)
@given(table=st.dictionaries(NAME, COLUMN, min_size=1, max_size=5))
def test_any_table_comes_back_as_from_csv(tmp_path_factory: pytest.TempPathFactory, table: Any) -> None:
    folder = tmp_path_factory.mktemp("tables")
    for name in ("t.csv", "t.parquet"):
        tables.write(folder / name, table)
    csv, parquet = tables.read(folder / "t.csv"), tables.read(folder / "t.parquet")
    assert list(csv) == list(parquet)
    for name, column in csv.items():
        assert parquet[name].dtype.kind == column.dtype.kind
        np.testing.assert_array_equal(parquet[name], column)


def test_pandas_reads_it(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    tables.write(tmp_path / "t.parquet", {"volume_nm3": np.array([1.5, np.nan]), "label": np.array([3, 9], np.uint32), "class": ["a", "b"]})
    frame = pandas.read_parquet(tmp_path / "t.parquet")
    assert list(frame.columns) == ["label", "volume_nm3", "class"]
    assert frame["volume_nm3"].isna().tolist() == [False, True]
    assert (frame["label"].dtype, frame["class"].tolist()) == (np.int64, ["a", "b"])


def test_tables_of_others(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pandas.DataFrame({"n": pandas.array([1, None], "Int64"), "kind": pandas.Categorical(["a", None]), "x": np.float32([1, 2])}).to_parquet(
        tmp_path / "t.parquet")
    got = tables.read(tmp_path / "t.parquet")
    np.testing.assert_array_equal(got["n"], [1, np.nan])
    assert got["kind"].tolist() == ["a", ""]
    assert got["x"].dtype == np.float64


def test_no_rows(tmp_path: Path) -> None:
    tables.write(tmp_path / "t.parquet", {"label": np.zeros(0, np.int64), "volume_nm3": np.zeros(0), "class": np.zeros(0, np.str_)})
    assert {name: (len(c), c.dtype.kind) for name, c in tables.read(tmp_path / "t.parquet").items()} == {
        "label": (0, "i"), "volume_nm3": (0, "f"), "class": (0, "U")}


def test_what_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    path.write_bytes(b"label\n1\n")
    with pytest.raises(ValueError, match=r"t\.parquet: expected a Parquet table"):
        tables.read(path)
    pq.write_table(pa.table({"when": pa.array([0], pa.timestamp("s"))}), path)
    with pytest.raises(ValueError, match=r"column 'when': expected numbers, text"):
        tables.read(path)
    with pytest.raises(FileNotFoundError):
        tables.read(tmp_path / "none.parquet")
