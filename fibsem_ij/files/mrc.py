"""MRC2014: int8, uint16, int16, float16 and float32 as they are, lengths in Angstrom.

NB: mode 0 is the trap. MRC2014 says int8, old files hold uint8, and only IMOD's stamp tells. So uint8 is written as
uint16 (mode 6), bool as int8, and NAME.mrc.json beside it keeps what MRC cannot say: the pixel type, slice names
and classes. Reading, mode 0 is int8 unless IMOD's stamp says unsigned. Labels as stored.py says.
The statistics in the header are left at MRC2014's "not determined".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from mrcfile import utils
from mrcfile.dtypes import HEADER_DTYPE

from fibsem_ij.files.beside import read_beside, whole_with
from fibsem_ij.files.stack import Filled, Raw, check_slice
from fibsem_ij.files.stored import Found, filled, holding, record_of
from fibsem_ij.volume import Volume

HOLDS = ("int8", "uint16", "int16", "float16", "float32")
_IMOD, _SIGNED = 1_146_047_817, 1  # the stamp in word 39, the flag in word 40


def look(path: Path) -> Found:
    size = path.stat().st_size
    with path.open("rb") as file:
        header, order = _header(file.read(HEADER_DTYPE.itemsize), path)
    shape = (int(header["nz"]), int(header["ny"]), int(header["nx"]))
    raw = Raw(path, HEADER_DTYPE.itemsize + int(header["nsymbt"]), shape, _dtype(header, order, path))
    check_slice(shape, raw.dtype, str(path))
    if header["nsymbt"] < 0 or raw.end != size:
        raise ValueError(f"{path}: expected {raw.end} bytes for {shape} {raw.dtype}, got {size}; the file was cut or its header is wrong")
    if (axes := [int(header[k]) for k in ("mapc", "mapr", "maps")]) != [1, 2, 3]:
        raise ValueError(f"{path}: expected axes in the order 1, 2, 3, got {axes}; reorder them (newstack, or mrcfile and numpy.transpose)")
    return Found(raw, _voxel(header), record=read_beside(path))


@contextmanager
def create(path: Path, noun: Volume) -> Iterator[Filled]:
    stored = holding(noun, HOLDS, what=".mrc")
    with whole_with(path, record_of(noun, stored, names=True)) as part:
        part.write_bytes(_new_header(noun, stored).tobytes())
        with filled(Raw(part, HEADER_DTYPE.itemsize, noun.shape, stored.newbyteorder("<")), noun) as out:
            yield out


def _header(bare: bytes, path: Path) -> tuple[Any, Literal["<", ">"]]:
    if len(bare) < HEADER_DTYPE.itemsize or bare[208:212] not in (b"MAP ", b"MAP\0"):
        raise ValueError(f"{path}: expected an MRC file, got {len(bare)} bytes without its mark; the file was cut or is of another kind")
    try:
        order: Literal["<", ">"] = utils.byte_order_from_machine_stamp(bytearray(bare[212:216]))
    except ValueError as error:
        raise ValueError(f"{path}: expected a byte order, got {error}; the file is damaged") from error
    return np.frombuffer(bare, HEADER_DTYPE.newbyteorder(order))[0].astype(HEADER_DTYPE), order


def _dtype(header: Any, order: Literal["<", ">"], path: Path) -> np.dtype[Any]:
    try:
        dtype = np.dtype(utils.dtype_from_mode(int(header["mode"])))
    except ValueError as error:
        raise ValueError(f"{path}: expected a mode of grey pixels, got {error}; the file is damaged") from error
    if dtype.kind == "c":
        raise ValueError(f"{path}: expected grey pixels, got complex ones (mode {int(header['mode'])}); take their magnitude first")
    stamp, flags = np.frombuffer(header["extra2"].tobytes()[40:48], np.dtype(np.int32).newbyteorder(order))
    if dtype == np.int8 and stamp == _IMOD and not flags & _SIGNED:
        dtype = np.dtype(np.uint8)
    ordered: np.dtype[Any] = dtype.newbyteorder(order)
    return ordered


def _voxel(header: Any) -> tuple[float, float, float] | None:
    grid = [int(header[k]) for k in ("mz", "my", "mx")]
    cell = [float(header["cella"][k]) for k in "zyx"]
    if min(grid) < 1 or not all(np.isfinite(c) and c > 0 for c in cell):
        return None
    z, y, x = (c / n / 10 for c, n in zip(cell, grid, strict=True))
    return (z, y, x)


def _new_header(noun: Volume, stored: np.dtype[Any]) -> Any:
    header = np.zeros((), HEADER_DTYPE.newbyteorder("<"))
    for axis, n, voxel in zip("zyx", noun.shape, noun.voxel_nm or (0.0, 0.0, 0.0), strict=True):
        header[f"n{axis}"] = header[f"m{axis}"] = n
        header["cella"][axis] = 10 * n * voxel
    header["mode"] = utils.mode_from_dtype(stored)
    header["cellb"] = (90, 90, 90)
    header["mapc"], header["mapr"], header["maps"] = 1, 2, 3
    header["ispg"], header["nversion"], header["map"], header["machst"] = 1, 20141, b"MAP ", utils.machine_stamp_from_byte_order("<")
    header["dmin"], header["dmax"], header["dmean"], header["rms"] = 0, -1, -2, -1
    return header
