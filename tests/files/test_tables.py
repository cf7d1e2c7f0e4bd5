"""Tables as CSV: what is read equals what was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fibsem_ij.files import tables

COLUMN = st.one_of(
    arrays.arrays(np.int64, 4), arrays.arrays(np.bool_, 4), arrays.arrays(np.float64, 4),
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=8), min_size=4, max_size=4)
    .map(lambda cells: np.array([f"x{c}y" for c in cells])))
NAME = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), min_size=1, max_size=8)


@settings(deadline=None, max_examples=60)
@given(table=st.dictionaries(NAME, COLUMN, min_size=1, max_size=5))
def test_any_table(tmp_path_factory: pytest.TempPathFactory, table: Any) -> None:
    path = tmp_path_factory.mktemp("tables") / "t.csv"
    tables.write(path, table)
    got = tables.read(path)
    assert set(got) == set(table)
    for name, column in table.items():
        assert got[name].dtype.kind == column.dtype.kind
        np.testing.assert_array_equal(got[name], column)


def test_dtypes_and_order(tmp_path: Path) -> None:
    table = {"volume_nm3": np.array([1.5, np.nan, 3.0]), "slice": np.array(["0045", "0046", ""]),
             "label": np.array([1, 2, 2**63], np.uint64),
             "keep": np.array([True, False, True]), "small": np.array([1, 2, 3], np.uint8), "far": np.array([np.inf, -np.inf, 1e-300])}
    tables.write(tmp_path / "t.csv", table)
    lines = (tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()
    assert lines[:3] == ["label,volume_nm3,slice,keep,small,far", "1,1.5,0045,True,1,inf", "2,,0046,False,2,-inf"]
    got = tables.read(tmp_path / "t.csv")
    assert {k: v.dtype.name for k, v in got.items()} == {"label": "uint64", "volume_nm3": "float64", "slice": "str128", "keep": "bool",
                                                          "small": "int64", "far": "float64"}
    for name, column in table.items():
        np.testing.assert_array_equal(got[name], column)


def test_imagej_results(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_bytes(b"\xef\xbb\xbf ,Label,Area,Mean\r\n1,cell:0001,12,3.5\r\n2,\"a, b\",7,\r\n")
    got = tables.read(tmp_path / "r.csv")
    assert got["Label"].tolist() == ["cell:0001", "a, b"]
    assert got["Area"].dtype == np.int64
    np.testing.assert_array_equal(got["Mean"], [3.5, np.nan])


@pytest.mark.parametrize(("content", "error"), [
    (b"", "a first row"), (b"a,b\n1\n", "line 2: expected 2 cells, got 1"), (b"a,a\n1,2\n", "'a' twice"), (b"a\n\xff\n", "UTF-8"),
    (b'a\n"1', "save it as UTF-8 CSV")])
def test_broken_tables(tmp_path: Path, content: bytes, error: str) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(ValueError, match=rf"t\.csv.*{error}"):
        tables.read(tmp_path / "t.csv")


@pytest.mark.parametrize("table", [{}, {"a": np.zeros(2), "b": np.zeros(3)}, {"a": np.zeros((2, 2))}, {"a": np.array(["1", "2"])},
                                   {"a": np.array(["True", "False"])}, {"a": np.array(["", ""])}, {"a": np.array(["a\r", "b"])}])
def test_tables_that_would_not_come_back(tmp_path: Path, table: Any) -> None:
    with pytest.raises(ValueError, match="expected"):
        tables.write(tmp_path / "t.csv", table)
    assert not list(tmp_path.iterdir())


def test_no_rows(tmp_path: Path) -> None:
    tables.write(tmp_path / "t.csv", {"label": np.zeros(0, np.int64), "volume_nm3": np.zeros(0)})
    got = tables.read(tmp_path / "t.csv")
    assert {name: len(column) for name, column in got.items()} == {"label": 0, "volume_nm3": 0}
