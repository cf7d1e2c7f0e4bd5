"""A training that starts from a network instead of from chance: a round of corrections needs a few minutes then, not ten."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from torch import nn

from fibsem_ij.learn.network import Network


def from_networks(networks: Sequence[Network]) -> Callable[[nn.Module], None]:
    """What `fit` takes as `prepare`."""
    if len(networks) != 1:
        raise ValueError(f"expected one network to start from, got {len(networks)}; name one of them, or start afresh")
    return partial(_load, networks[0])


def _load(start: Network, module: nn.Module) -> None:
    weights, wanted = start.module.state_dict(), module.state_dict()
    if {name: w.shape for name, w in weights.items()} != {name: w.shape for name, w in wanted.items()}:
        raise ValueError(f"expected a network to start from that is like the one to train (its kind, size, inputs and classes), got "
                         f"{start.name} of {len(start.classes)} classes that differs; give the same options, or start afresh")
    module.load_state_dict(weights)
