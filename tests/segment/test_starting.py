"""A training that starts from a network: with its weights to the bit, and only where they fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fibsem_ij import segment
from fibsem_ij.files import networks
from fibsem_ij.learn.network import Network, build
from fibsem_ij.learn.scale import Scale
from fibsem_ij.segment.starting import from_networks
from fibsem_ij.verbs.segment import starts

RNG = np.random.default_rng(2)
TRUTH = np.zeros((4, 48, 48), np.uint8)
TRUTH[:, 10:30, 12:40] = 1
GREY = np.clip(80 + 100 * TRUTH + RNG.normal(0, 10, TRUTH.shape), 0, 255).astype(np.uint8)
OUTPUTS = ("background", "box", "lid")
TINY = segment.Options(config={"base": 4, "depth": 2}, patch=32, minutes=None, updates=1, every=1, held=0, rate=1e-9, warmup=0, average=0.0,
                       weight_decay=0.0, device="cpu")


def network(**given: int) -> Network:
    config, module = build("resunet", seed=9, **{"base": 4, "depth": 2, "inputs": 1, "outputs": 2, **given})
    return Network("resunet", config, module, Scale(0, 1), classes=dict(enumerate(OUTPUTS[:config.outputs])))


def test_the_weights_are_those_of_the_start(tmp_path: Path) -> None:
    start = network()
    networks.write(tmp_path / "net", start)
    prepare = starts(TINY, None, tmp_path / "net")  # as --start has it
    trained = segment.fit(GREY, {0: TRUTH[0], 2: TRUTH[2]}, names={1: "box"}, options=TINY, prepare=prepare)[0]
    for name, weights in start.module.named_parameters():
        torch.testing.assert_close(dict(trained.module.named_parameters())[name], weights, atol=1e-6, rtol=0)
    assert not torch.equal(next(network().module.parameters()), next(build("resunet", seed=1, base=4, depth=2, outputs=2)[1].parameters()))


@pytest.mark.parametrize(("given", "outputs", "told"), [
    ({"outputs": 3}, OUTPUTS[:2], "of the classes background, box, got 1, of background, box, lid"),
    ({}, ("background", "lid"), "of the classes background, lid, got 1, of background, box"),
    ({"base": 8}, OUTPUTS[:2], "got resunet that differs"),
    ({"inputs": 3}, OUTPUTS[:2], "got resunet that differs"),
])
def test_a_network_that_does_not_fit_is_refused_or_done_without(given: dict[str, int], outputs: tuple[str, ...], told: str) -> None:
    fresh = network().module
    before = {name: weights.clone() for name, weights in fresh.state_dict().items()}
    with pytest.raises(ValueError, match=told):
        from_networks([network(**given)])(fresh, outputs)
    assert "started afresh: expected" in (from_networks([network(**given)], or_afresh=True)(fresh, outputs) or "")
    assert all(torch.equal(weights, before[name]) for name, weights in fresh.state_dict().items())


def test_of_networks_a_class_each_starts_from_its_own() -> None:
    box, lid = network(), replace(network(), classes={0: "background", 1: "lid"})
    with torch.no_grad():
        next(lid.module.parameters()).fill_(7)
    fresh = network().module
    assert from_networks([box, lid])(fresh, ("background", "lid")) is None
    assert (next(fresh.parameters()) == 7).all()
    with pytest.raises(ValueError, match="got 2, of background, box; background, box"):
        from_networks([box, box])(fresh, OUTPUTS[:2])
