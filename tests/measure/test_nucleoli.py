"""Proximity to the nuclear membrane: a nucleolus at a known place of a nuclear ball."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fibsem_ij.measure import relations
from fibsem_ij.measure.nucleoli import proximity
from fibsem_ij.measure.objects import Objects

Stack = np.ndarray[Any, Any]


def ball(shape: tuple[int, ...], centre: tuple[float, ...], radius: float, voxel: tuple[float, ...]) -> Stack:
    away = [(axis * side - c) for axis, c, side in zip(np.indices(shape), centre, voxel, strict=True)]
    return sum(a**2 for a in away) <= radius**2


def middles(labels: Stack, voxel: tuple[float, ...]) -> Stack:
    return np.array([np.argwhere(labels == n).mean(0) for n in np.unique(labels)[1:]]) * voxel


@pytest.mark.parametrize("voxel", [(1.0, 1.0, 1.0), (2.5, 1.0, 1.0)])
@pytest.mark.parametrize("off", [0, 12, 24, 32])
@pytest.mark.parametrize("way", [(0, 0, 1), (1, 2, 2)])
@pytest.mark.parametrize("cut_out", [False, True])
def test_in_a_ball(voxel: tuple[float, float, float], off: float, way: tuple[int, int, int], cut_out: bool) -> None:
    shape, centre = (int(84 / voxel[0]), 84, 84), np.array([41.2, 41.5, 41.1])
    place = centre + np.array(way) / np.linalg.norm(way) * off
    nuclei = ball(shape, tuple(centre), 40, voxel) * np.uint8(6)
    nucleoli = ball(shape, tuple(place), 6, voxel) * np.uint16(300)
    if cut_out:
        nuclei[nucleoli > 0] = 0
    stack: Any = relations.Whole(nuclei) if cut_out else nuclei
    whole = np.stack([stack[z] for z in range(shape[0])])
    got = proximity(middles(nucleoli, voxel), np.array([6]), stack, Objects.of(stack), middles(whole, voxel), voxel_nm=voxel)
    np.testing.assert_allclose(got["parent_centroid_distance"], off, atol=.3)
    np.testing.assert_allclose(got["membrane_distance"], 40 - off, atol=max(.02 * 40, max(voxel) / 2))
    np.testing.assert_allclose(got["membrane_proximity"], off / 40, atol=.02)


def test_only_the_own_nucleus_counts_and_the_border_of_the_stack_does_not() -> None:
    nuclei = np.zeros((9, 20, 40), np.uint8)
    nuclei[:, :, :20], nuclei[:, :, 20:30] = 4, 9
    places = np.array([[4.0, 9, 3], [4, 9, 21], [4, 9, 35]])
    got = proximity(places, np.array([4, 9, 0]), nuclei, Objects.of(nuclei), np.array([[4.0, 9.5, 9.5], [4, 9.5, 24.5]]), voxel_nm=None)
    np.testing.assert_allclose(got["membrane_distance"], [np.hypot(16.5, 0), 1.5, np.nan])
    np.testing.assert_allclose(got["parent_centroid_distance"], [np.hypot(6.5, .5), np.hypot(3.5, .5), np.nan])


def test_a_nucleus_that_fills_the_stack_has_no_membrane() -> None:
    full = np.ones((3, 4, 5), np.uint8)
    got = proximity(np.ones((1, 3)), np.array([1]), full, Objects.of(full), np.ones((1, 3)), voxel_nm=None)
    assert np.isnan(got["membrane_proximity"]).all()
    none = proximity(np.zeros((0, 3)), np.zeros(0, np.int64), full, Objects.of(full), np.ones((1, 3)), voxel_nm=None)
    assert {len(column) for column in none.values()} == {0}
