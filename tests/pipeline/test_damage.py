"""Files that were cut, changed or lost a part: named with file, and with slice and chunk; none is read in silence."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import small_recipe as small
import zarr

from fibsem_ij import files, pipeline, recipe
from fibsem_ij.cli import main
from fibsem_ij.files import chunks, probabilities
from fibsem_ij.volume import Labels, Volume
from fibsem_ij.workspace import Workspace

SHAPE = (5, 40, 50)


def noise(dtype: Any, top: int = 250) -> Any:
    return np.random.default_rng(3).integers(0, top, SHAPE).astype(dtype)


def written(path: Path) -> Path:
    """A store of the kind that its name says."""
    kind = path.stem
    if kind == "probabilities":
        with probabilities.create(path, names={0: "none", 1: "cell"}, shape=SHAPE) as out:
            for z in range(SHAPE[0]):
                out[:, z] = np.stack([noise(np.uint8)[z], 255 - noise(np.uint8)[z]])
    else:
        files.write(path, Labels(noise(np.uint32, 9) * 70_000) if kind == "labels" else Volume(noise(kind)))
    return path


def everything(path: Path) -> Any:
    return np.stack([probabilities.read(path)[c] for c in (0, 1)]) if path.stem == "probabilities" else np.asarray(files.read(path))


def flip(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= rng.randrange(1, 256)
    path.write_bytes(data)


def cut(path: Path, rng: random.Random) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:rng.randrange(len(data))])


def remove(path: Path, _: random.Random) -> None:
    path.unlink()


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a command says before it ends with 2; "" where it does anything else."""
    with pytest.raises(SystemExit) as end:
        main(words)
    said = capsys.readouterr().err
    line = said.splitlines()[-1] if said else ""
    return line if end.value.code == 2 and line.startswith("fibsem-ij: ") and "Traceback" not in said else ""


@pytest.mark.fault("a chunk with a byte flipped, cut, or gone, in stores of all kinds: named with store, slice and chunk")
def test_a_store_that_lost_something(tmp_path: Path, trials: Any) -> None:
    rng, kinds = random.Random(5), ("uint8", "uint16", "float32", "labels", "probabilities")
    stores = [written(tmp_path / f"{kind}.zarr") for kind in kinds]
    whole = {path: everything(path) for path in stores}
    for n in range(trials.of(20, 200)):
        store, harm = stores[n % len(stores)], (flip, flip, flip, remove, cut)[n // len(stores) % 5]
        chunk = rng.choice(sorted(path for path in (store / "0").rglob("*") if path.is_file() and path.name[0] != "."))
        before, z = chunk.read_bytes(), chunk.parts[-3]
        harm(chunk, rng)
        try:
            same = np.array_equal(everything(store), whole[store])
            trials.add(f"{harm.__name__} of {chunk}: {'harmless' if same else 'silent'}")
        except ValueError as error:
            named = str(store) in str(error) and f"slice {z}" in str(error) and str(chunk) in str(error)
            trials.add("" if named else f"{harm.__name__} of {chunk}: {error}")
        chunk.write_bytes(before)


@pytest.mark.fault("a byte flipped in what says how chunks become pixels (.zarray): named, or the same pixels as before")
def test_a_store_whose_layout_changed(tmp_path: Path, trials: Any) -> None:
    rng, stores = random.Random(6), [written(tmp_path / f"{kind}.zarr") for kind in ("uint16", "labels", "probabilities")]
    whole = {path: everything(path) for path in stores}
    refusals = 0
    for n in range(trials.of(20, 200)):
        store = stores[n % len(stores)]
        told = store / "0" / ".zarray"
        before = told.read_bytes()
        flip(told, rng)
        try:
            trials.add("" if np.array_equal(everything(store), whole[store]) else f"silent: {told.read_text('utf-8')}")
        except ValueError as error:
            refusals += 1
            trials.add("" if str(store) in str(error) else f"it does not say where: {error}")
        told.write_bytes(before)
    trials.note = f"{refusals} refused"
    assert refusals


@pytest.mark.parametrize(("key", "value"), [("shape", [4, 40, 50]), ("dtype", "<i2"), ("dtype", ">u2"), ("order", "F"),
                                            ("chunks", [1, 50, 40])])
def test_a_layout_that_would_be_believed(tmp_path: Path, key: str, value: Any) -> None:
    told = written(tmp_path / "uint16.zarr") / "0" / ".zarray"
    said = json.loads(told.read_text(encoding="utf-8"))
    told.write_text(json.dumps(said | {key: value}), encoding="utf-8")
    with pytest.raises(ValueError, match=r"uint16\.zarr: expected 0/\.zarray to say 5 x 40 x 50 of <u2 in 1 x 40 x 50, C, got"):
        files.read(tmp_path / "uint16.zarr")


def test_older_stores_are_read_and_those_of_others_tell_what_is_not_there(tmp_path: Path) -> None:
    """Blosc, which has no checksum, without a word about the layout; and of somebody else, who leaves out what is black."""
    pixels = noise(np.uint8)
    pixels[2] = 0
    for name, whole in (("older", {"fibsem_ij": {"whole": True}}), ("other", {})):
        group = zarr.open_group(store=str(tmp_path / f"{name}.zarr"), mode="w", zarr_format=2)
        array = group.create_array("0", shape=SHAPE, dtype=np.uint8, chunks=(1, 40, 50), compressors=numcodecs.Blosc("zstd"),
                                   fill_value=0, config={"write_empty_chunks": bool(whole)})
        array[:] = pixels
        axes = [{"name": axis, "type": "space"} for axis in "zyx"]
        scale = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 1]}]}]
        group.attrs.update({"multiscales": [{"version": "0.4", "axes": axes, "datasets": scale}], **whole})
        assert np.array_equal(np.asarray(files.read(tmp_path / f"{name}.zarr")), pixels)
        assert chunks.absent(tmp_path / f"{name}.zarr") == ([] if whole else [2])
        said: list[str] = []
        pipeline.run(recipe.parse(f'[input]\nsrc = "{name}.zarr"', folder=tmp_path), Workspace(tmp_path / name), say=said.append)
        assert [line for line in said if "no chunks for a part of slices 2: " in line] == ([] if whole else said[1:2])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.lay_out(tmp_path_factory.mktemp("damage"), small.RECIPE.partition("[segment]")[0]).parent


