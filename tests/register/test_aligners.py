"""The contract of the socket, held by every aligner that needs no Java."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scene import motion, moved

from fibsem_ij.register.models import Frame, corner_distance, median
from fibsem_ij.register.sift import Sift
from fibsem_ij.register.together import Together
from fibsem_ij.register.turboreg import TurboReg

FRAME = Frame((256, 256))
STILL = motion([0] * 6)
MOTIONS = {
    "translation": [7.3, -4.6, 0, 0, 0, 0],
    "rigid": [3.2, 5.1, 0, -2.5, 2.5, 0],
    "similarity": [-6.4, 2.2, 1.5, -2, 2, 1.5],
    "affine": [4.7, -8.8, 2.1, -1.4, 0.9, -1.8],
}


def together(model: str = "affine", runs: int = 25) -> Together:
    """The GPU's way, where there is no GPU: torch's CPU computes the same."""
    return Together(TurboReg(model, runs), "cpu")


ALIGNERS = {"turboreg": (TurboReg, 0.05), "together": (together, 0.05), "sift": (Sift, 0.2)}


def error(aligner, fixed, moving, truth, *, seed=0):
    runs = aligner(fixed, moving, rng=np.random.default_rng(seed))
    return corner_distance(median(runs, model=aligner.model, frame=FRAME)[0], truth, frame=FRAME)


@pytest.mark.parametrize("model", MOTIONS)
@pytest.mark.parametrize("name", ALIGNERS)
def test_known_motions_are_recovered(name, model):
    kind, tolerance = ALIGNERS[name]
    truth = motion(MOTIONS[model])
    runs = kind(model=model)(moved(STILL), moved(truth), rng=np.random.default_rng(0))
    assert runs.shape == (25, 3, 3)
    assert error(kind(model=model), moved(STILL), moved(truth), truth) < tolerance


@pytest.mark.parametrize("name", ALIGNERS)
def test_the_same_seed_gives_the_same_runs_and_another_seed_others(name):
    kind, _ = ALIGNERS[name]
    fixed, moving = moved(STILL, noise=12), moved(motion(MOTIONS["affine"]), noise=12, noise_seed=1)
    first, again, other = (kind()(fixed, moving, rng=np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", ALIGNERS)
def test_prepared_slices_give_what_slices_give(name):
    aligner = ALIGNERS[name][0]()
    fixed, moving = moved(STILL), moved(motion(MOTIONS["rigid"]))
    rng = [np.random.default_rng(0) for _ in range(2)]
    np.testing.assert_array_equal(aligner(fixed, moving, rng=rng[0]), aligner(aligner.prepare(fixed), aligner.prepare(moving), rng=rng[1]))


@pytest.mark.parametrize("name", ALIGNERS)
def test_one_run_uses_the_whole_slice(name):
    kind, tolerance = ALIGNERS[name]
    truth = motion(MOTIONS["affine"])
    runs = kind(runs=1)(moved(STILL), moved(truth), rng=np.random.default_rng(0))
    assert runs.shape == (1, 3, 3)
    assert corner_distance(runs[0], truth, frame=FRAME) < tolerance


def test_gain_offset_and_shading_do_not_move_turboreg():
    truth = motion(MOTIONS["affine"])
    shade = cv2.resize(np.random.default_rng(0).normal(0, 1, (4, 4)).astype(np.float32), (256, 256), interpolation=cv2.INTER_CUBIC)
    dim = np.clip(moved(truth) * 0.45 + 70 + 25 * shade, 0, 255).astype(np.uint8)
    assert error(TurboReg(), moved(STILL), dim, truth) < 0.15


def test_an_artefact_on_a_fifth_of_the_slice_does_not_move_turboreg():
    truth = motion(MOTIONS["affine"])
    hurt = moved(truth).copy()
    hurt[60:170, 20:140] = np.random.default_rng(0).integers(0, 255, (110, 120))
    assert error(TurboReg(), moved(STILL), hurt, truth) < 0.15


def test_the_filled_border_of_an_aligned_slice_does_not_hold_turboreg():
    truth = motion([25.0, -18, 0, 0, 0, 0])
    fixed = moved(STILL)
    filled = cv2.warpAffine(fixed, np.linalg.inv(truth)[:2], (256, 256), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
    assert error(TurboReg(), fixed, filled, truth) < 0.1


def test_the_spread_grows_with_the_noise():
    spreads = []
    for noise in (2, 15, 45):
        runs = TurboReg()(moved(STILL, noise=noise), moved(STILL, noise=noise, noise_seed=1), rng=np.random.default_rng(0))
        spreads.append(median(runs, model="affine", frame=FRAME)[1])
    assert spreads[0] < spreads[1] < spreads[2]


def test_a_large_shift_is_found_and_an_empty_pair_is_no_crash():
    truth = motion([31.0, 29, 0, 0, 0, 0])
    assert error(TurboReg("translation"), moved(STILL), moved(truth), truth) < 0.1
    blank = np.full((256, 256), 90, np.uint8)
    assert np.isfinite(TurboReg()(blank, moved(STILL), rng=np.random.default_rng(0))).all()
    assert Sift()(blank, moved(STILL), rng=np.random.default_rng(0)).shape == (0, 3, 3)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.int16, np.float64])
def test_dtypes_and_oblong_slices(dtype):
    truth = motion(MOTIONS["translation"])
    fixed, moving = (moved(m)[:190].astype(dtype) * 3 for m in (STILL, truth))
    runs = TurboReg("translation")(fixed, moving, rng=np.random.default_rng(0))
    assert corner_distance(median(runs, model="translation", frame=Frame((190, 256)))[0], truth, frame=FRAME) < 0.1


@pytest.mark.parametrize("shape", [(33, 40), (65, 300), (190, 131)])
def test_slices_of_any_shape(shape):
    truth = motion([1.5, -1.0, 0, 0, 0, 0])
    fixed, moving = (np.tile(moved(m), (1, 2))[:shape[0], :shape[1]] for m in (STILL, truth))
    runs = TurboReg("translation")(fixed, moving, rng=np.random.default_rng(0))
    assert corner_distance(median(runs, model="translation", frame=Frame(shape))[0], truth, frame=FRAME) < 0.3


def test_stripes_tell_the_shift_across_them():
    stripes = np.tile(128 + 60 * np.sin(np.arange(256) / 7.0), (256, 1))
    moving = np.tile(128 + 60 * np.sin((np.arange(256) - 1.5) / 7.0), (256, 1))
    runs = TurboReg("translation")(stripes, moving, rng=np.random.default_rng(0))
    assert np.isfinite(runs).all()
    assert np.median(runs[:, 0, 2]) == pytest.approx(1.5, abs=0.1)


def test_a_slice_that_is_too_small_is_told():
    with pytest.raises(ValueError, match="at least 32 x 32"):
        TurboReg().prepare(np.zeros((20, 500), np.uint8))


def test_one_leaning_wall_does_not_outvote_the_faint_tissue_that_stays():
    x = np.arange(256.0)

    def slice_with_wall_at(place, seed):
        faint = 128 + 0.12 * (moved(STILL).astype(float) - 120)
        wall = 110 * np.exp(-(((x - place) / 4) ** 2)) * np.sin(np.arange(256)[:, None] / 9) ** 2
        return faint + wall + np.random.default_rng(seed).normal(0, 2, (256, 256))

    runs = TurboReg("translation")(slice_with_wall_at(100.0, 0), slice_with_wall_at(100.5, 1), rng=np.random.default_rng(0))
    assert abs(np.median(runs[:, 0, 2])) < 0.1
