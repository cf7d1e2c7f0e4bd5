"""Each loss against the same in NumPy, float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fibsem_ij.learn import losses

RNG = np.random.default_rng(3)
RAW = RNG.normal(0, 2, (2, 4, 5, 6))
TRUTH = RNG.integers(0, 4, (2, 5, 6))
WEIGHTS = (0.1, 0.7, 1.0, 0.9)


def loss(function, *arrays, **options):
    return float(function(*(torch.from_numpy(a.astype(np.float32) if a.dtype == np.float64 else a) for a in arrays), **options))


def softmax(raw):
    e = np.exp(raw - raw.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def sigmoid(raw):
    return 1 / (1 + np.exp(-raw))


def one_hot(truth, first=0):
    return np.stack([truth == c for c in range(first, first + 4)], axis=1).astype(float)


def dice_of(shares, target, weights, known):
    each = [(2 * (s * t)[known].sum() + 1) / ((s + t)[known].sum() + 1)
            for s, t in zip(shares.swapaxes(0, 1), target.swapaxes(0, 1), strict=True)]
    return 1 - np.mean(np.array(weights) * each)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("ignore", [(), (3,), (0, 2)])
@pytest.mark.parametrize(("activation", "shares"), [("softmax", softmax), ("sigmoid", sigmoid)])
def test_dice(activation, shares, weights, ignore):
    known = ~np.isin(TRUTH, ignore)
    target = one_hot(TRUTH, first=0 if activation == "softmax" else 1)  # 0 is no channel of a sigmoid, and 4 is not there
    expected = dice_of(shares(RAW), target, weights or np.ones(4), known)
    assert loss(losses.dice, RAW, TRUTH, activation=activation, weights=weights, ignore=ignore) == pytest.approx(expected, rel=1e-5)


def test_dice_of_channels_that_overlap_and_of_a_single_class():
    target = RNG.integers(0, 2, RAW.shape).astype(float)
    expected = dice_of(sigmoid(RAW), target, np.ones(4), np.ones(TRUTH.shape, bool))
    assert loss(losses.dice, RAW, target, activation="sigmoid") == pytest.approx(expected, rel=1e-5)
    both = (losses.dice, RAW[:, :1]), {"activation": "sigmoid", "ignore": (255,)}
    numbers = np.where(TRUTH == 3, 255, np.minimum(TRUTH, 1))
    assert loss(*both[0], numbers, **both[1]) == pytest.approx(loss(*both[0], numbers[:, None].astype(float), **both[1]), rel=1e-6)


def test_dice_ends_at_nought_when_all_is_right_and_classes_are_absent():
    right = one_hot(np.zeros_like(TRUTH)) * 200 - 100
    assert loss(losses.dice, right, np.zeros_like(TRUTH)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("ignore", [(), (3,), (0, 2)])
def test_cross_entropy(weights, ignore):
    own = np.take_along_axis(softmax(RAW), TRUTH[:, None], axis=1)[:, 0]
    weight = np.array(weights or np.ones(4))[TRUTH] * ~np.isin(TRUTH, ignore)
    expected = -(weight * np.log(own)).sum() / weight.sum()
    assert loss(losses.cross_entropy, RAW, TRUTH, weights=weights, ignore=ignore) == pytest.approx(expected, rel=1e-5)


def test_an_ignored_value_may_lie_beyond_the_classes():
    truth = np.where(TRUTH == 3, 255, TRUTH)
    for function in (losses.cross_entropy, losses.dice):
        assert np.isfinite(loss(function, RAW, truth, ignore=(255,)))
    assert loss(losses.cross_entropy, RAW, truth, ignore=(255,)) == pytest.approx(loss(losses.cross_entropy, RAW, TRUTH, ignore=(3,)))


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_binary_cross_entropy(weights):
    target, known = one_hot(TRUTH, first=1), TRUTH != 2
    each = -(target * np.log(sigmoid(RAW)) + (1 - target) * np.log(1 - sigmoid(RAW)))
    expected = np.average(each.swapaxes(0, 1)[:, known].mean(1), weights=weights)
    assert loss(losses.binary_cross_entropy, RAW, TRUTH, weights=weights, ignore=(2,)) == pytest.approx(expected, rel=1e-5)
    target = np.where(RNG.random(RAW.shape) < 0.2, 255, target)
    assert loss(losses.binary_cross_entropy, RAW, target, ignore=(255,)) == pytest.approx(each[target != 255].mean(), rel=1e-5)


@pytest.mark.parametrize("function", [losses.dice, losses.cross_entropy, losses.binary_cross_entropy])
def test_where_nothing_counts_nothing_is_learned(function):
    raw = torch.from_numpy(RAW).float().requires_grad_()
    function(raw, torch.full((2, 5, 6), 255), ignore=(255,)).backward()
    assert not raw.grad.any()


def test_half_precision_is_raised_first():
    raw = torch.from_numpy(RAW).bfloat16()
    for function in (losses.dice, losses.cross_entropy, losses.binary_cross_entropy):
        assert function(raw, torch.from_numpy(TRUTH)).dtype == torch.float32


def test_weights_of_another_number_of_classes_are_refused():
    with pytest.raises(ValueError, match="a weight for each of the 4 channels, got 2"):
        loss(losses.dice, RAW, TRUTH, weights=(1, 2))
    with pytest.raises(ValueError, match="softmax, sigmoid"):
        loss(losses.dice, RAW, TRUTH, activation="none")
