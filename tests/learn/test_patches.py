from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fibsem_ij.learn.augment import Augment, blurred, noisy, turned, warp
from fibsem_ij.learn.patches import Patches, Rule

STILL = Augment(turns=False)
SRC = np.arange(7 * 40 * 50, dtype=np.float32).reshape(7, 40, 50)  # a value says where it is from


class Watched:
    """A stack on disk that remembers what was read of it."""

    def __init__(self, data):
        self.data, self.shape, self.dtype, self.read = data, data.shape, data.dtype, []

    def __getitem__(self, key):
        self.read.append(key)
        return self.data[key]


def labels(rng, *, classes=3):
    """Background but for small squares."""
    stack = np.zeros(SRC.shape, np.uint8)
    for z in range(len(stack)):
        for number in range(1, classes + 1):
            y, x = rng.integers(0, (36, 46))
            stack[z, y:y + 4, x:x + 4] = number
    return stack


def test_a_patch_is_a_window_of_the_stack_with_its_neighbours():
    image, truth = Patches(SRC, SRC * 2, size=16, neighbours=1, slices=[3], augment=STILL).draw(np.random.default_rng(1))
    z, y, x = np.unravel_index(int(image[1, 0, 0]), SRC.shape)
    assert z == 3
    np.testing.assert_array_equal(image, SRC[2:5, y:y + 16, x:x + 16])
    np.testing.assert_array_equal(truth, 2 * SRC[3:4, y:y + 16, x:x + 16])


