"""Janelia's .dat: the pixels of one detector, sizes and places by the header, and files that are cut or of another kind."""

from __future__ import annotations

import pickle
import struct
from pathlib import Path
from typing import Any

import microscopes
import numpy as np
import pytest

from fibsem_ij import files
from fibsem_ij.files import importing
from fibsem_ij.volume import Volume

RNG = np.random.default_rng(6)
PIXELS = {np.dtype(np.int16): RNG.integers(-30_000, 30_000, (6, 2, 30, 40), np.int16),
          np.dtype(np.uint8): RNG.integers(0, 255, (6, 2, 30, 40), np.uint8)}
# The first bytes of a real header of version 8, as jeiss-specs keeps it, and those around its names, pixel size and working distance.
REAL = {0: "d3edf5f20008000132312f31312f323032310000000000003e65798ee2308c3a02000000", 100: "0000472600003880000a0003", 151: "01010000",
        380: "496e4c656e730000000045534220402036303020560000", 464: "40b332604045aacd"}


@pytest.mark.parametrize("dtype", list(PIXELS))
@pytest.mark.parametrize("version", [1, 2, 3, 6, 7, 8, 9])
def test_a_folder_of_every_version(tmp_path: Path, version: int, dtype: Any) -> None:
    for z, pixels in enumerate(PIXELS[dtype]):
        microscopes.janelia(tmp_path / f"Merlin_{z + 8}_0-0-0.dat", pixels, version=version, wd_mm=3.1 - 8e-6 * z)
    (tmp_path / "notes.dat").write_bytes(b"not one of these")
    stack = files.read(tmp_path)
    assert stack.names[:3] == ("Merlin_8_0-0-0", "Merlin_9_0-0-0", "Merlin_10_0-0-0")
    assert stack.voxel_nm == pytest.approx((8, 5.6, 5.6), rel=0.03 if version > 2 else 1e-5), "a float of 3 mm steps by a quarter nanometre"
    assert stack.dtype == dtype
    np.testing.assert_array_equal(np.asarray(stack), PIXELS[dtype][:, 0])
    other = importing.read(tmp_path, detector="B").stack
    np.testing.assert_array_equal(other[2:5, ::3, 5:7], PIXELS[dtype][2:5, 1, ::3, 5:7])
    np.testing.assert_array_equal(np.asarray(pickle.loads(pickle.dumps(other.data))), PIXELS[dtype][:, 1])


def test_a_real_header(tmp_path: Path) -> None:
    head = bytearray(1024)
    for at, text in REAL.items():
        head[at:at + len(text) // 2] = bytes.fromhex(text)
    head[100:108] = struct.pack(">II", 40, 30)  # smaller than it was
    (tmp_path / "a.dat").write_bytes(head + np.moveaxis(PIXELS[np.dtype(np.int16)][0], 0, -1).astype(">i2").tobytes())
    found = files.read(tmp_path / "a.dat")
    np.testing.assert_array_equal(found[0], PIXELS[np.dtype(np.int16)][0, 0])
    acquired = importing.read(tmp_path / "a.dat").acquired
    assert acquired is not None
    assert acquired.scans[0] is not None
    assert acquired.scans[0].pixel_nm == pytest.approx((5.6, 5.6), rel=1e-4)
    assert acquired.scans[0].z_nm == pytest.approx(3.0885e6, rel=1e-4)


def test_detectors_that_are_on(tmp_path: Path) -> None:
    pixels = PIXELS[np.dtype(np.uint8)][0]
    microscopes.janelia(tmp_path / "a.dat", pixels, detectors="BC")
    np.testing.assert_array_equal(importing.read(tmp_path / "a.dat", detector="C").stack[0], pixels[1])
    np.testing.assert_array_equal(files.read(tmp_path / "a.dat")[0], pixels[0])
    with pytest.raises(ValueError, match=r"a.dat: expected a detector of B \(ESB @ 600 V\), C \(C\), got 'A'"):
        importing.read(tmp_path / "a.dat", detector="A")
    microscopes.janelia(tmp_path / "b.dat", pixels, detectors="")
    np.testing.assert_array_equal(importing.read(tmp_path / "b.dat", detector="B").stack[0], pixels[1])


@pytest.mark.parametrize(("change", "says"), [
    (lambda whole: whole[:1000], "a file that was cut"), (lambda whole: whole[:-100], "the file was cut"), (lambda whole: b"", "cut"),
    (lambda whole: b"II*\0" + whole[4:], "another kind"), (lambda whole: whole[:4] + b"\0\x63" + whole[6:], "versions 1 to 9"),
    (lambda whole: whole[:32] + b"\x09" + whole[33:], "up to 4 detectors"),
    (lambda whole: whole[:100] + b"\xff" * 8 + whole[108:], "GiB"), (lambda whole: whole[:100] + bytes(8) + whole[108:], "damaged")])
def test_files_that_are_none(tmp_path: Path, change: Any, says: str) -> None:
    microscopes.janelia(tmp_path / "a.dat", PIXELS[np.dtype(np.int16)][0], tail=b"")
    (tmp_path / "a.dat").write_bytes(change((tmp_path / "a.dat").read_bytes()))
    with pytest.raises(ValueError, match=says):
        files.read(tmp_path / "a.dat")


def test_cut_while_it_is_read_and_never_written(tmp_path: Path) -> None:
    microscopes.janelia(tmp_path / "a.dat", PIXELS[np.dtype(np.int16)][0])
    stack = files.read(tmp_path / "a.dat")
    (tmp_path / "a.dat").write_bytes((tmp_path / "a.dat").read_bytes()[:2000])
    with pytest.raises(ValueError, match="cut"):
        np.asarray(stack)
    with pytest.raises(ValueError, match=r"\.dat is only read"):
        files.write(tmp_path / "b.dat", Volume(np.zeros((1, 4, 4), np.uint8)))
