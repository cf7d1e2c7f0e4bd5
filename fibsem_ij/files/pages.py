"""The pages of any TIFF, each checked before a pixel is read.

tifffile warns and goes on where a file is cut, loops or asks for more than it has; here every such file is refused.
The chain of pages is walked once more for that, because tifffile ends it silently where it breaks.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tifffile import TiffFile, TiffPage

from fibsem_ij.files.stack import Pixels, Raw, Slices, Window, check_slice

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # what it warns of is an error here

EXPANSION = 65_536  # NB: no codec of TIFF makes more bytes out of one
Layout = tuple[str, str, int, str, int]  # count of tags, its size; size of a tag; offset, its size


@contextmanager
def opened(path: Path) -> Iterator[tuple[TiffFile, list[TiffPage]]]:
    """The file and all its pages; whatever breaks on the way ends in one ValueError that names the file."""
    try:
        count = len(_chain(path))
        with TiffFile(path) as tif:
            pages = [tif.pages[i] for i in range(count)]
            for i, page in enumerate(pages):
                _check(page, f"{path}, page {i}", tif.filehandle.size)
            yield tif, pages
    except (FileNotFoundError, PermissionError, IsADirectoryError):
        raise
    except Exception as error:  # NB: on a damaged file tifffile raises anything from KeyError to struct.error
        if isinstance(error, ValueError) and str(error).startswith(str(path)):
            raise
        raise ValueError(f"{path}: expected a TIFF, got {type(error).__name__}: {error}; the file is damaged or of another kind") from error


def stack_of(path: Path, pages: Sequence[TiffPage], promised: int) -> Raw | Slices:
    """The pages as one stack: in one piece where they lie so, else page by page."""
    first = pages[0]
    height, width = first.imagelength, first.imagewidth
    for i, page in enumerate(pages):
        if (page.shape, page.dtype) != (first.shape, first.dtype):
            raise ValueError(f"{path}: expected pages of one kind, got page 0 {_kind(first)} and page {i} {_kind(page)}; save them apart")
    shape = (promised, height, width)
    plain = first.samplesperpixel == 1 and first.dtype is not None
    if plain and all(p.is_final for p in pages) and (len(pages) == 1 or (len(pages) == promised and _evenly(pages))):
        raw = Raw(path, first.dataoffsets[0], shape, np.dtype(first.dtype).newbyteorder(first.parent.byteorder))
        whole = (first.parent.filehandle.size - raw.offset) * promised // (raw.end - raw.offset)
        if whole < promised:
            raise ValueError(f"{path}: expected the {promised} slices that it promises, got {max(whole, 0)} whole ones; the file was cut")
        return raw
    if len(pages) != promised:
        raise ValueError(f"{path}: expected the {promised} slices that it promises, got {len(pages)}; it was cut or is one of several")
    return Slices(shape, np.dtype(first.dtype), Page(path, pages))


class Page:
    """`page(z, window)`: one page decoded, in grey. Reads through a file handle of its own, so threads may share it."""

    def __init__(self, path: Path, pages: Sequence[TiffPage]) -> None:
        self.path, self.pages = path, list(pages)

    def __call__(self, z: int, window: Window) -> Pixels:
        where = f"{self.path}, slice {z}"
        try:
            pixels = self._decoded(self.pages[z], where)
        except Exception as error:  # NB: each codec has its own error
            raise ValueError(f"{where}: expected pixels, got {type(error).__name__}: {error}; the file is damaged") from error
        return np.array(grey(pixels, where)[window])

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.path, [page.index for page in self.pages])

    def _decoded(self, page: TiffPage, where: str) -> Pixels:
        out = np.empty(page.shaped, page.dtype)  # (planes, 1, y, x, samples)
        with self.path.open("rb") as file:
            for i, (offset, count) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=True)):
                file.seek(offset)
                jpeg = {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader}
                part, (s, d, y, x, _), (depth, h, w, _) = page.decode(file.read(count), i, **jpeg)
                room = out[s, d:d + depth, y:y + h, x:x + w]
                room[...] = part[:room.shape[0], :room.shape[1], :room.shape[2]]
        pixels: Pixels = np.moveaxis(out[:, 0, :, :, 0], 0, -1) if page.shaped[0] > 1 else out[0, 0]
        return pixels  # (y, x, samples)


def grey(pixels: Pixels, where: str) -> Pixels:
    """(y, x, samples) -> (y, x), where colour says nothing: equal channels, and an alpha that hides nothing."""
    samples = pixels.shape[-1]
    colours = pixels[..., :3] if samples >= 3 else pixels[..., :1]
    alpha = pixels[..., colours.shape[-1]:]
    if not (colours == colours[..., :1]).all():
        raise ValueError(f"{where}: expected grey, got colour channels that differ; convert it to 8-bit grey, or split the channels")
    if alpha.size and not (alpha == alpha.flat[0]).all():
        raise ValueError(f"{where}: expected one grey channel, got {samples} channels that differ; save each channel as its own stack")
    return colours[..., 0]


def _again(path: Path, order: list[int]) -> Page:
    with opened(path) as (_, pages):
        return Page(path, [pages[i] for i in order])


def _chain(path: Path) -> list[int]:
    """The offsets of all pages; a chain that leaves the file or bites its tail is refused."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(16)
        order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
        version = struct.unpack(order + "H", head[2:4])[0] if order and len(head) >= 8 else 0
        if version not in (42, 43):
            raise ValueError(f"{path}: expected a TIFF, got {'an empty file' if not size else 'another kind of file'}; check the name")
        tags, tag, link, at = ("H", 12, "I", 4) if version == 42 else ("Q", 20, "Q", 8)
        number = partial(_number, file, path, size)
        offsets = [number(order + link, at)]
        seen = set(offsets)
        while True:
            count = number(order + tags, offsets[-1])
            following = number(order + link, offsets[-1] + struct.calcsize(order + tags) + count * tag)
            if not following:
                return offsets
            if following in seen:
                raise ValueError(f"{path}: expected pages in a row, got page {len(offsets) - 1} leading back; the file is damaged")
            seen.add(following)
            offsets.append(following)


