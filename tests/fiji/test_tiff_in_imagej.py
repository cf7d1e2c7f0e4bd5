"""TIFFs that files/ writes, as ImageJ itself opens them; and TIFFs that ImageJ saves, as files/ reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fibsem_ij import fiji, files
from fibsem_ij.arrays.colours import colours_of
from fibsem_ij.files import tiff
from fibsem_ij.files.stack import Blank
from fibsem_ij.volume import Labels, Volume

pytestmark = pytest.mark.timeout(200)
RNG = np.random.default_rng(5)
VOXEL, NAMES = (25.0, 4.5, 4.5), ("0003", "a b", "ünï", "x")


def stack(dtype: Any) -> Volume:
    values = RNG.integers(0, 250, (4, 11, 13))
    return Volume((values > 120) if dtype == np.bool_ else (values / 7 if dtype == np.float32 else values).astype(dtype), VOXEL, NAMES)


def opened(session: fiji.Session, path: Path) -> Volume:
    return session.macro("open(getArgument());", str(path)).opened[0]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.bool_])
def test_imagej_opens_what_we_write(session: fiji.Session, tmp_path: Path, dtype: Any) -> None:
    sent = stack(dtype)
    files.write(tmp_path / "sent.tif", sent)
    got = opened(session, tmp_path / "sent.tif")
    assert np.array_equal(np.asarray(got), np.asarray(sent) * (255 if dtype == np.bool_ else 1))
    assert got.names == NAMES
    assert got.voxel_nm == pytest.approx(VOXEL, rel=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_we_read_what_imagej_saves(session: fiji.Session, tmp_path: Path, dtype: Any) -> None:
    sent = stack(dtype)
    session.macro("saveAs('Tiff', getArgument());", str(tmp_path / "saved.tif"), images=[sent])
    got = files.read(tmp_path / "saved.tif")
    assert np.array_equal(np.asarray(got), np.asarray(sent))
    assert got.names == NAMES
    assert got.voxel_nm == pytest.approx(VOXEL, rel=2e-6), "ImageJ keeps six digits of the resolution"


@pytest.mark.parametrize("largest", [200, 60_000, 2**24])
def test_label_files_open_coloured(session: fiji.Session, tmp_path: Path, largest: int) -> None:
    ids = RNG.integers(0, largest, (3, 9, 10), dtype=np.uint32)
    ids[0, 0, :3] = 0, 1, largest
    files.write(tmp_path / "labels.tif", Labels(ids, VOXEL))
    assert np.array_equal(np.asarray(opened(session, tmp_path / "labels.tif")), ids)
    first = session.macro("open(getArgument()); getLut(r, g, b); return '' + r[1] + ',' + g[1] + ',' + b[1] + ',' + r[0];",
                          str(tmp_path / "labels.tif")).value
    assert first == ",".join(map(str, [*colours_of([1])[0], 0])), "colour 1 of the table, on black"


def test_over_4_gb(session: fiji.Session, tmp_path: Path) -> None:
    """As ImageJ's virtual stack: the number of slices, and the last one, beyond 2^32 bytes. The file has holes, where the disk allows."""
    from jpype import JClass

    shape = (280, 4096, 4096)
    raw = tiff.lay_out(tmp_path / "large.tif", Volume(Blank(shape, np.dtype(np.uint8)), VOXEL), np.dtype(np.uint8))
    last = RNG.integers(0, 255, shape[1:], np.uint8)
    with raw.path.open("r+b") as file:
        file.seek(raw.end - last.size)
        file.write(last.data)
    assert raw.path.stat().st_size > 2**32
    imp = JClass("ij.IJ").openVirtual(str(raw.path))
    assert int(imp.getStackSize()) == shape[0]
    pixels = imp.getStack().getPixels(shape[0])
    assert np.array_equal(np.asarray(pixels).view(np.uint8).reshape(shape[1:]), last)
    imp.close()
    assert np.array_equal(files.read(raw.path)[shape[0] - 1], last)
