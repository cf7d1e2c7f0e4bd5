"""A network made fast for use, and its batches: the same numbers as the module's own, in less time.

Batch normalisation of a fixed mean and variance is a scale and an offset of each map. After a convolution it goes into the
convolution's weights. Before one, as in pre-activated blocks, it stays: a ReLU lies between.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from fibsem_ij.learn.device import out_of_memory

Forward = Callable[[Tensor], Tensor]  # (b, inputs, y, x) -> (b, c, y, x)

_ACTIVATIONS: dict[str, Forward] = {"none": lambda x: x, "sigmoid": torch.sigmoid, "softmax": lambda x: x.softmax(1)}
_MIRRORS: tuple[tuple[int, ...], ...] = ((), (-2,), (-1,), (-2, -1))


def fast(module: nn.Module, device: torch.device) -> nn.Module:
    """A copy on `device`: channels last, batch normalisation folded where a Sequential has it right after a convolution."""
    made = copy.deepcopy(module).eval().requires_grad_(False).to(device)
    for sequence in [m for m in made.modules() if isinstance(m, nn.Sequential)]:
        for n, (layer, norm) in enumerate(pairwise(list(sequence))):
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)) and isinstance(norm, nn.BatchNorm2d):
                sequence[n] = fuse_conv_bn_eval(layer, norm, transpose=isinstance(layer, nn.ConvTranspose2d))
                sequence[n + 1] = nn.Identity()
    return made.to(memory_format=torch.channels_last)


@contextmanager
def on_device(module: nn.Module, device: torch.device, forward: Forward | None = None) -> Iterator[Forward]:
    """What to call for a batch on `device`: a fast copy, or `forward` while the module itself lies there. It is left as it was."""
    if forward is None:
        yield fast(module, device)
        return
    home, training = next((p.device for p in module.parameters()), device), module.training
    module.eval().to(device)
    try:
        yield forward
    finally:
        module.train(training).to(home)


class Runner:
    """Runs batches, of several threads too; smaller ones from where the memory ran out."""

    def __init__(self, net: Forward, device: torch.device, *, activation: str = "none", batch: int | None = None, flips: bool = False,
                 bf16: bool = False) -> None:
        self.net, self.device, self.activate = net, device, _ACTIVATIONS[activation]
        self.batch = batch or (1 if device.type == "cpu" else 16)
        self.mirrors = _MIRRORS if flips else _MIRRORS[:1]
        self.bf16 = bf16

    def __call__(self, x: Tensor) -> Tensor:  # (b, inputs, y, x) -> (b, c, y, x) float32
        while True:
            batch = self.batch
            try:
                return torch.cat([self._mean(part) for part in torch.split(x, batch)])
            except RuntimeError as error:
                if not out_of_memory(error):
                    raise
                if batch == 1:
                    raise ValueError(f"expected memory for one tile of {tuple(x.shape[-2:])} px, {self.device} ran out; "
                                     "take a smaller tile, or the device cpu") from error
            # NB: past the except clause, which holds on to the frames and tensors of what failed.
            self.batch = -(-min(batch, len(x)) // 2)
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    @torch.inference_mode()
    def _mean(self, x: Tensor) -> Tensor:
        """Over the mirrorings, of what the activation makes of it."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            outs = [self._one(x.flip(axes)).flip(axes) for axes in self.mirrors]
        return torch.stack(outs).mean(0) if len(outs) > 1 else outs[0]

    def _one(self, x: Tensor) -> Tensor:
        out = self.net(x.contiguous(memory_format=torch.channels_last))
        if out.ndim != 4 or (len(out), *out.shape[2:]) != (len(x), *x.shape[2:]):
            raise ValueError(f"expected {tuple(x.shape)} to become (b, c, y, x) of the same b, y and x, got {tuple(out.shape)}; "
                             "look at the network's forward")
        return self.activate(out.float())
