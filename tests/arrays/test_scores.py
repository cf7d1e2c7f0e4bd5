import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.metrics import adapted_rand_error, peak_signal_noise_ratio, structural_similarity

from fibsem_ij.arrays.scores import adapted_rand, dice, gradient_error, iou, mae, mse, object_dice, overlaps, psnr, ssim

rng = np.random.default_rng(0)
stacks = arrays(np.uint32, (3, 4, 5), elements=st.integers(0, 3))


def test_masks():
    result, truth = np.zeros((2, 4, 4), np.uint8), np.zeros((2, 4, 4), np.uint8)
    result[0, :2], truth[0, 1:3] = 1, 7
    assert dice(result, truth) == 0.5
    assert iou(result, truth) == pytest.approx(1 / 3)
    assert dice(truth, truth) == iou(truth, truth) == 1
    assert dice(result * 0, truth * 0) == iou(result * 0, truth * 0) == 1
    assert dice(result * 0, truth) == iou(result * 0, truth) == 0


@given(stacks, stacks)
@settings(deadline=None, max_examples=60)
def test_overlaps_count_every_pair(result, truth):
    table = overlaps(result, truth)
    counted = {(int(a), int(b)): int(n) for a, b, n in zip(table.result, table.truth, table.voxels, strict=True)}
    pairs, n = np.unique(np.stack([result.reshape(-1), truth.reshape(-1)]), axis=1, return_counts=True)
    assert counted == {(int(a), int(b)): int(k) for (a, b), k in zip(pairs.T, n, strict=True)}


@given(stacks, stacks.filter(lambda truth: np.bincount(truth.reshape(-1), minlength=4)[1:].max() > 1))
@settings(deadline=None, max_examples=150)
def test_adapted_rand_is_that_of_scikit_image(result, truth):
    error, _, _ = adapted_rand(overlaps(result, truth))
    with np.errstate(invalid="ignore"):  # it divides nought by nought where the result has no pairs; the error is right
        theirs = adapted_rand_error(truth, result)[0]
    assert error == pytest.approx(theirs, abs=1e-12)


def test_a_merge_costs_precision_and_a_split_costs_recall():
    apart = np.array([[1, 1, 2, 2]])
    assert adapted_rand(overlaps(apart, apart)) == (0, 1, 1)
    _, precision, recall = adapted_rand(overlaps(apart * 0 + 1, apart))
    assert (precision, recall) == (pytest.approx(1 / 3), 1)
    _, precision, recall = adapted_rand(overlaps(apart, apart * 0 + 1))
    assert (precision, recall) == (1, pytest.approx(1 / 3))
    with pytest.raises(ValueError, match="background only"):
        adapted_rand(overlaps(apart, apart * 0))


def test_each_true_object_has_the_dice_of_its_best_fit():
    truth = np.array([[5, 5, 5, 5, 0, 8, 8, 9]])
    result = np.array([[1, 1, 1, 2, 2, 2, 0, 0]])
    numbers, score = object_dice(overlaps(result, truth))
    assert numbers.tolist() == [5, 8, 9]
    np.testing.assert_allclose(score, [6 / 7, 2 / 5, 0])


def test_grey_values():
    truth = rng.integers(0, 256, (3, 16, 16)).astype(np.uint8)
    result = np.clip(truth + rng.normal(0, 9, truth.shape), 0, 255).astype(np.uint8)
    difference = result.astype(float) - truth
    assert mae(result, truth) == pytest.approx(np.abs(difference).mean())
    assert mse(result, truth) == pytest.approx((difference**2).mean())
    assert psnr(result, truth, data_range=255) == pytest.approx(peak_signal_noise_ratio(truth, result, data_range=255))
    assert psnr(result[0], truth[0], data_range=255) == pytest.approx(peak_signal_noise_ratio(truth[0], result[0], data_range=255))
    assert psnr(truth, truth, data_range=255) == np.inf
    with pytest.raises(ValueError, match="data_range"):
        psnr(truth, truth, data_range=0)


def test_stacks_of_other_shapes_and_numbers_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        dice(np.zeros((2, 3)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="object numbers"):
        overlaps(np.zeros((2, 3)), np.zeros((2, 3)))


def test_ssim_is_that_of_scikit_image():
    truth = rng.integers(0, 255, (3, 20, 30)).astype(np.uint8)
    result = np.clip(truth + rng.normal(0, 20, truth.shape), 0, 255).astype(np.uint8)
    theirs = np.mean([structural_similarity(a, b, data_range=255) for a, b in zip(truth, result, strict=True)])
    assert ssim(result, truth, data_range=255) == pytest.approx(theirs, abs=1e-12)
    assert ssim(truth, truth, data_range=255) == 1
    assert ssim(result[0], truth[0], data_range=255) == structural_similarity(truth[0], result[0], data_range=255)
    for wrong in (truth[:, :6], truth):
        with pytest.raises(ValueError, match="expected"):
            ssim(wrong, wrong, data_range=0 if wrong is truth else 255)


def test_gradient_error_looks_at_edges_alone():
    truth = np.zeros((2, 20, 20))
    truth[:, :, 10:] = 100
    assert gradient_error(truth, truth) == 0
    assert gradient_error(truth + 7, truth) == 0  # brightness is no edge
    assert gradient_error(truth * 0, truth) == pytest.approx(50)  # all of the edge is gone: half of 100 at the two pixels beside it
    assert gradient_error(truth * 0.5, truth) == pytest.approx(25)
    elsewhere = truth.copy()
    elsewhere[:, 5, 3] += 90
    assert gradient_error(elsewhere, truth) == 0
    assert gradient_error(truth, truth * 0) == 0
    with pytest.raises(ValueError, match="share"):
        gradient_error(truth, truth, share=0)
