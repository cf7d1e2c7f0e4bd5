from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.metrics import variation_of_information as theirs

from fibsem_ij.arrays.partitions import recall, tracks, variation_of_information
from fibsem_ij.arrays.scores import overlaps

stacks = arrays(np.uint32, (3, 4, 5), elements=st.integers(0, 3))


@given(stacks, stacks.filter(lambda truth: truth.any()))
@settings(deadline=None, max_examples=80)
def test_variation_of_information_is_that_of_scikit_image_within_objects(result, truth):
    inside = truth > 0
    ours = variation_of_information(overlaps(result, truth))
    assert ours == pytest.approx(tuple(theirs(truth[inside], result[inside])), abs=1e-9)


def test_splits_and_merges_are_told_apart_and_background_is_refused():
    whole, cut = np.ones((1, 2, 4), int), np.array([[[1, 1, 2, 2]] * 2])
    assert variation_of_information(overlaps(cut, whole)) == pytest.approx((1, 0))
    assert variation_of_information(overlaps(whole, cut)) == pytest.approx((0, 1))
    with pytest.raises(ValueError, match="background only"):
        variation_of_information(overlaps(whole, whole * 0))


def test_recall_counts_objects_that_are_mostly_there():
    truth = np.array([[[5, 5, 5, 5, 0, 8, 8, 9]]])
    result = np.array([[[1, 1, 1, 2, 2, 2, 0, 0]]])
    assert recall(overlaps(result, truth)) == pytest.approx(1 / 3)
    assert recall(overlaps(result, truth), least=0.3) == pytest.approx(2 / 3)


def test_switches_and_breaks_are_counted_from_slice_to_slice():
    truth = np.full((6, 1, 3), 4)
    result = np.stack([np.full((1, 3), n) for n in (7, 7, 9, 0, 9, 7)])
    assert tracks(result, truth) == {"ids_switched": 2, "tracks_broken": 1}
    assert tracks(truth * 3, truth) == {"ids_switched": 0, "tracks_broken": 0}
