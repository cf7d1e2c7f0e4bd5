"""Class probabilities: read undoes write, a public validator reads them, damage is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import ome_zarr_models.v04 as public
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from fibsem_ij import files
from fibsem_ij.files import probabilities
from fibsem_ij.volume import Volume

NAMES = {2: "membrane", 1: "mitochondrion", 7: "vesicle"}
VOXEL = (8.0, 4.0, 4.0)
PIXELS = np.random.default_rng(0).integers(0, 256, (3, 4, 20, 300), dtype=np.uint8)


def write(path: Path, pixels: np.ndarray = PIXELS, names: dict[int, str] = NAMES, **more: Any) -> Path:
    with probabilities.create(path, names=names, shape=pixels.shape[1:], **more) as out:
        for z in range(pixels.shape[1]):
            out[:, z] = pixels[:, z]
    return path


@settings(deadline=None, max_examples=12)
@given(shape=st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 40), st.integers(1, 40)),
       voxel=st.none() | st.tuples(*[st.floats(1e-3, 1e6)] * 3), named=st.booleans(), exclusive=st.booleans(), seed=st.integers(0, 99))
def test_read_undoes_write(tmp_path_factory: pytest.TempPathFactory, shape: Any, voxel: Any, named: bool, exclusive: bool,
                         seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    names = dict(list(NAMES.items())[:shape[0]])
    labels = tuple(f"s{z}" for z in range(shape[1])) if named else ()
    path = write(tmp_path_factory.mktemp("p") / "p.zarr", pixels, names, voxel_nm=voxel, slice_names=labels,
                 exclusive=exclusive)
    got = probabilities.read(path)
    assert (got.shape, got.names, got.classes, got.voxel_nm, got.exclusive) == (shape, names, tuple(names.values()), voxel, exclusive)
    for c, name in enumerate(names.values()):
        stack = got[c]
        assert isinstance(stack, Volume)
        assert stack.voxel_nm == voxel
        assert stack.names == (labels or tuple(f"{z:04d}" for z in range(shape[1])))
        np.testing.assert_array_equal(np.asarray(got.of(name)), pixels[c])
        np.testing.assert_array_equal(got[c, -1], pixels[c, -1])
    np.testing.assert_array_equal(got[:], pixels)
    np.testing.assert_array_equal(got[:, 0], pixels[:, 0])
    np.testing.assert_array_equal(got[0, 0, 1:5, ::2], pixels[0, 0, 1:5, ::2])


def test_slices_in_any_order_and_back_while_it_is_filled(tmp_path: Path) -> None:
    with probabilities.create(tmp_path / "p.zarr", names=NAMES, shape=PIXELS.shape[1:]) as out:
        for c, z in [(c, z) for c in (2, 0, 1) for z in (3, 1, 0, 2)]:
            out[c, z] = PIXELS[c, z]
        np.testing.assert_array_equal(out[:, 1], PIXELS[:, 1])
        with pytest.raises(ValueError, match=r"\(20, 300\) uint8, got .* float64"):
            out[0, 0] = PIXELS[0, 0] / 255
    np.testing.assert_array_equal(probabilities.read(tmp_path / "p.zarr")[1, 2], PIXELS[1, 2])


def test_a_store_that_does_not_say_so_has_exclusive_channels(tmp_path: Path) -> None:
    path = write(tmp_path / "p.zarr", exclusive=False)
    said = json.loads((path / ".zattrs").read_text())
    assert said["fibsem_ij"].pop("exclusive") is False
    (path / ".zattrs").write_text(json.dumps(said))
    assert probabilities.read(path).exclusive


def test_it_is_an_image_with_named_channels_for_others(tmp_path: Path) -> None:
    path = write(tmp_path / "p.zarr", voxel_nm=VOXEL)
    image = public.Image.from_zarr(zarr.open_group(str(path), mode="r"))
    scales = image.attributes.multiscales[0]
    assert [(axis.name, axis.type) for axis in scales.axes] == [("c", "channel"), ("z", "space"), ("y", "space"), ("x", "space")]
    assert scales.datasets[1].coordinateTransformations[0].scale == [1, 16, 8, 8]
    assert scales.datasets[1].coordinateTransformations[1].translation == [0, 4, 2, 2]
    channels = json.loads((path / ".zattrs").read_text())["omero"]["channels"]
    assert [channel["label"] for channel in channels] == list(NAMES.values())
    assert len({channel["color"] for channel in channels}) == 3
    coarse = zarr.open_array(str(path / "1"), mode="r")
    assert coarse.shape == (3, 2, 10, 150)
    assert abs(int(np.asarray(coarse[1, 1, 4, 7])) - PIXELS[1, 2:4, 8:10, 14:16].mean()) <= 0.5


def test_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="got 3; missing channel 0, slice 1"), \
            probabilities.create(tmp_path / "p.zarr", names=NAMES, shape=PIXELS.shape[1:]) as out:
        out[:, 0] = PIXELS[:, 0]
    with pytest.raises(KeyboardInterrupt), probabilities.create(tmp_path / "p.zarr", names=NAMES, shape=(1, 2, 2)):
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())
    files.write(tmp_path / "raw.zarr", Volume(PIXELS[0]))
    with pytest.raises(ValueError, match=r"nothing but an older result, got \.zattrs"):
        write(tmp_path / "raw.zarr")
    write(tmp_path / "p.zarr")
    write(tmp_path / "p.zarr", 255 - PIXELS)
    assert probabilities.read(tmp_path / "p.zarr")[0, 0, 0, 0] == 255 - PIXELS[0, 0, 0, 0]
    (tmp_path / "p.zarr" / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"got notes\.txt"):
        write(tmp_path / "p.zarr")
    with pytest.raises(ValueError, match="classes of different names"):
        write(tmp_path / "q.zarr", PIXELS, {1: "a", 2: "a", 3: "b"})


def test_a_class_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a class 'axon', got membrane, mitochondrion, vesicle"):
        probabilities.read(write(tmp_path / "p.zarr")).of("axon")


def test_damage_is_told_and_foreign_stores_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "p.zarr")
    chunk = path / "0" / "1" / "2" / "0" / "0"
    packed = chunk.read_bytes()
    for spoiled in (packed[:len(packed) // 2], packed[:50] + b"\0\1\2" + packed[53:], b""):
        chunk.write_bytes(spoiled)
        with pytest.raises(ValueError, match=r"channel 1, slice 2: .*is damaged: copy it again"):
            probabilities.read(path)[1, 2]
    chunk.unlink()
    with pytest.raises(ValueError, match=r"channel 1, slice 2: .*none at .*0/1/2/0/0"):
        probabilities.read(path)[1, 2]
    np.testing.assert_array_equal(probabilities.read(path)[1, 1], PIXELS[1, 1])
    files.write(tmp_path / "raw.zarr", Volume(PIXELS[0]))
    for other in (tmp_path / "raw.zarr", tmp_path):
        with pytest.raises(ValueError, match="as segment apply writes them"):
            probabilities.read(other)
    with pytest.raises(FileNotFoundError, match="check the name"):
        probabilities.read(tmp_path / "none.zarr")


@pytest.mark.parametrize(("file", "change"), [
    ("0/.zarray", {"compressor": {"id": "blosc", "cname": "lz4", "clevel": 1, "shuffle": 1, "blocksize": 0}}),
    ("0/.zarray", {"filters": [{"id": "pickle", "protocol": 4}]}), ("0/.zarray", {"compressor": {"id": "pickle", "protocol": 4}}),
    ("0/.zarray", {"dtype": "|O", "filters": [{"id": "pickle", "protocol": 4}]}), ("0/.zarray", {"chunks": [3, 4, 20, 300]}),
    ("0/.zarray", {"shape": [3, 4, 200_000, 200_000]}), ("0/.zarray", {"shape": [2, 4, 20, 300]}), ("0/.zarray", {"shape": [4, 20, 300]}),
    (".zattrs", {"fibsem_ij": {"probabilities": {"1": "a"}}}), (".zattrs", {"multiscales": []}),
    (".zattrs", {"fibsem_ij": {"probabilities": [[1, "a"], [2, "b"], [3, "c"]], "names": ["one"]}})])
def test_edited_by_hand(tmp_path: Path, file: str, change: dict[str, Any]) -> None:
    path = write(tmp_path / "p.zarr")
    said = json.loads((path / file).read_text()) | change
    (path / file).write_text(json.dumps(said))
    with pytest.raises(ValueError, match=r"p\.zarr: expected class probabilities"):
        probabilities.read(path)
    shutil.rmtree(path)
