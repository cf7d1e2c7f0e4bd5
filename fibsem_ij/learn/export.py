"""What a stranger's tool needs to run a network: its source in one file, its weights as PyTorch keeps them, and ONNX.

The weights go out as a state dict because other tools ask for one. That format is a pickle; this one holds nothing but tensors, so that
`torch.load(weights_only=True)` reads it. fibsem-ij itself never loads such a file.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from fibsem_ij.learn.network import Network, module_of

OPSET = 18
FACTORY = "build"  # in the source: build(**config) -> module
_OURS = "fibsem_ij."


def to_source(network: Network) -> str:
    """The network as one Python file that needs PyTorch, what `needs` says, and nothing of ours."""
    parts = "\n\n".join(_sources(module_of(network.name).__name__, set()))
    doc = f'"""The network {network.name} of fibsem-ij, complete in this file: {FACTORY}(**config) makes it."""'
    return f"{doc}\n\nfrom __future__ import annotations\n\n{parts}\n\ndef {FACTORY}(**config):\n    return Net(Config(**config))\n"


def needs(network: Network) -> list[str]:
    """The packages beside PyTorch that its source imports, as pip names them."""
    imported = {name.split(".")[0] for line in to_source(network).splitlines()
                for name in re.findall(r"^(?:from|import) ([\w.]+)", line)}
    return sorted(f"{name}>={version(name)}" for name in imported - {"torch"} - sys.stdlib_module_names)


def to_state_dict(network: Network, path: Path) -> None:
    torch.save({key: tensor.detach().cpu().contiguous() for key, tensor in network.module.state_dict().items()}, path)


def to_onnx(network: Network, path: Path) -> None:
    """Raw output for raw input, like the module; batch, height and width left open."""
    if find_spec("onnxscript") is None:  # what torch.onnx writes with
        raise ValueError("expected onnx and onnxscript to be installed, found none; pip install 'fibsem-ij[export]'")
    open_axis = torch.export.Dim.DYNAMIC
    side = 3 * network.multiple + 1  # any size that nothing is fixed to
    example = torch.zeros(2, network.config.inputs, side, side + 1)
    with _quiet():
        program = torch.onnx.export(
            _on_cpu(network.module), (example,), dynamo=True, dynamic_shapes=({0: open_axis, 2: open_axis, 3: open_axis},),
            input_names=["input"], output_names=["output"], opset_version=OPSET, verbose=False)
    assert program is not None  # only the older exporter writes by itself
    program.save(path)


def run(network: Network, scaled: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Raw output (b, outputs, y, x) for network input (b, inputs, y, x), on the CPU."""
    with torch.inference_mode():
        raw: npt.NDArray[np.float32] = _on_cpu(network.module)(torch.from_numpy(scaled)).numpy()
        return raw


def _on_cpu(module: nn.Module) -> nn.Module:
    return deepcopy(module).to("cpu").to(memory_format=torch.contiguous_format).eval()


def _sources(name: str, seen: set[str]) -> Iterator[str]:
    """The source of a module after that of what it imports of ours; each once, without the imports that are then void."""
    if name in seen:
        return
    seen.add(name)
    text = inspect.getsource(importlib.import_module(name))
    lines = text.splitlines()
    for node in ast.parse(text).body:
        if isinstance(node, ast.ImportFrom) and (node.module == "__future__" or str(node.module).startswith(_OURS)):
            if node.module != "__future__":
                yield from _sources(str(node.module), seen)
            for row in range(node.lineno - 1, node.end_lineno or node.lineno):
                lines[row] = ""
    yield "\n".join(lines).strip() + "\n"


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter says on every call that torchvision, which no network here uses, is not installed."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
