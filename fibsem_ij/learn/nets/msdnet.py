"""The mixed-scale dense network of Pelt and Sethian (PNAS 2018): it never halves a slice, and every layer sees all before it.

A layer is a 3 x 3 convolution, dilated 1, 2, ... `dilations`, 1, ... from layer to layer, of the input and the maps of all earlier
layers, then ReLU. A 1 x 1 convolution of everything reads out. Depth 100 and width 1 have 45,652 parameters, 600 times fewer
than a U-Net. The published network reflects at the border; here lie zeros, so that one pixel is enough.

Written as it is told, a layer copies all earlier maps together and keeps the copy for the gradient: memory grows with depth squared,
and convolutions of one map out leave a CPU idle. Convolution is a sum over its inputs, so here a cycle of layers, once complete,
is convolved at a stroke for all later layers that share a dilation; only what a layer takes from its own cycle comes in
by itself. The weights are the published ones, grouped that way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fibsem_ij.learn.nets.sizes import check


@dataclass(frozen=True)
class Config:
    inputs: int = 1
    outputs: int = 1
    depth: int = 100  # layers
    width: int = 1  # maps a layer
    dilations: int = 10  # layers of a cycle, dilated 1 to this many px

    def __post_init__(self) -> None:
        check(self, inputs=(1, 4096), outputs=(1, 4096), depth=(1, 1000), width=(1, 64), dilations=(1, 64))


class Net(nn.Module):
    multiple = 1

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        seen = config.inputs + config.depth * config.width
        self.cycles = nn.ModuleList(_Cycle(config, start) for start in range(0, config.depth, config.dilations))
        self.last = nn.Conv2d(seen, config.outputs, 1)
        spread = math.sqrt(2 / (9 * (seen - config.width) + config.outputs))  # as published
        for weights in self.cycles.parameters():
            nn.init.normal_(weights, std=spread) if weights.ndim > 1 else nn.init.zeros_(weights)

    def forward(self, x: Tensor) -> Tensor:  # (b, inputs, y, x) -> (b, outputs, y, x)
        seen, sums = [x], None
        for cycle in self.cycles:
            maps, sums = cycle(seen[-1], sums)
            seen.append(maps)
        logits: Tensor = self.last(torch.cat(seen, 1))
        return logits


class _Cycle(nn.Module):
    """The layers from `start` on, one of each dilation."""

    def __init__(self, config: Config, start: int) -> None:
        super().__init__()
        width, ends = config.width, min(start + config.dilations, config.depth)
        source = config.dilations * width if start else config.inputs
        self.width = width
        self.later = nn.ModuleList(
            _dilated(source, width * len(range(layer, config.depth, config.dilations)), layer - start + 1, bias=not start)
            for layer in range(start, ends))
        self.own = nn.ModuleList(_dilated(width * n, width, n + 1, bias=False) for n in range(1, ends - start))

    def forward(self, source: Tensor, sums: list[Tensor] | None) -> tuple[Tensor, list[Tensor]]:
        """The maps of its layers, from those of the cycle before, and of each dilation the sums (b, width * layers, y, x) that
        its layers have got so far: first those of this cycle, then those of later ones."""
        taken = [convolve(source) for convolve in self.later]
        sums = [old[:, self.width :] + new for old, new in zip(sums, taken, strict=False)] if sums else taken
        maps = [torch.relu(sums[0][:, : self.width])]
        for total, convolve in zip(sums[1:], self.own, strict=True):
            maps.append(torch.relu(total[:, : self.width] + convolve(torch.cat(maps, 1))))
        return torch.cat(maps, 1), sums


def _dilated(inputs: int, outputs: int, step: int, *, bias: bool) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=step, dilation=step, bias=bias)
