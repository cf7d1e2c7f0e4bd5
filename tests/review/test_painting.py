"""An edit of one ROI changes that object in that slice, and nothing else; none changes nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from roifile import ROI_TYPE, ImagejRoi

from fibsem_ij.arrays.outlines import fill
from fibsem_ij.files import rois
from fibsem_ij.review.painting import repainted

SLICES = arrays.arrays(np.uint16, arrays.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=12), elements=st.integers(0, 5))


def drawn_of(labels: np.ndarray) -> list[tuple[int, Any]]:
    found = rois.to_rois(labels)
    return list(zip(rois.ids(found), found, strict=True))


def oval(top: int, left: int, height: int, width: int) -> Any:
    return ImagejRoi(roitype=ROI_TYPE.OVAL, top=top, left=left, bottom=top + height, right=left + width, position=1)


@settings(deadline=None, max_examples=80)
@given(SLICES)
def test_nothing_edited_is_nothing_changed(labels: np.ndarray) -> None:
    assert repainted(labels, drawn_of(labels)) is labels
    again = rois.from_bytes(rois.to_bytes(rois.to_rois(labels)))
    assert repainted(labels, list(zip(rois.ids(again), again, strict=True))) is labels


@settings(deadline=None, max_examples=120)
@given(SLICES, st.data())
def test_one_roi_moved_or_redrawn_changes_that_object_alone(labels: np.ndarray, data: Any) -> None:
    drawn = drawn_of(labels)
    if not drawn:
        return
    k = data.draw(st.integers(0, len(drawn) - 1))
    number, _ = drawn[k]
    size = st.integers(1, 12)
    new = oval(data.draw(st.integers(-3, 12)), data.draw(st.integers(-3, 12)), data.draw(size), data.draw(size))
    got = repainted(labels, [*drawn[:k], (number, new), *drawn[k + 1:]])
    box, mask = rois.covered(new, labels.shape)
    wanted = np.where(labels == number, 0, labels)
    wanted[box][mask] = number  # on top of what lay there
    np.testing.assert_array_equal(got, wanted)
    changed = got != labels
    assert ((labels[changed] == number) | (got[changed] == number)).all()


@settings(deadline=None, max_examples=60)
@given(SLICES, st.data())
def test_a_roi_taken_out_or_added(labels: np.ndarray, data: Any) -> None:
    drawn = drawn_of(labels)
    if drawn:
        k = data.draw(st.integers(0, len(drawn) - 1))
        np.testing.assert_array_equal(repainted(labels, drawn[:k] + drawn[k + 1:]), np.where(labels == drawn[k][0], 0, labels))
    new = oval(0, 0, 4, 5)
    got = repainted(labels, [*drawn, (99, new)])
    assert (got == 99).sum() == rois.covered(new, labels.shape)[1].sum()
    np.testing.assert_array_equal(got[got != 99], labels[got != 99])


def test_an_object_in_two_rois_is_their_union_and_pieces_may_overlap() -> None:
    labels = np.zeros((20, 20), np.uint16)
    labels[2:6, 2:6] = labels[10:14, 2:6] = 4
    upper = np.arange(20)[:, None] < 8
    both = [(4, rois.to_rois(np.where(here, labels, 0))[0]) for here in (upper, ~upper)]
    assert repainted(labels, both) is labels
    assert repainted(labels, [*both, both[0]]) is labels  # the same piece twice
    assert (repainted(labels, both[:1]) == 4).sum() == 16


def test_an_object_grown_over_a_later_one_is_not_hidden_by_it() -> None:
    """NB: filled in order, the later untouched ROI would hide what was drawn over it."""
    labels = np.zeros((12, 12), np.uint16)
    labels[2:8, 1:5], labels[2:8, 5:9] = 1, 2
    wide = ImagejRoi(roitype=ROI_TYPE.RECT, top=2, left=1, bottom=8, right=7, position=1)
    got = repainted(labels, [(1, wide), drawn_of(labels)[1]])
    assert (got[2:8, 1:7] == 1).all()
    assert (got[2:8, 7:9] == 2).all()


@settings(deadline=None, max_examples=80)
@given(arrays.arrays(np.bool_, (9, 11)), st.integers(-4, 4), st.integers(-4, 4))
def test_covered_is_what_filling_the_whole_slice_gives(mask: np.ndarray, dy: int, dx: int) -> None:
    if not mask.any():
        return
    roi = rois.to_rois(mask.astype(np.uint8))[0]
    moved = rois.moved([roi], lambda _, points: points + np.array([dx, dy]), depth=1)[0]
    box, inside = rois.covered(moved, (9, 11))
    whole = np.zeros((9, 11), bool)
    whole[box] = inside
    from fibsem_ij.arrays.outlines import Outline

    np.testing.assert_array_equal(whole, fill([Outline(1, rois.outline_of(moved))], (9, 11), np.uint8) > 0)


def test_points_of() -> None:
    roi = ImagejRoi.frompoints([[1.5, 2], [30, 4.25]])
    roi.roitype = ROI_TYPE.POINT
    assert rois.points_of(roi) == [[1.5, 2], [30, 4.25]]
    with pytest.raises(ValueError, match="expected points, got an area"):
        rois.points_of(oval(0, 0, 3, 3))
