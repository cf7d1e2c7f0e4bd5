"""Grey values on their way: which ImageJ pixel a dtype becomes, and how it comes back (the table in `convert`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.fiji.errors import FijiError
from fibsem_ij.fiji.pixels import PIXELS, Lay
from fibsem_ij.volume import Volume

EXACT_FLOAT = 1 << 24  # whole numbers up to here are exact as float32
_BITS = {np.dtype(np.uint8): 8, np.dtype(np.uint16): 16, np.dtype(np.float32): 32, np.dtype(np.bool_): 8, np.dtype(np.float16): 32}


@dataclass(frozen=True)
class Crossing:
    """`source` is the array whose memory is moved as it is, or what lays each slice."""

    bits: int
    source: npt.NDArray[Any] | Lay
    largest: int = 0
    ids: npt.NDArray[Any] | tuple[int, ...] = ()


def crossing(volume: Volume) -> Crossing:
    dtype = volume.dtype.newbyteorder("=")
    bits = _BITS.get(dtype) or (32 if dtype.kind == "f" else _bits_of_integers(volume))
    if volume.dtype == PIXELS[bits].dtype and isinstance(volume.data, np.ndarray) and all(s.flags.c_contiguous for s in volume.data[:1]):
        return Crossing(bits, volume.data)
    return Crossing(bits, _lay(volume, exact=dtype in _BITS or dtype.kind != "f"))


def _lay(volume: Volume, *, exact: bool) -> Lay:
    def lay(z: int, stage: npt.NDArray[Any]) -> None:
        values = volume[z]
        if values.dtype == np.bool_:
            np.multiply(values, np.uint8(255), out=stage)
            return
        with np.errstate(over="ignore"):
            np.copyto(stage, values, casting="unsafe")
        if not exact and not np.array_equal(stage.astype(values.dtype), values, equal_nan=True):
            raise FijiError(f"expected {values.dtype} values that are exact as float32, slice {z} ({volume.names[z]}) has others; "
                            "round them first with .astype(numpy.float32)")

    return lay


def _bits_of_integers(volume: Volume) -> int:
    low, high = 0, 0
    for z in range(len(volume)):
        values = volume[z]
        low, high = min(low, int(values.min())), max(high, int(values.max()))
        if (worst := max(high, -low)) > EXACT_FLOAT:
            raise FijiError(f"expected whole numbers within +-2^24, which ImageJ can hold exactly, got {worst} in slice {z} "
                            f"({volume.names[z]}); rescale them, or round with .astype(numpy.float32)")
    return 16 if low >= 0 and high <= 65535 else 32


class Reader:
    """Raw ImageJ pixels -> values; `restored` then gives the dtype that left Python, if every value still fits."""

    def __init__(self, bits: int, signed: bool, dtype: str) -> None:
        self._values: Callable[[int, npt.NDArray[Any]], npt.NDArray[Any]] | None = _grey if bits == 24 else _signed if signed else None
        self.dtype = np.dtype(np.uint8) if bits == 24 else np.dtype(np.int16) if signed else PIXELS[bits].dtype
        self._wanted = np.dtype(dtype) if dtype else self.dtype

    @property
    def plain(self) -> bool:
        return self._values is None

    def values(self, z: int, raw: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return raw if self._values is None else self._values(z, raw)

    def restored(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if self._wanted == self.dtype:
            return array
        cast = cast_if_exact(array, self._wanted)
        return array if cast is None else cast


def cast_if_exact(values: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any] | None:
    """`values` in `dtype`, or None where a value would change. bool stands for 0 and 255."""
    if values.dtype == dtype:
        return values
    if dtype == np.bool_:
        return values == 255 if bool(((values == 0) | (values == 255)).all()) else None
    with np.errstate(over="ignore", invalid="ignore"):
        cast = values.astype(dtype)
        same = np.array_equal(cast.astype(values.dtype), values, equal_nan=values.dtype.kind == "f")
    return cast if same else None


def _signed(z: int, raw: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """ImageJ keeps signed 16 bit as unsigned with an offset of 32768."""
    return (raw ^ np.uint16(0x8000)).view(np.int16)


def _grey(z: int, raw: npt.NDArray[Any]) -> npt.NDArray[Any]:
    red, green, blue = ((raw >> shift) & 0xFF for shift in (16, 8, 0))
    if not (np.array_equal(red, green) and np.array_equal(green, blue)):
        raise FijiError(f"expected a grey image, slice {z} is RGB and its channels differ; use Image > Type > 8-bit, or split the channels")
    return red.astype(np.uint8)
