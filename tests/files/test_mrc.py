"""MRC beside mrcfile, which is the public reader."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest

from fibsem_ij import files
from fibsem_ij.volume import Volume

# mrcfile 1.5 itself does what NumPy 2.5 deprecates; ours does not use that part of it.
pytestmark = pytest.mark.filterwarnings("ignore:Setting the dtype on a NumPy array:DeprecationWarning")
PIXELS = np.random.default_rng(2).integers(0, 100, (4, 21, 35))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "float16", "float32"])
def test_mrcfile_reads_ours(tmp_path: Path, dtype: str, capsys: pytest.CaptureFixture[str]) -> None:
    files.write(tmp_path / "a.mrc", Volume(PIXELS.astype(dtype), (5, 4.1, 3.9), tuple("abcd")))
    with mrcfile.open(tmp_path / "a.mrc") as mrc:
        np.testing.assert_array_equal(mrc.data, PIXELS)
        assert mrc.is_volume()
        np.testing.assert_allclose([mrc.voxel_size.z, mrc.voxel_size.y, mrc.voxel_size.x], [50, 41, 39], rtol=1e-6)
        assert mrc.data.dtype == ("uint16" if dtype == "uint8" else dtype)
    assert mrcfile.validate(tmp_path / "a.mrc"), capsys.readouterr().out


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "float16", "float32"])
def test_we_read_mrcfiles(tmp_path: Path, dtype: str) -> None:
    with mrcfile.new(tmp_path / "a.mrc") as mrc:
        mrc.set_data(PIXELS.astype(dtype))
        mrc.voxel_size = (39, 41, 50)
    got = files.read(tmp_path / "a.mrc")
    np.testing.assert_array_equal(np.asarray(got), PIXELS)
    assert got.voxel_nm == pytest.approx((5, 4.1, 3.9))
    assert got.dtype == ("uint16" if dtype == "uint8" else dtype)


@pytest.mark.parametrize(("stamp", "flags", "dtype"), [(0, 0, "int8"), (1_146_047_817, 1, "int8"), (1_146_047_817, 0, "uint8")])
def test_the_sign_of_mode_0(tmp_path: Path, stamp: int, flags: int, dtype: str) -> None:
    with mrcfile.new(tmp_path / "a.mrc") as mrc:
        mrc.set_data(np.full((1, 2, 3), -56, np.int8))
    whole = bytearray((tmp_path / "a.mrc").read_bytes())
    struct.pack_into("<ii", whole, 152, stamp, flags)
    (tmp_path / "a.mrc").write_bytes(whole)
    got = files.read(tmp_path / "a.mrc")
    assert (got.dtype, got[0, 0, 0]) == (dtype, -56 if dtype == "int8" else 200)


@pytest.mark.parametrize(("pixels", "error"), [
    (np.zeros((2, 3, 4), np.complex64), "complex"), (np.zeros((2, 3, 4, 5), np.int8), "expected"), (np.zeros((3, 4), np.int8), None)])
def test_other_kinds(tmp_path: Path, pixels: Any, error: str | None) -> None:
    with mrcfile.new(tmp_path / "a.mrc") as mrc:
        mrc.set_data(pixels)
    if error is None:
        assert files.read(tmp_path / "a.mrc").shape == (1, 3, 4)
    elif error == "complex":
        with pytest.raises(ValueError, match=r"a\.mrc: expected grey pixels, got complex"):
            files.read(tmp_path / "a.mrc")


def test_big_endian(tmp_path: Path) -> None:
    with mrcfile.new(tmp_path / "a.mrc") as mrc:
        mrc.set_data(PIXELS.astype(">i2"))
    got = files.read(tmp_path / "a.mrc")
    np.testing.assert_array_equal(np.asarray(got), PIXELS)
    assert got[0].dtype.isnative
