"""Sizes, places and axes of solids in closed form, and of odd objects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import solids

from fibsem_ij.measure import moments
from fibsem_ij.measure.columns import Table, Voxel
from fibsem_ij.measure.objects import Objects
from fibsem_ij.measure.sums import PAIRS, about

VOXELS = [(1, 1, 1), (2, 1, 1), (4, 1.5, 1), (1, 1, 3)]


def measured(labels: Any, voxel_nm: Voxel = None) -> Table:
    return moments.moments(labels, Objects.of(labels), voxel_nm=voxel_nm)


@pytest.mark.parametrize("voxel_nm", VOXELS)
def test_an_ellipsoid_has_its_own_axes(voxel_nm: Any) -> None:
    turn = solids.turned(1)
    found = measured(solids.drawn(solids.ellipsoid(40, 22, 15), voxel_nm=voxel_nm, turn=turn), voxel_nm)
    assert found["volume"][0] == pytest.approx(solids.ellipsoid(40, 22, 15).volume, rel=0.01)
    assert [found[f"axis_length_{i}"][0] for i in (1, 2, 3)] == pytest.approx([80, 44, 30], rel=0.01)
    assert abs(sum(found[f"axis_{name}"][0] * turn[0, i] for i, name in enumerate("zyx"))) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("voxel_nm", VOXELS)
def test_a_box_is_exact(voxel_nm: Any) -> None:
    labels = np.zeros((9, 20, 30), np.uint8)
    labels[2:6, 3:15, 4:21] = 7
    sides = np.array([4, 12, 17]) * voxel_nm
    found = measured(labels, voxel_nm)
    assert found["volume"][0] == pytest.approx(sides.prod())
    assert [found[f"centroid_{name}"][0] for name in "zyx"] == pytest.approx(np.array([3.5, 8.5, 12]) * voxel_nm)
    assert [(found[f"box_{name}_start"][0], found[f"box_{name}_stop"][0]) for name in "zyx"] == [(2, 6), (3, 15), (4, 21)]
    assert [found[f"axis_length_{i}"][0] for i in (1, 2, 3)] == pytest.approx(sorted(2 * np.sqrt(5 / 12) * sides, reverse=True))
    assert (found["extent"][0], found["cut"][0]) == (1, False)


def test_sums_are_those_of_numpy() -> None:
    labels = np.random.default_rng(0).integers(0, 4, (5, 6, 7)) * 1000
    found = measured(labels)
    for row in range(3):
        where = np.argwhere(labels == 1000 * (row + 1))
        assert [found[f"centroid_{name}"][row] for name in "zyx"] == pytest.approx(where.mean(0))
        values = np.linalg.eigvalsh(np.cov(where.T, bias=True) + np.eye(3) / 12)
        assert [found[f"axis_length_{i}"][row] for i in (3, 2, 1)] == pytest.approx(2 * np.sqrt(5 * values))


def test_no_axis_is_longest_in_a_cube_and_a_plate_is_as_thick_as_a_voxel() -> None:
    labels = np.zeros((9, 9, 9), np.uint8)
    labels[0:3, 2:5, 3:6], labels[7, 1:3, 1:9], labels[5, 8, 8] = 1, 2, 3
    found = measured(labels)
    assert np.isnan([found[f"axis_{name}"][0] for name in "zyx"]).all()
    assert [found[f"axis_{name}"][1] for name in "zyx"] == pytest.approx([0, 0, 1])
    assert found["axis_length_3"][1] == pytest.approx(2 * np.sqrt(5 / 12))
    assert found["cut"].tolist() == [True, True, True]


def test_large_coordinates_lose_nothing() -> None:
    """Far from the origin of a wide stack the second moments are those at the origin."""
    labels = np.zeros((1, 4, 60_000), np.uint8)
    labels[0, :, :7], labels[0, :, -7:] = 1, 2
    found = measured(labels)
    assert all(found[f"axis_length_{i}"][0] == found[f"axis_length_{i}"][1] for i in (1, 2, 3))


def test_sums_that_go_round_come_back() -> None:
    """As if the object lay where its raw second moments pass 2^63."""
    start, voxels = np.array([[3_000_000_000, 5, 2**32]]), np.array([2])
    points = np.array([[0, 1, 4], [7, 0, 2]])
    raw = [sum(p) for p in zip(*(points + start).tolist(), strict=True)]
    raw += [sum((p[i] + a) * (p[j] + b) for p in points.tolist()) for i, j in PAIRS for a, b in [(int(start[0, i]), int(start[0, j]))]]
    assert max(raw) > 2**63
    wrapped = np.array([[(value + 2**63) % 2**64 - 2**63 for value in raw]])
    assert about(start, voxels, wrapped)[0].tolist() == [*points.sum(0), *(int(points[:, i] @ points[:, j]) for i, j in PAIRS)]
