"""Denoising by a variational autoencoder, where there is no truth: it is fitted on the noisy stack alone.

What is maximised is the evidence bound: how well the decoded image explains the noisy slice, given how noisy the stack is (`noise`;
Poisson-Gaussian noise as a Gaussian of like variance), less the price of the code. Noise is random and never pays its price, so the
code keeps the signal. This is Hierarchical DivNoising (Prakash et al., ICLR 2022) on a ladder of codes (learn.nets.vae), with a line for
the noise instead of a calibrated histogram. Of some patches more is known: noise on nothing, to be explained by one brightness.

The clean slice is the decoded middle of the posterior, or the mean of decoded draws: the posterior mean. Once trained, the middle is
nearer to the truth (by .2 dB at 20 dB, with sharper membranes) in a fraction of the time. The deviation of the draws says, pixel by
pixel, how sure it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fibsem_ij.denoise import pairs
from fibsem_ij.denoise.noise import Noise
from fibsem_ij.denoise.options import Options
from fibsem_ij.learn.ahead import Batch
from fibsem_ij.learn.scale import Scale
from fibsem_ij.volume import ArrayLike

_HALF = 4  # of the draws that a deviation is taken of, where none were asked for


class Variational:
    """A `learn.train.Task`."""

    def __init__(self, src: ArrayLike, noise: Noise, *, scale: Scale, options: Options, bad: Collection[int] = ()) -> None:
        trained, held = pairs.split(src.shape[0], options, bad)
        self.scale, self.noise, self.flat = scale, noise, options.flat
        self.patches = pairs.patches(src, None, trained, scale=scale, options=options)
        self.judged = pairs.judged(src, held, neighbours=options.neighbours, scale=scale)

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        """What is seen, and what is to be explained: the middle slice, or the brightness of a flat patch."""
        (drawn,) = self.patches.batch(rng, size)
        seen, level, flat = pairs.flattened(drawn, rng, share=self.flat, noise=self.noise, scale=self.scale)
        return seen, torch.where(flat, level, _middle(seen))

    def loss(self, module: nn.Module, batch: Batch, *, generator: torch.Generator) -> Tensor:
        seen, told = batch
        return self.bound(module, seen, told, generator)

    def bound(self, module: Any, seen: Tensor, told: Tensor, generator: torch.Generator) -> Tensor:
        """Nats a pixel."""
        decoded, price = module.coded(seen, noise=generator)
        surprise = (decoded - told) ** 2 / pairs.variance(pairs.brightness(_middle(seen)), self.noise, self.scale)
        nats: Tensor = surprise.mean() / 2 + price.sum() / told.numel()
        return nats

    def score(self, module: nn.Module) -> float:
        device = next(module.parameters()).device
        generator = torch.Generator(device).manual_seed(0)
        images = [image[None].to(device) for image in self.judged]
        return -float(np.mean([self.bound(module, image, _middle(image), generator).item() for image in images]))


def _middle(seen: Tensor) -> Tensor:
    return seen[:, seen.shape[1] // 2, None]


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
