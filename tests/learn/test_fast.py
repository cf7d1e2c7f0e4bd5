"""A network made fast says what the network says."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from fibsem_ij.learn.fast import fast
from fibsem_ij.learn.network import build


def trained(module: nn.Module) -> nn.Module:
    """With statistics and weights of batch normalisation that are not those it starts with."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for norm in (m for m in module.modules() if isinstance(m, nn.BatchNorm2d)):
            assert norm.running_mean is not None
            assert norm.running_var is not None
            for tensor in (norm.weight.data, norm.running_var):
                tensor.uniform_(0.5, 2)
            for tensor in (norm.bias.data, norm.running_mean):
                tensor.normal_()
    return module.eval()


@pytest.mark.parametrize("name", ["resunet", "unet", "vae"])
def test_it_gives_the_same_numbers(name: str) -> None:
    _, module = build(name)
    x = torch.randn(2, 1, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = trained(module)(x)
        found = fast(module, torch.device("cpu"))(x)
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()


def test_no_normalisation_is_left_in_a_unet() -> None:
    _, module = build("unet", base=4, up=3)
    quick = fast(module, torch.device("cpu"))
    assert any(isinstance(m, nn.BatchNorm2d) for m in module.modules())
    assert not any(isinstance(m, nn.BatchNorm2d) for m in quick.modules())
