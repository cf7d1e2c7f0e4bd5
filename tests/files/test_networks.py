"""A network folder is exact both ways; a cut, mixed, foreign or hostile one is one error that says what to do."""

from __future__ import annotations

import json
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from fibsem_ij.files import networks
from fibsem_ij.files.networks import JSON, WEIGHTS
from fibsem_ij.learn.network import Network, build
from fibsem_ij.learn.scale import Scale

ONE = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False) | st.text()
PLAIN = st.recursive(ONE, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8)
SCALES = st.builds(Scale, st.floats(-1e5, 1e5), st.floats(1e-6, 1e3), dtype=st.sampled_from(["uint8", "int16", "float32"]))
LINE = {"offset": 0, "gain": 1, "low": None, "high": None, "dtype": "uint8"}
INPUT = torch.randn(2, 3, 17, 23, generator=torch.Generator().manual_seed(4))


def small(**given_: Any) -> Network:
    return Network("unet", *build("unet", base=2, depth=2, inputs=3), **given_)


def output(network: Network) -> torch.Tensor:
    with torch.inference_mode():
        made: torch.Tensor = network.module.eval()(INPUT)
        return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    networks.write(tmp_path / "net", small())
    return tmp_path / "net"


@settings(deadline=None, max_examples=15)
@given(name=st.sampled_from(["unet", "resunet"]), outputs=st.integers(1, 3), seed=st.integers(0, 2**40), scale=SCALES,
       activation=st.sampled_from(["none", "sigmoid", "softmax"]), names=st.none() | st.text(),
       record=st.dictionaries(st.text(), PLAIN, max_size=4), voxel=st.none() | st.tuples(*[st.floats(1e-3, 1e6)] * 3))
def test_read_undoes_write(tmp_path_factory: pytest.TempPathFactory, name: str, outputs: int, seed: int, scale: Scale,
                           activation: str, names: str | None, record: dict[str, Any], voxel: Any) -> None:
    config, module = build(name, seed=seed, base=2, depth=2, inputs=3, outputs=outputs)
    module.train()(INPUT)  # moves the statistics of the normalisation
    classes = {} if names is None else {c: f"{names}{c}" for c in range(outputs)}
    wanted = Network(name, config, module, scale, "segment", classes, activation, voxel, record)
    path = tmp_path_factory.mktemp("n") / "net"
    networks.write(path, wanted)
    got = networks.read(path)
    assert torch.equal(output(got), output(wanted))
    for field in ("name", "config", "scale", "task", "classes", "activation", "voxel_nm", "record"):
        assert getattr(got, field) == getattr(wanted, field)
    assert not got.module.training


def test_the_folder_is_for_others_too(folder: Path) -> None:
    assert sorted(p.name for p in folder.iterdir()) == [JSON, WEIGHTS]
    said = json.loads((folder / JSON).read_text(encoding="utf-8"))
    assert {"name", "config", "classes", "voxel_nm", "normalisation", "versions", "record"} <= said.keys()
    assert load_file(folder / WEIGHTS)["last.weight"].shape == (1, 2, 1, 1)


def test_the_memory_format_does_not_matter(tmp_path: Path) -> None:
    network = small()
    wanted = output(network)
    network.module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    networks.write(tmp_path / "net", network)
    assert torch.equal(output(networks.read(tmp_path / "net")), wanted)
    assert next(network.module.parameters()).is_contiguous(memory_format=torch.channels_last)


def test_an_older_network_is_replaced_and_nothing_else(folder: Path) -> None:
    networks.write(folder, small(task="newer"))
    assert networks.read(folder).task == "newer"
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ValueError, match=r"nothing but an older result, got notes\.txt"):
        networks.write(folder, small())
    assert networks.read(folder).task == "newer"


