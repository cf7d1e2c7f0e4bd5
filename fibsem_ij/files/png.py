"""One PNG as a stack of one slice, in only: 8 or 16 bit, grey, or colour whose channels agree."""

from __future__ import annotations

import struct
from functools import partial
from pathlib import Path

import imagecodecs
import numpy as np

from fibsem_ij.files.pages import grey
from fibsem_ij.files.stack import Pixels, Slices, Window, check_slice
from fibsem_ij.files.stored import Found

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_END = b"\x00\x00\x00\x00IEND\xaeB\x60\x82"


def look(path: Path) -> Found:
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(29)
        file.seek(max(size - len(_END), 0))
        end = file.read()
    if len(head) < 29 or not head.startswith(_SIGNATURE) or end != _END:
        raise ValueError(f"{path}: expected a whole PNG, got {size} bytes that do not start and end as one; the file was cut or is no PNG")
    width, height, bits, colour, *_ = struct.unpack(">IIBBBBB", head[16:])
    if colour == 3 or bits not in (8, 16):
        raise ValueError(f"{path}: expected 8 or 16 bit grey, got {bits} bit{' with a palette' if colour == 3 else ''}; save it as TIFF")
    shape, dtype = (1, height, width), np.dtype(np.uint8 if bits == 8 else np.uint16)
    check_slice(shape, dtype, str(path))
    return Found(Slices(shape, dtype, partial(_pixels, path, shape[1:], dtype)))


def _pixels(path: Path, shape: tuple[int, int], dtype: np.dtype[np.generic], z: int, window: Window) -> Pixels:
    try:
        pixels = np.asarray(imagecodecs.png_decode(path.read_bytes()))
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"{path}: expected pixels, got {error}; the file is damaged") from error
    if pixels.shape[:2] != shape or pixels.dtype != dtype:
        raise ValueError(f"{path}: expected {shape} {dtype}, got {pixels.shape} {pixels.dtype}; the file changed after it was opened")
    return np.array((grey(pixels, str(path)) if pixels.ndim == 3 else pixels)[window])
