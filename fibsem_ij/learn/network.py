"""A trained network and all that is needed to use it again; the list of networks; how one is built.

A network's module speaks in raw values (logits) and network units. What turns grey values into its input is `scale`; what turns its
output into probabilities is `activation`, which prediction applies. So a network can be used by whoever has this one object.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import torch
from torch import nn

from fibsem_ij import sockets
from fibsem_ij.learn.nets import NETS
from fibsem_ij.learn.scale import Scale
from fibsem_ij.volume import checked_voxel

ACTIVATIONS = ("none", "sigmoid", "softmax")


@dataclass(frozen=True, eq=False)
class Network:
    name: str  # of NETS, or plugged in
    config: Any
    module: nn.Module
    scale: Scale = field(default_factory=Scale)
    task: str = ""  # the room and method that made it: "denoise.vae", "segment"
    classes: Mapping[int, str] = field(default_factory=dict)  # output channel -> class; none for denoising
    activation: str = "none"  # none | sigmoid | softmax
    voxel_nm: tuple[float, float, float] | None = None  # of the stack it learned
    record: Mapping[str, Any] = field(default_factory=dict)  # options, seeds, versions, history, score: plain JSON values

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"expected an activation of {', '.join(ACTIVATIONS)}, got {self.activation!r}; choose one of them")
        if self.classes and sorted(self.classes) != list(range(self.config.outputs)):
            raise ValueError(f"expected a class for each of the {self.config.outputs} output channels, counted from 0, "
                             f"got {dict(self.classes)}; name each of them once")
        object.__setattr__(self, "voxel_nm", checked_voxel(self.voxel_nm))

    @property
    def neighbours(self) -> int:
        """Slices to each side that it wants beside the slice itself, and the slice filtered by `grain`."""
        filtered = dict(self.record.get("options", {})).get("grain", ())
        return int(self.config.inputs - 1 - len(filtered)) // 2

    @property
    def multiple(self) -> int:
        """Sizes of this multiple are computed without padding inside."""
        return int(getattr(self.module, "multiple", 1))


def configure(name: str, /, **config: Any) -> Any:
    """The checked config of a network; what is left out has its default."""
    return _configured(module_of(name).Config, name, config)


def build(name: str, /, *, seed: int = 1, **config: Any) -> tuple[Any, nn.Module]:
    """(config, module) with initial weights that depend on the seed alone."""
    checked = configure(name, **config)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # NB: torch.manual_seed would seed the GPU too, for good
        return checked, module_of(name).Net(checked)


def layout(name: str, config: Any) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    """Shape and dtype of every tensor of a network's state, for no memory at all."""
    with torch.device("meta"):
        module = module_of(name).Net(config)
    return {key: (tuple(tensor.shape), tensor.dtype) for key, tensor in module.state_dict().items()}


def module_of(name: str) -> Any:
    if name in NETS:
        return importlib.import_module(NETS[name])
    known = sockets.names("networks", NETS)
    if name not in known:
        raise ValueError(f"expected a network of {', '.join(known)}, got {name!r}{_nearest(name, known)}")
    return sockets.load("networks", name)


def _configured(config_class: Any, name: str, config: Mapping[str, Any]) -> Any:
    known = {f.name: type(f.default) for f in fields(config_class)}
    config = {key: tuple(value) if isinstance(value, list) else value for key, value in config.items()}  # JSON has no tuples
    for key, value in config.items():
        if key not in known:
            raise ValueError(f"expected options of {name} ({', '.join(known)}), got {key!r}{_nearest(key, known)}")
        wanted = known[key]
        if isinstance(value, bool) != (wanted is bool) or not isinstance(value, (int, float) if wanted is float else wanted):
            raise ValueError(f"expected {key} of {name} as {wanted.__name__}, got {value!r}; leave it out for the default")
    return config_class(**config)


def _nearest(name: Any, known: Collection[str]) -> str:
    found = difflib.get_close_matches(str(name), known, n=1, cutoff=0)
    return f"; did you mean {found[0]!r}?"
