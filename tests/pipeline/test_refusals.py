"""What cannot become a result is refused before any work, by the command line itself: one line with the remedy, exit code 2."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from fibsem_ij import files
from fibsem_ij.cli import main
from fibsem_ij.volume import Labels, Volume

RECIPE = '[input]\nsrc = "{src}"\n{more}'
REGISTER = "[register]\nruns = 3\n"
PIXELS = np.random.default_rng(0).integers(0, 250, (6, 40, 50)).astype(np.uint8)
Case = Callable[[Path], str]  # lays out what is wrong, and returns a recipe


def array(pixels: Any) -> Case:
    def lay_out(folder: Path) -> str:
        np.save(folder / "raw.npy", pixels)
        return RECIPE.format(src="raw.npy", more=REGISTER)
    return lay_out


def tif(pixels: Any, **how: Any) -> Case:
    def lay_out(folder: Path) -> str:
        tifffile.imwrite(folder / "raw.tif", pixels, **how)
        return RECIPE.format(src="raw.tif", more=REGISTER)
    return lay_out


def slices(change: Callable[[Path], Any], more: str = REGISTER) -> Case:
    def lay_out(folder: Path) -> str:
        files.write(folder / "raw", Volume(PIXELS, (5, 4, 4)))
        change(folder / "raw")
        return RECIPE.format(src="raw", more=more)
    return lay_out


def text(recipe: str) -> Case:
    def lay_out(folder: Path) -> str:
        files.write(folder / "raw.npy", Volume(PIXELS))
        return recipe
    return lay_out


def drawn(shape: tuple[int, int, int] = (1, 40, 50), names: tuple[str, ...] = ("0003",), more: str = "") -> Case:
    def lay_out(folder: Path) -> str:
        files.write(folder / "raw.npy", Volume(PIXELS))
        files.write(folder / "classes", Labels(np.ones(shape, np.uint8), names=names, classes={1: "cell"}))
        return RECIPE.format(src="raw.npy", more=f'[segment]\ndrawn = "classes"\n{more}')
    return lay_out


def zarr_axes(folder: Path) -> str:
    files.write(folder / "raw.zarr", Volume(PIXELS))
    said = folder / "raw.zarr" / ".zattrs"
    said.write_text(said.read_text(encoding="utf-8").replace('"name": "z"', '"name": "t"'), encoding="utf-8")
    return RECIPE.format(src="raw.zarr", more=REGISTER)


def no_right(folder: Path) -> str:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    files.write(folder / "raw.tif", Volume(PIXELS))
    (folder / "raw.tif").chmod(0)
    return RECIPE.format(src="raw.tif", more=REGISTER)


def bomb(folder: Path) -> str:
    tags = [(256, 4, 200_000), (257, 4, 200_000), (258, 3, 8), (259, 3, 5), (262, 3, 1), (273, 4, 126), (277, 3, 1), (278, 4, 200_000),
            (279, 4, 4)]
    (folder / "raw.tif").write_bytes(struct.pack("<2sHIH", b"II", 42, 8, len(tags))
                                     + b"".join(struct.pack("<HHII", c, k, 1, v) for c, k, v in tags) + bytes(12))
    return RECIPE.format(src="raw.tif", more=REGISTER)


def other_size(folder: Path) -> None:
    files.write(folder / "0002.tif", Volume(PIXELS[:1, :-1]))


def other_type(folder: Path) -> None:
    files.write(folder / "0002.tif", Volume(PIXELS[:1].astype(np.uint16)))


def other_voxels(folder: Path) -> None:
    files.write(folder / "0002.tif", Volume(PIXELS[:1], (5, 4, 8)))


CASES: dict[str, tuple[Case, str]] = {
    "complex numbers": (array(PIXELS.astype(complex)), "raw.npy"),
    "text instead of numbers": (array(np.full((2, 3, 4), "a")), "raw.npy"),
    "one slice without z": (array(PIXELS[0]), "raw.npy"),
    "colour": (tif(np.random.default_rng(0).integers(0, 255, (6, 40, 50, 3)).astype(np.uint8), photometric="rgb"), "raw.tif"),
    "two channels": (tif(np.stack([PIXELS, PIXELS], 1), imagej=True, metadata={"axes": "ZCYX"}), "channels"),
    "axes t, y, x": (zarr_axes, "axes z, y, x"),
    "a header that asks for 40 GB": (bomb, "raw.tif"),
    "a slice of another size": (slices(other_size), "0002.tif"),
    "a slice of another pixel type": (slices(other_type), "0002.tif"),
    "a slice with other voxels": (slices(other_voxels), "0002.tif"),
    "a slice number that is missing": (slices(lambda folder: (folder / "0002.tif").unlink()), "0002"),
    "a folder without slices": (slices(lambda folder: [path.unlink() for path in folder.glob("*.tif")]), "got none"),
    "a slice of another format": (slices(lambda folder: (folder / "0006.jpg").write_bytes(b"")), "0006.jpg"),
    "a slice that is empty": (slices(lambda folder: (folder / "0002.tif").write_bytes(b"")), "0002.tif"),
    "no such source": (text(RECIPE.format(src="row.npy", more=REGISTER)), "row.npy"),
    "a format that is not read": (text(RECIPE.format(src="raw.h5", more=REGISTER)), "raw.h5"),
    "a voxel of two numbers": (text(RECIPE.format(src="raw.npy", more="voxel_nm = [4, 4]\n")), "voxel_nm"),
    "a voxel of no size": (text(RECIPE.format(src="raw.npy", more="voxel_nm = [4, 0, 4]\n")), "voxel_nm"),
    "a voxel with a unit": (text(RECIPE.format(src="raw.npy", more='voxel_nm = "4 um"\n')), "voxel_nm"),
    "a key that is misspelt": (text(RECIPE.format(src="raw.npy", more="[register]\nrun = 3\n")), "runs"),
    "a table that is misspelt": (text(RECIPE.format(src="raw.npy", more="[registr]\n")), "register"),
    "a value of another type": (text(RECIPE.format(src="raw.npy", more='[register]\nruns = "many"\n')), "runs"),
    "no TOML": (text("[input\nsrc = "), "recipe.toml"),
    "a recipe of bytes": (text("\x00\x01"), "recipe.toml"),
    "a drawn layer of another size": (drawn((1, 30, 50)), "40 x 50"),
    "a drawn slice that no slice is named as": (drawn(names=("0042",)), "0042"),
    "a class that nobody drew": (drawn(more='priority = ["cells"]\n'), "cell"),
    "a stack of one slice": (array(PIXELS[:1]), "two slices"),
    "a file that may not be read": (no_right, "raw.tif"),
}


@pytest.mark.fault("wrong type, size, axes, unit, slice number, recipe, drawing: exit code 2, one line with the remedy, nothing begun")
@pytest.mark.parametrize("case", CASES)
def test_refused_before_any_work(tmp_path: Path, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    lay_out, named = CASES[case]
    (tmp_path / "recipe.toml").write_text(lay_out(tmp_path), encoding="utf-8")
    with pytest.raises(SystemExit) as end:
        main(["run", str(tmp_path / "recipe.toml"), str(tmp_path / "ws"), "--progress", "none"])
    said = capsys.readouterr().err
    assert end.value.code == 2, said
    assert said.startswith("fibsem-ij: "), said
    assert len(said.splitlines()) == 1, said
    assert named in said, said
    assert "; " in said, "what to do about it"
    assert not (tmp_path / "ws").exists()


@pytest.mark.fault("names with spaces, quotes, brackets and other alphabets: the run completes")
@pytest.mark.timeout(120)
def test_a_name_may_be_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "Zelle 細胞 [2] 'a' & \"b\"; $(touch x) %s"
    folder.mkdir()
    files.write(folder / "rohe Daten é", Volume(PIXELS, (5, 4, 4)))
    (folder / "mein rezept ü.toml").write_text(RECIPE.format(src="rohe Daten é", more=REGISTER), encoding="utf-8")
    words = [sys.executable, "-m", "fibsem_ij", "run", "mein rezept ü.toml", "Arbeit 作業"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    assert files.read(folder / "Arbeit 作業" / "aligned.zarr").shape == PIXELS.shape
    assert not list(tmp_path.rglob("x"))


def test_slice_numbers_may_have_gaps_where_the_recipe_says_so(tmp_path: Path) -> None:
    recipe = slices(lambda folder: (folder / "0002.tif").unlink(), "gaps = true\n")(tmp_path)
    (tmp_path / "recipe.toml").write_text(recipe, encoding="utf-8")
    with pytest.raises(SystemExit) as end:
        main(["run", str(tmp_path / "recipe.toml"), str(tmp_path / "ws")])
    assert not end.value.code
    assert files.read(tmp_path / "ws" / "raw.zarr").names == ("0000", "0001", "0003", "0004", "0005")
