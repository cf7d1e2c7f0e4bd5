"""The U-Net of Ronneberger, Fischer and Brox (MICCAI 2015), padded, with batch normalisation (Ioffe and Szegedy, ICML 2015).

A level is a pair of 3 x 3 convolutions. Levels are joined by 2 x 2 max pooling on the way down and by a transposed convolution of
stride 2 on the way up, with the encoder's maps concatenated. Every convolution, transposed ones too, has a bias and is followed by
batch normalisation and ReLU; half of the deepest maps are dropped in training.

With depth 5, base 64 and 2 x 2 transposed convolutions these are 31.0 M parameters. With `up=3`, one channel in and one out,
depth/base/growth 4/32/2, 4/64/2, 4/64/1.5, 5/32/2 and 5/64/2 have 2.143, 8.56, 2.57, 8.63 and 34.5 M: the published counts, cut (not
rounded) after their last digit.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from fibsem_ij.learn.nets.sizes import check, in_multiples


@dataclass(frozen=True)
class Config:
    inputs: int = 1
    outputs: int = 1
    depth: int = 5  # levels; the deepest is 2 ** (depth - 1) times smaller
    base: int = 64  # maps of the first level
    growth: float = 2.0  # times more maps a level
    up: int = 2  # side of the transposed convolutions: 2 | 3
    dropout: float = 0.5
    norm: str = "batch"  # batch | none
    smooth: int = 0  # px, odd: side of a filter of all inputs to which the rest is added, as denoising does; 0: none

    def __post_init__(self) -> None:
        check(self, inputs=(1, 4096), outputs=(1, 4096), depth=(1, 8), base=(1, 1024), growth=(1, 4), up=(2, 3), dropout=(0, 0.95),
              smooth=(0, 63))
        if self.norm not in ("batch", "none"):
            raise ValueError(f"expected norm as batch or none, got {self.norm!r}; choose one of them")
        if self.smooth and self.smooth % 2 == 0:
            raise ValueError(f"expected smooth as an odd number of pixels, or 0, got {self.smooth}; take {self.smooth + 1}")

    @property
    def widths(self) -> list[int]:
        return [round(self.base * self.growth**level) for level in range(self.depth)]


class Net(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config, self.multiple = config, 2 ** (config.depth - 1)
        widths, norm = config.widths, config.norm
        self.down = nn.ModuleList(_pair(i, o, norm) for i, o in zip([config.inputs, *widths], widths, strict=False))
        self.up = nn.ModuleList(_layer(_transposed(i, o, config.up), norm) for o, i in pairwise(widths))
        self.merge = nn.ModuleList(_pair(2 * o, o, norm) for o in widths[:-1])
        self.dropout = nn.Dropout(config.dropout)
        self.pool = nn.MaxPool2d(2)
        self.last = nn.Conv2d(widths[0], config.outputs, 1)
        self.smooth = _smooth(config) if config.smooth else None

    def forward(self, x: Tensor) -> Tensor:  # (b, inputs, y, x) -> (b, outputs, y, x)
        out = in_multiples(self.body, x, self.multiple)
        return out if self.smooth is None else out + self.smooth(x)

    def body(self, x: Tensor) -> Tensor:
        skips: list[Tensor] = []
        for level, block in enumerate(self.down):
            x = block(self.pool(x) if level else x)  # (b, widths[level], y / 2 ** level, x / 2 ** level)
            skips.append(x)
        x = self.dropout(skips.pop())
        for up, merge, skip in zip(reversed(self.up), reversed(self.merge), reversed(skips), strict=True):
            x = merge(torch.cat((skip, up(x)), 1))
        logits: Tensor = self.last(x)
        return logits


def _pair(inputs: int, outputs: int, norm: str) -> nn.Sequential:
    return nn.Sequential(*(_layer(nn.Conv2d(i, outputs, 3, padding=1), norm) for i in (inputs, outputs)))


def _smooth(config: Config) -> nn.Conv2d:
    """Before any training a Gaussian of the middle input alone, three deviations to each side."""
    side = config.smooth
    made = nn.Conv2d(config.inputs, config.outputs, side, padding=side // 2, padding_mode="replicate", bias=False)
    line = torch.exp(-((torch.arange(side) - side // 2) / (side / 7)) ** 2 / 2)
    nn.init.zeros_(made.weight)
    with torch.no_grad():
        made.weight[:, config.inputs // 2] = torch.outer(line, line) / line.sum() ** 2
    return made


def _transposed(inputs: int, outputs: int, side: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, side, stride=2, padding=side - 2, output_padding=side - 2)


def _layer(convolution: nn.Conv2d | nn.ConvTranspose2d, norm: str) -> nn.Sequential:
    if norm == "batch":
        return nn.Sequential(convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU(inplace=True))
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")  # else the signal fades; under BN it would only slow Adam down
    return nn.Sequential(convolution, nn.ReLU(inplace=True))
