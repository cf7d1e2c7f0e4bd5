"""SETR (Zheng et al., CVPR 2021): a pure transformer as encoder, a simple decoder. A model to compare with.

Each patch of 16 x 16 px becomes a vector; `depth` transformer layers; then progressive upsampling (SETR-PUP): four times a
3 x 3 convolution, BN, ReLU, and twice the size; a 1 x 1 convolution reads out. Of the two published decoders PUP is taken since
the other one, a single upsampling by 16, cannot draw what is thinner than a patch, as a membrane is.

The default has 7.1 M parameters. The encoder of the paper's base model (ViT-B/16) with its decoder is
`dim=768, depth=12, heads=12, base=256`: 88.9 M (the paper's 97.6 M hold the side outputs of its training too).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn

from fibsem_ij.learn.nets.sizes import check, in_multiples
from fibsem_ij.learn.nets.transformer import Transformer, check_heads

_PATCH = 16  # px


@dataclass(frozen=True)
class Config:
    inputs: int = 1
    outputs: int = 1
    dim: int = 256  # length of a patch's vector
    depth: int = 8  # transformer layers
    heads: int = 8
    base: int = 128  # maps of the decoder

    def __post_init__(self) -> None:
        check(self, inputs=(1, 4096), outputs=(1, 4096), dim=(1, 4096), depth=(1, 64), heads=(1, 64), base=(1, 1024))
        check_heads(self.dim, self.heads)


class Net(nn.Module):
    multiple = _PATCH

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.patches = nn.Conv2d(config.inputs, config.dim, _PATCH, _PATCH)
        self.layers = nn.Sequential(*(Transformer(config.dim, config.heads) for _ in range(config.depth)))
        self.decoder = nn.Sequential(*(_step(i, o) for i, o in pairwise([config.dim] + 4 * [config.base])))
        self.last = nn.Conv2d(config.base, config.outputs, 1)

    def forward(self, x: Tensor) -> Tensor:  # (b, inputs, y, x) -> (b, outputs, y, x)
        return in_multiples(self.body, x, self.multiple)

    def body(self, x: Tensor) -> Tensor:
        x = self.layers(self.patches(x))  # (b, dim, y / 16, x / 16)
        logits: Tensor = self.last(self.decoder(x))
        return logits


def _step(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True),
                         nn.Upsample(scale_factor=2, mode="bilinear"))
