"""A denoised stack at a glance: noisy, denoised, what was taken away, the truth, side by side, one row a slice.

All planes of a row wear the range of the truth, the difference its own about mid-grey: there, structure is what should not be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.slices import middle
from fibsem_ij.render import RGB, grey, sheet
from fibsem_ij.volume import ArrayLike

_LARGEST_PX = 384  # of a panel: the middle of the slice, pixel by pixel
_ROWS = 3


def denoising_sheet(result: ArrayLike, truth: ArrayLike, *, noisy: ArrayLike | None = None, slices: Sequence[int] | None = None) -> RGB:
    """`slices`: which; else three spread through the stack. Without `noisy` the difference is that from the truth."""
    depth = truth.shape[0]
    chosen = sorted({round(z) for z in np.linspace(0, depth - 1, min(depth, _ROWS) + 2)[1:-1]}) if slices is None else slices
    panels: list[tuple[str, RGB]] = []
    for z in chosen:
        ours, true = (middle(stack, z, _LARGEST_PX) for stack in (result, truth))
        first = middle(noisy, z, _LARGEST_PX) if noisy is not None else true
        row = [(f"z {z}: denoised", grey(ours, like=true)),
               ("noisy - denoised" if noisy is not None else "denoised - truth", _difference(first, ours) if noisy is not None else
                _difference(ours, true)), ("truth", grey(true))]
        panels += ([("noisy", grey(first, like=true))] if noisy is not None else []) + row
    return sheet(panels, columns=4 if noisy is not None else 3, title="Denoising")


def _difference(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> RGB:
    off = a.astype(np.float32) - b.astype(np.float32)
    return grey(off, like=np.array([-3, 3], np.float32) * max(float(off.std()), 1e-6))
