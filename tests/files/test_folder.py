"""Folders and globs of slices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from fibsem_ij import files
from fibsem_ij.files.folder import natural
from fibsem_ij.volume import Labels, Volume

PIXELS = np.random.default_rng(3).integers(0, 255, (4, 20, 30)).astype(np.uint8)


def slices(folder: Path, *names: str, pixels: Any = PIXELS) -> None:
    for z, name in enumerate(names):
        tifffile.imwrite(folder / name, pixels[z])


def test_two_comes_before_ten(tmp_path: Path) -> None:
    slices(tmp_path, "s2.tif", "s10.tif", "s9.TIF", "s100.tiff")
    got = files.read(tmp_path)
    assert got.names == ("s2", "s9", "s10", "s100")
    np.testing.assert_array_equal(np.asarray(got), PIXELS[[0, 2, 1, 3]])
    assert files.read(tmp_path / "s1*.tif").names == ("s10",)
    assert files.read(str(tmp_path / "s?.[tT]*")).names == ("s2", "s9")


def test_a_pattern_within_a_folder_that_has_brackets_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "cell [4]").mkdir()
    slices(tmp_path / "cell [4]", "s1.tif", "s2.tif", "other.tif")
    assert files.read(tmp_path / "cell [4]" / "s*.tif").names == ("s1", "s2")
    assert files.read(tmp_path / "cell [4]" / "s[2-9].tif").names == ("s2",)


@given(st.lists(st.text("ab0129 -", max_size=6)))
@settings(deadline=None, max_examples=100)
def test_natural_order_is_an_order(names: list[str]) -> None:
    assert sorted(sorted(names), key=natural) == sorted(sorted(names, reverse=True), key=natural)


@pytest.mark.parametrize(("odd", "error"), [
    (PIXELS[0, :-1], "expected 20 x 30 uint8 like a1.tif, got 19 x 30 uint8"), (PIXELS[0].astype(np.uint16), "got 20 x 30 uint16"),
    (PIXELS[:2], "expected one slice, got a stack of 2")])
def test_a_slice_of_another_kind(tmp_path: Path, odd: Any, error: str) -> None:
    slices(tmp_path, "a1.tif", "a2.tif")
    tifffile.imwrite(tmp_path / "a10.tif", odd, photometric="minisblack")
    with pytest.raises(ValueError, match=f"a10.tif.*{error}"):
        files.read(tmp_path)


def test_what_else_lies_in_a_folder(tmp_path: Path) -> None:
    slices(tmp_path, "1.tif", "2.tif")
    for name in ("notes.txt", "Thumbs.db", "._1.tif", ".hidden.tif"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "sub").mkdir()
    assert files.read(tmp_path).names == ("1", "2")
    (tmp_path / "3.jpg").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"expected slices in .tif, .png or .dat, got 3.jpg; convert"):
        files.read(tmp_path)
    (tmp_path / "3.jpg").unlink()
    cv2.imwrite(str(tmp_path / "3.png"), PIXELS[0])
    with pytest.raises(ValueError, match=r"expected slices of one format, got .tif and .png; give a glob"):
        files.read(tmp_path)
    assert files.read(tmp_path / "*.tif").names == ("1", "2")


def test_nothing_there(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "*.tif"):
        with pytest.raises(ValueError, match="got none; check the name"):
            files.read(path)
    slices(tmp_path, "1.tif")
    slices(tmp_path, "1.tiff")
    with pytest.raises(ValueError, match="'1' twice"):
        files.read(tmp_path)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png(tmp_path: Path, dtype: Any) -> None:
    grey = PIXELS.astype(dtype) * (257 if dtype == np.uint16 else 1)
    for z, pixels in enumerate(grey):
        alpha = np.full_like(pixels, np.iinfo(dtype).max)
        cv2.imwrite(str(tmp_path / f"{z}.png"), [pixels, np.dstack([pixels] * 3), np.dstack([*[pixels] * 3, alpha]), pixels][z])
    got = files.read(tmp_path)
    assert got.dtype == dtype
    np.testing.assert_array_equal(np.asarray(got), grey)
    np.testing.assert_array_equal(got[:, 3:5, ::7], grey[:, 3:5, ::7])
    cv2.imwrite(str(tmp_path / "2.png"), np.dstack([grey[2], grey[2], grey[3]]))
    with pytest.raises(ValueError, match=r"2\.png: expected grey, got colour channels that differ"):
        np.asarray(files.read(tmp_path))


def test_colour_slices_that_are_grey(tmp_path: Path) -> None:
    for z, pixels in enumerate(PIXELS):
        tifffile.imwrite(tmp_path / f"{z}.tif", np.dstack([pixels] * 3), photometric="rgb")
    np.testing.assert_array_equal(np.asarray(files.read(tmp_path)), PIXELS)


def test_voxels_that_differ(tmp_path: Path) -> None:
    for z, nm in enumerate((4, 4, 5)):
        files.write(tmp_path / f"{z}.tif", Volume(PIXELS[z:z + 1], (nm, nm, nm)))
    with pytest.raises(ValueError, match=r"2\.tif: expected .* voxels of 4 x 4 x 4 nm like 0.tif, got .* 5 x 5 x 5"):
        files.read(tmp_path)


def test_written_slices_are_imagej_files(tmp_path: Path) -> None:
    files.write(tmp_path / "cells", Labels(PIXELS[:2].astype(np.uint32), (5, 4, 4), ("0045", "0046"), {1: "cell"}))
    assert sorted(p.name for p in (tmp_path / "cells").iterdir()) == [".fibsem_ij", "0045.tif", "0046.tif", "names.json"]
    with tifffile.TiffFile(tmp_path / "cells" / "0046.tif") as tif:
        assert tif.is_imagej
        assert tif.pages[0].colormap is not None
    assert files.read_labels(tmp_path / "cells" / "*.tif").classes == {1: "cell"}


@pytest.mark.parametrize(("names", "error"), [
    (("b", "a"), "natural order, got 'b' where 'a'"), (("10", "9"), "natural order"), (("a/b", "c"), "can be file names"),
    (("..", "c"), "can be file names"), (("a:", "c"), "can be file names"), (("a", "A"), "differ by more than case")])
def test_names_that_a_folder_cannot_hold(tmp_path: Path, names: tuple[str, str], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        files.write(tmp_path / "f", Volume(PIXELS[:2], None, names))
    assert not list(tmp_path.iterdir())
