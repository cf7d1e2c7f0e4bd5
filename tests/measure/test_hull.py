"""Convex hulls: exact against Qhull, solidity of solids in closed form, odd objects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import solids
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.spatial import ConvexHull, Delaunay, QhullError

from fibsem_ij.measure import hull
from fibsem_ij.measure.columns import Table, Voxel
from fibsem_ij.measure.convex import triangles
from fibsem_ij.measure.objects import Objects


def measured(labels: Any, voxel_nm: Voxel = None) -> Table:
    return hull.hull(labels, Objects.of(labels), voxel_nm=voxel_nm)


@settings(deadline=None)
@given(arrays(np.int64, st.tuples(st.integers(4, 40), st.just(3)), elements=st.integers(-4, 4)))
def test_a_hull_has_the_volume_that_qhull_finds(points: Any) -> None:
    """Whole numbers so small that many points lie in one plane, or twice in one place."""
    found = triangles(points)
    try:
        volume = ConvexHull(points).volume
    except QhullError:
        assert len(found) == 0
        return
    a, b, c = np.moveaxis(found - points[0], 1, 0)
    assert (np.cross(b - a, c - a).any(1)).all()
    assert np.linalg.det(np.stack([a, b, c], 1)).sum() / 6 == pytest.approx(volume)  # all turn the same way, else parts cancel


def test_many_points_go_to_qhull() -> None:
    points = np.rint(np.random.default_rng(0).normal(size=(3000, 3)) * 1000).astype(np.int64)
    assert len(np.unique(triangles(points).reshape(-1, 3), axis=0)) == len(ConvexHull(points).vertices)


@settings(deadline=None, max_examples=50)
@given(arrays(bool, array_shapes(min_dims=3, max_dims=3, min_side=2, max_side=7)))
def test_a_hull_holds_the_voxels_whose_middles_lie_in_it(mask: Any) -> None:
    points, every = np.argwhere(mask), np.argwhere(np.ones_like(mask))
    try:
        inside = Delaunay(points).find_simplex(every, tol=1e-9) >= 0
    except (QhullError, ValueError):
        assert (measured(mask.astype(np.uint8))["hull_volume"] >= mask.sum()).all()
        return
    assert measured(mask.astype(np.uint8))["hull_volume"].tolist() == [inside.sum()]


@pytest.mark.parametrize("voxel_nm", [(1, 1, 1), (2, 1, 1), (1, 1, 3)], ids=str)
@pytest.mark.parametrize("solid", [solids.ball(15), solids.ellipsoid(20, 12, 9), solids.box(21, 15, 30), solids.torus(20, 9),
                                   solids.shell(20, 12)], ids=["ball", "ellipsoid", "box", "torus", "shell"])
def test_solidity_is_within_two_percent(solid: Any, voxel_nm: Any) -> None:
    turn = solids.turned(7)
    labels = solids.drawn(solid, voxel_nm=voxel_nm, turn=turn, shift=(0.3, 0.1, 0.4))
    found = measured(labels, voxel_nm)
    assert found["hull_volume"][0] == pytest.approx(solid.hull, rel=0.02)
    assert found["solidity"][0] == pytest.approx(solid.volume / solid.hull, rel=0.02)


@pytest.mark.parametrize("radius", [1, 1.5, 2, 4.3, 9])
def test_what_is_convex_is_its_own_hull_at_any_size(radius: float) -> None:
    assert measured(solids.drawn(solids.ball(radius)))["solidity"].tolist() == [1]


def test_what_is_flat_has_the_hull_of_its_plane_or_line() -> None:
    labels = np.zeros((9, 9, 10), np.uint16)
    labels[8, 0, 0], labels[3], labels[5, :, 4], labels[3, 2:8, 3:8] = 5, 70, 9, 0  # a voxel, a frame, a line
    labels[range(8), :, range(8)] = 1000  # a plane across the axes, which cuts the frame
    labels[range(7), 1:8, range(7)], labels[7, 8, [0, 2, 4, 9]] = 0, 8
    found = measured(labels)
    assert Objects.of(labels).ids.tolist() == [5, 8, 9, 70, 1000]
    assert found["hull_volume"].tolist() == [1, 10, 9, 90, 72]


@settings(deadline=None, max_examples=50)
@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))), st.integers(0, 2))
def test_a_slice_has_the_solidity_of_its_polygon(mask: Any, axis: int) -> None:
    points, every = np.argwhere(mask), np.argwhere(np.ones_like(mask))
    try:
        inside = Delaunay(points).find_simplex(every, tol=1e-9) >= 0
    except (QhullError, ValueError):
        return
    assert measured(np.expand_dims(mask, axis).astype(np.uint8))["hull_volume"].tolist() == [inside.sum()]


def test_an_object_in_pieces_and_a_hull_of_many_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.zeros((30, 12, 14), np.uint8)
    labels[2:4, 2:5, 3:6], labels[20:24, 8:11, 1:9] = 1, 1
    whole = measured(labels)["hull_volume"][0]
    assert whole > 300
    monkeypatch.setattr(hull, "_LINES", 30)
    assert measured(labels)["hull_volume"][0] == whole
