"""Displacement: known motions come back, by number and by place; what came or went is matched with none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fibsem_ij.measure.displacement import displacements, summary

IDS = np.array([2, 5, 9])
PLACES = np.array([[0.0, 0, 0], [10, 0, 0], [0, 50, 0]])


def test_by_number() -> None:
    got = displacements(IDS, PLACES, [9, 2, 77], [[0.0, 53, 4], [0, 0, 1], [10, 0, 0]])
    assert got["later_id"].tolist() == [2, 0, 9]
    np.testing.assert_allclose(got["displacement"], [1, np.nan, 5])
    np.testing.assert_allclose(got["displacement_y"], [0, np.nan, 3])
    assert summary(got) == {"matched": 2, "mean": [0, 1.5, 2.5], "rms_about_mean": pytest.approx(np.sqrt(1.5**2 * 2))}


def test_by_place() -> None:
    got = displacements(IDS, PLACES, [31, 30], [[1.0, 0, 0], [0, 49, 0]], by="nearest")
    assert got["later_id"].tolist() == [31, 0, 30]  # 5 is nearest to 31 too, but 31 is not to it
    got = displacements(IDS, PLACES, [1, 2], [[1.0, 0, 0], [0, 40, 0]], by="nearest", farthest=5)
    assert got["later_id"].tolist() == [1, 0, 0]
    assert np.isnan(got["displacement"][1:]).all()


@given(seed=st.integers(0, 2**20), by=st.sampled_from(["id", "nearest"]))
def test_a_shuffled_stack_that_moved_as_a_whole(seed: int, by: str) -> None:
    rng = np.random.default_rng(seed)
    places = rng.permutation(np.argwhere(np.ones((3, 4, 5)))) * 10.0
    ids, order, way = np.arange(1, 61), rng.permutation(60), rng.uniform(-2, 2, 3)
    got = displacements(ids, places, ids[order], (places + way)[order], by=by)
    np.testing.assert_array_equal(got["later_id"], ids)
    np.testing.assert_allclose(summary(got)["mean"], way, atol=1e-12)
    np.testing.assert_allclose(summary(got)["rms_about_mean"], 0, atol=1e-12)


@pytest.mark.parametrize("by", ["id", "nearest"])
def test_none(by: str) -> None:
    empty = np.zeros((0, 3))
    assert displacements(IDS, PLACES, [], empty, by=by)["later_id"].tolist() == [0, 0, 0]
    got = displacements([], empty, IDS, PLACES, by=by)
    assert {len(column) for column in got.values()} == {0}
    assert summary(got)["matched"] == 0


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="by id or nearest"):
        displacements(IDS, PLACES, IDS, PLACES, by="name")
    with pytest.raises(ValueError, match="within more than 0"):
        displacements(IDS, PLACES, IDS, PLACES, farthest=float("nan"))
