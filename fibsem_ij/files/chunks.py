"""The chunks of a Zarr array: that all are there, and that none changed since it was written.

Ours are Zstandard with its checksum: a byte that changed is an error that names slice and chunk. Blosc, which older stores of ours and
many others' have, keeps none, and is slower (`benchmarks/codecs.py`): all that can be held against such a chunk is its length.
A chunk that is missing reads as the fill value, says the format. In a store that says it is whole that is damage; in another's it may well
mean zeros: `absent` tells.
"""

from __future__ import annotations

import math
import secrets
from itertools import product
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import zarr

from fibsem_ij.files.inflated import HEAD, goes_beyond
from fibsem_ij.files.stack import Pixels

CODEC = numcodecs.Zstd(level=1, checksum=True)
_FILTERED = 8  # times as large as its pixels is what filters may have made of a chunk
AGAIN = "copy it again, or move it away and have it made anew"


def read(array: Any, path: Path, lead: tuple[int, ...], key: tuple[Any, ...], *, whole: bool, where: str) -> Pixels:
    """`array[key]`, which lies in the chunks at `lead`, the chunk's place before y and x."""
    chunks = _below(array, path, lead)
    _check(array, chunks, whole=whole, where=where)
    try:
        if _is_ours(array) and all(part == slice(None) for part in key[len(lead):]):
            return _unpacked(array, chunks)
        return np.array(array[key])
    except IndexError:
        raise
    except Exception as error:  # NB: each codec has its own error
        at = next((chunk for chunk in chunks if _is_damaged(array, chunk)), "one of its chunks")
        raise ValueError(f"{where}: expected pixels, got {type(error).__name__}: {error}; {at} is damaged: {AGAIN}") from error


class Packed:
    """One of our arrays (z, y, x), or with `lead` the stack at that place of it, to fill: `[z] = slice` packs its chunks and writes them,
    each whole or not at all, from any thread. Zarr itself does that in one thread for the whole process, and in twice the time."""

    def __init__(self, array: Any, path: Path, lead: tuple[int, ...] = ()) -> None:
        self.array, self.path, self.lead, self.shape, self.dtype = array, path, lead, array.shape[len(lead):], array.dtype

    def __getitem__(self, z: Any) -> Pixels:
        return np.asarray(self.array[(*self.lead, z)])

    def __setitem__(self, z: int, pixels: Pixels) -> None:
        down, across = self.array.chunks[-2:]
        for (y, x), chunk in zip(_corners(self.array), _below(self.array, self.path, (*self.lead, z)), strict=True):
            block = pixels[y:y + down, x:x + across]
            if block.shape != (down, across):  # Zarr v2: chunks at the edge are as large as the others
                block = np.pad(block, ((0, down - block.shape[0]), (0, across - block.shape[1])))
            chunk.parent.mkdir(parents=True, exist_ok=True)
            part = chunk.with_name(f"{chunk.name}.{secrets.token_hex(4)}.partial")
            part.write_bytes(CODEC.encode(np.ascontiguousarray(block, self.dtype)))
            part.replace(chunk)


def laid_out(array: Any) -> str:
    """How bytes become pixels, to be said a second time: one byte of .zarray can make a stack shorter, or its numbers others."""
    size, chunk = (" x ".join(map(str, n)) for n in (array.shape, array.chunks))
    return f"{size} of {np.dtype(array.dtype).str} in {chunk}, {array.order}"


def absent(path: Path) -> list[int]:
    """Slices of the store at `path` of which a chunk is not there."""
    node: Any = zarr.open(store=str(path), mode="r")
    if not isinstance(node, zarr.Array):
        path = path / str(node.attrs["multiscales"][0]["datasets"][0]["path"])
    array: Any = zarr.open_array(store=str(path), mode="r")
    leads = {z: (*(0,) * (array.ndim - 3), z // array.chunks[-3]) for z in range(array.shape[-3])}
    return [z for z, lead in leads.items() if not all(chunk.exists() for chunk in _below(array, path, lead))]


def _is_ours(array: Any) -> bool:
    """Packed as `Packed` does it, a slice deep."""
    return bool(array.metadata.compressor == CODEC and not array.metadata.filters and array.order == "C" and array.chunks[-3] == 1)


def _unpacked(array: Any, chunks: list[Path]) -> Pixels:
    """A whole slice of its chunks. NB: as `Packed`, at twice Zarr's rate, and from several threads at once."""
    down, across = array.chunks[-2:]
    pixels = np.empty(array.shape[-2:], array.dtype)
    for (y, x), chunk in zip(_corners(array), chunks, strict=True):
        place = pixels[y:y + down, x:x + across]
        if chunk.exists():
            place[:] = np.frombuffer(CODEC.decode(chunk.read_bytes()), array.dtype).reshape(down, across)[:len(place), :place.shape[1]]
        else:
            place[:] = 0 if array.fill_value is None else array.fill_value
    return pixels


def _below(array: Any, path: Path, lead: tuple[int, ...]) -> list[Path]:
    """The chunks of a slice, in the order of their `_corners`."""
    down, across = array.chunks[-2:]
    return [path / array.metadata.encode_chunk_key((*lead, y // down, x // across)) for y, x in _corners(array)]


def _corners(array: Any) -> product[tuple[int, int]]:
    """The pixel (y, x) at which each chunk of a slice begins."""
    (height, width), (down, across) = array.shape[-2:], array.chunks[-2:]
    return product(range(0, height, down), range(0, width, across))


def _check(array: Any, chunks: list[Path], *, whole: bool, where: str) -> None:
    """NB: numcodecs lets Blosc read beyond a chunk that was cut, so its length is compared with what its header says."""
    codec = getattr(array.metadata.compressor, "codec_id", "")
    room = math.prod(array.chunks) * array.dtype.itemsize * (_FILTERED if array.metadata.filters else 1)
    for chunk in chunks:
        if not chunk.exists():
            if whole:
                raise ValueError(f"{where}: expected all chunks of a finished store, got none at {chunk}; {AGAIN}")
            continue
        with chunk.open("rb") as file:
            head, size = file.read(HEAD), file.seek(0, 2)
            if codec == "blosc" and (size < 16 or size != int.from_bytes(head[12:16], "little")):
                raise ValueError(f"{where}: expected {int.from_bytes(head[12:16], 'little')} bytes in {chunk}, got {size}; {AGAIN}")
            beyond = goes_beyond(room, codec, head, file)
        if beyond:
            raise ValueError(f"{where}: expected {room} bytes of pixels at most in {chunk}, it would inflate to more; {AGAIN}")


def _is_damaged(array: Any, chunk: Path) -> bool:
    try:
        array.metadata.compressor.decode(chunk.read_bytes())
    except Exception:  # NB: each codec has its own error
        return True
    return False
