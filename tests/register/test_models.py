from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fibsem_ij.register.models import Frame, basis, corner_distance, median, project
from fibsem_ij.volume import MODELS

FRAME = Frame((200, 300))
numbers = st.lists(st.floats(-20, 20), min_size=6, max_size=6).map(np.array)


@settings(deadline=None, max_examples=50)
@given(numbers)
def test_numbers_and_matrices_undo_each_other(six):
    np.testing.assert_allclose(FRAME.to_numbers(FRAME.from_numbers(six)), six, atol=1e-9)


def test_a_number_is_what_the_edge_moves():
    scale = FRAME.from_numbers(np.array([0, 0, 1.5, 0, 0, 1.5]))
    top_middle = np.array([*FRAME.centre, 1]) - (0, FRAME.half, 0)
    np.testing.assert_allclose((scale @ top_middle)[:2] - top_middle[:2], (0, -1.5), atol=1e-12)


@pytest.mark.parametrize("model", MODELS)
@settings(deadline=None, max_examples=25)
@given(numbers)
def test_projection_is_of_the_model_and_stays(model, six):
    once = project(FRAME.from_numbers(six), model=model, frame=FRAME)
    np.testing.assert_allclose(project(once, model=model, frame=FRAME), once, atol=1e-9)
    linear = once[:2, :2]
    if model == "translation":
        np.testing.assert_allclose(linear, np.eye(2), atol=1e-12)
    if model in ("rigid", "similarity"):
        np.testing.assert_allclose(linear @ linear.T, np.eye(2) * (linear @ linear.T)[0, 0], atol=1e-9)
    if model == "rigid":
        assert np.linalg.det(linear) == pytest.approx(1)


def test_projection_leaves_its_input_alone():
    matrix = FRAME.from_numbers(np.arange(6.0))
    before = matrix.copy()
    project(matrix, model="rigid", frame=FRAME)
    np.testing.assert_array_equal(matrix, before)


@pytest.mark.parametrize("model", MODELS)
def test_the_median_ignores_a_wild_minority(model):
    true = project(FRAME.from_numbers(np.array([5, -3, 1, 2, -2, 1.0])), model=model, frame=FRAME)
    rng = np.random.default_rng(0)
    runs = np.stack([project(true @ FRAME.from_numbers(rng.normal(0, 0.05, 6)), model=model, frame=FRAME) for _ in range(25)])
    runs[:8] = runs[:8] @ FRAME.from_numbers(np.array([90, -70, 20, 0, 0, 20.0]))
    found, spread = median(runs, model=model, frame=FRAME)
    assert corner_distance(found, true, frame=FRAME) < 0.15
    assert spread > 10, "the spread tells that the runs disagree"


def test_the_median_of_rotations_is_a_rotation_about_the_same_place():
    turn = np.array([0, 0, 0, -1, 1, 0.0])
    runs = project(FRAME.from_numbers(turn * np.array([[1.0], [2], [30]])), model="rigid", frame=FRAME)
    found, _ = median(runs, model="rigid", frame=FRAME)
    assert corner_distance(found, runs[1], frame=FRAME) < 0.01


def test_bases_are_orthonormal_and_a_wrong_model_is_told():
    for model in MODELS:
        np.testing.assert_allclose(basis(model).T @ basis(model), np.eye(basis(model).shape[1]), atol=1e-12)
    with pytest.raises(ValueError, match="expected a model of"):
        basis("bspline")
