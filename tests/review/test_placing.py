"""One matrix, by a nudge or by pairs of points: the picture moves as it was told, and all else stays to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fibsem_ij import register
from fibsem_ij.review import placing
from fibsem_ij.volume import Transforms, Volume

RNG = np.random.default_rng(5)
CANVAS = (60, 80)
SMALL = st.floats(-20, 20, allow_nan=False)


def at(points: np.ndarray, motion: np.ndarray) -> np.ndarray:
    return points @ motion[:2, :2].T + motion[:2, 2]


def test_a_nudge_moves_the_picture_right_and_down() -> None:
    grey = RNG.integers(0, 255, (3, *CANVAS)).astype(np.uint8)
    before = Transforms(np.tile(np.eye(3), (3, 1, 1)), CANVAS)
    after = placing.placed(before, {1: placing.nudge(7, 3, 0, canvas=CANVAS)})
    moved = register.apply(Volume(grey), after)
    np.testing.assert_array_equal(moved[1, 3:, 7:], grey[1, :-3, :-7])
    np.testing.assert_array_equal(moved[[0, 2]], grey[[0, 2]])


def test_a_turn_is_clockwise_on_the_screen_about_the_middle() -> None:
    motion = placing.nudge(0, 0, 90, canvas=(101, 101))
    np.testing.assert_allclose(at(np.array([[50.0, 50.0], [60.0, 50.0]]), motion), [[50, 50], [50, 60]], atol=1e-9)  # right goes down


@settings(deadline=None, max_examples=50)
@given(SMALL, SMALL, st.floats(-170, 170), st.integers(0, 4))
def test_nudges_undo_each_other_and_touch_one_matrix(dx: float, dy: float, angle: float, z: int) -> None:
    matrices = np.tile(np.eye(3), (5, 1, 1))
    matrices[:, :2] += RNG.normal(0, 0.1, (5, 2, 3))
    before = Transforms(matrices, CANVAS, bad=(2,), why={2: "blank"}, spread_px=np.arange(5.0))
    motion = placing.nudge(dx, dy, angle, canvas=CANVAS)
    there = placing.placed(before, {z: motion})
    others = [k for k in range(5) if k != z]
    np.testing.assert_array_equal(there.matrices[others], before.matrices[others])
    assert (there.canvas, there.model, there.bad, dict(there.why)) == (before.canvas, before.model, before.bad, dict(before.why))
    back = placing.placed(there, {z: np.linalg.inv(motion)})
    np.testing.assert_allclose(back.matrices, before.matrices, atol=1e-9)


@pytest.mark.parametrize(("count", "model", "linear"), [
    (1, "affine", "none"), (1, "rigid", "none"), (2, "affine", "turn"), (5, "translation", "none"), (3, "rigid", "turn"),
    (4, "similarity", "scaled"), (3, "affine", "any"), (6, "affine", "any")])
def test_pairs_are_fitted_as_well_as_they_tell(count: int, model: str, linear: str) -> None:
    turn = np.array([[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]])
    motion = np.eye(3)
    motion[:2, :2] = {"none": np.eye(2), "turn": turn, "scaled": 1.1 * turn, "any": [[1.05, 0.1], [-0.03, 0.9]]}[linear]
    motion[:2, 2] = 4, -7
    src = RNG.uniform(0, 60, (count, 2))
    np.testing.assert_allclose(placing.fitted(src, at(src, motion), model=model), motion, atol=1e-9)


def test_a_mirror_is_no_turn_and_noise_is_averaged() -> None:
    src = RNG.uniform(0, 60, (200, 2))
    fitted = placing.fitted(src, src * np.array([-1, 1]), model="rigid")
    assert np.linalg.det(fitted[:2, :2]) == pytest.approx(1)
    shift = placing.fitted(src, src + np.array([3, 2]) + RNG.normal(0, 1, src.shape), model="translation")
    np.testing.assert_allclose(shift[:2, 2], (3, 2), atol=0.3)


def test_pairs_that_tell_nothing() -> None:
    with pytest.raises(ValueError, match="as many points called src as dst, got 2 and 1"):
        placing.fitted(np.zeros((2, 2)), np.zeros((1, 2)), model="rigid")
    with pytest.raises(ValueError, match="points that lie apart"):
        placing.fitted(np.zeros((2, 2)), np.ones((2, 2)), model="rigid")
    line = np.array([[0.0, 0], [1, 1], [2, 2]])
    with pytest.raises(ValueError, match="do not lie on a line"):
        placing.fitted(line, line + 1, model="affine")
    with pytest.raises(ValueError, match="as numbers"):
        placing.nudge(np.nan, 0, 0, canvas=CANVAS)