@pytest.mark.fault("the source, a TIFF, cut at any place: `fibsem-ij run` ends with 2 and one line that names it, before it does anything")
def test_a_run_of_a_tiff_that_was_cut(folder: Path, trials: Any, capsys: pytest.CaptureFixture[str]) -> None:
    whole, rng = (folder / "raw.tif").read_bytes(), random.Random(8)
    for size in (rng.randrange(len(whole)) for _ in range(trials.of(5, 50))):
        (folder / "raw.tif").write_bytes(whole[:size])
        said = refused(["run", str(folder / "recipe.toml"), str(folder / "cut"), "--progress", "none"], capsys)
        trials.add("" if "raw.tif" in said and not (folder / "cut").exists() else f"cut at {size} of {len(whole)}: {said}")
    (folder / "raw.tif").write_bytes(whole)


@pytest.mark.fault("a byte flipped in a stage's result: the next run ends with 2 and one line that names store, slice and chunk")
def test_a_run_over_a_result_that_was_damaged(folder: Path, trials: Any, capsys: pytest.CaptureFixture[str]) -> None:
    words, rng = ["run", str(folder / "recipe.toml"), str(folder / "ws"), "--progress", "none"], random.Random(9)
    main_until_done(words)
    capsys.readouterr()
    stores = [folder / "ws" / f"{name}.zarr" for name in ("raw", "aligned", "clean")]
    for n in range(trials.of(3, 30)):
        chunk = rng.choice(sorted(path for path in (stores[n % 3] / "0").rglob("*") if path.is_file() and path.name[0] != "."))
        before, harm = chunk.read_bytes(), (flip, flip, remove)[n // 3 % 3]
        harm(chunk, rng)
        said = refused(words, capsys)
        named = str(chunk) in said and re.search(rf"slice {chunk.parts[-3]}\b", said) and "made anew" in said
        trials.add("" if named else f"{harm.__name__} of {chunk}: {said}")
        chunk.write_bytes(before)
    main_until_done(words)


def main_until_done(words: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(words)
    assert not end.value.code


