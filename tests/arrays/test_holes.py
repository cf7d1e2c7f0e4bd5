"""Holes: filled as by labelling the background of the whole stack, and counted by the same pieces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.ndimage import binary_dilation, generate_binary_structure, label

from fibsem_ij.arrays.holes import Background, filled, pieces
from fibsem_ij.arrays.slabs import Slabs

stacks = arrays(np.uint16, array_shapes(min_dims=3, max_dims=3, max_side=7), elements=st.sampled_from([0, 0, 3, 3, 3, 900]))


def by_hand(classes: Any, connectivity: int) -> Any:
    out, faces = classes.copy(), generate_binary_structure(3, 1)
    found, count = label(classes == 0, generate_binary_structure(3, 3) if connectivity == 6 else faces)
    for number in range(1, count + 1):
        piece = found == number
        around = np.unique(classes[binary_dilation(piece, faces) & ~piece & (classes > 0)])
        if len(around) == 1 and piece[1:-1, 1:-1, 1:-1].sum() == piece.sum():
            out[piece] = around[0]
    return out


@settings(deadline=None, max_examples=100)
@given(stacks, st.sampled_from([6, 26]), st.sampled_from([None, 1, 2]))
def test_holes_are_those_of_a_whole_stack(classes: Any, connectivity: int, height: int | None) -> None:
    slabs, expected = Slabs.of(classes.shape, height), by_hand(classes, connectivity)
    fill = filled(lambda i: classes[slabs.seen(i)], slabs, connectivity=connectivity, shape=classes.shape)
    for i in range(len(slabs)):
        np.testing.assert_array_equal(fill(i), expected[slabs.seen(i)])
    background = Background(connectivity=connectivity)
    for z, pixels in enumerate(classes):
        background.add(pieces(pixels, connectivity=connectivity, border=z in (0, len(classes) - 1)))
    _, around, voxels = background.surrounded()
    for number in (3, 900):
        assert voxels[around == number].sum() == (expected == number).sum() - (classes == number).sum()


@pytest.mark.parametrize("dtype", [bool, np.uint8, ">u2", np.int64])
def test_every_type_and_a_hole_of_many_pieces(dtype: Any) -> None:
    """A comb: each slice has many pieces of background, which are one."""
    classes = np.ones((5, 9, 200), dtype)
    classes[2, 4, 1:-1], classes[1, 2:7, 1:-1:2] = 0, 0
    fill = filled(lambda i: classes, Slabs.of(classes.shape, 5), connectivity=26, shape=classes.shape)
    assert (fill(0) == 1).all()
    classes[2, 4, -1] = 0
    assert (filled(lambda i: classes, Slabs.of(classes.shape, 5), connectivity=26, shape=classes.shape)(0) == classes).all()