def test_beyond_the_ends_the_last_slice_is_repeated():
    image, _ = Patches(SRC, size=8, neighbours=2, slices=[6], augment=STILL).draw(np.random.default_rng(1))
    assert [int(plane[0, 0]) // 2000 for plane in image] == [4, 5, 6, 6, 6]


@given(st.integers(0, 2**32), st.sampled_from([0, 1]), st.booleans())
def test_whatever_happens_to_the_input_happens_to_the_truth(seed, neighbours, grey):
    numbers = (SRC // 100).astype(np.int32)
    patches = Patches(SRC, SRC if grey else numbers, size=16, neighbours=neighbours, labels=not grey)
    image, truth = patches.draw(np.random.default_rng(seed))
    middle = image[neighbours]
    np.testing.assert_array_equal(truth if not grey else truth[0], middle if grey else middle // 100)


@given(st.integers(0, 7))
def test_the_eight_turns_are_exact_and_differ(turn):
    square = np.arange(9).reshape(1, 3, 3)
    assert sorted(turned(square, turn).ravel()) == list(range(9))
    assert sum(np.array_equal(turned(square, turn), turned(square, other)) for other in range(8)) == 1
    assert any(np.array_equal(turned(turned(square, turn), other), square) for other in range(8))


def test_all_turns_and_all_places_come_up():
    patches, rng = Patches(SRC[:1], size=39), np.random.default_rng(0)
    drawn = {patches.draw(rng)[0].tobytes() for _ in range(1500)}
    assert len(drawn) == 8 * 2 * 12


def test_a_stack_too_large_for_memory_is_read_window_by_window_and_gives_the_same():
    watched = Watched(SRC)
    options = {"size": 16, "neighbours": 1, "slices": [2, 5], "augment": Augment(zoom=0.2)}
    streamed, held = Patches(watched, memory=0, **options), Patches(SRC, **options)
    watched.read.clear()
    for seed in range(5):
        np.testing.assert_array_equal(streamed.draw(np.random.default_rng(seed))[0], held.draw(np.random.default_rng(seed))[0])
    assert {z for z, _, _ in watched.read} <= {1, 2, 3, 4, 5, 6}
    assert max(rows.stop - rows.start for _, rows, _ in watched.read) <= 19


def test_only_the_slices_in_use_and_their_neighbours_are_read():
    watched = Watched(SRC)
    Patches(watched, size=16, neighbours=1, slices=[5]).batch(np.random.default_rng(0), 4)
    assert set(watched.read) == {4, 5, 6}


def test_a_slice_smaller_than_the_patch_is_mirrored_at_its_edges():
    image, truth = Patches(SRC, SRC, size=64, augment=STILL).draw(np.random.default_rng(0))
    np.testing.assert_array_equal(image[0, 12:52, 7:57] % 2000, SRC[0])
    np.testing.assert_array_equal(image[0, 11], image[0, 12])
    np.testing.assert_array_equal(image, truth)


def test_more_channels_follow_the_slices_and_are_turned_alike():
    image, _ = Patches(SRC, size=16, neighbours=1, also=[SRC + 0.5]).draw(np.random.default_rng(4))
    assert image.shape == (4, 16, 16)
    np.testing.assert_array_equal(image[3], image[1] + 0.5)


def test_drawn_slices_may_be_a_dict():
    rng = np.random.default_rng(0)
    drawn = {2: labels(rng)[2], 5: labels(rng)[5]}
    x, truth = Patches(SRC, drawn, slices=drawn, size=16, labels=True, rules=[Rule(1.0)]).batch(rng, 6)
    assert (x.shape, truth.shape) == ((6, 1, 16, 16), (6, 16, 16))
    assert (x.dtype, truth.dtype) == (torch.float32, torch.int64)
    assert set((x.amin((1, 2, 3)) // 2000).tolist()) <= {2, 5}


def test_the_scale_is_of_grey_values_only():
    rng = np.random.default_rng(0)
    halved = {"size": 16, "scale": lambda grey: (grey / 2000).astype(np.float32)}
    assert Patches(SRC, SRC, **halved).draw(rng)[1].max() < 7
    assert set(np.unique(Patches(SRC, labels(rng), labels=True, **halved).draw(rng)[1])) <= {0, 1, 2, 3}


@pytest.mark.parametrize(("rules", "least"), [
    ((Rule(0.8),), {(): 16}), ((Rule(0.8, 10, (2,)),), {(2,): 16}), ((Rule(0.4, 1, (1,)), Rule(0.6, 5, (2, 3))), {(1,): 8, (2, 3): 12})])
def test_rules_hold_in_every_batch(rules, least):
    rng = np.random.default_rng(2)
    patches = Patches(SRC, labels(rng), size=10, labels=True, rules=rules)
    for _ in range(5):
        _, truth = patches.batch(rng, 20)
        for classes, count in least.items():
            pixels = next(rule.pixels for rule in rules if rule.classes == classes)
            held = np.isin(truth, classes or (1, 2, 3)).sum((1, 2)) >= pixels
            assert held.sum() >= count


def test_a_share_that_does_not_divide_the_batch_holds_on_average():
    rng = np.random.default_rng(2)
    truth = np.zeros(SRC.shape, np.uint8)
    truth[:, 0, 0] = 1
    patches = Patches(SRC, truth, size=4, labels=True, rules=[Rule(0.8)])
    held = [int(patches.batch(rng, 4)[1].amax((1, 2)).sum()) for _ in range(400)]
    assert set(held) == {3, 4}
    assert np.mean(held) == pytest.approx(3.2, abs=0.06)


def test_ignored_values_are_no_class_and_come_through():
    truth = np.full(SRC.shape, 255, np.uint8)
    with pytest.raises(ValueError, match="numbers over 0 in the drawn slices, got none"):
        Patches(SRC, truth, labels=True, ignore=(255,), rules=[Rule(0.5)])
    assert (Patches(SRC, truth, labels=True, ignore=(255,), size=8).draw(np.random.default_rng(0))[1] == 255).all()


def test_large_context_shows_more_made_smaller():
    ramp = np.broadcast_to(np.arange(64, dtype=np.float32), (1, 64, 64))
    image, truth = Patches(ramp, ramp.astype(np.uint8) // 16, size=16, context=4, labels=True, augment=STILL).draw(np.random.default_rng(0))
    np.testing.assert_allclose(image[0, 0], np.arange(16) * 4 + 1.5)
    np.testing.assert_array_equal(truth[0], np.arange(16) // 4)


def test_zoom_keeps_input_and_truth_together():
    rng = np.random.default_rng(0)
    ramp = np.broadcast_to(np.arange(200, dtype=np.float32), (1, 200, 200))
    patches = Patches(ramp, ramp.astype(np.uint8), size=64, labels=True, augment=Augment(turns=False, zoom=0.3))
    steps = []
    for _ in range(50):
        image, truth = patches.draw(rng)
        assert np.abs(image[0] - truth)[:, 2:-2].max() <= 1
        steps.append(np.diff(image[0, 32]).mean())
    assert min(steps) < 0.8 < 1.2 < max(steps)


def moved(augment, seed):
    """Where in its window each pixel of a patch is from, both about their middle: (2, y, x)."""
    bend = warp(96, augment, np.random.default_rng(seed))
    places = np.mgrid[:96 + 2 * bend.margin, :96 + 2 * bend.margin].astype(np.float32)
    return bend(places) - 47.5 - bend.margin


def test_a_tilt_turns_the_patch_as_a_whole_by_any_angle():
    angles = []
    for seed in range(20):
        from_ = moved(Augment(tilt=1), seed)
        across, down = (from_[:, 0, 95] - from_[:, 0, 0]) / 95, (from_[:, 95, 0] - from_[:, 0, 0]) / 95
        np.testing.assert_allclose([across @ across, down @ down, across @ down], [1, 1, 0], atol=0.01)
        np.testing.assert_allclose(from_.mean((1, 2)), 0, atol=0.05)
        angles.append(np.degrees(np.arctan2(across[0], across[1])))
    assert min(angles) < -30 < 30 < max(angles)


def test_a_bend_moves_places_smoothly_and_as_far_as_asked():
    far = np.stack([moved(Augment(bend_px=3), seed) - np.mgrid[:96, :96] + 47.5 for seed in range(40)])
    assert 2 < far.std() < 4
    assert np.abs(np.diff(far, axis=3)).max() < 0.7


def test_tilt_and_bend_keep_input_and_truth_together():
    ramp = np.arange(200, dtype=np.float32) + np.zeros((1, 200, 1), np.float32)
    patches = Patches(ramp, (ramp * 4).astype(np.int32), size=48, labels=True, augment=Augment(tilt=0.5, bend_px=2, zoom=0.2))
    for seed in range(20):
        image, truth = patches.draw(np.random.default_rng(seed))
        assert np.abs(image[0] - truth / 4).max() < 1.5


def test_noise_has_the_variance_asked_for():
    image = np.stack([np.zeros((300, 300), np.float32), np.full((300, 300), 2, np.float32)])
    made = noisy(image, np.random.default_rng(0), noise=0.1, shot=0.02)
    assert made.dtype == np.float32
    np.testing.assert_allclose(made.var((1, 2)), [0.01, 0.05], rtol=0.02)
    np.testing.assert_allclose(made.mean((1, 2)), [0, 2], atol=0.003)


def test_blur_keeps_the_mean_and_does_nothing_when_none():
    image = np.random.default_rng(0).random((2, 50, 50), np.float32)
    assert blurred(image, 0) is image
    assert blurred(image, 2).var() < image.var() / 10
    np.testing.assert_allclose(blurred(image, 2).mean((1, 2)), image.mean((1, 2)), atol=0.01)


def test_brightness_and_contrast_are_shared_with_grey_truth_noise_and_blur_are_not():
    patches = Patches(SRC / 2000, SRC / 2000, size=16, augment=Augment(brightness=0.5, contrast=0.5))
    image, truth = patches.draw(np.random.default_rng(1))
    np.testing.assert_array_equal(image, truth)
    assert (image.max() - image.min()) != pytest.approx((15 * 50 + 15) / 2000, rel=1e-3)
    patches = dataclasses.replace(patches, augment=Augment(turns=False, noise=0.2, blur_px=2))
    image, truth = patches.draw(np.random.default_rng(1))
    assert np.abs(image - truth).max() > 0.01
    assert truth[0, 0, 0] in SRC / 2000


@pytest.mark.parametrize(("options", "said"), [
    ({"slices": [7]}, r"slices within 0\.\.6, got \[7\]"), ({"slices": []}, "slices within"), ({"size": 0}, "size and context"),
    ({"truth": SRC[:, :30]}, "40 x 50 pixels as the stack has"), ({"rules": [Rule(0.5)]}, "rules with labels"),
    ({"truth": np.ones(SRC.shape, np.uint8), "labels": True, "rules": [Rule(0.5, classes=(4,))]}, "expected class 4 in the drawn slices")])
def test_what_makes_no_sense_is_refused(options, said):
    with pytest.raises(ValueError, match=said):
        Patches(SRC, **options)


def test_rules_and_augmentations_that_make_no_sense_are_refused():
    for wrong in (lambda: Rule(1.5), lambda: Rule(0.5, 0), lambda: Rule(0.5, classes=(0,)), lambda: Augment(noise=-1),
                  lambda: Augment(zoom=1.0), lambda: Augment(tilt=1.5)):
        with pytest.raises(ValueError, match="expected"):
            wrong()
