"""The longest path of filaments of known length, also on a coarser grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.spatial import KDTree

from fibsem_ij.measure import skeleton
from fibsem_ij.measure.columns import Table, Voxel
from fibsem_ij.measure.objects import Objects

ANGLE = np.linspace(0, np.pi, 400)
LINES = {"straight": np.array((12, 10, 10)) + np.linspace(0, 1, 400)[:, None] * (25, 30, 60),
         "arc": np.stack([30 + 0 * ANGLE, 15 + 35 * np.sin(ANGLE), 45 + 33 * np.cos(ANGLE)], 1),
         "helix": np.stack([30 + 16 * np.sin(4 * ANGLE), 30 + 16 * np.cos(4 * ANGLE), 10 + 70 * ANGLE / np.pi], 1)}


def tube(line: Any, radius: float, voxel_nm: Any) -> Any:
    """What lies within `radius` of a line: longer than it by a radius at both ends."""
    shape = (np.array((60, 60, 90)) / voxel_nm).astype(int)
    points = np.argwhere(np.ones(shape, bool)) * voxel_nm
    return (KDTree(line).query(points, distance_upper_bound=radius)[0] <= radius).reshape(shape).astype(np.uint8)


def measured(labels: Any, voxel_nm: Voxel = None, crop_voxels: int = 2**27) -> Table:
    return skeleton.skeleton(labels, Objects.of(labels), voxel_nm=voxel_nm, crop_voxels=crop_voxels)


@pytest.mark.parametrize("voxel_nm", [(1, 1, 1), (2, 1, 1), (1, 1, 3)], ids=str)
@pytest.mark.parametrize("radius", [2.5, 5])
@pytest.mark.parametrize("name", LINES)
def test_a_filament_is_as_long_as_it_is(name: str, radius: float, voxel_nm: Any) -> None:
    length = np.linalg.norm(np.diff(LINES[name], axis=0), axis=1).sum() + 2 * radius
    found = measured(tube(LINES[name], radius, voxel_nm), voxel_nm)
    assert found["longest_path"][0] == pytest.approx(length, rel=0.03)
    assert found["skeleton_step"].tolist() == [1]


def test_an_object_too_large_is_measured_coarser_and_says_so() -> None:
    labels = tube(LINES["arc"], 5, (1, 1, 1))
    whole, coarse = measured(labels, (4, 4, 4)), measured(labels, (4, 4, 4), crop_voxels=2**14)
    assert coarse["skeleton_step"].tolist() == [2]
    assert coarse["longest_path"][0] == pytest.approx(whole["longest_path"][0], rel=0.05)


def test_the_longest_way_not_the_sum_of_all() -> None:
    """A cross, a piece apart, and another object that touches."""
    labels = np.zeros((9, 60, 60), np.uint8)
    labels[3:6, 28:31, 5:55], labels[3:6, 20:40, 28:31] = 1, 1
    labels[3:6, 50:53, 5:20] = 1
    labels[3:6, 31:34, 31:55] = 2
    assert measured(labels)["longest_path"].tolist() == pytest.approx([50, 24], abs=2)


def test_odd_objects() -> None:
    labels = np.zeros((8, 9, 10), np.uint8)
    labels[0, 0, 0], labels[7, 8, :2], labels[2, 3], labels[4:7] = 1, 2, 3, 4
    found = measured(labels)["longest_path"]
    assert np.isnan(found[0])
    assert found[1:3] == pytest.approx([2, 10], abs=0.5)
    assert found[3] > 0


def test_many_objects_wait_their_turn_and_keep_their_order() -> None:
    """No more in memory than four of them have voxels together."""
    labels, lengths = np.zeros((4, 40, 300), np.uint16), np.random.default_rng(0).integers(30, 250, 40)
    for y, length in enumerate(lengths):
        labels[1:3, y, 5:5 + length] = y + 1
    found = measured(labels, crop_voxels=4096)
    assert found["longest_path"] == pytest.approx(lengths, abs=1.5)
    assert (found["skeleton_step"] == 1).all()


@pytest.mark.parametrize("across", [(2, 1), (2, 2), (4, 4), (4, 1), (6, 3), (3, 3)], ids=str)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_straight_bar_is_as_long_as_it_is_however_thick(across: tuple[int, int], axis: int) -> None:
    labels = np.zeros((80, 12, 12), np.uint8)
    labels[5:65, 2:2 + across[0], 2:2 + across[1]] = 1
    assert measured(np.moveaxis(labels, 0, axis))["longest_path"][0] == pytest.approx(60, abs=1.5)
