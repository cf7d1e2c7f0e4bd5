"""The k-th darkest voxel of every object at once, exact for any type of grey values, in a few passes over the stack.

Radix selection: a grey value is a whole number with the same order, and a pass counts, of each object, its voxels by the next
eight bits of this number, the highest first, among those that share the bits found so far. Eight bits take one pass, 16 take two,
float32 takes four; the memory is 256 counts for an object and rank, whatever the size of the stack.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.compiled import compiled
from fibsem_ij.measure.objects import Counts, Objects, Rows
from fibsem_ij.volume import ArrayLike

Grey = npt.NDArray[Any]


def checked(labels: ArrayLike, image: ArrayLike) -> None:
    if tuple(labels.shape) != tuple(image.shape):
        raise ValueError(f"expected grey values for every voxel of labels {tuple(labels.shape)}, got an image of {tuple(image.shape)}; "
                         "give the image that the labels were made from")
    if image.dtype.kind not in "buif":
        raise ValueError(f"expected grey values (bool, integer or float), got dtype {image.dtype}; convert it with .astype first")


def inside(labels: ArrayLike, objects: Objects, image: ArrayLike) -> Iterator[tuple[Rows, Grey]]:
    """Slice by slice: the rows of the voxels that belong to objects, and their grey values."""
    checked(labels, image)
    for z in range(labels.shape[0]):
        rows = objects.rows(np.asarray(labels[z]))
        kept = rows >= 0
        grey = native(np.asarray(image[z]))[kept]
        if grey.dtype.kind == "f" and not np.isfinite(grey).all():
            raise ValueError(not_finite(f"slice {z}"))
        yield rows[kept], grey


def native(grey: Grey) -> Grey:
    """The same values in a type that machine code knows."""
    if grey.dtype == bool:
        return grey.view(np.uint8)
    return grey.astype(np.float32 if grey.dtype == np.float16 else grey.dtype.newbyteorder("="), copy=False)


def not_finite(where: str) -> str:
    return f"expected finite grey values inside the objects, got inf or nan in {where}; replace them, or take them out of the labels"


def at_ranks(labels: ArrayLike, objects: Objects, image: ArrayLike, ranks: Counts, *, together: bool = False) -> Grey:
    """Grey values (k, n) at `ranks` (k, n), 0 for the darkest voxel of object n; `together`: of all objects as one, (k, 1)."""
    dtype = native(np.empty(0, image.dtype)).dtype
    bits = np.uint64(8)
    found, left = np.zeros(ranks.shape, np.uint64), ranks.astype(np.int64)
    for shift in range(8 * dtype.itemsize - 8, -1, -8) if ranks.size else ():
        counts = np.zeros((*ranks.shape, 256), np.int64)
        for rows, grey in inside(labels, objects, image):
            _count(np.zeros_like(rows) if together else rows, _key(grey), found, np.uint64(shift), counts)
        np.cumsum(counts, -1, out=counts)
        digit = (counts <= left[..., None]).sum(-1)
        before = np.take_along_axis(counts, np.maximum(digit - 1, 0)[..., None], -1)[..., 0]
        left -= np.where(digit > 0, before, 0)
        found = found << bits | digit.astype(np.uint64)
    return _grey(found, dtype)


def _key(grey: Grey) -> npt.NDArray[np.uint64]:
    """Whole numbers in the order of the grey values: the sign bit flipped; of negative floats all bits."""
    if grey.dtype.kind == "u":
        return grey.astype(np.uint64)
    unsigned = grey.view(f"u{grey.dtype.itemsize}")
    sign = unsigned.dtype.type(1 << (8 * grey.dtype.itemsize - 1))
    turned = np.where(unsigned & sign, ~unsigned, unsigned | sign) if grey.dtype.kind == "f" else unsigned ^ sign
    return turned.astype(np.uint64)


def _grey(key: npt.NDArray[np.uint64], dtype: np.dtype[Any]) -> Grey:
    if dtype.kind == "u":
        return key.astype(dtype)
    unsigned = key.astype(f"u{dtype.itemsize}")
    sign = unsigned.dtype.type(1 << (8 * dtype.itemsize - 1))
    turned = np.where(unsigned & sign, unsigned ^ sign, ~unsigned) if dtype.kind == "f" else unsigned ^ sign
    return turned.view(dtype)


@compiled
def _count(rows: Rows, keys: npt.NDArray[np.uint64], found: npt.NDArray[np.uint64], shift: np.uint64, counts: Counts) -> None:
    for i in range(rows.size):
        row, rest = rows[i], keys[i] >> shift
        for k in range(found.shape[0]):
            if rest >> np.uint64(8) == found[k, row]:
                counts[k, row, rest & np.uint64(255)] += 1
