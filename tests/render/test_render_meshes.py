"""Surfaces of labels: closed, of the size of what they surround, at their place; and coarser grids that say so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fibsem_ij import files
from fibsem_ij.render.meshes import ids_of, meshes, only, opened, surface, thinned
from fibsem_ij.volume import Labels

ISO, FLAT = (10.0, 10.0, 10.0), (40.0, 10.0, 10.0)


def ball(radius: float, voxel: tuple[float, float, float], number: int = 7) -> Labels:
    sides = [2 * int(radius / size) + 5 for size in voxel]
    grid = np.meshgrid(*((np.arange(n) - (n - 1) / 2) * size for n, size in zip(sides, voxel, strict=True)), indexing="ij")
    return Labels((sum(g**2 for g in grid) <= radius**2).astype(np.uint16) * number, voxel)


def edge_counts(triangles: np.ndarray) -> np.ndarray:
    edges = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), 1)
    return np.unique(edges, axis=0, return_counts=True)[1]


@pytest.mark.parametrize("voxel", [ISO, FLAT])
def test_a_ball_keeps_its_volume_and_loses_its_stairs(voxel: tuple[float, float, float]) -> None:
    labels = ball(300, voxel)
    ((number, mesh),) = meshes(labels)
    assert (number, mesh.unit, mesh.colour) == (7, "nm", (15, 120, 0))
    assert (edge_counts(mesh.triangles) == 2).all(), "closed"
    assert mesh.volume() == pytest.approx(np.count_nonzero(labels.data) * np.prod(voxel), rel=0.005)
    assert mesh.area() == pytest.approx(4 * np.pi * 300**2, rel=0.03)
    ((_, stairs),) = meshes(labels, smoothing=0)
    assert stairs.volume() == pytest.approx(np.count_nonzero(labels.data) * np.prod(voxel), rel=1e-5)
    assert stairs.area() > 1.4 * mesh.area()


def test_a_mesh_lies_where_the_object_lies_in_any_unit() -> None:
    data = np.zeros((6, 20, 30), np.uint32)
    data[1:4, 5:15, 20:26] = 70_000
    for unit, scale in (("nm", 1.0), ("um", 1e-3)):
        ((_, mesh),) = meshes(Labels(data, (30, 10, 5)), unit=unit, smoothing=0)
        assert mesh.points.mean(0) == pytest.approx(np.array([22.5 * 5, 9.5 * 10, 2 * 30]) * scale, rel=0.01)
        assert mesh.volume() == pytest.approx(3 * 10 * 6 * 1500 * scale**3, rel=1e-4)
    ((_, bare),) = meshes(Labels(data))
    assert bare.unit == "px"
    with pytest.raises(ValueError, match="voxel size"):
        next(meshes(Labels(data), unit="um"))


def test_turned_by_90_degrees_the_surface_is_the_same() -> None:
    rng = np.random.default_rng(3)
    data = np.zeros((14, 14, 14), np.uint8)
    for z, y, x in rng.integers(3, 11, (12, 3)):
        data[z - 1:z + 2, y - 1:y + 2, x - 1:x + 2] = 1
    turned = np.rot90(data, axes=(0, 2))
    (_, one), (_, other) = next(meshes(Labels(data, ISO))), next(meshes(Labels(turned, ISO)))
    assert one.volume() == pytest.approx(other.volume(), rel=0.002)
    assert one.area() == pytest.approx(other.area(), rel=0.03), "squares are cut along either diagonal"


@pytest.mark.parametrize("place", [np.s_[2, 3, 4], np.s_[2, 3, :], np.s_[2, :, :], np.s_[:, :, :], np.s_[0, 0, 0]])
def test_points_lines_plates_and_what_touches_the_border_are_closed(place: tuple[slice, ...]) -> None:
    data = np.zeros((5, 6, 7), np.uint8)
    data[place] = 1
    ((_, mesh),) = meshes(Labels(data, ISO))
    assert (edge_counts(mesh.triangles) == 2).all()
    assert 0.1 * data.sum() * 1000 < mesh.volume() < 1.2 * data.sum() * 1000, "a thread stays one"
    ((_, single),) = meshes(Labels(data[2:3] | 1, ISO))
    assert single.volume() > 0, "a stack of one slice"


def test_touching_objects_have_no_wall_between_them_but_each_mesh_has_its_own() -> None:
    data = np.zeros((10, 12, 20), np.uint16)
    data[2:8, 2:10, 2:10], data[2:8, 2:10, 10:18] = 3, 300
    net = surface(Labels(data, ISO))
    ids, middle = np.asarray(net.cell_data["ids"]), net.cell_centers().points
    assert set(ids) == {3, 300}
    assert (middle[ids == 3][:, 0] < 96).all()
    assert (middle[ids == 300][:, 0] > 94).all()
    inside = (np.abs(middle[:, 0] - 95) < 1) & (np.abs(middle[:, 1:] - [55, 45]) < 20).all(1)
    assert not inside.any(), "no wall"
    assert all((edge_counts(mesh.triangles) == 2).all() for _, mesh in meshes(Labels(data, ISO)))


def test_an_empty_stack_and_missing_labels_are_refused() -> None:
    empty = Labels(np.zeros((3, 4, 5), np.uint8))
    assert list(meshes(empty)) == []
    with pytest.raises(ValueError, match="empty stack"):
        surface(empty)
    with pytest.raises(ValueError, match="9, not there"):
        only(ball(30, ISO), [7, 9])
    two = Labels(np.array([[[1, 2, 0, 5]]], np.uint8))
    assert ids_of(only(two, [5, 1])).tolist() == [1, 5]


def test_a_large_stack_is_thinned_along_its_finest_axes_first() -> None:
    labels = Labels(np.arange(8 * 40 * 60, dtype=np.uint32).reshape(8, 40, 60), FLAT)
    thin = thinned(labels, voxels=8 * 10 * 15)
    assert thin.steps == (1, 4, 4)
    assert np.array_equal(thin.labels.data, np.asarray(labels)[:, ::4, ::4])
    assert thin.labels.voxel_nm == (40.0, 40.0, 40.0)
    assert "1 voxel in 4 x 4 x 1" in thin.caption
    assert "x 0.6, y 0.4, z 0.32 µm" in thin.caption
    whole = thinned(labels)
    assert whole.steps == (1, 1, 1)
    assert "voxel in" not in whole.caption


def test_levels_of_a_pyramid_are_the_stack_at_every_2nd_voxel(tmp_path: Path) -> None:
    data = np.random.default_rng(0).integers(0, 9, (3, 300, 520)).astype(np.uint16)
    files.write(tmp_path / "labels.zarr", Labels(data, FLAT, names=("a", "b", "c")))
    thin = opened(tmp_path / "labels.zarr", voxels=100_000)
    assert thin.steps == (2, 2, 2)
    assert np.array_equal(thin.labels.data, data[::2, ::2, ::2])
    assert thin.labels.voxel_nm == (80.0, 20.0, 20.0)
    assert thin.labels.names == ("a", "c")
    assert "x 5.2, y 3, z 0.12 µm" in thin.caption
    files.write(tmp_path / "labels.tif", Labels(data, FLAT))
    assert opened(tmp_path / "labels.tif", voxels=120_000).steps == (1, 2, 2)
    assert opened(tmp_path / "labels.zarr", voxels=9_000).steps[1] >= 4, "past the last level by every n-th voxel"
