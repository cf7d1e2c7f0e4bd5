"""Every nucleus cut out at a constant size, and what was made of a crop put into the full volume again.

A crop knows the voxel (z, y, x) where it begins: that is all that `put_back` needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.objects.nuclei import Nucleus
from fibsem_ij.volume import ArrayLike, WritableArray


def crops(src: ArrayLike, nuclei: list[Nucleus], *, size_px: int = 1700) -> Iterator[tuple[int, tuple[int, int, int], npt.NDArray[Any]]]:
    """Number, offset (z, y, x) and pixels of each nucleus, size_px x size_px; moved inwards at the border, smaller in a smaller stack."""
    if size_px < 1:
        raise ValueError(f"expected crops of 1 px or more, got {size_px}; leave it out for 1700")
    for number, nucleus in enumerate(nuclei, 1):
        first, last = min(nucleus.outlines), max(nucleus.outlines)
        y, x = (max(0, min(round(c - size_px / 2), n - size_px)) for c, n in zip(nucleus.centre[1:], src.shape[1:], strict=True))
        yield number, (first, y, x), np.stack([np.asarray(src[z])[y:y + size_px, x:x + size_px] for z in range(first, last + 1)])


def put_back(crop: npt.NDArray[Any], offset: tuple[int, int, int], out: WritableArray) -> None:
    """Write a result of `crops` where it was cut; its zeros leave what is there."""
    z0, y, x = offset
    for z, pixels in enumerate(crop, z0):
        whole = np.array(out[z])
        window = whole[y:y + pixels.shape[0], x:x + pixels.shape[1]]
        window[pixels != 0] = pixels[pixels != 0]
        out[z] = whole
