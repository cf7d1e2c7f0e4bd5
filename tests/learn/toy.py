"""A task small enough to train in a second, with all that could make a resumed training differ: dropout, batch statistics, noise."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from fibsem_ij.learn.train import Options, train

OPTIONS = Options(updates=24, every=5, batch=3, average=0.8, warmup=3, clip=0.5, weight_decay=0.01, device="cpu")


def network() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout(0.3), nn.Conv2d(6, 1, 3, padding=1))


class Doubling:
    """Twice the input is asked for."""

    def batch(self, rng, size):
        x = torch.from_numpy(rng.standard_normal((size, 1, 12, 12), np.float32))
        return x, 2 * x

    def loss(self, module, batch, *, generator):
        x, truth = batch
        noise = torch.randn(x.shape, generator=generator, device=x.device)
        return (module(x + 0.1 * noise) - truth).square().mean()

    def score(self, module):
        x, truth = self.batch(np.random.default_rng(99), 4)
        return -(module(x) - truth).square().mean().item()


if __name__ == "__main__":
    torch.set_num_threads(1)
    train(network(), Doubling(), options=OPTIONS, state=Path(sys.argv[1]), progress=lambda told: print(told["update"], flush=True))
