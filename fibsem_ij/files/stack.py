"""Stacks that stay on disk until they are asked: what a door puts into a Volume's `data`, and what it hands out to be filled.

Every array that comes out of here is fresh, writable and in the machine's byte order, and everything here can be
pickled: another process opens the file again instead of receiving its pixels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.files.whole import room_for
from fibsem_ij.volume import ArrayLike

Pixels = npt.NDArray[Any]
Window = tuple[Any, ...]  # what is asked of one slice: () or (y, x) indices
SLICE_BYTES = 2**32  # NB: a hostile header may ask for any size; no slice of a microscope comes near this one


def check_slice(shape: Sequence[int], dtype: np.dtype[Any], where: str) -> None:
    """Refuse a slice that no disk holds before anything is allocated for it."""
    size = dtype.itemsize
    for n in shape[1:]:
        size *= int(n)
    if min(shape) < 1 or size > SLICE_BYTES:
        asked = f"{' x '.join(str(n) for n in shape[1:])} {dtype}"
        raise ValueError(f"{where}: expected slices of up to {SLICE_BYTES >> 30} GiB, got a header with {asked}; the file is damaged")


class Stack(ABC):
    """What all of them answer like an array, beside `shape` and `dtype`."""

    shape: tuple[int, int, int]

    @abstractmethod
    def __getitem__(self, key: Any) -> Pixels: ...

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Pixels:
        return np.asarray(self[:], dtype)


@dataclass(frozen=True)
class Blank(Stack):
    """The shape and dtype of pixels that are yet to come."""

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]

    def __getitem__(self, key: Any) -> Pixels:
        raise ValueError("expected pixels, got a stack that is yet to be written")


@dataclass(frozen=True)
class Slices(Stack):
    """A stack read one slice at a time: `get(z, window)` is `slice_z[window]`."""

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    get: Callable[[int, Window], Pixels]

    def __getitem__(self, key: Any) -> Pixels:
        zs, window = split(key, self.shape[0])
        if isinstance(zs, int):
            return self.get(zs, window)
        one = np.broadcast_to(np.empty((), self.dtype), self.shape[1:])[window].shape
        out = np.empty((len(zs), *one), self.dtype)
        for i, z in enumerate(zs):
            out[i] = self.get(z, window)
        return out


@dataclass(frozen=True)
class Raw(Stack):
    """A stack in one piece of a file, mapped into memory for as long as one question takes."""

    path: Path
    offset: int
    shape: tuple[int, int, int]
    stored: np.dtype[Any]  # with the byte order of the file

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.stored.newbyteorder("=")

    @property
    def end(self) -> int:
        z, y, x = self.shape
        return self.offset + z * y * x * self.stored.itemsize

    def __getitem__(self, key: Any) -> Pixels:
        size = self.path.stat().st_size
        if size < self.end:  # NB: touching a map beyond the end of its file kills the process
            raise ValueError(f"{self.path}: expected {self.end} bytes, got {size}; the file was cut after it was opened")
        mapped = np.memmap(self.path, self.stored, "r", self.offset, self.shape)
        return np.array(mapped[key], self.dtype)


class Filled(Stack):
    """The writable array that `create` hands out: whole slices in, `out[z] = slice`, and out again."""

    def __init__(self, names: Sequence[str], shape: tuple[int, int, int], dtype: np.dtype[Any], *,
                 put: Callable[[int, Pixels], None], back: ArrayLike, done: Iterable[int] = ()) -> None:
        self.names, self.shape, self.dtype = names, shape, dtype
        self._put, self._back = put, back
        self._done = np.zeros(shape[0], bool)
        self._done[list(done)] = True

    @property
    def done(self) -> frozenset[int]:
        """The slices that are there, an earlier run's among them."""
        return frozenset(np.flatnonzero(self._done).tolist())

    def __setitem__(self, key: Any, value: Any) -> None:
        zs, window = split(key, self.shape[0])
        if any(i != slice(None) for i in window):
            raise ValueError(f"expected whole slices, out[z] = slice, got out[{key}]; collect the slice first")
        block = np.asarray(value)
        if isinstance(zs, int):
            zs, block = [zs], block[None] if block.ndim else block
        if block.ndim and block.shape != (len(zs), *self.shape[1:]):
            raise ValueError(f"expected slices of shape {self.shape[1:]}, {len(zs)} of them, got pixels of shape {np.shape(value)}")
        for i, z in enumerate(zs):
            pixels = self._exact(block[i] if block.ndim else block, z)
            self._put(z, np.ascontiguousarray(np.broadcast_to(pixels, self.shape[1:])))
            self._done[z] = True

    def __getitem__(self, key: Any) -> Pixels:
        return np.asarray(self._back[key])

    def _exact(self, pixels: Pixels, z: int) -> Pixels:
        if pixels.dtype == self.dtype:
            return pixels
        with np.errstate(invalid="ignore", over="ignore"):
            cast = pixels.astype(self.dtype)
        if not np.array_equal(cast, pixels, equal_nan=pixels.dtype.kind == "f"):
            raise ValueError(f"slice {self.names[z]}: expected {self.dtype} values, got {pixels.dtype} that it cannot hold; "
                             "convert them first or create a wider result")
        return cast

    def check_done(self) -> None:
        left = [name for name, done in zip(self.names, self._done, strict=True) if not done]
        if left:
            raise ValueError(f"expected all {self.shape[0]} slices to be written, got {self.shape[0] - len(left)}; "
                             f"missing {', '.join(left[:5])}{', ...' if len(left) > 5 else ''}")


@contextmanager
def raw_pixels(raw: Raw) -> Iterator[Callable[[int, Pixels], None]]:
    """`put(z, slice)` into the room of `raw` behind a header that is already written."""
    room_for(raw.path, raw.end)
    size = (raw.end - raw.offset) // raw.shape[0]
    with raw.path.open("r+b") as file:
        file.truncate(raw.end)

        def put(z: int, pixels: Pixels) -> None:
            file.seek(raw.offset + z * size)
            file.write(np.ascontiguousarray(pixels, raw.stored).data)
            file.flush()

        yield put


def split(key: Any, depth: int) -> tuple[int | Sequence[int], Window]:
    """An index of a stack as its slices and the window in each."""
    parts = list(key) if isinstance(key, tuple) else [key]
    if any(p is Ellipsis for p in parts):
        at = next(i for i, p in enumerate(parts) if p is Ellipsis)
        parts[at:at + 1] = [slice(None)] * (3 - (len(parts) - 1))
    if len(parts) > 3:
        raise IndexError(f"expected at most 3 indices (z, y, x), got {key!r}")
    first, window = parts[0] if parts else slice(None), tuple(parts[1:])
    if isinstance(first, slice):
        return range(depth)[first], window
    chosen = np.asarray(first)
    if chosen.dtype == bool:
        chosen = np.flatnonzero(chosen)
    if chosen.dtype.kind not in "iu" or chosen.ndim > 1:
        raise IndexError(f"expected a slice number, a range or a list of them, got {first!r}")
    if chosen.size and not -depth <= chosen.min() <= chosen.max() < depth:
        raise IndexError(f"expected a slice from 0 to {depth - 1}, got {first!r}")
    if chosen.ndim == 0:
        return int(chosen) % depth, window
    return [int(z) % depth for z in chosen], window
