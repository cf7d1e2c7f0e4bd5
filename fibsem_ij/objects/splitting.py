"""Objects that touch, split: watershed on the distance to the object's surface.

Distances are in px of x, so with a voxel size a flat voxel counts as flat. A part is what stands out from the pass to any
deeper part by `least_px` at least (h-maxima; Soille 2003, Morphological Image Analysis, 6.3.5): a bridge must be narrower
on either side by that much in radius to be cut, and a bumpy surface is not. One object is in memory at a time, and the
parts of those that were cut, within their boxes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.boxes import Box, boxes
from fibsem_ij.volume import ArrayLike, WritableArray

Mask = npt.NDArray[np.bool_]
Parts = npt.NDArray[np.int32]
Voxel = tuple[float, float, float]


def split(labels: ArrayLike, out: WritableArray, *, least_px: float, voxel_nm: Voxel | None = None) -> int:
    """Cut the objects of `labels` into `out`, which may be `labels`; numbered from 1 by first voxel. How many there are."""
    numbers, where = boxes(labels)
    cut = {}
    for number, box in zip(numbers.tolist(), where, strict=True):
        mask = np.asarray(labels[box]) == number
        parts = pinched(mask, least_px=least_px, voxel_nm=voxel_nm)
        if parts.max() > 1:
            cut[number] = (box, parts)
    return _write(labels, out, cut, int(numbers.max(initial=0)))


def pinched(mask: Mask, *, least_px: float, voxel_nm: Voxel | None = None) -> Parts:
    """The parts of one object, from 1; 1 everywhere where nothing is narrow enough."""
    from skimage.morphology import local_maxima, reconstruction

    depth = _depth(mask, voxel_nm)
    flat = reconstruction(np.maximum(depth - np.float32(least_px), 0), depth).astype(np.float32)
    seeds = _numbered(local_maxima(flat, connectivity=3) & mask)
    return _flood(mask, depth, seeds)


def parted(mask: Mask, seeds: npt.NDArray[Any], *, voxel_nm: Voxel | None = None) -> Parts:
    """One object cut by seeds: each of its voxels gets the number of a seed; 0 in pieces that no seed lies in."""
    return _flood(mask, _depth(mask, voxel_nm), np.where(mask, seeds, 0).astype(np.int32))


def _depth(mask: Mask, voxel_nm: Voxel | None) -> npt.NDArray[np.float32]:
    from scipy.ndimage import distance_transform_edt

    sampling = np.array(voxel_nm or (1.0, 1.0, 1.0))
    inside = distance_transform_edt(np.pad(mask, 1), sampling=sampling / sampling[2])
    return np.asarray(inside[1:-1, 1:-1, 1:-1], np.float32)


def _numbered(peaks: Mask) -> Parts:
    from scipy.ndimage import label

    return np.asarray(label(peaks, np.ones((3, 3, 3)))[0], np.int32)


def _flood(mask: Mask, depth: npt.NDArray[np.float32], seeds: Parts) -> Parts:
    from skimage.segmentation import watershed

    return np.asarray(watershed(-depth, seeds, mask=mask, connectivity=np.ones((3, 3, 3))), np.int32)


def _write(labels: ArrayLike, out: WritableArray, cut: dict[int, tuple[Box, Parts]], top: int) -> int:
    """All slices anew: parts beyond the first take numbers above `top`, then all are numbered by first voxel."""
    above = dict(zip(cut, np.cumsum([top, *(int(parts.max()) - 1 for _, parts in cut.values())]).tolist(), strict=False))
    new: dict[int, int] = {}
    for z in range(labels.shape[0]):
        found = np.array(labels[z], np.int64)
        for number, ((zs, *window), parts) in cut.items():
            if zs.start <= z < zs.stop:
                part, view = parts[z - zs.start], found[tuple(window)]
                view[part > 1] = part[part > 1] + (above[number] - 1)
        out[z] = _in_order(found, new)
    return len(new)


def _in_order(found: npt.NDArray[np.int64], new: dict[int, int]) -> npt.NDArray[np.uint32]:
    """A slice with its numbers replaced by 1, 2, ... as they first come; `new` remembers them."""
    numbers, first, at = np.unique(found, return_index=True, return_inverse=True)
    for i in np.argsort(first):
        if numbers[i]:
            new.setdefault(int(numbers[i]), len(new) + 1)
    table = np.array([new.get(int(n), 0) for n in numbers], np.uint32)
    return np.asarray(table[at].reshape(found.shape))
