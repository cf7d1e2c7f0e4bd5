"""A table of measures arrives in ImageJ: through the bridge, and as the CSV that File > Import > Results opens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fibsem_ij import fiji
from fibsem_ij.fiji.tables import from_table
from fibsem_ij.files import tables
from fibsem_ij.measure import between
from fibsem_ij.volume import Labels

pytestmark = pytest.mark.timeout(120)


def test_measures(session: fiji.Session, tmp_path: Path) -> None:
    from scyjava import jimport

    cells, inside = np.zeros((12, 20, 30), np.uint16), np.zeros((12, 20, 30), np.uint16)
    cells[1:11, 1:19, 1:25], inside[4:6, 5:8, 5:9], inside[1:3, 2:4, 27:29] = 40000, 3, 65000
    table = {"label": np.array([3, 65000]), "class": np.array(["in", "out"]), "cut": np.array([0, 1]),
             **between.within(Labels(inside, (8.0, 4.0, 4.0)), Labels(cells, (8.0, 4.0, 4.0)))[0]}
    tables.write(tmp_path / "measures.csv", table)
    opened = from_table(jimport("ij.measure.ResultsTable").open(str(tmp_path / "measures.csv")))
    handed = from_table(session.to_table(table))
    assert list(opened) == list(handed) == list(table)
    for name, column in table.items():
        np.testing.assert_array_equal(handed[name], column if column.dtype.kind == "U" else column.astype(float))
        np.testing.assert_array_equal(opened[name], handed[name])
