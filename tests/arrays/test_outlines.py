import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from fibsem_ij.arrays import outlines as module
from fibsem_ij.arrays.outlines import Outline, fill, outlines

few_labels = arrays(np.uint32, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 4))


@given(few_labels)
@settings(deadline=None, max_examples=300)
def test_filling_the_outlines_gives_the_labels_back(labels):
    found = outlines(labels)
    assert [o.label for o in found] == [v for v in np.unique(labels) if v]
    np.testing.assert_array_equal(fill(found, labels.shape), labels)


@given(few_labels)
@settings(deadline=None, max_examples=100)
def test_rings_turn_at_every_corner_and_close(labels):
    for ring in (ring for o in outlines(labels) for ring in o.rings):
        sides = np.roll(ring, -1, 0) - ring
        assert ring.dtype == np.int32
        assert len(ring) >= 4
        assert ((sides != 0).sum(1) == 1).all()
        assert ((sides[:, 0] != 0) != (np.roll(sides, 1, 0)[:, 0] != 0)).all()


def test_one_pixel_is_a_square():
    labels = np.zeros((3, 4), np.uint8)
    labels[1, 2] = 9
    (outline,) = outlines(labels)
    (ring,) = outline.rings
    assert outline.label == 9
    assert ring.tolist() == [[2, 1], [3, 1], [3, 2], [2, 2]]


def test_diagonal_pixels_share_a_ring_and_holes_have_their_own():
    assert [len(o.rings) for o in outlines(np.eye(5, dtype=np.uint8))] == [1]
    island = np.pad(np.pad(np.ones((1, 1), np.uint8), 1), 1, constant_values=1)
    assert [len(o.rings) for o in outlines(island)] == [3]
    assert [len(o.rings) for o in outlines(1 - np.eye(3, dtype=np.uint8)[::-1])] == [2]


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int16, np.uint32, np.int64, np.uint64])
def test_every_label_type_keeps_its_largest_number(dtype):
    top = 1 if dtype is np.bool_ else np.iinfo(dtype).max
    labels = np.array([[0, top], [top, top]], dtype)
    np.testing.assert_array_equal(fill(outlines(labels), labels.shape, np.uint64), labels.astype(np.uint64))


def test_an_empty_slice_has_no_outline():
    assert outlines(np.zeros((5, 5), np.uint8)) == []
    assert not fill([], (5, 5)).any()


def test_labels_below_zero_and_other_arrays_are_refused():
    for wrong in (np.array([[-1, 0]]), np.zeros((2, 2)), np.zeros((2, 2, 2), np.uint8)):
        with pytest.raises(ValueError, match="expected"):
            outlines(wrong)
    with pytest.raises(ValueError, match="fit uint8, got 300"):
        fill([Outline(300, ())], (2, 2), np.uint8)
    with pytest.raises(ValueError, match="finite"):
        fill([Outline(1, (np.array([[0, 0], [np.nan, 1], [2, 2]]),))], (2, 2))


def inside(ring, shape):
    """Even-odd, pixel centre by pixel centre, one vertex at a time: slow and plain. Ties go as `fill` says."""
    x, y = np.meshgrid(np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5)
    odd = np.zeros(shape, bool)
    for (x1, y1), (x2, y2) in zip(ring, np.roll(ring, -1, 0), strict=True):
        crossed = (y1 < y) != (y2 < y)
        with np.errstate(divide="ignore", invalid="ignore"):
            odd ^= crossed & (x1 + (y - y1) * (x2 - x1) / (y2 - y1) + 1e-8 < x)
    return odd


# Quarters make vertices on centres, on corners and between: every tie there is.
polygons = arrays(np.float64, st.tuples(st.integers(3, 12), st.just(2)), elements=st.integers(-12, 60).map(lambda v: v / 4))


@given(polygons)
@settings(deadline=None, max_examples=300)
def test_a_drawn_polygon_covers_the_pixels_whose_centres_it_holds(ring):
    np.testing.assert_array_equal(fill([Outline(1, (ring,))], (11, 13)).astype(bool), inside(ring, (11, 13)))


def test_the_later_outline_wins():
    square = np.array([[0, 0], [2, 0], [2, 2], [0, 2]])
    painted = fill([Outline(5, (square,)), Outline(3, (square + 1,))], (3, 3))
    assert painted.tolist() == [[5, 5, 0], [5, 3, 3], [0, 3, 3]]


def test_far_outside_is_cut_off():
    huge = np.array([[-1e30, -1e30], [1e30, -1e30], [1e30, 1e30], [-1e30, 1e30]])
    assert (fill([Outline(1, (huge,))], (4, 4)) == 1).all()
    assert not fill([Outline(1, (huge + np.array([4e30, 0]),))], (4, 4)).any()


def test_steps_of_bounded_memory_change_nothing(monkeypatch):
    labels = np.random.default_rng(1).integers(0, 5, (60, 70)).astype(np.uint32)
    monkeypatch.setattr(module, "_AT_ONCE", 100)
    np.testing.assert_array_equal(fill(outlines(labels), labels.shape), labels)


def test_seventy_thousand_labels():
    labels = np.arange(1, 70_001, dtype=np.uint32).reshape(280, 250).repeat(3, 0).repeat(2, 1)
    found = outlines(labels)
    assert len(found) == 70_000
    np.testing.assert_array_equal(fill(found, labels.shape), labels)
