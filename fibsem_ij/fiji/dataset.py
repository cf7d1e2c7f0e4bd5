"""Volume and Labels <-> net.imagej.Dataset through imglyb, which shares NumPy's memory: no copy, and every dtype exact.

Only where a Fiji runs: the Java half of imglyb is not on Maven Central.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fibsem_ij.fiji.errors import FijiError, translated
from fibsem_ij.volume import Labels, Volume

# NB: a plain 3-D array would become channels.
_AXES = ("pln", "row", "col")


def to_dataset(ij: Any, noun: Volume) -> Any:
    """NB: writes from Java reach the noun's array, and the other way round."""
    with translated("make a Dataset"):
        data = ij.py.to_dataset(np.asarray(noun), dim_order=list(_AXES))
        got = tuple(int(data.dimension(d)) for d in reversed(range(data.numDimensions())))
        if got != noun.shape:
            raise FijiError(f"expected a Dataset of {noun.shape}, got {got}; update pyimagej")
        for axis, size in enumerate(reversed(noun.voxel_nm or ())):
            data.axis(axis).setUnit("nm")
            data.axis(axis).setScale(size)
    return data


def from_dataset(ij: Any, data: Any, *, labels: bool) -> Volume | Labels:
    with translated("read a Dataset"):
        array = ij.py.from_java(data)
        dims = tuple(str(name) for name in array.dims)
        if dims != _AXES:
            raise FijiError(f"expected a Dataset with axes {_AXES}, got {dims}; take one channel and time point with Image > Duplicate")
        axes = [data.axis(axis) for axis in range(3)]
        in_nm = all(str(axis.unit() or "") == "nm" for axis in axes)
        z, y, x = (float(axis.averageScale(0, 1)) for axis in reversed(axes))
    values = np.asarray(array.data)
    voxel_nm = (z, y, x) if in_nm else None
    return Labels(values, voxel_nm) if labels else Volume(values, voxel_nm)
