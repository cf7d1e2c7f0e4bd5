"""Relations of whole stacks: names with units, voxel sizes that must agree, stacks that must lie on each other."""

from __future__ import annotations

import numpy as np
import pytest

from fibsem_ij.measure import between
from fibsem_ij.volume import Labels

CELLS, INSIDE = np.zeros((20, 30, 40), np.uint8), np.zeros((20, 30, 40), np.uint8)
CELLS[2:18, 2:28, 2:20], CELLS[2:18, 2:28, 20:38] = 1, 2
INSIDE[8:12, 8:12, 4:8], INSIDE[8:12, 8:12, 24:30] = 5, 6
NM = (10.0, 5.0, 5.0)


def test_within() -> None:
    rows, held = between.within(Labels(INSIDE, NM), Labels(CELLS, NM))
    assert list(rows) == ["parent", "parent_share", "parent_centroid_distance_nm", "membrane_distance_nm", "membrane_proximity"]
    assert rows["parent"].tolist() == [1, 2]
    aside = np.hypot(10 / 2, 5 / 2)  # the middle of a face lies half a voxel beside the way straight out
    np.testing.assert_allclose(rows["membrane_distance_nm"], np.hypot([4 * 5, 7 * 5], aside))
    assert list(held) == ["label", "voxels", "volume_nm3", "children", "children_volume_nm3", "volume_fraction", "children_per_um3"]
    np.testing.assert_allclose(held["children_volume_nm3"], [64 * 250, 96 * 250])
    assert list(between.within(INSIDE, CELLS)[1])[-1] == "children_per_px3"


def test_within_what_it_was_cut_out_of() -> None:
    cut = np.where(INSIDE > 0, 0, CELLS)
    assert between.within(INSIDE, cut)[0]["parent"].tolist() == [0, 0]
    for one, two in zip(between.within(INSIDE, cut, fill=True), between.within(INSIDE, CELLS), strict=True):
        for name in one:
            np.testing.assert_array_equal(one[name], two[name])


def test_nearest() -> None:
    table = between.nearest(Labels(INSIDE, NM))
    assert {name: column.tolist() for name, column in table.items()} == {
        "nearest_id": [6, 5], "nearest_distance_nm": [80, 80], "nearest_centroid_distance_nm": [105, 105]}
    assert between.nearest(INSIDE, CELLS)["nearest_distance_px"].tolist() == [2, 4]


def test_displaced() -> None:
    moved = np.roll(INSIDE, (1, 0, 2), (0, 1, 2))
    table = between.displaced(Labels(INSIDE, NM), Labels(moved, NM))
    assert table["later_id"].tolist() == [5, 6]
    np.testing.assert_allclose(table["displacement_z_nm"], 10)
    np.testing.assert_allclose(table["displacement_nm"], np.hypot(10, 10))
    np.testing.assert_allclose(between.displaced(Labels(INSIDE, NM), Labels(INSIDE[::2], (20.0, 5, 5)))["displacement_nm"], 5)
    with pytest.raises(ValueError, match="voxel sizes of both"):
        between.displaced(Labels(INSIDE, NM), INSIDE)


def test_touching() -> None:
    table = between.touching(Labels(CELLS, NM))
    assert (table["label"].tolist(), table["other"].tolist()) == ([1], [2])
    np.testing.assert_allclose(table["contact_surface_nm2"], 16 * 26 * 50, rtol=.03)


def test_stacks_that_do_not_lie_on_each_other() -> None:
    for other, error in ((Labels(CELLS[:5], NM), "of one shape"), (Labels(CELLS, (4.0, 4, 4)), "of one voxel size")):
        with pytest.raises(ValueError, match=error):
            between.nearest(Labels(INSIDE, NM), other)
        with pytest.raises(ValueError, match=error):
            between.within(Labels(INSIDE, NM), other)
    table = between.nearest(Labels(INSIDE, NM), Labels(CELLS, (4.0, 4, 4)), voxel_nm=NM)
    assert table["nearest_id"].tolist() == [1, 2]
