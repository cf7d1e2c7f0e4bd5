"""TransUNet (Chen et al., 2021): a residual network halves the slice four times, a transformer looks over what is left, and a
decoder with skips draws. A model to compare with.

A 7 x 7 convolution of stride 2, then three times `blocks` residual blocks, the first of stride 2; maps double each time. At a
sixteenth of the size, `depth` transformer layers. Then back to 8 * base maps, and four times: upsampled, the encoder's maps
concatenated (there are none of full size), a pair of 3 x 3 convolutions with BN and ReLU.

The default has 7.4 M parameters. `base=64, dim=768, depth=12, heads=12` is the size of the published R50-ViT-B/16 (105 M): 103.2 M,
with two plain residual blocks a size in place of ResNet-50's three, four and nine bottlenecks.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fibsem_ij.learn.nets.resunet import Residual
from fibsem_ij.learn.nets.sizes import check, in_multiples
from fibsem_ij.learn.nets.transformer import Transformer, check_heads


@dataclass(frozen=True)
class Config:
    inputs: int = 1
    outputs: int = 1
    base: int = 32  # maps at half the size
    blocks: int = 2  # residual blocks a size
    dim: int = 256  # length of a token
    depth: int = 4  # transformer layers
    heads: int = 8

    def __post_init__(self) -> None:
        check(self, inputs=(1, 4096), outputs=(1, 4096), base=(2, 1024), blocks=(1, 16), dim=(1, 4096), depth=(1, 64), heads=(1, 64))
        check_heads(self.dim, self.heads)


class Net(nn.Module):
    multiple = 16

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        b = config.base
        self.first = nn.Conv2d(config.inputs, b, 7, 2, padding=3)
        self.down = nn.ModuleList(_halving(maps, config.blocks) for maps in (b, 2 * b, 4 * b))
        self.tokens = nn.Conv2d(8 * b, config.dim, 1)
        self.layers = nn.Sequential(*(Transformer(config.dim, config.heads) for _ in range(config.depth)))
        self.maps = nn.Sequential(*_convolved(config.dim, 8 * b))
        self.merge = nn.ModuleList(_pair(i, o) for i, o in ((12 * b, 4 * b), (6 * b, 2 * b), (3 * b, b), (b, b // 2)))
        self.up = nn.Upsample(scale_factor=2, mode="bilinear")
        self.last = nn.Conv2d(b // 2, config.outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:  # (b, inputs, y, x) -> (b, outputs, y, x)
        return in_multiples(self.body, x, self.multiple)

    def body(self, x: Tensor) -> Tensor:
        skips = [self.first(x)]
        for block in self.down:
            skips.append(block(skips[-1]))  # (b, base * 2 ** n, y / 2 ** (n + 1), x / 2 ** (n + 1))
        x = self.maps(self.layers(self.tokens(skips.pop())))  # (b, 8 * base, y / 16, x / 16)
        for merge in self.merge:
            x = merge(torch.cat((skips.pop(), self.up(x)), 1) if skips else self.up(x))
        logits: Tensor = self.last(x)
        return logits


def _halving(maps: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(Residual(maps, 2 * maps, stride=2), *(Residual(2 * maps, 2 * maps) for _ in range(blocks - 1)))


def _pair(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(*_convolved(inputs, outputs), *_convolved(outputs, outputs))


def _convolved(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
