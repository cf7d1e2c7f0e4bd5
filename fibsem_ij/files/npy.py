"""NumPy's .npy, every pixel type as it is.

What it has no place for is kept beside it in NAME.npy.json: voxel_nm, names and classes, each only where there is
something to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from fibsem_ij.files.beside import read_beside, whole_with
from fibsem_ij.files.stack import Filled, Raw, check_slice
from fibsem_ij.files.stored import Found, filled, record_of
from fibsem_ij.volume import Volume


def look(path: Path) -> Found:
    raw = _header(path)
    check_slice(raw.shape, raw.dtype, str(path))
    if raw.end != (size := path.stat().st_size):
        raise ValueError(f"{path}: expected {raw.end} bytes for {raw.shape} {raw.dtype}, got {size}; the file was cut")
    said = read_beside(path)
    return Found(raw, said.get("voxel_nm"), record=said)


@contextmanager
def create(path: Path, noun: Volume) -> Iterator[Filled]:
    said: dict[str, Any] = record_of(noun, noun.dtype, names=True)
    if noun.voxel_nm:
        said["voxel_nm"] = list(noun.voxel_nm)
    with whole_with(path, said) as part:
        dtype = noun.dtype.newbyteorder("<")
        with part.open("wb") as file:
            told = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": noun.shape}
            np.lib.format.write_array_header_1_0(file, told)
            offset = file.tell()
        with filled(Raw(part, offset, noun.shape, dtype), noun) as out:
            yield out


def _header(path: Path) -> Raw:
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        with path.open("rb") as file:
            shape, fortran, dtype = readers[np.lib.format.read_magic(file)](file)
            offset = file.tell()
    except Exception as error:  # NB: NumPy's parser raises SyntaxError, TokenError and more
        raise ValueError(f"{path}: expected a .npy file, got {error}; the file is damaged or of another kind") from error
    if len(shape) != 3 or fortran or dtype.kind not in "buif":
        got = f"{dtype} {shape} in {'Fortran' if fortran else 'C'} order"
        raise ValueError(f"{path}: expected numbers (z, y, x) in C order, got {got}; save it with numpy.ascontiguousarray")
    z, y, x = shape
    return Raw(path, offset, (z, y, x), dtype)
