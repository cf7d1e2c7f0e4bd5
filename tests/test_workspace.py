"""The workspace: each thing under its name, and the latest of what there may be several of."""

from __future__ import annotations

from pathlib import Path

from fibsem_ij.workspace import Workspace


def test_everything_lies_in_the_folder_under_names_that_differ(tmp_path: Path) -> None:
    found = Workspace(tmp_path)
    paths = [getattr(found, name) for name, kind in vars(Workspace).items() if isinstance(kind, property) and name != "grey"]
    assert len({path.name for path in paths}) == len(paths) > 15
    assert all(path.parent == tmp_path for path in paths)
    assert found.network("denoise") == tmp_path / "networks" / "denoise"


def test_grey_is_the_latest_there_is(tmp_path: Path) -> None:
    found = Workspace(tmp_path)
    assert found.grey == found.raw == tmp_path / "raw.zarr"
    for name in ("raw.tif", "aligned.zarr", "clean.zarr"):
        (tmp_path / name).mkdir()
        assert found.grey == tmp_path / name
    assert found.raw == tmp_path / "raw.tif"


def test_a_layer_is_a_folder_or_a_file_of_its_name(tmp_path: Path) -> None:
    found = Workspace(tmp_path)
    assert found.layer("classes") == tmp_path / "drawn" / "classes"
    found.drawn.mkdir()
    (found.drawn / "classes.zip").touch()
    assert found.layer("classes") == found.drawn / "classes.zip"
    (found.drawn / "classes").mkdir()
    assert found.layer("classes") == found.drawn / "classes"
