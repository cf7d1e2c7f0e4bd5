"""Label numbers on their way: exact in ImageJ's 16-bit or 32-bit pixels, or renumbered with the map kept.

65,535 ids fit 16 bit; up to 2^24 are exact as float32. NB: 16,777,217 would come back as 16,777,216, hence the limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.fiji.errors import FijiError
from fibsem_ij.fiji.grey import EXACT_FLOAT, Crossing
from fibsem_ij.fiji.pixels import PIXELS, each_slice
from fibsem_ij.volume import Labels

_MAX_16 = 65_535
_MAX_MAP = 1 << 20  # ids that may travel as an image property
_REMEDY = "pass labels=False to read grey values"


def crossing(labels: Labels) -> Crossing:
    if labels.dtype == np.uint16 and isinstance(labels.data, np.ndarray) and labels.data[0].flags.c_contiguous:
        return Crossing(16, labels.data, _largest(labels))
    largest = _largest(labels)
    if largest <= EXACT_FLOAT:
        return Crossing(16 if largest <= _MAX_16 else 32, lambda z, stage: np.copyto(stage, labels[z], casting="unsafe"), largest)
    ids = _ids(labels)
    last = len(ids) - 1

    def lay(z: int, stage: npt.NDArray[Any]) -> None:
        np.copyto(stage, np.searchsorted(ids, labels[z]), casting="unsafe")

    return Crossing(16 if last <= _MAX_16 else 32, lay, last, ids)


def _largest(labels: Labels) -> int:
    def largest_of(z: int) -> int:
        values = labels[z]
        if labels.dtype.kind == "i" and (least := int(values.min())) < 0:
            raise FijiError(f"expected label numbers from 0, slice {z} ({labels.names[z]}) has {least}; renumber them first")
        return int(values.max())

    return max(each_slice(largest_of, labels.shape, labels.dtype))


def _ids(labels: Labels) -> npt.NDArray[Any]:
    ids = np.zeros(1, labels.dtype)
    for z in range(len(labels)):
        ids = np.union1d(ids, labels[z])
        if len(ids) > _MAX_MAP:
            raise FijiError(f"expected label numbers up to 2^24, or at most {_MAX_MAP} different ones, got up to {int(ids.max())} and more "
                            "different ones; renumber them from 1, or hand ImageJ a part of the stack")
    return ids


class Reader:
    """Raw ImageJ pixels -> label numbers of `dtype`, through the map where there is one."""

    plain = False

    def __init__(self, dtype: str, ids: Sequence[int], bits: int) -> None:
        self.dtype = np.dtype(dtype)
        if bits == 24 or self.dtype.kind not in "ui":
            raise FijiError(f"expected a label image of 8, 16 or 32 bit, got {bits} bit for {dtype}; {_REMEDY}")
        self.plain = not len(ids) and self.dtype == PIXELS[bits].dtype
        self._ids = np.asarray(ids, self.dtype) if len(ids) else None

    def values(self, z: int, raw: npt.NDArray[Any]) -> npt.NDArray[Any]:
        # NaN fails every comparison.
        if raw.dtype.kind == "f" and not ((raw >= 0) & (raw <= EXACT_FLOAT) & (raw == np.floor(raw))).all():
            raise FijiError(f"expected label numbers (whole, 0 to 2^24), slice {z} has other values; {_REMEDY}")
        largest = int(raw.max())
        if self._ids is None:
            if largest > np.iinfo(self.dtype).max:
                raise FijiError(f"expected label numbers that fit {self.dtype}, in which they left Python, slice {z} has {largest}; "
                                "convert the labels with .astype(numpy.uint32) before to_fiji")
            return raw
        if largest >= len(self._ids):
            raise FijiError(f"expected pixel values up to {len(self._ids) - 1}, which stand for the ids that left Python, slice {z} has "
                            f"{largest}; draw new objects in a layer of their own, or renumber the labels before to_fiji")
        return self._ids[raw.astype(np.intp)]

    def restored(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return array
