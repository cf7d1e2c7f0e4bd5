"""Surfaces of solids in closed form, at any voxel size, turn and place; areas of contact; odd objects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import solids

from fibsem_ij.measure import moments, surface
from fibsem_ij.measure.columns import Table, Voxel, sides
from fibsem_ij.measure.objects import Objects

VOXELS = [(1, 1, 1), (2, 1, 1), (4, 1, 1), (1, 2.5, 1), (1, 1, 3)]
SOLIDS = {"ball": solids.ball(20), "ellipsoid": solids.ellipsoid(33, 25, 20), "box": solids.box(40, 30, 50),
          "torus": solids.torus(30, 15), "shell": solids.shell(28, 18)}


def measured(labels: Any, voxel_nm: Voxel = None, height: int | None = None) -> Table:
    objects = Objects.of(labels)
    size = moments.moments(labels, objects, voxel_nm=voxel_nm)
    return surface.surface(labels, objects, voxel_nm=voxel_nm, centroids=moments.centroids(size, voxel_nm), height=height)


@pytest.mark.parametrize("voxel_nm", VOXELS, ids=str)
@pytest.mark.parametrize("name", SOLIDS)
def test_a_surface_is_within_two_percent(name: str, voxel_nm: Any) -> None:
    """The issue asks for 3 %."""
    solid = SOLIDS[name]
    for seed in (0, 1, 2):
        shift = np.random.default_rng(seed).random(3)
        labels = solids.drawn(solid, voxel_nm=voxel_nm, turn=solids.turned(seed), shift=tuple(shift))
        assert measured(labels, voxel_nm)["surface"][0] == pytest.approx(solid.surface, rel=0.02)


@pytest.mark.parametrize("voxel_nm", VOXELS, ids=str)
def test_a_box_along_the_axes_is_exact(voxel_nm: Any) -> None:
    labels = np.zeros((12, 20, 30), np.uint8)
    labels[2:9, 5:18, 0:11] = 1
    z, y, x = np.array([7, 13, 11]) * voxel_nm
    assert measured(labels, voxel_nm)["surface"][0] == pytest.approx(2 * (z * y + y * x + x * z))


@pytest.mark.parametrize("slope", [0.03, 0.2, 0.5, 1, 1.7, 4])
@pytest.mark.parametrize("voxel_nm", [(1, 1, 1), (4, 1, 1)], ids=str)
def test_a_plane_of_any_slope(slope: float, voxel_nm: Any) -> None:
    """Through the middle of a stack, from side to side or from top to bottom."""
    side = np.array(voxel_nm)
    z, x = np.ogrid[:round(400 / side[0]), :400]
    labels = np.where(z * side[0] < slope * (x - 200) + 200, 1, 2)[:, None].repeat(3, 1).astype(np.uint8)
    pairs, areas = surface.areas(labels, Objects.of(labels), voxel_nm=voxel_nm)
    assert areas[(pairs == [0, 1]).all(1)] == pytest.approx(3 * 400 * np.hypot(1, slope) / max(1, slope), rel=0.01)


@pytest.mark.parametrize("voxel_nm", [(1, 1, 1), (3, 2, 1)], ids=str)
def test_sphericity_and_circular_variance(voxel_nm: Any) -> None:
    ball = measured(solids.drawn(solids.ball(25), voxel_nm=voxel_nm), voxel_nm)
    assert ball["sphericity"][0] == pytest.approx(1, abs=0.01)
    assert ball["circular_variance"][0] == pytest.approx(0, abs=0.01)
    cube = measured(np.pad(np.ones((40, 60, 120), np.uint8), 2), (3, 2, 1))
    points = np.stack(np.meshgrid(*[np.linspace(-1, 1, 400)] * 2), -1)
    distance = np.sqrt((points**2).sum(-1) + 1)  # from the middle of a cube to one of its sides
    assert cube["sphericity"][0] == pytest.approx((np.pi / 6)**(1 / 3))
    assert cube["circular_variance"][0] == pytest.approx(distance.var() / distance.mean()**2, abs=1e-3)


def test_a_surface_is_the_sum_of_its_contacts() -> None:
    labels = np.random.default_rng(3).integers(0, 5, (6, 7, 8)).astype(np.uint8)
    labels[2:5, 2:6] = 9
    pairs, areas = surface.areas(labels, objects := Objects.of(labels), voxel_nm=(2, 1, 3))
    total = np.zeros(len(objects) + 1)
    np.add.at(total, pairs.ravel(), areas.repeat(2))
    assert total[:-1] == pytest.approx(measured(labels, (2, 1, 3))["surface"])
    assert len({tuple(pair) for pair in pairs.tolist()}) == len(pairs)
    assert (pairs[:, 0] < pairs[:, 1]).all()


def test_a_ball_in_two_halves_touches_over_a_disc() -> None:
    labels = solids.drawn(solids.ball(20), voxel_nm=(2, 1, 1), shift=(0, 0.5, 0))
    labels[:, 22:] *= 2
    pairs, areas = surface.areas(labels, Objects.of(labels), voxel_nm=(2, 1, 1))
    assert pairs.tolist() == [[-1, 0], [-1, 1], [0, 1]]
    assert areas == pytest.approx([2 * np.pi * 400, 2 * np.pi * 400, np.pi * 400], rel=0.03)


def test_small_and_thin_objects_have_their_faces() -> None:
    labels = np.zeros((9, 20, 20), np.uint8)
    labels[1, 1, 1], labels[4], labels[7, 3], labels[6:9, 10:12, 10:12] = 1, 2, 3, 4
    assert measured(labels)["surface"] == pytest.approx([6, 2 * 400 + 4 * 20, 4 * 20 + 2, 4 + 4 + 4 * 6])


@pytest.mark.parametrize("radius", [0.5, 1, 1.5, 2, 2.5, 3, 4, 6])
def test_nothing_is_rounder_than_a_ball(radius: float) -> None:
    found = measured(solids.drawn(solids.ball(radius)))
    assert 0.7 < found["sphericity"][0] <= 1.01


def test_slices_in_memory_change_no_bit() -> None:
    labels = solids.drawn(solids.torus(12, 6), turn=solids.turned(4))
    labels[:, 15:] *= 2
    whole = measured(labels, (3, 2, 1), height=99)
    for height in (1, 3, None):
        assert all((measured(labels, (3, 2, 1), height=height)[name] == column).all() for name, column in whole.items())


@pytest.mark.parametrize("axes", [(0, 1), (0, 2), (1, 2)])
def test_a_quarter_turn_changes_nothing(axes: tuple[int, int]) -> None:
    labels = solids.drawn(solids.ellipsoid(14, 9, 6), voxel_nm=(2, 1, 1.5), turn=solids.turned(5))
    voxel = list(sides((2, 1, 1.5)))
    before = measured(labels, (2, 1, 1.5))
    voxel[axes[0]], voxel[axes[1]] = voxel[axes[1]], voxel[axes[0]]
    after = measured(np.rot90(labels, axes=axes), tuple(voxel))
    assert all(after[name] == pytest.approx(column, rel=1e-12) for name, column in before.items())
