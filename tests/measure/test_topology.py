"""Euler numbers and holes: of solids, against scikit-image, and of objects that touch and lie in each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import solids
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.ndimage import binary_fill_holes
from skimage.measure import euler_number

from fibsem_ij.measure import topology
from fibsem_ij.measure.columns import Table, Voxel
from fibsem_ij.measure.objects import Objects

stacks = arrays(np.uint8, array_shapes(min_dims=3, max_dims=3, max_side=6), elements=st.sampled_from([0, 0, 1, 2, 7]))


def measured(labels: Any, voxel_nm: Voxel = None, height: int | None = None) -> Table:
    return topology.topology(labels, Objects.of(labels), voxel_nm=voxel_nm, height=height)


@settings(deadline=None)
@given(stacks)
def test_euler_numbers_are_those_of_scikit_image(labels: Any) -> None:
    ids = Objects.of(labels).ids
    assert measured(labels)["euler"].tolist() == [euler_number(np.pad(labels == number, 1), connectivity=3) for number in ids]


@settings(deadline=None)
@given(stacks)
def test_what_one_object_alone_surrounds_is_filled(labels: Any) -> None:
    only = (labels > 0).astype(np.uint8)
    found = measured(only)["filled_volume"]
    assert found.tolist() == [binary_fill_holes(only).sum()] * len(found)
    assert (measured(labels)["filled_volume"] >= Objects.of(labels).voxels).all()


@pytest.mark.parametrize("voxel_nm", [(1, 1, 1), (2, 1, 1)], ids=str)
@pytest.mark.parametrize(("solid", "euler"), [(solids.ball(8), 1), (solids.box(9, 12, 15), 1), (solids.torus(14, 5), 0),
                                              (solids.shell(14, 8), 2)])
def test_euler_numbers_of_solids(solid: Any, euler: int, voxel_nm: Any) -> None:
    assert measured(solids.drawn(solid, voxel_nm=voxel_nm, turn=solids.turned(2)))["euler"].tolist() == [euler]


@pytest.mark.parametrize("height", [None, 1, 2, 5, 99])
def test_a_shell_is_filled_and_its_fenestration_known(height: int | None) -> None:
    labels = solids.drawn(solids.shell(15, 9), voxel_nm=(1, 2, 1))
    found = measured(labels, (1, 2, 1), height)
    assert found["filled_volume"][0] == pytest.approx(4 / 3 * np.pi * 15**3, rel=0.02)
    assert found["fenestrated_percent"][0] == pytest.approx(100 * (9 / 15)**3, rel=0.02)


def test_a_hole_has_one_object_around_it_and_nothing_in_it() -> None:
    labels = np.full((9, 9, 36), 1, np.uint8)
    labels[:, :, 9:18], labels[:, :, 27:] = 2, 4
    labels[4, 4, 4] = 0  # a hole in 1
    labels[4, 4, 8:10] = 0  # between 1 and 2
    labels[0, 4, 13] = 0  # open at the border of the stack
    labels[3:6, 3:6, 21:24] = 9  # an object in 1
    labels[4, 4, 22] = 0  # a hole in that
    labels[4, 2:7, 31] = 0  # a tunnel's length of a hole in 4
    voxels, filled = Objects.of(labels).voxels, measured(labels)["filled_volume"]
    assert (filled - voxels).tolist() == [1, 0, 5, 1]
    assert measured(labels)["euler"].tolist() == [2 + 2, 1, 2, 2]
