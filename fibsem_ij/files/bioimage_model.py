"""What a bioimage.io package (format 0.5) says of a network: axes, sizes, pre- and postprocessing, in the words of the format.

Grey values go in; grey values, of a denoising network, or probabilities come out. What `Scale` and `activation` do is said as steps of the
format, so that the tool does it; `finished` is what these steps make of the raw output.
"""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from fibsem_ij.learn.network import Network

HALO, LEAST = 3, 8  # how much a tool crops at each side of a tile, and the smallest tile, in multiples that the network halves
_FLOAT32 = {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}}


def model(folder: Path, network: Network, dtype: str) -> dict[str, Any]:
    """The description of the package whose files lie in `folder`, as far as PyTorch; `dtype` is that of the test input."""
    from fibsem_ij.learn.export import FACTORY

    step, neighbours = network.multiple, network.neighbours
    slices = [f"z{k:+d}" if k else "z" for k in range(-neighbours, network.config.inputs - neighbours)]
    like_input = [{"size": {"tensor_id": "input", "axis_id": a}, "halo": HALO * step} for a in "yx"]
    return {
        "type": "model", "format_version": "0.5.12", "documentation": {"source": folder / "README.md"},
        "covers": [{"source": folder / "cover.png"}],
        "tags": ["fib-sem", "electron-microscopy", "2d", "pytorch", "denoising" if gives_grey(network) else "semantic-segmentation"],
        "inputs": [{
            "id": "input", "axes": _axes(network, slices, [{"size": {"min": LEAST * step, "step": step}}] * 2), "data": {"type": dtype},
            "test_tensor": {"source": folder / "test_input.npy"},
            "preprocessing": [_FLOAT32, *_linear(network.scale.gain, -network.scale.offset * network.scale.gain), _FLOAT32]}],
        "outputs": [{
            "id": "output", "axes": _axes(network, channels(network), like_input), "data": {"type": "float32"},
            "test_tensor": {"source": folder / "test_output.npy"}, "postprocessing": _postprocessing(network)}],
        "weights": {
            "pytorch_state_dict": {
                "source": folder / "weights.pt", "pytorch_version": version("torch").split("+")[0],
                "architecture": {"source": folder / "network.py", "callable": FACTORY, "kwargs": asdict(network.config)}}},
    }


def gives_grey(network: Network) -> bool:
    """Clean grey values rather than classes."""
    return network.activation == "none" and not network.classes


def channels(network: Network) -> list[str]:
    """The names of the output channels."""
    return [network.classes.get(c, "grey" if gives_grey(network) else f"channel {c}") for c in range(network.config.outputs)]


def finished(network: Network, raw: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """What `_postprocessing` says, done to raw output (b, c, y, x)."""
    if network.activation == "sigmoid":
        return np.asarray(0.5 + 0.5 * np.tanh(0.5 * raw))  # exp would overflow
    if network.activation == "softmax":
        odds = np.exp(raw - raw.max(1, keepdims=True))
        return np.asarray(odds / odds.sum(1, keepdims=True))
    if not gives_grey(network):
        return raw
    scale = network.scale
    grey = raw * np.float32(1 / scale.gain) + np.float32(scale.offset)
    ends = (-np.inf if scale.low is None else scale.low, np.inf if scale.high is None else scale.high)
    return np.asarray(np.clip(grey, *ends), np.float32)


def _postprocessing(network: Network) -> list[dict[str, Any]]:
    if network.activation == "sigmoid":
        return [{"id": "sigmoid"}]
    if network.activation == "softmax":
        return [{"id": "softmax", "kwargs": {"axis": "channel"}}]
    if not gives_grey(network):
        return []
    scale = network.scale
    ends = {key: end for key, end in (("min", scale.low), ("max", scale.high)) if end is not None}
    return [*_linear(1 / scale.gain, scale.offset), *([{"id": "clip", "kwargs": ends}] if ends else [])]


def _linear(gain: float, offset: float) -> list[dict[str, Any]]:
    """x * gain + offset; the format refuses a step that changes nothing."""
    return [] if (gain, offset) == (1, 0) else [{"id": "scale_linear", "kwargs": {"gain": gain, "offset": offset}}]


def _axes(network: Network, names: list[str], sizes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """(b, c, y, x) with the pixel size where it is known."""
    pixels = [{"unit": "nanometer", "scale": nm} for nm in network.voxel_nm[1:]] if network.voxel_nm else [{}, {}]
    space = [{"type": "space", "id": a, **size, **pixel} for a, size, pixel in zip("yx", sizes, pixels, strict=True)]
    return [{"type": "batch"}, {"type": "channel", "channel_names": names}, *space]