def _number(file: Any, path: Path, size: int, form: str, at: int) -> int:
    if not 0 < at <= size - struct.calcsize(form):
        raise ValueError(f"{path}: expected pages within its {size} bytes, got one that points to byte {at}; the file was cut")
    file.seek(at)
    value: int = struct.unpack(form, file.read(struct.calcsize(form)))[0]
    return value


def _check(page: TiffPage, where: str, size: int) -> None:
    dtype = page.dtype
    if dtype is None or page.imagedepth != 1 or page.samplesperpixel > 4:
        raise ValueError(f"{where}: expected one grey slice, got {_kind(page)} of depth {page.imagedepth}; save it as a plain stack")
    check_slice((1, page.samplesperpixel, page.imagelength, page.imagewidth), dtype, where)
    wanted = page.samplesperpixel * page.imagelength * page.imagewidth * max(page.bitspersample, 1) // 8
    offsets, counts = np.array(page.dataoffsets, np.float64), np.array(page.databytecounts, np.float64)
    parts = int(np.prod(page.chunked))
    if len(offsets) != parts or len(counts) != parts or (offsets <= 0).any() or (counts <= 0).any():
        raise ValueError(f"{where}: expected {parts} strips or tiles of pixels, got {int((counts > 0).sum())}; the file is unfinished")
    end, held = (offsets + counts).max(), counts.sum()
    if end > size or (page.compression == 1 and held < wanted) or wanted > held * EXPANSION:
        raise ValueError(f"{where}: expected {wanted} bytes of pixels, got {int(min(held, max(size - offsets.min(), 0)))} "
                         f"in a file of {size}; the file was cut")


def _evenly(pages: Sequence[TiffPage]) -> bool:
    start = pages[0].dataoffsets[0]
    return all(page.dataoffsets[0] == start + i * pages[0].nbytes for i, page in enumerate(pages))


def _kind(page: TiffPage) -> str:
    return f"{' x '.join(str(n) for n in page.shape)} {page.dtype}"
