"""A U-Net whose encoder is EfficientNet (Tan and Le, ICML 2019), B4 of timm by default.

Five decoder stages, each a 4 x 4 transposed convolution of stride 2 (the kernel a multiple of the stride, so no chequerboard), the
encoder's maps of that size concatenated (at full size: the slice itself), a single 3 x 3 convolution, BN and ReLU; a 1 x 1
convolution reads out. B4 and base 32 have 33.4 M parameters, half of them in the decoder, which is wide where maps are small and
narrow where they are large, so that it takes little longer than a residual U-Net of 8 M.

Nothing is ever downloaded. `load_encoder` takes weights from a safetensors file that the user has.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn

from fibsem_ij.learn.nets.sizes import check, in_multiples

_ENCODERS = ("b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7")


@dataclass(frozen=True)
class Config:
    inputs: int = 1
    outputs: int = 1
    encoder: str = "b4"  # b0 ... b7
    base: int = 32  # maps of the last decoder stage; 2, 8, 16, 16 times as many before it

    def __post_init__(self) -> None:
        check(self, inputs=(1, 4096), outputs=(1, 4096), base=(1, 1024))
        if self.encoder not in _ENCODERS:
            raise ValueError(f"expected an encoder of {', '.join(_ENCODERS)}, got {self.encoder!r}; leave it out for the default")


class Net(nn.Module):
    multiple = 32

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        encoder: Any = timm.create_model(f"efficientnet_{config.encoder}", features_only=True, pretrained=False, in_chans=config.inputs)
        self.encoder = encoder
        skips, width = [config.inputs, *encoder.feature_info.channels()[:-1]], encoder.feature_info.channels()[-1]
        self.up, self.merge = nn.ModuleList(), nn.ModuleList()
        for skip, maps in zip(reversed(skips), (config.base * times for times in (16, 16, 8, 2, 1)), strict=True):
            self.up.append(nn.ConvTranspose2d(width, maps, 4, stride=2, padding=1))
            self.merge.append(nn.Sequential(nn.Conv2d(maps + skip, maps, 3, padding=1), nn.BatchNorm2d(maps), nn.ReLU(inplace=True)))
            width = maps
        self.last = nn.Conv2d(width, config.outputs, 1)

    def forward(self, x: Tensor) -> Tensor:  # (b, inputs, y, x) -> (b, outputs, y, x)
        return in_multiples(self.body, x, self.multiple)

    def body(self, x: Tensor) -> Tensor:
        skips: list[Tensor] = [x, *self.encoder(x)]  # (b, c, y / 2 ** n, x / 2 ** n) for n of 0 to 5
        x = skips.pop()
        for up, merge, skip in zip(self.up, self.merge, reversed(skips), strict=True):
            x = merge(torch.cat((skip, up(x)), 1))
        logits: Tensor = self.last(x)
        return logits


def load_encoder(net: Net, path: Path) -> None:
    """Weights as timm publishes them for this encoder (model.safetensors), its colours summed up to grey and shared by the inputs."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        given = load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path}: expected safetensors, got another file ({error}); a .pt or .pth file is never loaded, "
                         "since it can run code") from error
    wanted = net.encoder.state_dict()
    first = "conv_stem.weight"
    if first in given:
        inputs = net.config.inputs
        given[first] = given[first].sum(1, keepdim=True).expand(-1, inputs, -1, -1) / inputs
    odd = next((key for key in wanted if key not in given or given[key].shape != wanted[key].shape), None)
    if odd is not None:
        got = tuple(given[odd].shape) if odd in given else "none"
        raise ValueError(f"{path}: expected the weights of timm's efficientnet_{net.config.encoder}: {odd} of shape "
                         f"{tuple(wanted[odd].shape)}, got {got}; name that model's file, or build the network with its encoder")
    net.encoder.load_state_dict({key: given[key] for key in wanted})
