"""Pixels that are no number: NaN and infinity, which other programs leave in float stacks. A mean, a fit, a network would spread them.

`Closed` shows a stack with the least number of the slice in their place, as black, which alignment and networks take for nothing;
`share` is how much of a slice they are. Stacks of whole numbers have none, and are not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.volume import ArrayLike

Pixels = npt.NDArray[Any]


def closed(pixels: Pixels) -> Pixels:
    """A slice without gaps; all 0 where it is nothing else."""
    if pixels.dtype.kind != "f" or (known := np.isfinite(pixels)).all():
        return pixels
    least = pixels[known].min() if known.any() else 0
    return np.where(known, pixels, pixels.dtype.type(least))


def share(pixels: Pixels) -> float:
    return 0.0 if pixels.dtype.kind != "f" else 1 - float(np.isfinite(pixels).mean())


@dataclass(frozen=True, eq=False)
class Closed:
    """NB: slices are read whole, so that a pixel is the same whichever window it is asked for in."""

    src: ArrayLike

    @property
    def shape(self) -> tuple[int, ...]:
        return self.src.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.src.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Pixels:
        z, *window = key if isinstance(key, tuple) else (key,)
        if isinstance(z, int | np.integer):
            return np.asarray(closed(np.asarray(self.src[z]))[tuple(window)])
        return np.stack([closed(np.asarray(self.src[k]))[tuple(window)] for k in np.arange(self.shape[0])[z].tolist()])

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Pixels:
        return np.asarray(self[:], dtype)


def without_gaps(src: ArrayLike) -> ArrayLike:
    """As it is where it cannot have any."""
    return Closed(src) if np.dtype(src.dtype).kind == "f" else src
