"""Denoising with truth: the network's mean squared distance from it, so that it learns the mean of all that the noisy patch may be.

Some patches are noise on nothing: one value of the truth with the patch's own noise in another order, to be made flat again. They keep
the network from seeing membranes in resin.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from fibsem_ij.denoise import pairs
from fibsem_ij.denoise.options import Options
from fibsem_ij.learn.ahead import Batch
from fibsem_ij.learn.scale import Scale
from fibsem_ij.volume import ArrayLike

Image = npt.NDArray[np.float32]


class Supervised:
    """A `learn.train.Task`. `takes`: stacks of the same slices, each with its truth."""

    def __init__(self, takes: Sequence[tuple[ArrayLike, ArrayLike]], *, scale: Scale, options: Options, bad: Collection[int] = ()) -> None:
        trained, held = pairs.split(takes[0][0].shape[0], options, bad)
        self.flat, k = options.flat, options.neighbours
        self.patches = [pairs.patches(noisy, truth, trained, scale=scale, options=options) for noisy, truth in takes]
        noisy, truth = takes[0]
        self.judged = pairs.judged(noisy, held, neighbours=k, scale=scale), pairs.judged(truth, held, neighbours=0, scale=scale)

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        drawn = [self.draw(rng) for _ in range(size)]
        return tuple(torch.from_numpy(np.stack(kind)) for kind in zip(*drawn, strict=True))

    def draw(self, rng: np.random.Generator) -> tuple[Image, Image, np.float32]:
        """Noisy (2k + 1, y, x), truth (1, y, x), and what the patch counts."""
        noisy, found = self.patches[rng.integers(len(self.patches))].draw(rng)
        truth = np.asarray(found)
        if rng.random() >= self.flat:
            return noisy, truth, np.float32(1)
        level = truth.reshape(-1)[rng.integers(truth.size)]
        own = (noisy[len(noisy) // 2] - truth).reshape(1, -1)  # NB: from the neighbours' there would be structure left
        noise = rng.permuted(own.repeat(len(noisy), axis=0), axis=1).reshape(noisy.shape)
        return level + noise, np.full_like(truth, level), np.float32(pairs.FLAT)

    def loss(self, module: nn.Module, batch: Batch, *, generator: torch.Generator) -> Tensor:
        return pairs.loss(module, batch)

    def score(self, module: nn.Module) -> float:
        return pairs.score(module, *self.judged)