@pytest.mark.parametrize(("record", "spoil", "error"), [
    ({"score": float("nan")}, None, "record of plain JSON values"), ({"score": np.float32(1)}, None, "record of plain JSON values"),
    ({}, lambda m: m.last.weight.data.fill_(float("inf")), "expected finite weights"),
    ({}, lambda m: m.bfloat16(), "as torch.float32, got torch.bfloat16"),
    ({}, lambda m: setattr(m, "last", torch.nn.Conv2d(2, 5, 1)), r"expected the weights of unet.*last\.weight of shape \(1, 2, 1, 1\)")])
def test_what_could_not_be_read_is_not_written(tmp_path: Path, record: Any, spoil: Callable[[Any], Any] | None, error: str) -> None:
    network = small(record=record)
    if spoil:
        spoil(network.module)
    with pytest.raises(ValueError, match=f"(?s){error}"):
        networks.write(tmp_path / "net", network)
    assert list(tmp_path.iterdir()) == []


def refused(folder: Path, error: str) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=f"(?s)expected.*{error}"):
        networks.read(folder)


@pytest.mark.parametrize(("change", "error"), [
    ({"name": "unett"}, "did you mean 'unet'"), ({"name": 3}, "name as str"), ({"name": "os.system"}, "a network of resunet, unet"),
    ({"config": {"base": 2, "depth": 2, "inputs": 3, "bass": 1}}, "did you mean 'base'"), ({"config": [2]}, "config as dict"),
    ({"config": {"base": "2"}}, "base of unet as int"), ({"config": {"base": 2, "depth": 2, "inputs": 3, "seed": 1}}, "options of unet"),
    ({"config": {"base": 4, "depth": 2, "inputs": 3}}, r"down\.0.*mixes two networks"),
    ({"config": {"base": 1024, "depth": 8, "growth": 4.0}}, "mixes two networks"), ({"config": {"depth": 10**9}}, "depth from 1 to 8"),
    ({"config": {"base": 10**500}}, "base from 1 to 1024"), ({"config": {"outputs": 2**62}}, "outputs from 1"),
    ({"config": {"growth": float("inf")}}, "growth from 1"), ({"config": {"dropout": None}}, "dropout of unet as float"),
    ({"classes": {"one": "a"}}, "classes as"), ({"classes": {"0": 3}}, "classes as"),
    ({"classes": {"1": "a"}}, "a class for each"),
    ({"activation": "exec"}, "an activation of"), ({"voxel_nm": [1, 2]}, "three positive"),
    ({"voxel_nm": [1, 2, "3"]}, "a number in voxel_nm"),
    ({"voxel_nm": [1, 2, 10**400]}, "a number in voxel_nm"), ({"voxel_nm": [1, 2, float("nan")]}, "three positive"),
    ({"normalisation": {}}, "normalisation with"), ({"normalisation": LINE | {"offset": True}}, "a number in offset"),
    ({"normalisation": LINE | {"dtype": "O"}}, "grey values"),
    ({"normalisation": LINE | {"dtype": ["u1"]}}, "dtype of normalisation"),
    ({"format": 2}, "update fibsem-ij"), ({"format": None}, "update fibsem-ij"), ({"weights_sha256": "0" * 64}, "another checksum"),
    ({"record": []}, "record as dict"), ({"hook": "import os"}, "look at hook")])
def test_edited_by_hand(folder: Path, change: dict[str, Any], error: str) -> None:
    said = json.loads((folder / JSON).read_text(encoding="utf-8")) | change
    (folder / JSON).write_text(json.dumps(said), encoding="utf-8")
    refused(folder, error)


@pytest.mark.parametrize("key", ["format", "name", "config", "weights_sha256", "normalisation", "record"])
def test_a_key_is_missing(folder: Path, key: str) -> None:
    said = json.loads((folder / JSON).read_text(encoding="utf-8"))
    del said[key]
    (folder / JSON).write_text(json.dumps(said), encoding="utf-8")
    refused(folder, key)


