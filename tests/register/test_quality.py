"""The QC table: what known transforms say, what a misplaced slice looks like, and who is named first."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from scene import jitter, moved

from fibsem_ij.register.quality import quality, references
from fibsem_ij.volume import Transforms, Volume

SHAPE = (256, 256)


@cache
def stack(depth: int = 9) -> tuple[npt.NDArray[np.uint8], Transforms]:
    truth = jitter(depth)
    return np.stack([moved(m, noise=8, noise_seed=z) for z, m in enumerate(truth)]), Transforms(truth, SHAPE)


def about_centre(linear: npt.ArrayLike, shift: tuple[float, float]) -> npt.NDArray[np.float64]:
    """Input -> output pixel."""
    forward, centre = np.eye(3), np.array([127.5, 127.5])
    forward[:2, :2] = linear
    forward[:2, 2] = centre + shift - forward[:2, :2] @ centre
    return forward


def test_the_motion_is_read_off_known_transforms() -> None:
    turn = np.radians(2.0)
    turned = 1.03 * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    stretched = np.diag([1.02, 1])
    forward = np.stack([np.eye(3), about_centre(np.eye(2), (3, -2)), about_centre(turned, (-1, 5)), about_centre(stretched, (0, 0))])
    table = quality(stack()[0][:4], Transforms(np.linalg.inv(forward), SHAPE, spread_px=np.arange(4), bad=(2,), why={2: "blank"}))
    for column, wanted in {"shift_x_px": [0, 3, -1, 0], "shift_y_px": [0, -2, 5, 0], "rotation_deg": [0, 0, 2, 0],
                           "scale": [1, 1, 1.03, 1.02**0.5], "shear": [0, 0, 0, 0.02]}.items():
        np.testing.assert_allclose(table[column], wanted, atol=1e-9, err_msg=column)
    assert table["z"].tolist() == [0, 1, 2, 3]
    assert table["name"].tolist() == ["0000", "0001", "0002", "0003"]
    assert table["spread_px"].tolist() == [0, 1, 2, 3]
    assert table["bad"].tolist() == [False, False, True, False]
    assert table["state"].tolist() == ["good", "good", "blank", "good"]


def test_the_right_transforms_make_slices_alike_and_leave_nothing() -> None:
    slices, truth = stack()
    table = quality(slices, truth)
    assert (table["similarity_after"] > table["similarity_before"] + 0.05).all()
    assert table["similarity_after"].min() > 0.9
    assert table["residual_px"].max() < 0.2


@pytest.mark.parametrize("shift", [(1.5, -1.0), (0.4, 0.3), (-7.0, 4.0)])
def test_a_misplaced_slice_shows_by_how_much_and_is_named_first(shift: tuple[float, float]) -> None:
    slices, truth = stack()
    matrices = truth.matrices.copy()
    matrices[5, :2, 2] += shift
    table = quality(slices, replace(truth, matrices=matrices))
    np.testing.assert_allclose(table["residual_px"][[5, 6]], np.hypot(*shift), atol=0.2)
    assert sorted(np.argsort(table["worst"])[:2]) == [5, 6]
    assert sorted(table["worst"]) == list(range(1, 10))


def test_a_turn_is_a_residual_too() -> None:
    slices, truth = stack()
    turn = np.radians(0.8)
    matrices = truth.matrices.copy()
    matrices[5] = about_centre([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]], (0, 0)) @ matrices[5]
    assert quality(slices, replace(truth, matrices=matrices))["residual_px"][5] == pytest.approx(64 * 2**0.5 * turn, abs=0.3)


def test_bad_slices_come_first_and_good_ones_skip_them() -> None:
    slices, truth = stack()
    slices = slices.copy()
    slices[3] = 128
    slices[4, 128:] = 255
    table = quality(slices, replace(truth, bad=(3, 4)))
    assert np.argsort(table["worst"])[:2].tolist() == [3, 4]
    assert table["similarity_after"][3] == 0
    assert np.isnan(table["residual_px"][3])
    good = ~table["bad"]
    assert table["similarity_after"][good].min() > 0.9
    assert table["residual_px"][good].max() < 0.2


def test_canvas_size_and_resolution_do_not_matter() -> None:
    slices, truth = stack()
    margin = np.array([[1, 0, -40], [0, 1, -30], [0, 0, 1.0]])
    plain, padded = quality(slices, truth), quality(slices, replace(truth, matrices=truth.matrices @ margin, canvas=(400, 400)))
    for column in ("similarity_after", "residual_px", "rotation_deg"):
        np.testing.assert_allclose(padded[column], plain[column], atol=1e-6)
    np.testing.assert_allclose(padded["shift_x_px"], plain["shift_x_px"] + 40)


def test_a_large_slice_is_measured_in_its_own_pixels() -> None:
    """2100 px are halved on the way."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 255, (2, 2100, 2100), np.uint8)
    coarse = np.repeat(np.repeat(small[:, :350, :350], 6, 1), 6, 2)[0]
    fitted = Transforms(np.stack([np.eye(3), about_centre(np.eye(2), (8, 6))]), (2100, 2100))
    shown = np.stack([coarse, np.roll(coarse, (6, 8), (0, 1))])
    assert quality(shown, fitted)["residual_px"][1] < 0.3
    off = replace(fitted, matrices=np.stack([np.eye(3)] * 2))
    assert quality(shown, off)["residual_px"][1] == pytest.approx(10, abs=0.3)


def test_any_worker_gives_the_same() -> None:
    slices, truth = stack()
    serial = quality(slices, truth)
    with ProcessPoolExecutor(2) as pool:
        pooled = quality(slices, truth, executor=pool)
    for column, values in serial.items():
        np.testing.assert_array_equal(pooled[column], values)


def test_the_names_of_a_stack_with_gaps() -> None:
    slices, truth = stack()
    two = replace(truth, matrices=truth.matrices[:2], spread_px=None)
    assert quality(Volume(slices[:2], names=("a7", "a9")), two)["name"].tolist() == ["a7", "a9"]
    numbers = quality(Volume(slices[:2], names=("7", "9")), two)["name"]
    assert (numbers.dtype, numbers.tolist()) == (np.int64, [7, 9])


def test_what_each_slice_is_compared_with() -> None:
    assert references(6, []) == [1, 0, 1, 2, 3, 4]
    assert references(8, [0, 3, 4]) == [1, 2, 1, 2, 2, 2, 5, 6]
    assert references(3, [0, 1, 2]) == [0, 1, 2]


def test_a_stack_without_good_slices_has_a_table_all_the_same() -> None:
    slices, truth = stack()
    table = quality(slices, replace(truth, bad=tuple(range(9))))
    assert np.isnan(table["similarity_after"]).all()
    assert sorted(table["worst"]) == list(range(1, 10))


def test_another_stack_is_told() -> None:
    with pytest.raises(ValueError, match="expected a stack of 9 slices"):
        quality(stack()[0][:5], stack()[1])
