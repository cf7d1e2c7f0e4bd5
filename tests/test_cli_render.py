"""The render commands on real files, as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from fibsem_ij import files
from fibsem_ij.cli.render import app
from fibsem_ij.files import meshes, tables
from fibsem_ij.volume import Labels, Volume


def run(*arguments: object) -> dict[str, Any]:
    done = CliRunner().invoke(app, [*map(str, arguments), "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    labels = np.zeros((10, 32, 48), np.uint16)
    labels[2:8, 4:16, 4:20], labels[3:7, 18:30, 24:44], labels[0, 0, 0] = 3, 300, 9
    files.write(tmp_path / "labels.zarr", Labels(labels, (20, 10, 10)))
    files.write(tmp_path / "raw.tif", Volume(np.random.default_rng(0).integers(0, 255, labels.shape).astype(np.uint8), (20, 10, 10)))
    tables.write(tmp_path / "measures.csv", {"label": [3, 9, 300], "volume_nm3": [4.0, 1.0, 2.0], "sphericity": [0.5, 0.7, 0.6]})
    return tmp_path


@pytest.mark.usefixtures("drawing")
def test_objects_as_picture_and_as_film(folder: Path) -> None:
    told = run("objects", folder / "labels.zarr", folder / "a.png", "--size", "200,150", "--ids", "3,300")
    assert told["caption"] == "2 objects; x 0.48, y 0.32, z 0.2 µm"
    with Image.open(folder / "a.png") as picture:
        assert picture.width == 200
        assert picture.height > 150
    run("objects", folder / "labels.zarr", folder / "b.png", "--size", "200,150", "--plain", "--paper", "clear", "--azimuth", "90")
    with Image.open(folder / "b.png") as picture:
        assert (picture.size, picture.mode) == ((200, 150), "RGBA")
    told = run("objects", folder / "labels.zarr", folder / "a.gif", "--size", "80,60", "--frames", "3", "--voxels", "4000")
    assert told["steps"] == [1, 2, 2]
    assert "1 voxel in 2 x 2 x 1" in told["caption"]
    with Image.open(folder / "a.gif") as film:
        assert film.n_frames == 3  # type: ignore[attr-defined]


def test_meshes_of_each_object(folder: Path) -> None:
    told = run("meshes", folder / "labels.zarr", folder / "out", "--format", "ply", "--unit", "um")
    assert (told["meshes"], told["unit"]) == (3, "um")
    assert sorted(p.name for p in (folder / "out").iterdir()) == ["label_0003.ply", "label_0009.ply", "label_0300.ply"]
    mesh = meshes.read(folder / "out" / "label_0003.ply")
    assert mesh.volume() == pytest.approx(6 * 12 * 16 * 2000 * 1e-9, rel=0.05)
    assert run("meshes", folder / "labels.zarr", folder / "one", "--ids", "9")["unit"] == "nm"


def test_figures_of_a_table(folder: Path) -> None:
    told = run("table", folder / "measures.csv", folder / "figures", "--columns", "sphericity", "--x", "volume_nm3")
    assert [Path(p).name for p in told["paths"]] == ["distributions.png", "distributions.svg", "scatter.png", "scatter.svg"]
    assert all(Path(p).stat().st_size > 1000 for p in told["paths"])


def test_a_montage_and_a_report(folder: Path) -> None:
    run("montage", folder / "raw.tif", folder / "m.png", "--labels", folder / "labels.zarr", "--count", "3", "--size", "48")
    with Image.open(folder / "m.png") as picture:
        assert picture.width >= 4 * 48
    told = run("report", folder)
    assert told["path"] == str(folder / "report.html")
    assert told["bytes"] == (folder / "report.html").stat().st_size


@pytest.mark.parametrize(("arguments", "said"), [
    (("objects", "labels.zarr", "a.bmp"), r"\.png, \.gif or \.mp4"), (("objects", "labels.zarr", "a.png", "--ids", "x"), "--ids"),
    (("objects", "labels.zarr", "a.png", "--size", "7"), "--size"), (("objects", "labels.zarr", "a.gif", "--paper", "clear"), "clear"),
    (("objects", "labels.zarr", "a.png", "--ids", "4"), "4, not there"), (("montage", "raw.tif", "a.jpg"), r"\.png"),
    (("meshes", "none.zarr", "out"), "does not exist"), (("table", "measures.csv", "out", "--by", "cell"), "group by"),
])
def test_mistakes_are_told_in_a_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str) -> None:
    monkeypatch.chdir(folder)
    before = sorted(folder.iterdir())
    with pytest.raises((ValueError, OSError), match=said):
        CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert [path for path in sorted(folder.iterdir()) if path.name != "out"] == before
