"""Doubts about the denoising: structure in what was taken away.

Noise of a pixel says nothing about the next one; a membrane that was taken for noise does. So of the residual, grey minus clean, the
correlation with itself one to three pixels on is taken, along x and along y, and the mean of the six is the doubt. The smaller of the two
directions would forgive a scan line's own noise and a membrane alike; the mean forgives neither, but the usual slice says what is the
camera's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Executor
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.slices import map_slices
from fibsem_ij.review.ranking import Evidence, Floats
from fibsem_ij.volume import ArrayLike

STAGE = "denoising"
_STEPS = (1, 2, 3)  # px


def evidence(noisy: ArrayLike, clean: ArrayLike, *, bad: Collection[int] = (), executor: Executor | None = None,
             progress: Callable[[int, int], None] | None = None) -> list[Evidence]:
    if tuple(noisy.shape) != tuple(clean.shape):
        raise ValueError(f"expected the clean stack to be like the noisy one, {tuple(noisy.shape)}, got {tuple(clean.shape)}; denoise "
                         "again")
    values: Floats = np.full(noisy.shape[0], np.nan)
    map_slices(_structure, _Both(noisy, clean), values, done=tuple(bad), executor=executor, progress=progress)
    return [Evidence(STAGE, "structure", values, 0.01, lambda z, usual: "structure was taken away with the noise: what was taken is like "
                                                                        f"itself by {values[z]:.2f}, usually by {usual:.2f}")]


def structure(noisy: npt.NDArray[Any], clean: npt.NDArray[Any]) -> float:
    """The mean correlation of the residual with itself, one to three pixels on; 0 where nothing was taken away."""
    residual = noisy.astype(np.float32) - clean.astype(np.float32)
    residual -= residual.mean()
    power = float(np.mean(residual**2))
    if not np.isfinite(power) or power < 1e-12:
        return 0.0
    pairs = [(residual[:, step:], residual[:, :-step]) for step in _STEPS] + [(residual[step:], residual[:-step]) for step in _STEPS]
    return float(np.mean([np.mean(a * b) if a.size else 0.0 for a, b in pairs]) / power)


def _structure(both: Any, z: int) -> float:
    return structure(*both)


class _Both:
    """Two stacks as one of pairs (2, y, x)."""

    def __init__(self, noisy: ArrayLike, clean: ArrayLike) -> None:
        self.shape, self.dtype, self.pair = noisy.shape, noisy.dtype, (noisy, clean)

    def __getitem__(self, z: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        return np.asarray(self.pair[0][z]), np.asarray(self.pair[1][z])
