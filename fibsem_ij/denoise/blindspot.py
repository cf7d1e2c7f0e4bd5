"""Denoising by self-supervision, where there is one noisy stack and no truth: of the Noise2Void kind, with spots half blind.

Noise2Void (Krull et al., CVPR 2019) hides some pixels from the network and asks for them: noise cannot be told from its surroundings,
so structure is learned. But what a pixel says of itself is lost, and one pixel in many teaches. Here every pixel is half hidden, by
noise of our own: with e of the stack's own variance (`noise`), the network sees seen + a e and is asked for seen - e / a. The two
noises, n + a e and n - e / a, are uncorrelated, so what the network learns is the mean of the signal, as if the second were another
scan (Recorrupted-to-Recorrupted, Pang et al., CVPR 2021). Neighbouring slices are shown as they are: their noise is their own.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import torch
from torch import Tensor, nn

from fibsem_ij.arrays.slices import spread
from fibsem_ij.denoise import pairs
from fibsem_ij.denoise.noise import Noise, cut
from fibsem_ij.denoise.options import Options
from fibsem_ij.learn.ahead import Batch
from fibsem_ij.learn.scale import Scale
from fibsem_ij.volume import ArrayLike

_HIDDEN = 0.5  # a: 0 hides nothing, and asks for pure noise
_MORE, _CUT = 0.3, 0.02  # is added where this share of the pixels is cut at black or white: ours is not, and some of theirs comes through
_LOOKED = 4  # slices


class BlindSpot:
    """A `learn.train.Task`."""

    def __init__(self, src: ArrayLike, noise: Noise, *, scale: Scale, options: Options, bad: Collection[int] = ()) -> None:
        trained, held = pairs.split(src.shape[0], options, bad)
        self.scale, self.noise, self.flat, self.middle = scale, noise, options.flat, options.neighbours
        self.hidden = _HIDDEN + _MORE * min(cut(src, slices=[trained[n] for n in spread(len(trained), _LOOKED)]) / _CUT, 1)
        self.patches = pairs.patches(src, None, trained, scale=scale, options=options)
        self.judged = self.parted(pairs.judged(src, held, neighbours=options.neighbours, scale=scale), torch.Generator().manual_seed(0))

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        (drawn,) = self.patches.batch(rng, size)
        seen, level, flat = pairs.flattened(drawn, rng, share=self.flat, noise=self.noise, scale=self.scale)
        shown, asked = self.parted(seen, torch.Generator().manual_seed(int(rng.integers(1 << 62))))
        return shown, torch.where(flat, level, asked), 1 + (pairs.FLAT - 1) * flat.flatten().float()

    def parted(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """(b, 2k + 1, y, x) -> what is shown, of the same shape, and what is asked for (b, 1, y, x)."""
        seen = x[:, self.middle : self.middle + 1]
        deviation = pairs.variance(pairs.brightness(seen), self.noise, self.scale).sqrt()
        own = deviation * torch.randn(seen.shape, generator=generator)
        shown = x.clone()
        shown[:, self.middle : self.middle + 1] += self.hidden * own
        return shown, seen - own / self.hidden

    def loss(self, module: nn.Module, batch: Batch, *, generator: torch.Generator) -> Tensor:
        return pairs.loss(module, batch)

    def score(self, module: nn.Module) -> float:
        return pairs.score(module, *self.judged)
