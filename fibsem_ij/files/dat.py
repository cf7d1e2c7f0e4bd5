"""Janelia's FIB-SEM .dat, one slice a file, in alone: a header of 1,024 bytes, then the pixels of all detectors, side by side.

Big-endian. At 0 the number 3555587570, at 4 the version, at 32 how many detectors, at 33 whether pixels are uint8 or int16, at 100 and
104 columns and rows, at 151 to 154 which of the detectors A to D are on, at 380, 390, 410 and 430 their names (in versions 1 and 2 the
last two at 700 and 720). Pixel size (nm) and working distance (mm): double at 416 and 424 in versions 1 and 2, float at 464 and 468 in 3
to 9. Something may follow the pixels. As github.com/clbarnes/jeiss-specs has it, which is from janelia-cosem/fibsem-tools.

Grey values are left as the detector gave them. The working distance follows the face as it is milled away, so it is the place of a slice.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from fibsem_ij.files.headers import Scan, pixel
from fibsem_ij.files.scans import Acquired
from fibsem_ij.files.stack import Pixels, Slices, Window, check_slice
from fibsem_ij.files.stored import Found

HEADER = 1024
MAGIC = struct.pack(">I", 3555587570)
_LETTERS = "ABCD"
_NEWEST = 9


@dataclass(frozen=True)
class Header:
    shape: tuple[int, int, int]  # y, x, detectors
    stored: np.dtype[np.uint8] | np.dtype[np.int16]
    detectors: dict[str, str]  # letter -> name, in the order of the pixels
    pixel_nm: float
    distance_mm: float


def look(path: Path, *, detector: str = "") -> Found:
    """`detector`: a letter; none: the first that is on."""
    header = _header(path)
    _check_size(path, header)
    detector = detector or next(iter(header.detectors))
    if detector not in header.detectors:
        known = ", ".join(f"{letter} ({name})" for letter, name in header.detectors.items())
        raise ValueError(f"{path}: expected a detector of {known}, got {detector!r}; choose one of them")
    channel = list(header.detectors).index(detector)
    data = Slices((1, *header.shape[:2]), header.stored.newbyteorder("="), partial(_pixels, path, header, channel))
    scan = Scan("Janelia", pixel(header.pixel_nm, header.pixel_nm), header.distance_mm * 1e6 if math.isfinite(header.distance_mm) else None)
    return Found(data, names=(path.stem,), acquired=Acquired((path.stem,), (scan,)))


def found(path: Path) -> bool:
    """Whether a .dat, which may be anything, is one of these."""
    with path.open("rb") as file:
        return file.read(4) == MAGIC


def _header(path: Path) -> Header:
    with path.open("rb") as file:
        bare = file.read(HEADER)
    if len(bare) < HEADER or bare[:4] != MAGIC:
        got = "a file that was cut" if MAGIC.startswith(bare[:4]) else "another kind"
        raise ValueError(f"{path}: expected Janelia's .dat, got {got}; check the name")
    (version,), (count, eight) = struct.unpack_from(">H", bare, 4), struct.unpack_from(">BB", bare, 32)
    if not 1 <= version <= _NEWEST or not 1 <= count <= len(_LETTERS):
        raise ValueError(f"{path}: expected versions 1 to {_NEWEST} and up to {len(_LETTERS)} detectors, got {version} and {count}; the "
                         "file is damaged, or newer than this reader")
    columns, rows = struct.unpack_from(">II", bare, 100)
    stored: np.dtype[np.uint8] | np.dtype[np.int16] = np.dtype(np.uint8) if eight == 1 else np.dtype(np.int16).newbyteorder(">")
    check_slice((1, rows, columns, count), stored, str(path))
    nm, mm = struct.unpack_from(">dd", bare, 416) if version < 3 else struct.unpack_from(">ff", bare, 464)
    return Header((rows, columns, count), stored, _detectors(bare, version, count), nm, mm)


def _detectors(bare: bytes, version: int, count: int) -> dict[str, str]:
    """Those that are on; the first ones where the header does not tell as many as it has."""
    places = zip(_LETTERS, (380, 390, 700, 720) if version < 3 else (380, 390, 410, 430), (10, 18, 20, 20), strict=True)
    names = {letter: bare[at:at + size].split(b"\0")[0].decode("latin-1").strip() for letter, at, size in places}
    on = [letter for letter, flag in zip(_LETTERS, bare[151:155], strict=True) if flag]
    return {letter: names[letter] for letter in (on if len(on) == count else _LETTERS[:count])}


def _check_size(path: Path, header: Header) -> None:
    """NB: touching a map beyond the end of its file kills the process."""
    size, wanted = path.stat().st_size, HEADER + math.prod(header.shape) * header.stored.itemsize
    if size < wanted:
        rows, columns, count = header.shape
        raise ValueError(f"{path}: expected {wanted} bytes for {rows} x {columns} px of {count} detectors, got {size}; the file was cut")


def _pixels(path: Path, header: Header, channel: int, _: int, window: Window) -> Pixels:
    _check_size(path, header)
    mapped = np.memmap(path, header.stored, "r", HEADER, header.shape)
    return np.array(mapped[..., channel][window], header.stored.newbyteorder("="))
