"""Probabilities -> one class a pixel, and small objects taken out.

argmax: the class that is most probable, the background among them, which has what is left of 1. threshold: the most probable of the
classes that reach the threshold. priority: of these the one named first; those not named come after, by id.

Small objects go by their volume in 3D, 26-connected, class by class. That needs a byte a voxel and, while pieces are counted, four
more; stacks beyond memory are the business of fibsem_ij.objects.components, which streams.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.volume import ArrayLike, WritableArray

WAYS = ("argmax", "threshold", "priority")


def label(probabilities: ArrayLike, out: WritableArray, *, ids: Mapping[int, str], how: str, threshold: float, priority: Sequence[str],
          least_voxels: Mapping[str, int]) -> None:
    _check(probabilities, out, ids, how, threshold, (*priority, *least_voxels))
    numbers = np.array(list(ids), np.int64)
    first = [list(ids.values()).index(name) for name in priority]
    order = [*first, *(c for c in range(len(ids)) if c not in first)]
    for z in range(probabilities.shape[1]):
        shares = np.asarray(probabilities[:, z])
        if how == "priority":
            best = np.array(order)[(shares[order] >= threshold * 255).argmax(0)]
        else:
            best = shares.argmax(0)
        top = shares.max(0)
        sure = top > 255 - shares.sum(0, dtype=np.int64) if how == "argmax" else top >= threshold * 255
        out[z] = np.where(sure, numbers[best], 0).astype(out.dtype)
    for name, least in least_voxels.items():
        remove_small(out, next(i for i, has in ids.items() if has == name), least)


def remove_small(out: WritableArray, number: int, least: int) -> None:
    """Objects of fewer voxels become background. NB: `out` is read back."""
    import cc3d

    mask = np.empty(out.shape, np.uint8)
    for z in range(out.shape[0]):
        mask[z] = np.asarray(out[z]) == number
    cc3d.dust(mask, threshold=least, connectivity=26, in_place=True)
    for z in range(out.shape[0]):
        labels: npt.NDArray[Any] = np.array(out[z])
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