class Trap:
    """Runs when it is unpickled."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("sprung",)


def header(content: dict[str, Any], *, data: bytes = b"") -> bytes:
    text = json.dumps(content).encode()
    return struct.pack("<Q", len(text)) + text + data


def zipped(path: Path) -> None:
    torch.save({"trap": torch.zeros(3)}, path)


@pytest.mark.parametrize(("spoil", "error"), [
    (lambda p: p.write_bytes(pickle.dumps(Trap())), "it is a pickle"), (zipped, "it is a zip"),
    (lambda p: p.write_bytes(b""), "cut or foreign"),
    (lambda p: p.write_bytes(b"version https://git-lfs.github.com/spec/v1\n"), "Git LFS"),
    (lambda p: p.write_bytes(p.read_bytes()[:-3]), "cut or foreign"), (lambda p: p.write_bytes(p.read_bytes()[:50]), "cut or foreign"),
    (lambda p: p.write_bytes(p.read_bytes() + b"more"), "cut or foreign"),
    (lambda p: p.write_bytes(struct.pack("<Q", 2**62)), "a header of"),
    (lambda p: p.write_bytes(header({})), "mixes two networks"), (lambda p: p.write_bytes(header({"a": 3})), "cut or foreign"),
    (lambda p: p.write_bytes(header({"last.weight": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}})), "cut or foreign"),
    (lambda p: p.write_bytes(p.read_bytes()[:-1] + bytes([p.read_bytes()[-1] ^ 1])), "another checksum"),
    (lambda p: p.unlink(), "found none"), (lambda p: p.unlink() or p.mkdir(), "plain file"),
    (lambda p: p.unlink() or os.mkfifo(p), "plain file"),
    (lambda p: p.rename(p.parent.parent / "w") and p.symlink_to(p.parent.parent / "w"), "plain file")])
@pytest.mark.fault("weights that are cut, changed, of another network or a pickle: named, nothing is loaded")
def test_weights_that_are_none(folder: Path, spoil: Callable[[Path], Any], error: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    spoil(folder / WEIGHTS)
    refused(folder, error)
    assert not Path("sprung").exists()


def changed(folder: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    """Weights that the JSON vouches for, as a hostile folder would have them."""
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, folder / WEIGHTS)
    said = json.loads((folder / JSON).read_text(encoding="utf-8")) | {"weights_sha256": networks._sha256(folder / WEIGHTS)}
    (folder / JSON).write_text(json.dumps(said), encoding="utf-8")


@pytest.mark.parametrize(("change", "error"), [
    (lambda t: t.update(extra=torch.zeros(3)), "extra of shape none, got"), (lambda t: t.pop("last.bias"), r"last\.bias.*got none"),
    (lambda t: t.update({"last.bias": torch.zeros(2)}), r"last\.bias of shape \(1,\), got \(2,\)"),
    (lambda t: t.update({"last.bias": torch.zeros(1, dtype=torch.float64)}), "as torch.float32"),
    (lambda t: t["last.bias"].fill_(float("nan")), "finite weights"),
    (lambda t: t["down.0.0.1.running_var"].fill_(float("inf")), "finite weights")])
def test_weights_of_another_network(folder: Path, change: Callable[[Any], Any], error: str) -> None:
    changed(folder, change)
    refused(folder, error)


@pytest.mark.parametrize("name", ["net.pt", "net.pth", "net.safetensors", "net.zip"])
@pytest.mark.fault("hostile: pickles as array, store or weights: nothing is loaded")
def test_a_file_where_a_folder_belongs(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(pickle.dumps(Trap()))
    refused(tmp_path / name, "never loaded")
    assert not Path("sprung").exists()


def test_folders_that_are_none(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", "does not exist")
    refused(tmp_path, rf"{JSON}.*found none")
    (tmp_path / JSON).symlink_to("/etc/hostname")
    refused(tmp_path, "plain file|found none")


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_no_damage_goes_unseen(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("d") / "net"
    networks.write(folder, small())
    path = folder / WEIGHTS
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    refused(folder, "")
