"""A result is under its name only when it is whole."""

from __future__ import annotations

import errno
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import tifffile

from fibsem_ij import files
from fibsem_ij.files import whole
from fibsem_ij.volume import Labels, Volume

NAMES = ["stack.tif", "folder", "store.zarr", "stack.mrc", "stack.npy", "stack.nrrd"]
OLD = Volume(np.full((2, 4, 5), 7, np.uint8))


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.mark.parametrize("name", NAMES)
def test_out_of_order_readable_and_rewritten(tmp_path: Path, name: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 99, (4, 5, 6)).astype(np.uint16)
    with files.create(tmp_path / name, shape=pixels.shape, dtype=np.uint16, voxel_nm=(1, 2, 3), names="abcd") as out:
        assert (out.shape, out.dtype) == (pixels.shape, np.uint16)
        out[3] = np.zeros((5, 6), np.uint16)
        for z in (2, 0, 3):
            out[z] = pixels[z]
        np.testing.assert_array_equal(out[3], pixels[3])
        np.testing.assert_array_equal(out[2, 1:3, ::2], pixels[2, 1:3, ::2])
        out[1:2] = pixels[1:2].astype(np.int64)
        assert not (tmp_path / name).exists()
    got = files.read(tmp_path / name)
    np.testing.assert_array_equal(np.asarray(got), pixels)
    assert (got.names, got.dtype) == (tuple("abcd"), np.uint16)


@pytest.mark.parametrize("name", NAMES)
def test_slices_from_several_threads(tmp_path: Path, name: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 2**16, (24, 301, 270)).astype(np.uint16)
    with files.create(tmp_path / name, shape=pixels.shape, dtype=pixels.dtype) as out, ThreadPoolExecutor(4) as pool:
        list(pool.map(out.__setitem__, range(len(pixels)), pixels))
    got = files.read(tmp_path / name)
    with ThreadPoolExecutor(4) as pool:
        np.testing.assert_array_equal(np.stack(list(pool.map(got.__getitem__, range(len(pixels))))), pixels)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_leaves_the_older_result(tmp_path: Path, name: str, error: type[BaseException]) -> None:
    files.write(tmp_path / name, OLD)
    before = sorted(p.name for p in tmp_path.iterdir())

    def stopped() -> None:
        with files.create(tmp_path / name, shape=(2, 4, 5), dtype=np.uint8) as out:
            out[0] = 1
            raise error

    with pytest.raises(error):
        stopped()
    np.testing.assert_array_equal(np.asarray(files.read(tmp_path / name)), OLD.data)
    assert sorted(p.name for p in tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_slice_is_no_result(tmp_path: Path, name: str) -> None:
    with (pytest.raises(ValueError, match="expected all 3 slices to be written, got 1; missing 0000, 0002"),
          files.create(tmp_path / name, shape=(3, 4, 5), dtype=np.uint8) as out):
        out[1] = 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", [name for name in NAMES if name != "folder"])
def test_a_newer_result_replaces(tmp_path: Path, name: str) -> None:
    files.write(tmp_path / name, Volume(OLD.data, (1, 2, 3), ("p", "q")))
    newer = Volume(np.ones((1, 2, 3), np.float32))
    files.write(tmp_path / name, newer)
    got = files.read(tmp_path / name)
    np.testing.assert_array_equal(np.asarray(got), newer.data)
    assert (got.voxel_nm, got.names) == (None, ("0000",))
    assert [p.name for p in tmp_path.iterdir()] == [name] or name == "store.zarr"


@pytest.mark.parametrize("value", [np.ones((4, 4)), np.full((4, 5), 256), np.full((4, 5), 0.5), -1, np.ones((1, 4, 5)), np.nan])
def test_pixels_that_do_not_fit_are_refused(tmp_path: Path, value: Any) -> None:
    with pytest.raises(ValueError, match="expected"), files.create(tmp_path / "a.tif", shape=(2, 4, 5), dtype=np.uint8) as out:
        out[0] = value


def test_parts_of_slices_are_refused(tmp_path: Path) -> None:
    with (pytest.raises(ValueError, match="expected whole slices"),
          files.create(tmp_path / "a.tif", shape=(2, 4, 5), dtype=np.uint8) as out):
        out[0, 1:] = np.zeros((3, 5), np.uint8)


@pytest.mark.parametrize("name", ["stack.tif", "folder", "stack.mrc", "stack.npy", "stack.nrrd"])
def test_too_little_room_is_said_at_the_start(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9 - 10**8, 10**8))
    with (pytest.raises(OSError, match=r"was not written.*expected [12].[24] GB free, got 100.0 MB; make room") as caught,
          files.create(tmp_path / name, shape=(300, 2000, 2000), dtype=np.uint8) as out):
        out[0] = 0
    assert caught.value.errno == errno.ENOSPC
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_a_full_disk_names_the_result(tmp_path: Path, name: str) -> None:
    def full() -> None:
        with files.create(tmp_path / name, shape=(2, 4, 5), dtype=np.uint8) as out:
            out[0] = 0
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match=rf"{name} was not written.*No space left"):
        full()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_no_parent_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match="make it first"):
        files.write(tmp_path / "nowhere" / name, OLD)


