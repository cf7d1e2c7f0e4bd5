"""OME-Zarr 0.4, checked by a public validator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import ome_zarr_models.v04 as public
import pytest
import zarr

from fibsem_ij import files
from fibsem_ij.files import pyramid
from fibsem_ij.volume import Labels, Volume

VOXEL = (8.0, 4.0, 4.0)
PIXELS = np.random.default_rng(2).integers(0, 60_000, (5, 521, 270)).astype(np.uint16)


def group(path: Path) -> Any:
    return zarr.open_group(str(path), mode="r")


def test_an_image_is_valid(tmp_path: Path) -> None:
    files.write(tmp_path / "raw.zarr", Volume(PIXELS, VOXEL))
    image = public.Image.from_zarr(group(tmp_path / "raw.zarr"))
    scales = image.attributes.multiscales[0]
    assert [(axis.name, axis.type, axis.unit) for axis in scales.axes] == [(a, "space", "nanometer") for a in "zyx"]
    assert [d.path for d in scales.datasets] == ["0", "1", "2"]
    assert json.loads((tmp_path / "raw.zarr" / ".zattrs").read_text(encoding="utf-8"))["multiscales"][0]["version"] == "0.4"


def test_labels_are_valid_in_a_store_and_in_an_image(tmp_path: Path) -> None:
    labels = Labels(PIXELS.astype(np.uint32), VOXEL, (), {1: "mitochondrion"})
    files.write(tmp_path / "labels.zarr", labels)
    label = public.ImageLabel.from_zarr(group(tmp_path / "labels.zarr"))
    assert label.attributes.image_label.version == "0.4"
    files.write(tmp_path / "raw.zarr", Volume(PIXELS, VOXEL))
    for name in ("cells", "nuclei"):
        files.write(tmp_path / "raw.zarr" / "labels" / name, labels)
    assert public.Labels.from_zarr(group(tmp_path / "raw.zarr" / "labels")).attributes.labels == ["cells", "nuclei"]
    assert public.ImageLabel.from_zarr(group(tmp_path / "raw.zarr" / "labels" / "cells")).attributes.image_label.source.image == "../../"
    public.Image.from_zarr(group(tmp_path / "raw.zarr"))


def test_labels_in_an_image(tmp_path: Path) -> None:
    path, labels = tmp_path / "raw.zarr", Labels(PIXELS[:1].astype(np.uint64), VOXEL, ("s",), {3: "c"})
    with pytest.raises(FileNotFoundError, match="write the image first"):
        files.write(path / "labels" / "cells", labels)
    files.write(path, Volume(PIXELS[:1], VOXEL))
    with pytest.raises(ValueError, match="expected Labels"):
        files.write(path / "labels" / "cells", Volume(PIXELS[:1]))
    files.write(path / "labels" / "cells", labels)
    for where in (path, path / "labels" / "cells"):
        got = files.read_labels(where)
        np.testing.assert_array_equal(np.asarray(got), labels.data)
        assert (got.classes, got.names) == ({3: "c"}, ("s",))
    np.testing.assert_array_equal(np.asarray(files.read(path)), PIXELS[:1])
    with pytest.raises(ValueError, match=r"got the labels cells; write to another name"):
        files.write(path, Volume(PIXELS[:1]))
    files.write(path / "labels" / "nuclei", labels)
    with pytest.raises(ValueError, match="expected one label group, got cells, nuclei; name one"):
        files.read_labels(path)


def test_a_failed_label_group_leaves_nothing(tmp_path: Path) -> None:
    files.write(tmp_path / "raw.zarr", Volume(PIXELS[:1], VOXEL))
    with pytest.raises(ValueError, match="missing 0000"), files.create(tmp_path / "raw.zarr" / "labels" / "cells", shape=(1, 2, 3),
                                                                         dtype=np.uint32, labels=True):
        pass
    assert not (tmp_path / "raw.zarr" / "labels").exists()


@pytest.mark.parametrize("labels", [False, True])
def test_coarser_copies_lie_where_they_say(tmp_path: Path, labels: bool) -> None:
    """A ramp in nanometres along each axis: every pixel of every copy must hold its own position."""
    shape = (7, 530, 301)
    for axis in range(3):
        at = np.arange(shape[axis]).reshape([-1 if a == axis else 1 for a in range(3)])
        ramp = np.broadcast_to(at, shape)
        files.write(tmp_path / "a.zarr", Labels(ramp.astype(np.uint32), VOXEL) if labels else Volume(ramp.astype(np.float32), VOXEL))
        store = group(tmp_path / "a.zarr")
        for told in store.attrs["multiscales"][0]["datasets"]:
            changes = {c["type"]: c[c["type"]] for c in told["coordinateTransformations"]}
            copy = np.moveaxis(np.asarray(store[told["path"]]), axis, 0)
            nm = np.arange(len(copy)) * changes["scale"][axis] + changes.get("translation", (0, 0, 0))[axis]
            inner = slice(0, -1) if len(copy) > 2 else slice(0, 1)  # the last pixel of an odd size has but half to cover
            np.testing.assert_allclose(copy[inner, 0, 0] * VOXEL[axis], nm[inner])


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.uint32, np.float32, np.float64])
def test_halves(dtype: Any) -> None:
    rng = np.random.default_rng(0)
    slices = rng.integers(0, 100, (2, 6, 8)).astype(dtype)
    mean = slices.astype(np.float64).reshape(2, 3, 2, 4, 2).mean((0, 2, 4))
    half = pyramid.halved(slices, nearest=False)
    assert half.dtype == dtype
    np.testing.assert_allclose(half, mean, atol=0.5 if half.dtype.kind in "ui" else 1e-5)
    top = np.full((2, 3, 3), np.iinfo(dtype).max if half.dtype.kind in "ui" else 7, dtype)
    np.testing.assert_array_equal(pyramid.halved(top, nearest=False), top[0, :2, :2])
    np.testing.assert_array_equal(pyramid.halved(slices, nearest=True), slices[0, ::2, ::2])


def foreign(path: Path, shape: tuple[int, ...], axes: str, *, unit: str = "micrometer", dtype: str = ">u2") -> np.ndarray[Any, Any]:
    store = zarr.create_group(str(path), zarr_format=2)
    pixels = PIXELS[:4, :shape[-2], :shape[-1]].reshape(shape)
    store.create_array("s0", shape=shape, dtype=dtype, chunks=(1,) * (len(shape) - 3) + (2, 16, 16), fill_value=0)[...] = pixels
    told = [{"name": a, "type": "space", "unit": unit} if a in "zyx" else {"name": a} for a in axes]
    scale = [{"type": "scale", "scale": [1.0] * (len(axes) - 3) + [0.008, 0.004, 0.004]}]
    store.attrs["multiscales"] = [{"version": "0.4", "axes": told, "datasets": [{"path": "s0", "coordinateTransformations": scale}]}]
    return pixels


@pytest.mark.parametrize(("shape", "axes"), [((4, 20, 30), "zyx"), ((1, 1, 4, 20, 30), "tczyx"), ((1, 4, 20, 30), "czyx")])
def test_stores_of_others(tmp_path: Path, shape: tuple[int, ...], axes: str) -> None:
    pixels = foreign(tmp_path / "a.zarr", shape, axes)
    got = files.read(tmp_path / "a.zarr")
    assert got.voxel_nm == pytest.approx(VOXEL)
    assert got.dtype.isnative
    np.testing.assert_array_equal(np.asarray(got), pixels.reshape(4, 20, 30))
    np.testing.assert_array_equal(got[1, 3:7, ::-2], pixels.reshape(4, 20, 30)[1, 3:7, ::-2])
    next((tmp_path / "a.zarr" / "s0").glob("**/*0*")).unlink()  # in a store of others a missing chunk means zeros
    assert files.read(tmp_path / "a.zarr").shape == (4, 20, 30)


def test_channels_are_refused(tmp_path: Path) -> None:
    foreign(tmp_path / "a.zarr", (2, 2, 20, 30), "czyx")
    with pytest.raises(ValueError, match=r"expected a stack \(z, y, x\), got shape \(2, 2, 20, 30\)"):
        files.read(tmp_path / "a.zarr")


def test_no_unit_is_no_voxel(tmp_path: Path) -> None:
    foreign(tmp_path / "a.zarr", (4, 20, 30), "zyx", unit="pixel")
    assert files.read(tmp_path / "a.zarr").voxel_nm is None
