"""Probabilities -> one class a pixel, and small objects taken out.

argmax: the class that is most probable, the background among them, which has what is left of 1. threshold: the most probable of the
classes that reach the threshold. priority: of these the one named first; those not named come after, by id. auto: argmax where channels
are exclusive, as a softmax makes them; else threshold, as of channels that know nothing of each other nothing is left over.

Crumbs of a slice go by their area, class by class, and the next likely class takes their place (`crumbs`).
Small objects go by their volume in 3D, 26-connected, class by class. That needs a byte a voxel and, while pieces are counted, four
more; stacks beyond memory are the business of fibsem_ij.objects.components, which streams.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.segment.crumbs import crumbs
from fibsem_ij.volume import ArrayLike, WritableArray

Pixels = npt.NDArray[Any]

WAYS = ("auto", "argmax", "threshold", "priority")


def label(probabilities: ArrayLike, out: WritableArray, *, ids: Mapping[int, str], how: str, exclusive: bool, threshold: float,
          priority: Sequence[str], least_px: Mapping[str, int], least_voxels: Mapping[str, int]) -> None:
    _check(probabilities, out, ids, how, threshold, (*priority, *least_px, *least_voxels))
    if how == "auto":
        how = "argmax" if exclusive else "threshold"
    names = list(ids.values())
    numbers = np.array([*ids, 0])
    first = [names.index(name) for name in priority]
    order = np.array([*first, *(c for c in range(len(ids)) if c not in first)])
    least = {names.index(name): px for name, px in least_px.items()}
    for z in range(probabilities.shape[1]):
        shares = np.array(probabilities[:, z])
        rest = 255 - shares.sum(0, dtype=np.int64)
        best = _best(shares, rest, how, threshold, order)
        small = crumbs(best, least)
        for c in least:
            shares[c][small & (best == c)] = 0
        out[z] = numbers[_best(shares, rest, how, threshold, order) if small.any() else best].astype(out.dtype)
    for name, voxels in least_voxels.items():
        remove_small(out, next(i for i, has in ids.items() if has == name), voxels)


def _best(shares: Pixels, rest: Pixels, how: str, threshold: float, order: Pixels) -> Pixels:
    """The channel of each pixel, -1 the background, which has `rest`."""
    best = order[(shares[order] >= threshold * 255).argmax(0)] if how == "priority" else shares.argmax(0)
    top = shares.max(0)
    return np.where(top > rest if how == "argmax" else top >= threshold * 255, best, -1)


def remove_small(out: WritableArray, number: int, least: int) -> None:
    """Objects of fewer voxels become background. NB: `out` is read back."""
    import cc3d

    mask = np.empty(out.shape, np.uint8)
    for z in range(out.shape[0]):
        mask[z] = np.asarray(out[z]) == number
    cc3d.dust(mask, threshold=least, connectivity=26, in_place=True)
    for z in range(out.shape[0]):
        labels: Pixels = np.array(out[z])
        labels[(labels == number) & (mask[z] == 0)] = 0
        out[z] = labels


def _check(probabilities: ArrayLike, out: WritableArray, ids: Mapping[int, str], how: str, threshold: float, named: Sequence[str]) -> None:
    shape = tuple(probabilities.shape)
    if len(shape) != 4 or shape[0] != len(ids) or probabilities.dtype != np.uint8:
        raise ValueError(f"expected probabilities ({len(ids)}, z, y, x) of uint8, one channel for each of {', '.join(ids.values())}, got "
                         f"{shape} of {probabilities.dtype}; give what segment apply wrote, and its classes")
    if how not in WAYS or not 0 < threshold <= 1:
        raise ValueError(f"expected a way of {', '.join(WAYS)} and a threshold above 0, up to 1, got {how!r} and {threshold}; .5 is usual")
    if unknown := [name for name in named if name not in ids.values()]:
        raise ValueError(f"expected classes of {', '.join(ids.values())}, got {', '.join(unknown)}; name those")
    if tuple(out.shape) != shape[1:] or max(ids) > np.iinfo(out.dtype).max:
        raise ValueError(f"expected out of shape {shape[1:]} that holds ids up to {max(ids)}, got {tuple(out.shape)} of {out.dtype}; "
                         "make it like the stack")