@pytest.mark.parametrize("name", ["folder", "store.zarr"])
def test_somebody_elses_folder_is_not_replaced(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "thesis.docx").write_text("years", encoding="utf-8")
    with pytest.raises(ValueError, match=r"expected .* to hold nothing but an older result, got thesis.docx"):
        files.write(tmp_path / name, OLD)
    assert (tmp_path / name / "thesis.docx").read_text(encoding="utf-8") == "years"


def test_raw_and_drawn_slices_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    for n, name in enumerate(OLD.names):
        tifffile.imwrite(tmp_path / "raw" / f"{name}.tif", OLD[n])
    with pytest.raises(ValueError, match="write to another name or move it away"):
        files.write(tmp_path / "raw", OLD)


def test_a_result_that_somebody_corrected_is_not_replaced(tmp_path: Path) -> None:
    found = Labels(np.zeros((2, 8, 9), np.uint8), names=("0045", "0046"))
    files.write(tmp_path / "classes", found)
    files.write(tmp_path / "classes", found)  # a result of ours, as it was
    later = (tmp_path / "classes" / "0046.tif").stat().st_mtime + 60
    os.utime(tmp_path / "classes" / "0046.tif", (later, later))
    with pytest.raises(ValueError, match=r"hold nothing but an older result, got 0046\.tif"):
        files.write(tmp_path / "classes", found)


def test_a_result_of_other_slices_is_not_replaced(tmp_path: Path) -> None:
    files.write(tmp_path / "drawn", Volume(OLD.data[:1], None, ("0042",)))
    with pytest.raises(ValueError, match=r"got 0042\.tif"):
        files.write(tmp_path / "drawn", OLD)
    files.write(tmp_path / "drawn", Volume(OLD.data[1:2], None, ("0042",)))
    np.testing.assert_array_equal(files.read(tmp_path / "drawn")[0], OLD.data[1])


def test_a_swap_that_fails_gives_the_old_folder_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write(tmp_path / "folder", OLD)
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.name.endswith(".part"):
            raise OSError(errno.EACCES, "in use")
        return rename(self, target)

    monkeypatch.setattr(whole.Path, "rename", refuse)
    with pytest.raises(OSError, match="in use"):
        files.write(tmp_path / "folder", OLD.with_data(np.zeros((2, 4, 5), np.uint8)))
    monkeypatch.undo()
    np.testing.assert_array_equal(np.asarray(files.read(tmp_path / "folder")), OLD.data)


@pytest.mark.parametrize(("name", "error"),
                         [("x.jpg", "a folder or a glob"), ("x.ome.tif", "OME-TIFF is only read"), ("x*", "got the pattern")])
def test_names_that_are_not_written(tmp_path: Path, name: str, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        files.write(tmp_path / name, OLD)


@pytest.mark.parametrize("name", [*NAMES, "x.jpg"])
def test_names_that_are_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match=name):
        files.read(tmp_path / name)
    with pytest.raises(FileNotFoundError, match=name):
        files.read_labels(tmp_path / name)
