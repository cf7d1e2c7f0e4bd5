"""The residual U-Net: a U-Net of residual blocks with full pre-activation, after Zhang, Liu and Wang (GRSL 2018) and He et al.
(ECCV 2016), as used on sparsely labelled FIB-SEM (Machireddy et al., 2021).

A block is BN, ReLU, 3 x 3 convolution, twice, beside a shortcut (1 x 1 where the number of maps or the size changes). Four encoder
blocks, then a bridge: each after the first halves the size in its first convolution, by stride, and doubles the maps. Four decoder
blocks: upsampled, a 2 x 2 convolution that halves the maps, concatenation, a residual block. A 1 x 1 convolution reads out.
Base 32 has 8.1 M parameters.

With `fold` 2 the network sees a block of 2 x 2 pixels as one place, and unfolds its answer alike (space to depth and back, Shi et al.,
CVPR 2016): no pixel is lost, it looks twice as far, and an update costs a quarter, or has twice the maps for the same time.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fibsem_ij.learn.nets.sizes import check, in_multiples


@dataclass(frozen=True)
class Config:
    inputs: int = 1
    outputs: int = 1
    depth: int = 4  # encoder blocks, and as many decoder blocks
    base: int = 32  # maps of the first block
    fold: int = 1  # pixels a side that are seen as one place

    def __post_init__(self) -> None:
        check(self, inputs=(1, 4096), outputs=(1, 4096), depth=(1, 7), base=(1, 1024), fold=(1, 8))


class Net(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config, self.multiple = config, config.fold * 2**config.depth
        widths = [config.base * 2**level for level in range(config.depth + 1)]
        self.first = nn.Conv2d(config.inputs * config.fold**2, config.base, 3, padding=1)
        self.down = nn.ModuleList([Residual(config.base, config.base)])
        self.down.extend(Residual(i, o, stride=2) for i, o in pairwise(widths))
        self.up = nn.ModuleList(_upsample(2 * o, o) for o in widths[:-1])
        self.merge = nn.ModuleList(Residual(2 * o, o) for o in widths[:-1])
        self.last = nn.Conv2d(config.base, config.outputs * config.fold**2, 1)

    def forward(self, x: Tensor) -> Tensor:  # (b, inputs, y, x) -> (b, outputs, y, x)
        return in_multiples(self.body, x, self.multiple)

    def body(self, x: Tensor) -> Tensor:
        x = self.first(F.pixel_unshuffle(x, self.config.fold))
        skips: list[Tensor] = []
        for block in self.down:
            x = block(x)  # (b, base * 2 ** level, y / 2 ** level, x / 2 ** level)
            skips.append(x)
        skips.pop()
        for up, merge, skip in zip(reversed(self.up), reversed(self.merge), reversed(skips), strict=True):
            x = merge(torch.cat((skip, up(x)), 1))
        return F.pixel_shuffle(self.last(x), self.config.fold)


class Residual(nn.Module):
    def __init__(self, inputs: int, outputs: int, *, stride: int = 1) -> None:
        super().__init__()
        self.path = nn.Sequential(*_layer(inputs, outputs, stride), *_layer(outputs, outputs, 1))
        self.stride = stride
        self.shortcut = nn.Identity() if inputs == outputs and stride == 1 else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        # NB: a strided 1 x 1 convolution of a few channels-last maps ends the process in torch 2.15's backward on a CPU.
        changed: Tensor = self.path(x) + self.shortcut(x[..., :: self.stride, :: self.stride])
        return changed


def _layer(inputs: int, outputs: int, stride: int) -> tuple[nn.Module, ...]:
    return nn.BatchNorm2d(inputs), nn.ReLU(inplace=True), nn.Conv2d(inputs, outputs, 3, stride, padding=1)


def _upsample(inputs: int, outputs: int) -> nn.Sequential:
    # NB: a 2 x 2 convolution keeps the size only with one row and one column more.
    return nn.Sequential(nn.Upsample(scale_factor=2), nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(inputs, outputs, 2))
