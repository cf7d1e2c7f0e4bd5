from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scene import jitter

from fibsem_ij.register.banded import System
from fibsem_ij.register.models import Frame, corner_distance
from fibsem_ij.register.pairs import Pair, steps
from fibsem_ij.register.stack import bridge, consistent, solve, without_trend

FRAME = Frame((256, 256))
ALIKE = np.ones(64, np.float32)


def pairs_of(truth, good, *, reach=2, noise=0.0, wound=0.0, seed=0, sd=0.1):
    """Pairs with errors of `noise`, whose scale winds up by `wound` a slice."""
    rng = np.random.default_rng(seed)
    made = []
    for i, j in steps(good, reach=reach):
        wrong = rng.normal(0, noise, 6) if noise else np.zeros(6)
        wrong[[2, 5]] += wound * (j - i)
        exact = truth[j] @ np.linalg.inv(truth[i])
        made.append(Pair(i, j, exact @ FRAME.from_numbers(wrong), np.eye(6) * sd**2, 0.1, ALIKE, ALIKE))
    return made


def errors(matrices, truth):
    ours, true = matrices[1:] @ np.linalg.inv(matrices[0]), truth[1:] @ np.linalg.inv(truth[0])
    return corner_distance(ours, true, frame=FRAME)


def test_the_banded_system_is_the_dense_one():
    rng = np.random.default_rng(0)
    first, second = np.array([0, 0, 1, 3, 2]), np.array([1, 3, 2, 4, 4])
    weight = np.stack([(a := rng.normal(size=(3, 3))) @ a.T + np.eye(3) for _ in first])
    difference, wish = rng.normal(size=(5, 3)), rng.normal(size=(5, 3))
    system = System(5, 3, 3)
    system.observe(first, second, weight, difference)
    system.prefer(np.arange(5), np.full((5, 3), 0.5), wish)
    dense, right = np.eye(15) * 0.5, 0.5 * wish.ravel()
    for i, j, w, d in zip(first, second, weight, difference, strict=True):
        pick = np.zeros((3, 15))
        pick[:, 3 * j:3 * j + 3], pick[:, 3 * i:3 * i + 3] = np.eye(3), -np.eye(3)
        dense, right = dense + pick.T @ w @ pick, right + pick.T @ w @ d
    np.testing.assert_allclose(system.solved().ravel(), np.linalg.solve(dense, right), atol=1e-6)


def test_exact_pairs_give_the_exact_stack_but_for_the_pull():
    truth = jitter(20, edge_px=1.0)
    solved = solve(pairs_of(truth, range(20), sd=0.05), range(20), model="affine", frame=FRAME)
    assert errors(solved, truth).max() < 0.4


def test_one_wild_pair_moves_nothing():
    truth = jitter(20)
    pairs = pairs_of(truth, range(20), noise=0.02, sd=0.05)
    pairs[12] = replace(pairs[12], matrix=FRAME.from_numbers(np.array([80, -50, 9, 0, 0, 9.0])), spread_px=0.05)
    kept = consistent(pairs, frame=FRAME)
    assert len(kept) == len(pairs) - 1
    assert pairs[12] not in kept
    assert errors(solve(kept, range(20), model="affine", frame=FRAME), truth).max() < 0.5


def test_a_scale_that_winds_up_is_held_and_the_jitter_kept():
    truth = jitter(40)
    solved = solve(pairs_of(truth, range(40), noise=0.05, wound=0.15), range(40), model="affine", frame=FRAME)
    chain = 0.15 * 39 * np.sqrt(2)
    assert errors(solved, truth)[-1] < chain / 2.5
    step = solved[1:] @ np.linalg.inv(solved[:-1])
    assert corner_distance(step, truth[1:] @ np.linalg.inv(truth[:-1]), frame=FRAME).mean() < 0.3


def test_the_same_stack_at_twice_the_size_is_treated_alike():
    truth = jitter(12)
    small = solve(pairs_of(truth, range(12), noise=0.1), range(12), model="affine", frame=FRAME)
    large_frame = Frame((512, 512))
    resized = [replace(p, matrix=large_frame.from_numbers(FRAME.to_numbers(p.matrix)))
               for p in pairs_of(truth, range(12), noise=0.1)]
    large = solve(resized, range(12), model="affine", frame=large_frame)
    np.testing.assert_allclose(large_frame.to_numbers(large), FRAME.to_numbers(small), atol=0.1)


def test_anchors_hold():
    truth = jitter(10)
    anchor = truth[7]
    solved = solve(pairs_of(truth, range(10), sd=0.05), range(10), model="affine", frame=FRAME, anchors={7: anchor})
    assert corner_distance(solved[7], anchor, frame=FRAME) < 0.05
    assert corner_distance(solved, truth, frame=FRAME).max() < 0.3


def test_steps_count_good_slices():
    assert steps([0, 1, 4, 5], reach=2) == [(0, 1), (0, 4), (1, 4), (1, 5), (4, 5)]


def test_a_bad_slice_lies_between_its_neighbours():
    shifts = FRAME.from_numbers(np.array([[0, 0, 0, 0, 0, 0], [6, 3, 0, 0, 0, 0.0]]))
    every = bridge(shifts, [1, 4], 6, model="affine", frame=FRAME)
    np.testing.assert_allclose(every[:, 0, 2], [0, 0, 2, 4, 6, 6], atol=1e-9)


@pytest.mark.parametrize("model", ["translation", "affine"])
def test_what_is_slow_stays_in_the_specimen(model):
    z = np.arange(60)
    slow, fast = np.zeros((60, 6)), np.random.default_rng(0).normal(0, 1, (60, 6)) * (1, 1, 0, 0, 0, 0)
    slow[:, 0], slow[:, 1] = 0.3 * z, 4 * np.sin(z / 40)
    left = FRAME.to_numbers(without_trend(FRAME.from_numbers(slow + fast), slices=10, model=model, frame=FRAME))
    assert np.abs(left - fast)[:, :2].mean() < 0.4
