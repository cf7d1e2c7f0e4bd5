"""Every format over the grid of pixel types: what goes in comes out, or is refused with a remedy."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fibsem_ij import files
from fibsem_ij.volume import Labels, Volume

NAMES = ["stack.tif", "folder", "store.zarr", "stack.mrc", "stack.npy", "stack.nrrd"]
GREY = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64"]
TOO_WIDE = {"int32", "uint32", "int64", "uint64", "float64"}
REFUSED = {"stack.tif": TOO_WIDE, "folder": TOO_WIDE, "stack.mrc": TOO_WIDE, "store.zarr": set(), "stack.npy": set(), "stack.nrrd": set()}
VOXEL = (8.0, 4.0 / 3, 3.9)
SLICES = ("0002", "slice b", "slice ß10")


def full_range(dtype: str, shape: tuple[int, ...] = (3, 17, 23)) -> np.ndarray[Any, Any]:
    """Random pixels with the least and greatest value of the type among them."""
    rng = np.random.default_rng(7)
    if dtype == "bool":
        return rng.random(shape) > 0.5
    kind = np.dtype(dtype)
    if kind.kind == "f":
        pixels = rng.normal(0, 1000, shape).astype(kind)
        pixels.flat[:4] = np.finfo(kind).max, np.finfo(kind).min, np.nan, np.inf
        return pixels
    info = np.iinfo(kind)
    pixels = rng.integers(info.min, info.max, shape, kind, endpoint=True)
    pixels.flat[:2] = info.min, info.max
    return pixels


def same(got: Volume, wanted: Volume) -> None:
    assert type(got) is type(wanted)
    assert got.dtype == wanted.dtype
    assert got.names == wanted.names
    assert (got.voxel_nm is None) == (wanted.voxel_nm is None)
    if wanted.voxel_nm:
        np.testing.assert_allclose(got.voxel_nm, wanted.voxel_nm, rtol=1e-6)
    np.testing.assert_array_equal(np.asarray(got), np.asarray(wanted))


@pytest.mark.parametrize("dtype", GREY)
@pytest.mark.parametrize("name", NAMES)
def test_grey(tmp_path: Path, name: str, dtype: str) -> None:
    volume = Volume(full_range(dtype), VOXEL, SLICES)
    if dtype in REFUSED[name]:
        with pytest.raises(ValueError, match=f"got {dtype}; convert"):
            files.write(tmp_path / name, volume)
        assert not list(tmp_path.iterdir())
        return
    files.write(tmp_path / name, volume)
    same(files.read(tmp_path / name), volume)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
@pytest.mark.parametrize("top", [100, 65_535, 65_536, 2**24])
@pytest.mark.parametrize("name", NAMES)
def test_labels(tmp_path: Path, name: str, top: int, dtype: str) -> None:
    pixels = np.random.default_rng(1).integers(0, min(top, np.iinfo(dtype).max), (3, 17, 23), dtype, endpoint=True)
    pixels[1, 2, 3] = min(top, np.iinfo(dtype).max)
    labels = Labels(pixels, VOXEL, SLICES, {1: "mitochondrion", 70_000: 'a "nucleus", ß'})
    files.write(tmp_path / name, labels)
    got = files.read_labels(tmp_path / name)
    same(got, labels)
    assert got.classes == labels.classes


@pytest.mark.parametrize("name", ["stack.tif", "folder", "stack.mrc"])
def test_labels_that_no_float_holds_are_refused(tmp_path: Path, name: str) -> None:
    pixels = np.zeros((2, 3, 4), np.uint32)
    pixels[1, 1, 1] = 2**24 + 1
    with pytest.raises(ValueError, match=r"up to 16777216.*got 16777217; renumber them from 1, or write .zarr"):
        files.write(tmp_path / name, Labels(pixels))
    blank = files.create(tmp_path / name, shape=pixels.shape, dtype="uint32", labels=True)
    with pytest.raises(ValueError, match=r"slice 0001: expected label numbers from 0 to 16777216, got 0 to 16777217"), blank as out:
        out[0], out[1] = pixels
    with pytest.raises(ValueError, match=r"slice 0000: expected label numbers from 0"):
        files.write(tmp_path / name, Labels(pixels.astype(np.int32) - 1000))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_nothing_said_is_nothing_read(tmp_path: Path, name: str) -> None:
    volume = Volume(full_range("uint8"))
    files.write(tmp_path / name, volume)
    same(files.read(tmp_path / name), volume)
    assert files.read(tmp_path / name, voxel_nm=(3, 2, 1)).voxel_nm == (3, 2, 1)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(1, 5, 7), (3, 5, 7), (4, 1, 1), (11, 1, 9), (2, 300, 1)])
def test_odd_shapes_and_windows(tmp_path: Path, name: str, shape: tuple[int, int, int]) -> None:
    volume = Volume(full_range("uint16", shape))
    files.write(tmp_path / name, volume)
    got = files.read(tmp_path / name)
    same(got, volume)
    pixels = np.asarray(volume)
    for key in (0, -1, np.int64(0), ..., slice(1), [0], (slice(None), 0), (0, slice(None, None, -1)), (..., 0), (0, 0, 0), slice(9, 9)):
        np.testing.assert_array_equal(got[key], pixels[key])
    for key in (99, -99, (0, 0, 99), (0, 0, 0, 0)):
        with pytest.raises(IndexError):
            got[key]
    assert got[0].flags.writeable
    np.testing.assert_array_equal(np.asarray(pickle.loads(pickle.dumps(got.data))), pixels)


@settings(deadline=None, max_examples=15)
@given(pixels=arrays.arrays(st.sampled_from([np.uint8, np.uint16, np.float32, np.bool_]),
                            arrays.array_shapes(min_dims=3, max_dims=3, max_side=9)),
       voxel_nm=st.none() | st.tuples(*[st.floats(0.01, 1e5)] * 3))
@pytest.mark.parametrize("name", NAMES)
def test_any_stack(tmp_path_factory: pytest.TempPathFactory, name: str, pixels: Any, voxel_nm: Any) -> None:
    path = tmp_path_factory.mktemp("any") / name
    volume = Volume(pixels, voxel_nm)
    files.write(path, volume)
    same(files.read(path), volume)
