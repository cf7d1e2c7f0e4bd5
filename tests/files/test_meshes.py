"""Meshes: what is read equals what was written, whatever else claims to be a mesh is refused, and closed forms hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fibsem_ij.arrays.colours import colours_of
from fibsem_ij.files import meshes
from fibsem_ij.files.meshes import FORMATS, Mesh

CUBE = np.array([[x, y, z] for x in (0, 2) for y in (0, 3) for z in (0, 5)], np.float32) + np.float32(0.1)
SIDES = np.array([[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7],
                  [1, 7, 3]])
BOX = Mesh(CUBE, SIDES, "um", (15, 120, 0))


def sorted_corners(mesh: Mesh) -> np.ndarray:
    """The triangles as they are in space, whatever the order of points and of triangles."""
    turned = [min(np.roll(t, -k, 0).tolist() for k in range(3)) for t in mesh.corners]
    return np.array(sorted(turned))


@pytest.mark.parametrize("ending", FORMATS)
def test_what_is_read_is_what_was_written(tmp_path: Path, ending: str) -> None:
    meshes.write(tmp_path / f"a{ending}", BOX)
    back = meshes.read(tmp_path / f"a{ending}")
    assert np.array_equal(sorted_corners(back), sorted_corners(BOX)), "to the last bit of a float32"
    assert back.unit == "um"
    assert ending == ".stl" or back.colour == (15, 120, 0), "STL has no colour"
    assert len(back.points) == 8, "corners that triangles share are one point"


@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([1e-6, 1.0, 1e7]), ending=st.sampled_from(FORMATS))
def test_any_triangles_come_back(tmp_path_factory: pytest.TempPathFactory, seed: int, scale: float, ending: str) -> None:
    rng = np.random.default_rng(seed)
    points = (rng.normal(size=(rng.integers(3, 20), 3)) * scale).astype(np.float32)
    mesh = Mesh(points, rng.permuted(np.tile(np.arange(len(points)), (7, 1)), axis=1)[:, :3], "nm")
    path = tmp_path_factory.mktemp("any") / f"m{ending}"
    meshes.write(path, mesh)
    assert np.array_equal(sorted_corners(meshes.read(path)), sorted_corners(mesh))


def test_a_box_has_the_volume_and_the_area_of_a_box() -> None:
    assert BOX.volume() == pytest.approx(30, rel=1e-6)
    assert BOX.area() == pytest.approx(2 * (6 + 10 + 15), rel=1e-6)


def test_files_are_what_other_programs_read(tmp_path: Path) -> None:
    """VTK reads all three; the OBJ names a material that is there, of the colour of the label."""
    import pyvista

    for ending in FORMATS:
        meshes.write(tmp_path / f"a{ending}", BOX)
        theirs = pyvista.read(tmp_path / f"a{ending}")
        assert theirs.n_cells == 12
        assert theirs.volume == pytest.approx(30, rel=1e-5)
    text = (tmp_path / "a.obj").read_text()
    name = text.split("usemtl ")[1].split()[0]
    materials = (tmp_path / meshes.MATERIALS).read_text()
    red, green, blue = (float(v) for v in materials.split(f"newmtl {name}\nKd ")[1].split("\n")[0].split())
    assert (red, green, blue) == pytest.approx((15 / 255, 120 / 255, 0), abs=1e-4)
    assert all(f"newmtl {bytes(c).hex()}" in materials for c in colours_of(range(1, 256)))


@pytest.mark.parametrize("ending", FORMATS)
def test_a_file_that_was_cut_or_is_something_else_is_refused(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    meshes.write(path, BOX)
    whole = path.read_bytes()
    for broken in (whole[:len(whole) // 2] + b"f 1 2 x\n", b"solid text\nfacet", b"", b"\xff" * 200):
        path.write_bytes(broken)
        if ending == ".obj" and broken in (b"", b"solid text\nfacet", b"\xff" * 200):
            assert not len(meshes.read(path).triangles), "a text without faces is an OBJ without faces"
        else:
            with pytest.raises(ValueError, match="expected a mesh of triangles"):
                meshes.read(path)


def test_a_mesh_of_points_that_are_not_there_is_refused(tmp_path: Path) -> None:
    for points, triangles in ((CUBE, [[0, 1, 8]]), (CUBE * np.float32(np.nan), SIDES), (CUBE[:, :2], SIDES)):
        with pytest.raises(ValueError, match="expected"):
            Mesh(points, np.array(triangles))
    with pytest.raises(ValueError, match=r"\.stl, \.obj, \.ply"):
        meshes.write(tmp_path / "a.dae", BOX)


def test_a_folder_of_meshes_replaces_an_older_one_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "meshes"
    assert meshes.write_all(folder, [(7, BOX), (12345, BOX)], ending=".obj") == 2
    assert sorted(p.name for p in folder.iterdir()) == ["colours.mtl", "label_0007.obj", "label_12345.obj"]
    assert meshes.write_all(folder, [(3, BOX)], ending=".stl") == 1
    assert [p.name for p in folder.iterdir()] == ["label_0003.stl"]
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"notes\.txt"):
        meshes.write_all(folder, [(3, BOX)], ending=".stl")
    assert (folder / "label_0003.stl").exists()
