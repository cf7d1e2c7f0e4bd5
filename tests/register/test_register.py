"""The room as a whole, on the phantom's hard cases, with truth and tolerance."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
from scene import jitter, small_stack, spoil

from fibsem_ij import phantom, register
from fibsem_ij.register.models import Frame, corner_distance
from fibsem_ij.volume import Transforms, Volume

QUIET = replace(phantom.Options(), curtain=0.0, charging=0.0, brightness_sd=0.0, jumps=0.0, blank=0.0, half_blank=0.0, defocused=0.0,
                duplicate=0.0)
HARD = {
    "quiet": (QUIET, 0.35, 2.5),
    "resin": (replace(QUIET, kept=0.3, grow_px=2.0), 0.6, 3.5),
    "noise": (replace(QUIET, electron_grey=4.0, read_sd=25.0), 0.5, 3.0),
    "curtains": (replace(QUIET, curtain=0.08), 0.4, 2.5),
    "charging": (replace(QUIET, charging=1.0), 0.4, 2.5),
    "jumps": (replace(QUIET, jumps=0.5, brightness_sd=8.0), 0.4, 2.5),
    "bad slices": (replace(QUIET, blank=0.1, half_blank=0.1, defocused=0.1, duplicate=0.1), 0.6, 3.0),
}


@cache
def hard(name):
    return phantom.make((16, 224, 224), seed=5, options=HARD[name][0])


@pytest.mark.parametrize("name", HARD)
def test_the_hard_cases(name):
    _, pair_px, drift_px = HARD[name]
    scene = hard(name)
    fitted = register.fit(scene.raw)
    scores = register.score(fitted, scene.drift, shape=scene.raw.shape[1:])
    assert scores["pair_px"] < pair_px
    assert scores["drift_px"] < drift_px
    assert set(fitted.bad) == set(scene.bad)


WHY = {"blank": "blank", "half blank": "half blank", "faded": "faded", "defocused": "defocused", "duplicated": "duplicated",
       "another field": "unlike"}
KINDS = ("blank", "noise", "half blank", "half noise", "saturated", "faded", "defocused", "duplicated", "another field")


@pytest.mark.parametrize("kind", KINDS)
def test_bad_slices_are_found_and_move_nothing(kind):
    slices, truth = small_stack()
    for z in (4, 9, 10):
        spoil(slices, z, kind)
    fitted = register.fit(slices)
    expected = {4, 9} if kind == "duplicated" else {4, 9, 10}
    assert expected <= set(fitted.bad) <= {4, 9, 10}
    assert fitted.why.keys() == set(fitted.bad)
    assert kind not in WHY or WHY[kind] in fitted.why[4]
    scores = register.score(fitted, truth)
    assert scores["pair_px"] < 0.25
    assert scores["drift_px"] < 0.4


def test_a_duplicate_lies_where_its_twin_lies():
    slices, _ = small_stack()
    slices[6] = slices[5]
    fitted = register.fit(slices)
    np.testing.assert_array_equal(fitted.matrices[6], fitted.matrices[5])


def test_a_field_scanned_twice_with_fresh_noise_is_told_from_a_next_slice_and_lies_where_it_was_seen():
    scene = hard("bad slices")
    fitted = register.fit(scene.raw)
    again = next(z for z, kind in scene.bad.items() if kind == "duplicate")
    assert fitted.why[again] == "scanned twice"
    step = fitted.matrices[again] @ np.linalg.inv(fitted.matrices[again - 1])
    assert corner_distance(step, np.eye(3), frame=Frame((224, 224))) < 0.1


@cache
def clear():
    return np.asarray(phantom.make((16, 224, 224), seed=6, options=replace(QUIET, read_sd=0.0, electron_grey=0.0)).raw.data)


@pytest.mark.parametrize(("noise", "found"), [(12, {5: "scanned twice", 10: "defocused"}), (90, {})])
def test_faint_defects_are_found_and_where_noise_hides_them_there_is_no_alarm(noise, found):
    slices = clear().astype(np.float32)
    slices[5], slices[10] = slices[4], cv2.GaussianBlur(slices[10], (0, 0), 1.7)
    slices = np.clip(slices + np.random.default_rng(0).normal(0, noise, slices.shape), 0, 255).astype(np.uint8)
    assert dict(register.fit(slices).why) == found


def test_filled_slices_are_aligned_by_the_third_that_shows_something():
    slices, truth = small_stack(6)
    slices[:, :, :175] = 140
    fitted = register.fit(slices)
    assert fitted.bad == ()
    assert register.score(fitted, truth)["pair_px"] < 0.6


def test_where_nothing_can_be_aligned_the_error_says_what_was_found():
    slices, _ = small_stack(3)
    slices[1:] = 90
    with pytest.raises(ValueError, match=r"resemble each other, got none of 3 \(2 blank or faded\)"):
        register.fit(slices)


@pytest.mark.parametrize("contrast", ["none", "equalise", "match"])
def test_dim_slices_are_no_bad_ones_whatever_is_done_to_the_contrast(contrast):
    slices, truth = small_stack(6)
    dim = np.stack([grey // (1 + 2 * (z % 2)) for z, grey in enumerate(slices)])
    fitted = register.fit(dim, options=register.Options(aligner="sift", contrast=contrast))
    assert fitted.bad == ()
    assert register.score(fitted, truth)["pair_px"] < 0.4


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_short_stacks(depth):
    slices, truth = small_stack(depth)
    fitted = register.fit(slices)
    assert fitted.bad == ()
    assert register.score(fitted, truth)["pair_px"] < 0.3


def test_slices_known_to_be_bad_are_left_out_and_a_found_reason_wins():
    slices, truth = small_stack()
    slices[4] = 0
    fitted = register.fit(slices, options=register.Options(bad=(4, 7)))
    assert dict(fitted.why) == {4: "blank or faded", 7: "given"}
    assert register.score(fitted, truth)["pair_px"] < 0.25


def test_anchored_slices_stay_where_they_are_known_to_be():
    slices, truth = small_stack()
    elsewhere = np.array([[1, 0, 30.0], [0, 1, -20], [0, 0, 1]])
    fitted = register.fit(slices, options=register.Options(anchors={z: truth.matrices[z] @ elsewhere for z in (3, 11)}))
    assert corner_distance(fitted.matrices, truth.matrices @ elsewhere, frame=Frame((256, 256))).max() < 0.4


def test_the_first_slice_may_be_bad():
    slices, truth = small_stack()
    slices[0] = 0
    fitted = register.fit(slices)
    assert fitted.bad == (0,)
    np.testing.assert_allclose(fitted.matrices[1], np.eye(3), atol=1e-9)
    assert register.score(fitted, truth)["drift_px"] < 0.4


def test_the_same_seed_gives_the_same_matrices_on_any_workers():
    slices, _ = small_stack()
    serial = register.fit(slices)
    with ThreadPoolExecutor(3) as threads:
        threaded = register.fit(slices, executor=threads)
    with ProcessPoolExecutor(2) as processes:
        processed = register.fit(slices, executor=processes)
    for other in (threaded, processed):
        np.testing.assert_array_equal(serial.matrices, other.matrices)
        np.testing.assert_array_equal(serial.spread_px, other.spread_px)
    reseeded = register.fit(slices, options=register.Options(seed=2))
    assert not np.array_equal(serial.matrices, reseeded.matrices)


def test_pairs_that_were_fitted_are_not_fitted_again():
    slices, _ = small_stack()
    kept, told = {}, []
    whole = register.fit(slices, kept=kept)
    again = register.fit(slices, kept=dict(sorted(kept.items(), reverse=True)), progress=lambda *now: told.append(now))
    np.testing.assert_array_equal(whole.matrices, again.matrices)
    assert len(told) == len(slices), "slices are looked at, and no chunk of pairs"
    some = {step: pair for step, pair in kept.items() if step[0] % 3}
    np.testing.assert_array_equal(whole.matrices, register.fit(slices, kept=some).matrices)
    assert some.keys() == kept.keys()


def test_many_pairs_at_once_on_a_device_agree_with_one_after_the_other_on_the_cpu():
    """The device that torch finds; without a GPU its CPU, where all is the same but the speed."""
    for slices in (small_stack()[0], hard("bad slices").raw):
        one, many = (register.fit(slices, options=register.Options(device=device)) for device in ("cpu", "auto"))
        assert many.bad == one.bad
        frame = Frame(np.shape(slices)[1:])
        assert corner_distance(one.matrices, many.matrices, frame=frame).max() < 0.1
        assert np.median(corner_distance(one.matrices, many.matrices, frame=frame)) < 0.03
    with pytest.raises(ValueError, match="turboreg"):
        register.Options(device="auto", aligner="sift")
    with pytest.raises(ValueError, match="expected a device of auto"):
        register.fit(slices, options=register.Options(device="abacus"))


def test_aligning_brings_the_slices_together():
    slices, _ = small_stack()
    fitted = register.fit(Volume(slices, (4.0, 2.0, 2.0)), options=register.Options(canvas="crop"))
    assert fitted.voxel_nm == (4.0, 2.0, 2.0)
    out = register.apply(slices, fitted).astype(float)
    before = slices[:, 16:-16, 16:-16].astype(float)
    assert out.std(0).mean() < 0.55 * before.std(0).mean()


@pytest.mark.parametrize("model", ["translation", "rigid", "similarity", "affine"])
def test_models_and_the_reference(model):
    slices, _ = small_stack(6)
    fitted = register.fit(slices, options=register.Options(model=model, reference=3))
    np.testing.assert_allclose(fitted.matrices[3], np.eye(3), atol=1e-9)
    assert fitted.model == model


def test_any_function_is_an_aligner():
    slices, truth = small_stack(6)

    def oracle(fixed, moving, *, rng):
        i, j = (next(z for z in range(6) if np.array_equal(slices[z], image)) for image in (fixed, moving))
        return (truth.matrices[j] @ np.linalg.inv(truth.matrices[i]))[None]

    assert register.score(register.fit(slices, options=register.Options(aligner=oracle)), truth)["pair_px"] < 0.1


def test_what_cannot_be_done_is_told():
    slices, _ = small_stack(4)
    with pytest.raises(ValueError, match="at least two slices"):
        register.fit(slices[:1])
    with pytest.raises(ValueError, match="resemble each other, got none"):
        register.fit(slices, options=register.Options(aligner=lambda fixed, moving, *, rng: np.zeros((0, 3, 3))))

    def refuses(fixed, moving, *, rng):
        raise ValueError("expected more light")

    with pytest.raises(ValueError, match=r"^chunk 0: slice 1 to slice 0: expected more light"):
        register.fit(slices, options=register.Options(aligner=refuses))
    with pytest.raises(ValueError, match="count from 0"):
        register.fit(slices, options=register.Options(reference=4))
    for wrong in ({"model": "bspline"}, {"aligner": "surf"}, {"runs": 0}, {"canvas": "huge"}, {"anchors": {0: np.eye(2)}}):
        with pytest.raises(ValueError, match="expected"):
            register.Options(**wrong)


def test_score_knows_truth_from_error_and_does_not_mind_where_the_stack_lies():
    truth = Transforms(jitter(8), (256, 256))
    elsewhere = replace(truth, matrices=truth.matrices @ jitter(1, seed=3)[0])
    assert register.score(elsewhere, truth, shape=(256, 256))["worst_pair_px"] < 1e-9
    off = truth.matrices.copy()
    off[5:, 0, 2] += 2
    scores = register.score(replace(truth, matrices=off), truth)
    assert scores["drift_px"] == pytest.approx(2)
    assert scores["pair_px"] == pytest.approx(2 / 7, rel=0.05)
    with pytest.raises(ValueError, match="two stacks"):
        register.score(truth, Transforms(jitter(5), (256, 256)))
