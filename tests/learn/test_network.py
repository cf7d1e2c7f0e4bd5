"""A network is built from a name and a config, the same from the same seed; what is misspelt is named."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_networks import SMALL

from fibsem_ij.learn.network import Network, build, configure, layout


@pytest.mark.parametrize("name", SMALL)
def test_the_seed_alone_decides(name: str) -> None:
    def weights(seed: int) -> torch.Tensor:
        return torch.cat([p.detach().ravel() for p in build(name, seed=seed, **SMALL[name])[1].parameters()])

    before = torch.get_rng_state()
    first = weights(5)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(3)
    assert torch.equal(weights(5), first)
    assert not torch.equal(weights(6), first)


@pytest.mark.parametrize("name", SMALL)
def test_the_layout_is_known_without_building(name: str) -> None:
    before = torch.get_rng_state()
    config, module = build(name, **SMALL[name])
    assert layout(name, config) == {key: (tuple(t.shape), t.dtype) for key, t in module.state_dict().items()}
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("name", "config", "error"), [
    ("unett", {}, "expected a network of resunet, unet, .*got 'unett'; did you mean 'unet'"), ("resnet", {}, "did you mean 'resunet'"),
    ("unet", {"bass": 3}, "got 'bass'; did you mean 'base'"), ("unet", {"seed": 3}, "expected options of unet"),
    ("unet", {"base": "64"}, "expected base of unet as int, got '64'"), ("unet", {"base": 3.5}, "expected base of unet as int"),
    ("unet", {"base": True}, "as int"), ("unet", {"smooth": 4}, "odd number"), ("unet", {"base": 0}, "base from 1 to 1024, got 0"),
    ("unet", {"depth": 99}, "depth from 1 to 8"), ("unet", {"growth": float("nan")}, "growth from 1 to 4"),
    ("unet", {"norm": "layer"}, "norm as batch or none"), ("unet", {"up": 4}, "up from 2 to 3"),
    ("unet", {"inputs": [1]}, "inputs of unet as int"),
    ("resunet", {"outputs": 0}, "outputs from 1"), ("resunet", {"growth": 2}, "expected options of resunet")])
def test_misspelt(name: str, config: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        configure(name, **config)


def test_neighbours_are_the_channels_beside_the_slice() -> None:
    for inputs, neighbours in ((1, 0), (3, 1), (7, 3)):
        network = Network("unet", *build("unet", base=2, depth=2, inputs=inputs))
        assert (network.neighbours, network.multiple) == (neighbours, 2)


@pytest.mark.parametrize(("change", "error"), [
    ({"activation": "tanh"}, "expected an activation"),
    ({"classes": {1: "membrane", 2: "er"}}, "a class for each of the 2 output channels"),
    ({"classes": {0: "membrane"}}, "a class for each"), ({"voxel_nm": (4, 4)}, "three positive numbers"),
    ({"voxel_nm": (4, 4, float("nan"))}, "three positive numbers")])
def test_a_network_that_contradicts_itself(change: dict[str, Any], error: str) -> None:
    config, module = build("unet", base=2, depth=2, outputs=2)
    with pytest.raises(ValueError, match=error):
        Network("unet", config, module, **change)
