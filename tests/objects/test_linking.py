from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fibsem_ij.arrays.scores import adapted_rand, overlaps
from fibsem_ij.objects.components import Options as Hanging
from fibsem_ij.objects.components import components
from fibsem_ij.objects.linking import Options, link


def tubes(seed: int, *, depth: int = 40, side: int = 96, count: int = 9) -> np.ndarray:
    """Wandering tubes that keep apart, with their numbers; no slice is closed."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((depth, side, side), np.uint16)
    y, x = np.mgrid[:side, :side]
    middle = (np.stack(np.divmod(np.arange(count), 3), 1) + 0.5) * side / 3
    for z in range(depth):
        middle = middle + rng.normal(0, 0.7, middle.shape)
        far = np.stack([np.hypot(y - cy, x - cx) - r for (cy, cx), r in zip(middle, np.linspace(10, 14.5, count), strict=True)])
        labels[z] = np.where(far.min(0) + rng.normal(0, 0.2, (side, side)) < 0, far.argmin(0) + 1, 0)
        touching = (cv2.dilate(labels[z], np.ones((3, 3))) != labels[z]) & (labels[z] > 0) & (np.sort(far, 0)[1] < 2)
        labels[z][touching] = 0
    return labels


def same_objects(a: np.ndarray, b: np.ndarray) -> bool:
    table = overlaps(a, b)
    return len(np.unique(table.result)) == len(table.result) == len(np.unique(table.truth)) and np.array_equal(a == 0, b == 0)


def closed(mask: np.ndarray) -> np.ndarray:
    disc = np.array([[abs(x) + abs(y) <= 2 for x in range(-2, 3)] for y in range(-2, 3)], np.uint8)
    return np.stack([cv2.morphologyEx(s, cv2.MORPH_CLOSE, disc) for s in mask.astype(np.uint8)])


def test_a_fine_mask_is_linked_as_its_components_and_a_closed_one_better():
    truth = tubes(0)
    parts = components(truth > 0, options=Hanging(connectivity=6))
    assert same_objects(link(truth > 0), parts)
    merged = closed(truth > 0)
    ours, theirs = (adapted_rand(overlaps(x, truth))[0] for x in (link(merged), components(merged)))
    assert theirs > 0.1
    assert ours < 0.6 * theirs


@given(st.integers(0, 100), st.booleans())
@settings(deadline=None, max_examples=6)
def test_the_objects_are_the_same_backwards_and_with_any_number_of_workers(seed, ids):
    truth = tubes(seed, depth=12)
    mask = closed(truth > 0)
    drawn = {z: truth[z] for z in (3, 9)} if ids else {}
    forward = link(mask, drawn=drawn)
    backward = link(mask[::-1], drawn={11 - z: s for z, s in drawn.items()})[::-1]
    assert (forward == backward)[mask > 0].mean() > 0.95 if ids else same_objects(forward, backward)
    with ThreadPoolExecutor(3) as pool:
        np.testing.assert_array_equal(link(mask, drawn=drawn, executor=pool), forward)


def test_drawn_ids_are_kept_where_masks_merge_and_strangers_get_new_ones():
    truth = tubes(2) * 7
    truth[4:9, :18, :18] = 0
    truth[5:8, 3:9, 3:9] = 500  # no drawn slice meets it
    drawn = {z: truth[z] for z in (0, 16, 32)}
    for mask in (truth > 0, closed(truth > 0)):
        found = link(mask, drawn=drawn)
        for z in drawn:
            np.testing.assert_array_equal(found[z], truth[z])
        met = np.isin(truth, truth[::16]) & (truth > 0)
        assert (found[met] == truth[met]).mean() > 0.98
        own = found[truth == 500]
        assert own[0] > 63
        assert (own == own[0]).all()
        assert (truth[found == own[0]] % 500 == 0).all()


def test_numbered_regions_are_linked_by_overlap():
    truth = tubes(3, depth=10)
    rng = np.random.default_rng(0)
    shuffled = np.stack([np.append(0, rng.permutation(50)[:9] + 1)[s] for s in truth])
    assert same_objects(link(shuffled, options=Options(numbered=True)), truth)


def test_an_empty_stack_and_wrong_slices():
    assert not link(np.zeros((3, 8, 8), bool)).any()
    with pytest.raises(ValueError, match="drawn slices"):
        link(np.zeros((3, 8, 8), bool), drawn={3: np.zeros((8, 8))})
    with pytest.raises(ValueError, match="shares"):
        Options(overlap=2)
