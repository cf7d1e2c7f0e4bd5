"""Each network: the published parameter counts, any slice size; for the rest see test_segmentation_nets."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from small_networks import parameters
from torch import Tensor, nn

from fibsem_ij.learn.nets.sizes import in_multiples
from fibsem_ij.learn.network import build


@pytest.mark.parametrize(("depth", "base", "growth", "published"), [
    (4, 32, 2.0, "2.143"), (4, 64, 2.0, "8.56"), (4, 64, 1.5, "2.57"), (5, 32, 2.0, "8.63"), (5, 64, 2.0, "34.5")])
def test_the_published_counts(depth: int, base: int, growth: float, published: str) -> None:
    millions = parameters("unet", depth=depth, base=base, growth=growth, up=3) / 1e6
    assert f"{millions:.6f}".startswith(published)
    assert millions == pytest.approx(float(published), rel=1e-3)


def test_the_counts_of_the_defaults() -> None:
    assert round(parameters("unet") / 1e6, 1) == 31.0
    assert round(parameters("resunet") / 1e6, 1) == 8.1
    module = build("unet", base=4)[1]
    assert parameters("unet", base=4) == sum(p.numel() for p in module.parameters())


def test_half_of_the_deepest_maps_are_dropped_in_training() -> None:
    _, module = build("unet", base=4, depth=3)
    dropped = [m for m in module.modules() if isinstance(m, nn.Dropout)]
    assert [m.p for m in dropped] == [0.5]
    seen: list[Tensor] = []
    dropped[0].register_forward_hook(lambda _, given, made: seen.extend((given[0], made)))
    module.train()(torch.randn(2, 1, 64, 64))
    given, made = seen
    assert given.shape == (2, 16, 16, 16)  # the deepest block's
    assert 0.4 < (made[given > 0] == 0).float().mean() < 0.6


@pytest.mark.parametrize("name", ["resunet", "unet", "vae"])
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (7, 13), (255, 257)])
def test_any_size(name: str, size: tuple[int, int]) -> None:
    module = build(name, base=4, depth=3, inputs=3, outputs=2)[1].eval()
    with torch.inference_mode():
        made = module(torch.randn(2, 3, *size))
    assert made.shape == (2, 2, *size)
    assert torch.isfinite(made).all()


@pytest.mark.parametrize("size", [(1, 1), (7, 13), (64, 48)])
def test_a_folded_network_answers_for_every_pixel(size: tuple[int, int]) -> None:
    module = build("resunet", base=4, depth=2, fold=2, inputs=3, outputs=2)[1]
    assert module.multiple == 8
    assert module.first.in_channels == 12  # type: ignore[union-attr]
    made = module.eval()(torch.randn(1, 3, *size))
    assert made.shape == (1, 2, *size)
    assert parameters("resunet", base=4, depth=2, fold=1) < parameters("resunet", base=4, depth=2, fold=2)


def test_a_folded_network_learns_single_pixels() -> None:
    """What is asked of it differs from pixel to pixel: a checkerboard."""
    board = (torch.arange(32)[:, None] + torch.arange(32)) % 2
    _, module = build("resunet", base=8, depth=1, fold=2, outputs=2)
    optimizer = torch.optim.Adam(module.parameters(), 0.01)
    x = board[None, None].float() + 0.1 * torch.randn(1, 1, 32, 32)
    for _ in range(30):
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(x), board[None]).backward()
        optimizer.step()
    assert (module(x).argmax(1)[0] == board).float().mean() > 0.99


def test_padding_repeats_the_edge_and_is_cut_off_again() -> None:
    x = torch.arange(6.0).reshape(1, 1, 2, 3)
    seen: list[Tensor] = []
    assert torch.equal(in_multiples(lambda padded: (seen.append(padded), padded * 2)[1], x, 4), x * 2)
    assert seen[0][0, 0].tolist() == [[0, 1, 2, 2], [3, 4, 5, 5], [3, 4, 5, 5], [3, 4, 5, 5]]
    in_multiples(lambda padded: (seen.append(padded), padded)[1], x[..., :2], 2)
    assert torch.equal(seen[1], x[..., :2])


def test_a_smoothing_network_starts_from_the_smoothed_slice_in_the_middle() -> None:
    _, module = build("unet", base=4, depth=2, inputs=3, smooth=7, norm="none")
    for weights in module.get_submodule("last").parameters():
        nn.init.zeros_(weights)
    x = torch.randn(1, 3, 9, 10)
    expected = gaussian_filter(x[0, 1].numpy(), 1, truncate=3, mode="nearest")
    np.testing.assert_allclose(module.eval()(x)[0, 0].detach().numpy(), expected, atol=1e-5)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in module.modules())


def test_without_normalisation_the_signal_keeps_its_size() -> None:
    _, module = build("unet", base=16, depth=4, norm="none")
    seen: list[float] = []
    for part in (*module.down, *module.merge):  # type: ignore[misc]
        part.register_forward_hook(lambda *given: seen.append(float(given[-1].detach().square().mean().sqrt())))
    module.eval()(torch.randn(1, 1, 64, 64))
    assert len(seen) == 7
    assert 0.2 < min(seen) < max(seen) < 5
