"""A package that bioimage.io's own test accepts and another engine runs with our numbers; nothing asks the network."""

from __future__ import annotations

import socket
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import onnxruntime
import pytest
import torch
from bioimageio.core import test_model as run_their_test

from fibsem_ij.files import bioimage
from fibsem_ij.files.bioimage_model import finished
from fibsem_ij.learn.export import needs
from fibsem_ij.learn.network import Network, build
from fibsem_ij.learn.scale import Scale

GREY = np.random.default_rng(2).integers(0, 255, (3, 70, 53)).astype(np.uint8)
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # NB: bioimageio.spec leaves what it reads to be closed


def denoiser() -> Network:
    made = build("unet", base=4, depth=2, inputs=3, smooth=7)
    return Network("unet", *made, Scale(100, 1 / 50, dtype="uint8"), "denoise.supervised")


def segmenter() -> Network:
    classes = {0: "background", 1: "mitochondrion", 2: "membrane"}
    made = build("resunet", base=4, depth=2, inputs=3, outputs=3)
    return Network("resunet", *made, Scale(100, 1 / 50, dtype="uint8"), "segment", classes, "softmax", (5.0, 4.0, 4.0), {"seed": 1})


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No network."""
    def refuse(*asked: Any, **_: Any) -> Any:
        raise AssertionError(f"the network was asked for {asked}")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def onnx_runs_like(network: Network, path: Path) -> None:
    session = onnxruntime.InferenceSession(path)
    for shape in [(1, 3, 1, 1), (2, 3, 7, 13), (1, 3, 65, 40)]:
        x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
        with torch.inference_mode():
            expected = network.module.eval()(x).numpy()
        np.testing.assert_allclose(session.run(None, {"input": x.numpy()})[0], expected, atol=1e-4)


@pytest.mark.parametrize("network", [denoiser(), segmenter()], ids=["denoiser", "segmenter"])
def test_a_stranger_can_run_it(tmp_path: Path, network: Network) -> None:
    package = tmp_path / "net.zip"
    bioimage.export(package, network, GREY, authors=["A. Microscopist"], license="CC-BY-4.0")
    summary = run_their_test(package)
    assert summary.status == "passed", summary.format()
    with zipfile.ZipFile(package) as opened:
        opened.extractall(tmp_path / "inside")
    inside = tmp_path / "inside"
    assert {p.name for p in inside.iterdir()} >= {"README.md", "cover.png", "network.py", "weights.pt", "weights.onnx", "test_input.npy"}
    onnx_runs_like(network, inside / "weights.onnx")
    state = torch.load(inside / "weights.pt", weights_only=True)
    assert all(torch.equal(state[key], tensor) for key, tensor in network.module.state_dict().items())
    cover = imagecodecs.png_decode((inside / "cover.png").read_bytes())
    assert cover.shape == (52, 104, 3)
    assert min(cover[:, :52].std(), cover[:, 52:].std()) > 5
    made = np.load(inside / "test_output.npy")
    assert made.shape == (1, network.config.outputs, 70 if network.multiple == 2 else 68, 52)  # the middle of 70 x 53
    assert list(tmp_path.glob(".*")) == []


@pytest.mark.parametrize(("name", "more"), [("unet", []), ("transunet", []), ("efficientunet", [f"timm>={version('timm')}"])])
def test_what_the_source_imports_is_known(name: str, more: list[str]) -> None:
    assert needs(Network(name, *build(name))) == more


def test_grey_values_come_out_in_grey_units() -> None:
    raw = np.array([-9, -1, 0, 1, 9], np.float32).reshape(1, 1, 1, 5)
    assert finished(denoiser(), raw).ravel().tolist() == [0, 50, 100, 150, 255]
    with np.errstate(over="raise", invalid="raise"):
        far = np.array([-1e4, 0, 1e4], np.float32).reshape(1, 3, 1, 1)
        np.testing.assert_allclose(finished(segmenter(), far).ravel(), [0, 0, 1])
        sigmoid = Network("unet", *build("unet", base=2, depth=2, outputs=3), activation="sigmoid")
        np.testing.assert_allclose(finished(sigmoid, far).ravel(), [0, 0.5, 1])


@pytest.mark.parametrize(("path", "grey", "given", "error"), [
    ("net.tar", GREY, {}, "named .zip"), ("net.zip", GREY[:1], {}, r"a test input \(3, y, x\)"), ("net.zip", GREY[0], {}, "test input"),
    ("net.zip", GREY[:, :15], {}, "at least 16 x 16"), ("net.zip", np.where(GREY > 3, np.nan, GREY), {}, "finite"),
    ("nowhere/net.zip", GREY, {}, "does not exist"), ("net.zip", GREY, {"license": "mine"}, "license"),
    ("net.zip", GREY, {"authors": ["a/b"]}, "authors"), ("net.zip", GREY, {"name": "a.b"}, "name")])
def test_refused_before_the_long_work(tmp_path: Path, path: str, grey: Any, given: dict[str, Any], error: str) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=f"(?s)expected.*{error}"):
        bioimage.export(tmp_path / path, denoiser(), grey, **given)
    assert list(tmp_path.iterdir()) == []
