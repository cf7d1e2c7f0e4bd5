"""Denoising by a variational autoencoder, where there is no truth: it is fitted on the noisy stack alone.

What is maximised is the evidence bound: how well the decoded image explains the noisy slice, given how noisy the stack is (`noise`;
Poisson-Gaussian noise as a Gaussian of like variance), less the price of the code. Noise is random and never pays its price, so the
code keeps the signal. This is Hierarchical DivNoising (Prakash et al., ICLR 2022) on a ladder of codes (learn.nets.vae), with a line for
the noise instead of a calibrated histogram.

The clean slice is the decoded middle of the posterior, or the mean of decoded draws: the posterior mean. Once trained, the middle is
nearer to the truth (by .2 dB at 20 dB, with sharper membranes) in a fraction of the time. The deviation of the draws says, pixel by
pixel, how sure it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fibsem_ij.denoise import pairs
from fibsem_ij.denoise.noise import Noise
from fibsem_ij.denoise.options import Options
from fibsem_ij.learn.ahead import Batch
from fibsem_ij.learn.patches import Patches
from fibsem_ij.learn.scale import Scale
from fibsem_ij.volume import ArrayLike

_HALF = 4  # of the draws that a deviation is taken of, where none were asked for


class Variational:
    """A `learn.train.Task`."""

    def __init__(self, src: ArrayLike, noise: Noise, *, scale: Scale, options: Options) -> None:
        trained, held = pairs.split(src.shape[0], options)
        self.scale, self.noise, self.middle = scale, noise, options.neighbours
        self.patches = Patches(src, None, trained, size=options.patch, neighbours=options.neighbours, scale=scale.forward,
                               augment=options.augment)
        self.judged = pairs.judged(src, held, neighbours=options.neighbours, scale=scale)

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        return self.patches.batch(rng, size)

    def loss(self, module: nn.Module, batch: Batch, *, generator: torch.Generator) -> Tensor:
        return self.bound(module, batch[0], generator)

    def bound(self, module: Any, x: Tensor, generator: torch.Generator) -> Tensor:
        """Nats a pixel."""
        seen = x[:, self.middle : self.middle + 1]
        decoded, price = module.coded(x, noise=generator)
        surprise = ((decoded - seen) ** 2 / pairs.variance(pairs.around(seen), self.noise, self.scale)).sum() / 2
        return (surprise + price.sum()) / seen.numel()  # type: ignore[no-any-return]

    def score(self, module: nn.Module) -> float:
        device = next(module.parameters()).device
        generator = torch.Generator(device).manual_seed(0)
        return -float(np.mean([self.bound(module, image[None].to(device), generator).item() for image in self.judged]))


def forward_of(module: Any, draws: int) -> Callable[[Tensor], Tensor]:
    """Tiles (b, inputs, y, x) -> (b, 2, y, x): the mean of `draws` decoded draws, or the decoded middle for 0; and their deviation.

    Draws come in mirrored pairs, two of which are worth some thirty single ones; the encoder runs once.
    """
    half = -(-draws // 2) or _HALF

    def forward(x: Tensor) -> Tensor:
        seen = module.seen(x)
        drawn = torch.stack([module.climbed(seen, torch.Generator(x.device).manual_seed(pair), sign=sign)[0]
                             for pair in range(half) for sign in (1.0, -1.0)])
        clean = drawn.mean(0) if draws else module.climbed(seen, None)[0]
        return torch.cat((clean, drawn.std(0)), 1)

    return forward
