"""A training that starts from a network instead of from chance: a round of corrections needs a few minutes then, not ten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from fibsem_ij.learn.network import Network
from fibsem_ij.segment.options import Prepare


def from_networks(networks: Sequence[Network], *, or_afresh: bool = False) -> Prepare:
    """What `fit` takes as `prepare`. Of networks a class each starts from its own. `or_afresh`: where none fits, that is told, and chance
    begins; else it is an error."""

    def prepare(module: nn.Module, outputs: Sequence[str]) -> str | None:
        try:
            module.load_state_dict(_weights(networks, module, outputs))
        except ValueError as error:
            if not or_afresh:
                raise
            return f"started afresh: {error}"
        return None

    return prepare


def _weights(networks: Sequence[Network], module: nn.Module, outputs: Sequence[str]) -> dict[str, Any]:
    alike = [network for network in networks if tuple(network.classes.values()) == tuple(outputs)]
    if len(alike) != 1:
        got = "; ".join(", ".join(network.classes.values()) for network in networks)
        raise ValueError(f"expected one network to start from, of the classes {', '.join(outputs)}, got {len(networks)}, of {got}; name "
                         "another one, or start afresh")
    weights, wanted = alike[0].module.state_dict(), module.state_dict()
    if {name: w.shape for name, w in weights.items()} != {name: w.shape for name, w in wanted.items()}:
        raise ValueError(f"expected a network to start from that is like the one to train (its kind, size and inputs), got "
                         f"{alike[0].name} that differs; give the same options, or start afresh")
    return weights
