"""What lies beside a table: a meaning for every column, and never over somebody else's JSON."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fibsem_ij.files import sidecar, tables

TABLE = {"label": np.array([2, 5]), "volume_nm3": np.array([8.0, np.nan])}
MEANING = {"volume_nm3": {"unit": "nm3", "is": "Volume."}, "label": {"unit": "", "is": "Number."},
           "surface_nm2": {"unit": "nm2", "is": "Area."}}


@pytest.mark.parametrize("name", ["measures.csv", "measures.parquet"])
def test_there_and_back(tmp_path: Path, name: str) -> None:
    for _ in range(2):  # over its own, too
        sidecar.write(tmp_path / name, TABLE, MEANING, voxel_nm=[2, 2, 2])
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([name, "measures.json"])
    assert sidecar.read(tmp_path / name) == {"table": name, "rows": 2, "voxel_nm": [2, 2, 2],
                                             "columns": {column: MEANING[column] for column in TABLE}}
    np.testing.assert_array_equal(tables.read(tmp_path / name)["volume_nm3"], TABLE["volume_nm3"])


def test_nothing_beside(tmp_path: Path) -> None:
    assert sidecar.read(tmp_path / "measures.csv") == {}


@pytest.mark.parametrize(("name", "error"), [
    ("a.tif", r"\.csv or \.parquet"), ("none/a.csv", "expected the folder"), ("b.csv", "older table")])
def test_names_that_are_refused(tmp_path: Path, name: str, error: str) -> None:
    (tmp_path / "b.json").write_text('{"model": "affine"}', encoding="utf-8")
    with pytest.raises((ValueError, FileNotFoundError), match=error):
        sidecar.write(tmp_path / name, TABLE, MEANING)
    assert [p.name for p in tmp_path.iterdir()] == ["b.json"]


def test_a_column_without_a_meaning(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="none of depth"):
        sidecar.write(tmp_path / "a.csv", {**TABLE, "depth": np.zeros(2)}, MEANING)
    assert not list(tmp_path.iterdir())
