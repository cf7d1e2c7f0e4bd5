from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt, generate_binary_structure, label

from fibsem_ij.objects.cells.grow import grown


def scattered(seed: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """A few labels, negative ones too, and a room full of holes."""
    rng = np.random.default_rng(seed)
    labels = np.where(rng.random(shape) < 0.05, rng.integers(-4, 6, shape), 0).astype(np.int32)
    return labels, rng.random(shape) < 0.7


@given(st.integers(0, 2**32 - 1), st.sampled_from([(9, 12), (5, 7, 6)]))
@settings(deadline=None, max_examples=40)
def test_labels_fill_all_that_hangs_together_with_them_and_nothing_else(seed, shape):
    labels, room = scattered(seed, shape)
    found = grown(labels, room)
    np.testing.assert_array_equal(found[labels != 0], labels[labels != 0])
    assert not found[~room & (labels == 0)].any()
    parts, count = label(room | (labels != 0), generate_binary_structure(labels.ndim, 1))
    for n in range(1, count + 1):
        assert (found[parts == n] != 0).all() == (labels[parts == n] != 0).any()
    axes = tuple(range(labels.ndim))
    np.testing.assert_array_equal(np.flip(grown(np.flip(labels, axes), np.flip(room, axes)), axes), found)
    turned = grown(np.flip(labels, axes), into=np.flip(room, axes))
    np.testing.assert_array_equal(np.flip(turned, axes), grown(labels, into=room))


def test_labels_meet_half_way_enter_walls_last_and_keep_to_what_they_are_allowed():
    labels = np.zeros((1, 11), np.int32)
    labels[0, 0], labels[0, 10] = 3, -2
    room = np.ones((1, 11), bool)
    np.testing.assert_array_equal(grown(labels, room)[0], [3] * 6 + [-2] * 5)  # of two at once, the larger
    inner = room.copy()
    inner[0, 1:3] = False
    np.testing.assert_array_equal(grown(labels, inner, into=room)[0], [3] * 2 + [-2] * 9)
    claims = np.where(np.arange(11) < 4, 3, -2).astype(np.int32)[None]
    np.testing.assert_array_equal(grown(labels, room, among=(claims,))[0], claims[0])


@pytest.mark.parametrize("shape", [(41, 41), (21, 21, 21)])
def test_into_a_boundary_a_finger_beside_a_wall_goes_half_way_as_euclid_has_it(shape):
    labels = np.zeros(shape, np.int32)
    labels[..., 0] = 2
    labels[tuple(n // 2 for n in shape)] = 1
    room = np.ones(shape, bool)
    near = distance_transform_edt(labels == 0, return_distances=False, return_indices=True)
    truth = labels[tuple(near)]
    wrong = {name: np.count_nonzero(found != truth) for name, found in (("faces", grown(labels, room)), ("into", grown(labels, into=room)))}
    assert wrong["into"] < 0.3 * wrong["faces"], wrong


@pytest.mark.parametrize("shape", [(4, 5), (3, 4, 5)])
def test_nothing_grows_from_nothing(shape):
    assert not grown(np.zeros(shape, np.int32), np.ones(shape, bool)).any()
