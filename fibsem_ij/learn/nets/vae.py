"""A ladder variational autoencoder for noisy stacks, after the ladder VAE (Soenderby et al., NeurIPS 2016) and Hierarchical
DivNoising (Prakash et al., ICLR 2022).

The encoder is the contracting half of a U-Net. The decoder goes up from the coarsest level, and all it learns of the input are codes:
at each level a few Gaussian maps, drawn from the encoder's posterior in fitting, from the level's own prior in dreaming. A posterior
is told as a step away from the prior, in its deviations: (shift, log ratio). What a code costs is its divergence from the prior, so
it keeps structure that comes back elsewhere, and noise, which never does, is not worth its price.

`forward` decodes the middle of each posterior; with a generator `coded` draws once, and the mean of many draws is the posterior mean.
The same generator with `sign` -1 draws the mirror image, and the two together err far less than two draws of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from fibsem_ij.learn.nets.sizes import check, in_multiples

Steps = tuple[Tensor, Tensor]  # (b, codes, y, x) each: shift, log ratio

_SPREAD = 4.0  # log deviations stay within +- this


@dataclass(frozen=True)
class Config:
    inputs: int = 1
    outputs: int = 1
    depth: int = 4  # levels; the coarsest is 2 ** (depth - 1) times smaller
    base: int = 16  # maps of the first level, doubled from level to level
    codes: int = 8  # Gaussian maps a level

    def __post_init__(self) -> None:
        check(self, inputs=(1, 4096), outputs=(1, 4096), depth=(1, 8), base=(1, 1024), codes=(1, 1024))


class Net(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.multiple = 2 ** (config.depth - 1)
        widths = [config.base * 2**level for level in range(config.depth)]
        self.down = nn.ModuleList(_pair(i, o) for i, o in zip([config.inputs, *widths], widths, strict=False))
        self.pool = nn.AvgPool2d(2)
        self.rungs = nn.ModuleList(_Rung(width, config.codes) for width in widths)
        self.up = nn.ModuleList(nn.ConvTranspose2d(i, o, 2, stride=2) for o, i in pairwise(widths))
        self.top = nn.Parameter(torch.zeros(1, widths[-1], 1, 1))
        self.last = nn.Conv2d(widths[0], config.outputs, 1)

    def forward(self, x: Tensor) -> Tensor:  # (b, inputs, y, x) -> (b, outputs, y, x)
        return in_multiples(lambda padded: self.climbed(self.seen(padded), None)[0], x, self.multiple)

    def coded(self, x: Tensor, *, noise: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """The decoded mean (b, outputs, y, x) of one draw, or of the middle without `noise`; and the code's price in nats (b,)."""
        prices: list[Tensor] = []

        def body(padded: Tensor) -> Tensor:
            mean, told = self.climbed(self.seen(padded), noise)
            prices.append(sum((_price(*steps) for steps in told), mean.new_zeros(len(mean))))
            return mean

        return in_multiples(body, x, self.multiple), prices[0]

    def seen(self, x: Tensor) -> list[Tensor]:
        """What the encoder makes of the input: (b, widths[level], y / 2 ** level, x / 2 ** level) of each level."""
        maps: list[Tensor] = []
        for level, block in enumerate(self.down):
            x = block(self.pool(x) if level else x)
            maps.append(x)
        return maps

    def climbed(self, seen: list[Tensor], noise: torch.Generator | None, *, sign: float = 1.0) -> tuple[Tensor, list[Steps]]:
        """The decoded mean, and of each level what its posterior told."""
        known, told = self.top.expand_as(seen[-1]), []
        for level in reversed(range(len(seen))):
            known, steps = self.rungs[level](known, seen[level], noise, sign)
            told.append(steps)
            if level:
                known = self.up[level - 1](known)
        return self.last(known), told


class _Rung(nn.Module):
    """One level of the decoder: what is known from above, and a code that adds what the input has to say."""

    def __init__(self, width: int, codes: int) -> None:
        super().__init__()
        self.prior = nn.Conv2d(width, 2 * codes, 1)
        told = nn.Conv2d(width, 2 * codes, 1)
        self.posterior = nn.Sequential(_layer(2 * width, width), told)
        self.merge = nn.Sequential(_layer(width + codes, width), _layer(width, width))
        # Before the first update a code says nothing and costs nothing. A bias left to chance starts it with a price, and one
        # training in four then sat on a flat grey for hundreds of updates.
        for parameter in (*told.parameters(), *self.prior.parameters()):
            nn.init.zeros_(parameter)

    def forward(self, known: Tensor, seen: Tensor, noise: torch.Generator | None, sign: float = 1.0) -> tuple[Tensor, Steps]:
        mean, spread = self.prior(known).chunk(2, 1)
        shift, ratio = told = self.posterior(torch.cat((known, seen), 1)).chunk(2, 1)
        if noise is not None:
            shift = shift + sign * _within(ratio).exp() * torch.randn(shift.shape, generator=noise, device=shift.device)
        code = mean + _within(spread).exp() * shift
        return known + self.merge(torch.cat((known, code), 1)), told


def _within(spread: Tensor) -> Tensor:
    return _SPREAD * torch.tanh(spread / _SPREAD)


def _price(shift: Tensor, ratio: Tensor) -> Tensor:
    """Nats (b,). NB: asked for in fitting alone, where it is a tenth of the time."""
    ratio = _within(ratio)
    return ((ratio.exp() ** 2 + shift**2 - 1) / 2 - ratio).sum((1, 2, 3))


def _pair(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(_layer(inputs, outputs), _layer(outputs, outputs))


def _layer(inputs: int, outputs: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    return nn.Sequential(convolution, nn.ReLU(inplace=True))
