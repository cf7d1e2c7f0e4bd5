"""Between a noun and what a format can say of it: the pixel type a file holds, and the record it carries.

A format that lacks a pixel type holds it in the next one that keeps every value (int16 as float32, bool as 0 and 255),
or refuses. A format that has no place for a pixel type, slice names or class names carries them in its `record`:
a dict with "dtype", "names" and "classes", each present only where the format would lose it.

Labels go by their numbers: 16 bit up to 65,535, float32 up to 2^24 where whole numbers end. `create` cannot know
the numbers to come, so there a wider type than 16 bit means float32, and each slice is checked as it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from fibsem_ij.files.stack import Blank, Filled, Pixels, Raw, Slices, Window, raw_pixels
from fibsem_ij.volume import Labels, Volume, slice_names

if TYPE_CHECKING:
    from fibsem_ij.files.scans import Acquired

WHOLE_IN_FLOAT32 = 2**24
TOO_MANY = "renumber them from 1, or write .zarr"


@dataclass(frozen=True)
class Found:
    """What a file holds: `data` as it is stored, and what the file says of it."""

    data: Any  # (z, y, x)
    voxel_nm: tuple[float, float, float] | None = None
    names: tuple[str, ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict)
    acquired: Acquired | None = None  # what the microscope's headers say, where there are any

    def volume(self, voxel_nm: tuple[float, float, float] | None, where: str) -> Volume:
        with _named(where):
            if voxel_nm is None and self.acquired and (wrong := self.acquired.two_sizes()):
                raise ValueError(wrong)
            return Volume(self.restored(where), self.voxel_nm if voxel_nm is None else voxel_nm, self._names())

    def labels(self, voxel_nm: tuple[float, float, float] | None, where: str) -> Labels:
        data = self.restored(where)
        if data.dtype.kind not in "ui":
            data = Slices(data.shape, np.dtype(np.uint32), partial(_exact, data, np.dtype(np.uint32), where))
        classes = {int(k): str(v) for k, v in self.record.get("classes", {}).items()}
        with _named(where):
            return Labels(data, self.voxel_nm if voxel_nm is None else voxel_nm, self._names(), classes)

    def restored(self, where: str) -> Any:
        """`data` in the pixel type it had before it was stored."""
        dtype = np.dtype(self.record.get("dtype", self.data.dtype))
        if dtype == self.data.dtype:
            return self.data
        return Slices(self.data.shape, dtype, partial(_exact, self.data, dtype, where))

    def _names(self) -> tuple[str, ...]:
        return tuple(self.record.get("names", self.names))


def holding(noun: Volume, holds: Sequence[str], *, what: str) -> np.dtype[Any]:
    """The pixel type, of those that a format `holds`, in which it keeps `noun` exactly."""
    types = [np.dtype(t) for t in holds]
    if not isinstance(noun, Labels):
        if noun.dtype in types:
            return noun.dtype
        for dtype in types:
            if np.can_cast(noun.dtype, dtype, "safe"):
                return dtype
        raise ValueError(f"expected pixels that {what} holds ({', '.join(holds)}), got {noun.dtype}; convert them, or write .zarr")
    if noun.dtype in types and noun.dtype.kind == "u":
        return noun.dtype
    largest = _largest(noun)
    if largest is None or 65_535 < largest <= WHOLE_IN_FLOAT32:
        return np.dtype(np.float32)
    if largest > WHOLE_IN_FLOAT32:
        raise ValueError(f"expected label numbers up to {WHOLE_IN_FLOAT32} for {what}, got {largest}; {TOO_MANY}")
    return np.dtype(np.uint16)


def encoded(pixels: Pixels, stored: np.dtype[Any], *, labels: bool, where: str) -> Pixels:
    """A slice in the pixel type of its file; labels that it would change are refused."""
    if labels and pixels.size:
        low, high = int(pixels.min()), int(pixels.max())
        top = WHOLE_IN_FLOAT32 if stored.kind == "f" else int(np.iinfo(stored).max)
        if low < 0 or high > top:
            raise ValueError(f"{where}: expected label numbers from 0 to {top}, got {low} to {high}; {TOO_MANY}")
    if pixels.dtype == bool and stored == np.uint8:
        return pixels.astype(np.uint8) * np.uint8(255)
    return pixels.astype(stored, copy=False)


@contextmanager
def filled(raw: Raw, noun: Volume, *, seen: Callable[[Pixels], None] | None = None) -> Iterator[Filled]:
    """The array that fills the room of `raw` with the slices of `noun`; `seen` is shown each as it is stored."""
    with raw_pixels(raw) as put_raw:
        one_at_a_time = Lock()

        def put(z: int, pixels: Pixels) -> None:
            stored = encoded(pixels, raw.dtype, labels=isinstance(noun, Labels), where=f"slice {noun.names[z]}")
            with one_at_a_time:
                if seen:
                    seen(stored)
                put_raw(z, stored)

        back = Found(raw, record={"dtype": noun.dtype.name}).restored(str(raw.path))
        out = Filled(noun.names, noun.shape, noun.dtype, put=put, back=back)
        yield out
        out.check_done()


def record_of(noun: Volume, stored: np.dtype[Any], *, names: bool) -> dict[str, Any]:
    """What the format would lose of `noun`; `names` where it has no place of its own for slice names."""
    record: dict[str, Any] = {}
    if stored != noun.dtype:
        record["dtype"] = noun.dtype.name
    if names and noun.names != slice_names(noun.shape[0]):
        record["names"] = list(noun.names)
    if isinstance(noun, Labels) and noun.classes:
        record["classes"] = {str(k): v for k, v in noun.classes.items()}
    return record


def checked_record(record: Any, where: str) -> dict[str, Any]:
    """A record as it was read, which anyone may have edited."""
    shapes = {"dtype": str, "names": list, "classes": dict, "voxel_nm": list}
    if not isinstance(record, dict) or any(not isinstance(record[k], t) for k, t in shapes.items() if k in record):
        raise ValueError(f"{where}: expected a record of dtype, names, classes and voxel_nm, got {str(record)[:80]}; the file is damaged")
    known = {np.dtype(t).name for t in "?bBhHiIlLqQefd"}
    if record.get("dtype", "bool") not in known or any(not k.isdigit() for k in record.get("classes", {})):
        raise ValueError(f"{where}: expected a pixel type and classes by number, got {str(record)[:80]}; the file is damaged")
    return record


@contextmanager
def _named(where: str) -> Iterator[None]:
    """What a noun says against what a file holds, with the name of the file."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _largest(noun: Labels) -> int | None:
    """The largest label; None where it is yet to come and its type is wider than 16 bit."""
    if isinstance(noun.data, Blank):
        return int(np.iinfo(noun.dtype).max) if noun.dtype.itemsize <= 2 else None
    return max(int(noun[z].max()) for z in range(len(noun)))


def _exact(data: Any, dtype: np.dtype[Any], where: str, z: int, window: Window) -> Pixels:
    pixels: Pixels = data[(z, *window)]
    if dtype.kind == "b":
        return np.asarray(pixels != 0)
    with np.errstate(invalid="ignore"):
        cast = pixels.astype(dtype)
    if not np.array_equal(cast, pixels, equal_nan=pixels.dtype.kind == "f"):
        raise ValueError(f"{where}, slice {z}: expected whole {dtype} numbers, got values between them; read it as an image, not as labels")
    return cast
