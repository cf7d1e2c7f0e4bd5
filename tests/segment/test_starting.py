"""A training that starts from a network: with its weights to the bit, and only where they fit."""

from __future__ import annotations

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
TINY = segment.Options(config={"base": 4, "depth": 2}, patch=32, minutes=None, updates=1, every=1, held=0, rate=1e-9, warmup=0, average=0.0,
                       weight_decay=0.0, device="cpu")


def network(**given: int) -> Network:
    return Network("resunet", *build("resunet", seed=9, **{"base": 4, "depth": 2, "inputs": 1, "outputs": 2, **given}), Scale(0, 1))


def test_the_weights_are_those_of_the_start(tmp_path: Path) -> None:
    start = network()
    networks.write(tmp_path / "net", start)
    prepare = starts(TINY, None, tmp_path / "net")  # as --start has it
    trained = segment.fit(GREY, {0: TRUTH[0], 2: TRUTH[2]}, names={1: "box"}, options=TINY, prepare=prepare)[0]
    for name, weights in start.module.named_parameters():
        torch.testing.assert_close(dict(trained.module.named_parameters())[name], weights, atol=1e-6, rtol=0)
    assert not torch.equal(next(network().module.parameters()), next(build("resunet", seed=1, base=4, depth=2, outputs=2)[1].parameters()))


@pytest.mark.parametrize("given", [{"outputs": 3}, {"base": 8}, {"inputs": 3}])
def test_a_network_that_does_not_fit_is_refused(given: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="or start afresh"):
        from_networks([network(**given)])(network().module)


def test_one_network_is_wanted() -> None:
    with pytest.raises(ValueError, match="one network to start from, got 2"):
        from_networks([network(), network()])
