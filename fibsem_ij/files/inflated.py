"""How large a packed chunk of a foreign store would become, told without unpacking it: a kilobyte may ask for all the memory there is."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from typing import BinaryIO

HEAD = 32  # bytes
_ZSTD = b"\x28\xb5\x2f\xfd"
_BLOCK = 1 << 17  # a block of Zstandard has so many bytes at most
_HARMLESS = 1 << 18  # what deflate packed is at most 1032 times as large: of so few bytes no more than 260 MB


def goes_beyond(most: int, codec: str, head: bytes, file: BinaryIO) -> bool:
    """Whether the chunk in `file` has more bytes than that; mostly its first ones, HEAD, say so. Of one that is no such thing at all the
    codec itself tells."""
    try:
        return _size(codec, head, file, most) > most
    except (OSError, EOFError, IndexError, zlib.error, lzma.LZMAError):
        return False


def _size(codec: str, head: bytes, file: BinaryIO, most: int) -> int:
    """Or a bound of it; beyond `most` no further than that."""
    large = file.seek(0, 2) > _HARMLESS
    file.seek(0)
    match codec:
        case "blosc":
            return int.from_bytes(head[4:8], "little")
        case "lz4":
            return int.from_bytes(head[:4], "little")
        case "zstd":
            return _of_zstd(head, file, most)
        case "gzip" if large:
            return len(gzip.GzipFile(fileobj=file).read(most + 1))
        case "zlib" if large:
            return len(zlib.decompressobj().decompress(file.read(), most + 1))
        case "bz2":
            return len(bz2.BZ2File(file).read(most + 1))
        case "lzma":
            return len(lzma.LZMAFile(file).read(most + 1))
    return 0


def _of_zstd(head: bytes, file: BinaryIO, most: int) -> int:
    """What its frame says; where that says nothing, as some writers leave it, what its blocks do."""
    if head[:4] != _ZSTD:
        return 0
    told = head[4]
    said, alone, dictionary = told >> 6, bool(told >> 5 & 1), (0, 1, 2, 4)[told & 3]
    at = 5 + (not alone) + dictionary
    width = (int(alone), 2, 4, 8)[said]
    if width:
        return int.from_bytes(head[at:at + width], "little") + (256 if width == 2 else 0)
    packed, total, last = file.read(), 0, False
    while not last and total <= most:
        block = int.from_bytes(packed[at:at + 3], "little")
        last, kind, length = bool(block & 1) or at + 3 > len(packed), block >> 1 & 3, block >> 3
        total += min(length, _BLOCK) if kind < 2 else _BLOCK  # as it is, one byte repeated, packed
        at += 3 + (1 if kind == 1 else length)
    return total
