"""The commands for trained networks: what one is, and as a package that bioimage.io takes."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from fibsem_ij import files
from fibsem_ij.cli.networks import app
from fibsem_ij.files import networks
from fibsem_ij.learn.network import Network, build
from fibsem_ij.learn.scale import Scale
from fibsem_ij.volume import Volume

GREY = np.random.default_rng(5).integers(0, 255, (5, 80, 96), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    config, module = build("unet", inputs=3, depth=2, base=4, smooth=7)
    rows = [{"update": n, "seconds": 1.0 * n, "rate": 1e-3, "loss": 1.0, "score": score} for n, score in enumerate((20.0, 30.0, 25.0))]
    networks.write(tmp_path / "net", Network("unet", config, module.eval(), Scale.of(GREY), "denoise.blindspot", voxel_nm=(8, 4, 4),
                                             record={"history": {"rows": rows}}))
    files.write(tmp_path / "noisy.tif", Volume(GREY, (8, 4, 4)))
    return tmp_path


def test_show_tells_what_a_network_is(folder: Path) -> None:
    told = json.loads(CliRunner().invoke(app, ["show", str(folder / "net"), "--json"]).stdout)
    assert (told["name"], told["task"], told["neighbours"], told["grey"]) == ("unet", "denoise.blindspot", 1, "uint8")
    assert (told["config"]["base"], told["kept"]["update"], told["voxel_nm"]) == (4, 1, [8, 4, 4])
    assert "denoise.blindspot" in CliRunner().invoke(app, ["show", str(folder / "net")]).stdout


@pytest.mark.timeout(200)
def test_export_takes_the_slice_and_its_neighbours(folder: Path) -> None:
    argv = ["export", str(folder / "net"), str(folder / "net.zip"), "--src", str(folder / "noisy.tif"), "--slice", "0"]
    done = CliRunner().invoke(app, argv)
    assert done.exit_code == 0, done.exception
    with zipfile.ZipFile(folder / "net.zip") as package, package.open("test_input.npy") as file:
        shown = np.load(file)
        assert {"weights.onnx", "network.py", "cover.png"} <= set(package.namelist())
    assert shown.shape[:2] == (1, 3)
    assert np.array_equal(shown[0, 0], shown[0, 1])  # the end slice repeated beyond the end
    assert np.isin(shown[0, 1], GREY[0]).all()
    assert not np.array_equal(shown[0, 1], shown[0, 2])


def test_a_slice_that_is_not_there(folder: Path) -> None:
    argv = ["export", str(folder / "net"), str(folder / "net.zip"), "--src", str(folder / "noisy.tif"), "--slice", "5"]
    assert "within 0..4" in str(CliRunner().invoke(app, argv).exception)
    assert not (folder / "net.zip").exists()
