"""Chunks of foreign stores that would fill the memory: told before they are unpacked, whatever packed them."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr

from fibsem_ij import files
from fibsem_ij.files.inflated import HEAD, goes_beyond

CODECS = {"blosc": numcodecs.Blosc(), "gzip": numcodecs.GZip(), "zlib": numcodecs.Zlib(), "bz2": numcodecs.BZ2(), "lzma": numcodecs.LZMA(),
          "lz4": numcodecs.LZ4(), "zstd": numcodecs.Zstd()}
NOISE = np.random.default_rng(1).integers(0, 256, 1 << 20, np.uint8).tobytes()
BLOCK = 1 << 17


def beyond(most: int, codec: str, packed: bytes) -> bool:
    return goes_beyond(most, codec, packed[:HEAD], io.BytesIO(packed))


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("size", [1, 255, 300, 70_000, 1 << 20])
def test_a_chunk_that_fits_fits_and_a_byte_more_does_not(codec: str, size: int) -> None:
    packed = CODECS[codec].encode(NOISE[:size])
    assert not beyond(size, codec, packed)
    if codec not in ("gzip", "zlib") or len(packed) > 1 << 18:
        assert beyond(size - 1, codec, packed)


def unsized(*blocks: tuple[int, int, bytes]) -> bytes:
    """A Zstandard frame that does not say how large it is: (kind, length, bytes) of each block."""
    made = b"\x28\xb5\x2f\xfd\x00\x58"  # no size, a window of 2 MiB
    for n, (kind, length, data) in enumerate(blocks):
        made += (length << 3 | kind << 1 | (n == len(blocks) - 1)).to_bytes(3, "little") + data
    return made


def test_zstandard_that_does_not_say_how_large_it_is() -> None:
    packed = unsized((0, 1000, NOISE[:1000]), (1, BLOCK, b"\7"))
    assert bytes(numcodecs.Zstd().decode(packed)) == NOISE[:1000] + b"\7" * BLOCK, "it is such a frame"
    assert not beyond(1000 + BLOCK, "zstd", packed)
    assert beyond(1000 + BLOCK - 1, "zstd", packed)
    assert beyond(1 << 30, "zstd", unsized(*[(1, BLOCK, b"\0")] * (1 << 14)))


@pytest.mark.parametrize("codec", ["gzip", "zlib", "bz2", "lzma", "zstd"])  # the others say a size, and no more
@pytest.mark.parametrize("packed", [b"", b"\0", b"\x28\xb5\x2f\xfd\xff", NOISE[:40], NOISE])
def test_what_is_no_such_thing_is_left_to_the_codec(codec: str, packed: bytes) -> None:
    assert beyond(1 << 24, codec, packed) is False


@pytest.mark.fault("hostile: Zarr chunks of a store from elsewhere that inflate to 256 MB, by seven codecs: refused, in a few MB")
@pytest.mark.parametrize("codec", CODECS)
def test_a_store_from_elsewhere_does_not_fill_the_memory(codec: str, tmp_path: Path) -> None:
    bomb = CODECS[codec].encode(bytes(256 << 20) if codec not in ("gzip", "zlib") else bytes(300 << 20))
    array: Any = zarr.create_array(str(tmp_path / "a.zarr"), shape=(2, 64, 64), chunks=(1, 64, 64), dtype=np.uint8, zarr_format=2,
                                   compressors=CODECS[codec], fill_value=0)
    array[:] = 1
    chunk = next(path for path in (tmp_path / "a.zarr").rglob("1*") if path.is_file())
    chunk.write_bytes(bomb)
    stack = files.read(tmp_path / "a.zarr")
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="slice 1: expected 4096 bytes of pixels at most"):
            stack[1]
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
    assert (np.asarray(stack[0]) == 1).all()
