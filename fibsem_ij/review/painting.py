"""What a person changed in a slice: pixels of the label image, or outlines of the ROI set.

An object is changed where the pixels that its ROIs cover are no longer those that it had; then, and only then, it loses what it had in the
slice and gets what its ROIs cover now, on top of whatever lay there. An object without a ROI is deleted. Every other object keeps every
pixel that no changed one now covers, so a change of one ROI changes that object in that slice, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.files import rois

Pixels = npt.NDArray[Any]
Drawn = Sequence[tuple[int, Any]]  # number of the object, ROI


def repainted(old: Pixels, drawn: Drawn) -> Pixels:
    """The slice `old` (y, x) with its objects as their ROIs have them; equal to it where nothing was changed."""
    shape = (old.shape[0], old.shape[1])
    covers = [(number, *rois.covered(roi, shape)) for number, roi in drawn]
    numbers, counts = np.unique(old, return_counts=True)
    had = {int(number): int(count) for number, count in zip(numbers, counts, strict=True) if number}
    pieces: dict[int, list[tuple[Any, Pixels]]] = {}
    for number, box, mask in covers:
        pieces.setdefault(number, []).append((box, mask))
    changed = {number for number, own in pieces.items() if not _same(old, number, had.get(number, 0), own)} | (had.keys() - pieces.keys())
    if not changed:
        return old
    new = np.where(np.isin(old, list(changed)), 0, old).astype(np.uint32)
    for number, box, mask in covers:
        if number in changed:
            new[box][mask] = number
    return new


def _same(old: Pixels, number: int, count: int, own: Sequence[tuple[Any, Pixels]]) -> bool:
    """Whether the ROIs of an object cover what it had, `count` pixels."""
    if any((old[box][mask] != number).any() for box, mask in own):
        return False
    if len(own) == 1:
        return int(np.count_nonzero(own[0][1])) == count
    cover = np.zeros(old.shape, np.bool_)
    for box, mask in own:
        cover[box] |= mask
    return int(np.count_nonzero(cover)) == count
