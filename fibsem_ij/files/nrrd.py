"""NRRD (teem's "nearly raw raster data"), as Slicer, Seg3D, MIB and others keep label stacks: one file, raw or gzip; attached header only.

NRRD counts axes from the fastest, so `sizes: x y z` is a stack (z, y, x) here; two axes are one slice. Voxel sizes come from `spacings` or
the lengths of `space directions`, where `space units` or `units` say what they are in; where nobody says, the voxel size is unknown.
Written raw in little-endian order, in nm. Every pixel type but bool and float16 is held as it is; what NRRD has no place for is in its
key/value pair "fibsem_ij". Of Slicer's segmentations (.seg.nrrd) the names of the segments are the classes.

Nothing of a header is believed: its length has a limit, so has a slice, a raw file must have the very size it declares, and a packed one
cannot hold more than deflate can pack. A packed stack is read from its start, slice after slice; going back starts again.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from fibsem_ij.files.stack import Filled, Pixels, Raw, Stack, check_slice, split
from fibsem_ij.files.stored import Found, checked_record, filled, holding, record_of
from fibsem_ij.files.units import nanometres
from fibsem_ij.files.whole import whole
from fibsem_ij.volume import Volume

HOLDS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64")
OURS = "fibsem_ij"
_HEADER_BYTES = 1 << 20
_DEFLATE = 1100  # times: deflate packs no better than 1032 to 1
_TYPES = {
    "uint8": ("uchar", "unsigned char", "uint8", "uint8_t"), "int8": ("signed char", "int8", "int8_t"),
    "uint16": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "int16": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "uint32": ("uint", "unsigned int", "uint32", "uint32_t"), "int32": ("int", "signed int", "int32", "int32_t"),
    "uint64": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "int64": ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"),
    "float32": ("float",), "float64": ("double",),
}
_SEGMENT = re.compile(r"Segment(\d+)_(Name|LabelValue)$")


def look(path: Path) -> Found:
    fields, pairs, offset = _header(path)
    shape = _shape(fields, path)
    dtype = _dtype(fields, path)
    check_slice(shape, dtype, str(path))
    raw = Raw(path, offset, shape, dtype)
    encoding = fields.get("encoding", "").lower()
    size = path.stat().st_size
    if encoding == "raw":
        if raw.end != size:
            raise ValueError(f"{path}: expected {raw.end} bytes for {shape} {raw.dtype}, got {size}; the file was cut, or its header is "
                             "wrong")
        data: Any = raw
    elif encoding in ("gzip", "gz"):
        if raw.end - offset > _DEFLATE * (size - offset):
            raise ValueError(f"{path}: expected {shape} {raw.dtype} in gzip, got {size - offset} bytes, too few for that; the file was "
                             "cut or its header is wrong")
        data = Packed(raw)
    else:
        raise ValueError(f"{path}: expected the encoding raw or gzip, got {encoding or 'none'!r}; save it again as one of them")
    return Found(data, _voxel(fields), record=_record(pairs, path))


@contextmanager
def create(path: Path, noun: Volume) -> Iterator[Filled]:
    stored = holding(noun, HOLDS, what=".nrrd")
    with whole(path) as part:
        header = _new_header(noun, stored)
        part.write_bytes(header)
        with filled(Raw(part, len(header), noun.shape, stored.newbyteorder("<")), noun) as out:
            yield out


class Packed(Stack):
    """A stack in one gzip stream behind a header."""

    _stream: gzip.GzipFile | None = None

    def __init__(self, raw: Raw) -> None:
        self.raw, self.shape, self.dtype = raw, raw.shape, raw.dtype
        self._lock, self._at = Lock(), 0  # the slice that comes next

    def __getitem__(self, key: Any) -> Pixels:
        zs, window = split(key, self.shape[0])
        if isinstance(zs, int):
            return np.array(self._slice(zs)[window])
        one = np.broadcast_to(np.empty((), self.dtype), self.shape[1:])[window].shape
        out = np.empty((len(zs), *one), self.dtype)
        for i, z in enumerate(zs):
            out[i] = self._slice(z)[window]
        return out

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.raw,)

    def _slice(self, z: int) -> Pixels:
        where = f"{self.raw.path}, slice {z}"
        with self._lock:
            try:
                data = self._read(z)
            except (EOFError, OSError, zlib.error) as error:
                self._close()
                raise ValueError(f"{where}: expected packed pixels, got {error}; the file was cut or is damaged") from error
        return np.frombuffer(data, self.raw.stored).reshape(self.shape[1:]).astype(self.dtype)

    def _read(self, z: int) -> bytes:
        """The bytes of slice z. NB: what follows the last one is asked for too, since only there gzip keeps its checksum."""
        size = self.shape[1] * self.shape[2] * self.raw.stored.itemsize
        if self._stream is None or z < self._at:
            self._open()
        assert self._stream is not None
        for _ in range(z - self._at):
            self._whole(size)
        data = self._whole(size)
        self._at = z + 1
        if self._at == self.shape[0]:
            if self._stream.read(1):
                raise EOFError("more pixels than the header tells")
            self._close()
        return data

    def _whole(self, size: int) -> bytes:
        assert self._stream is not None
        data = self._stream.read(size)
        if len(data) < size:
            raise EOFError(f"{len(data)} of {size} bytes")
        return data

    def _open(self) -> None:
        self._close()
        self._file = self.raw.path.open("rb")
        self._file.seek(self.raw.offset)
        self._stream, self._at = gzip.GzipFile(fileobj=self._file), 0

    def _close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._file.close()  # NB: a GzipFile does not close a file that it was given
            self._stream = None

    def __del__(self) -> None:
        self._close()


def _header(path: Path) -> tuple[dict[str, str], dict[str, str], int]:
    """Fields, key/value pairs, and where the pixels begin."""
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
    if not re.match(rb"NRRD000[1-5]\r?\n", head):
        raise ValueError(f"{path}: expected an NRRD file, got other first bytes; the file is of another kind")
    end = re.search(rb"\r?\n\r?\n", head)
    if not end:
        raise ValueError(f"{path}: expected an empty line behind the header within {_HEADER_BYTES} bytes, got none; a header with its "
                         "pixels in another file (.nhdr) is not read: save it as one .nrrd")
    fields: dict[str, str] = {}
    pairs: dict[str, str] = {}
    for line in head[:end.start()].decode("utf-8", "replace").splitlines()[1:]:
        if line.startswith("#"):
            continue
        key, said, value = line.partition(":=") if ":=" in line and ": " not in line.split(":=")[0] else line.partition(": ")
        if not said or key in (fields if said == ": " else pairs):
            raise ValueError(f"{path}: expected lines 'field: value', each once, in the header, got {line[:60]!r}; the file is damaged")
        if said == ": ":
            fields[key.strip().lower()] = value.strip()
        else:
            pairs[key] = re.sub(r"\\([n\\])", lambda found: "\n" if found[1] == "n" else "\\", value)
    if {"data file", "datafile"} & fields.keys():
        raise ValueError(f"{path}: expected the pixels in the file itself, got a header that names another; save it as one .nrrd")
    if any(fields.get(key, "0") != "0" for key in ("line skip", "lineskip", "byte skip", "byteskip")):
        raise ValueError(f"{path}: expected pixels right behind the header, got a line or byte skip; save it again without")
    return fields, pairs, end.end()


def _shape(fields: Mapping[str, str], path: Path) -> tuple[int, int, int]:
    sizes = fields.get("sizes", "").split()
    if not all(n.isdecimal() and 0 < len(n) < 10 for n in sizes) or fields.get("dimension") != str(len(sizes)) or len(sizes) not in (2, 3):
        raise ValueError(f"{path}: expected sizes of a stack, x y z, got {' '.join(sizes) or 'none'} of dimension "
                         f"{fields.get('dimension')}; save one channel, or one layer of segments, as a stack of its own")
    kinds = {kind.lower() for kind in fields.get("kinds", "").split()} - {"domain", "space", "???", "none"}
    if kinds:
        raise ValueError(f"{path}: expected axes in space, got {', '.join(sorted(kinds))}; save one channel as a stack of its own")
    x, y, *z = map(int, sizes)
    return (z[0] if z else 1, y, x)


def _dtype(fields: Mapping[str, str], path: Path) -> np.dtype[Any]:
    told, order = fields.get("type", ""), fields.get("endian", "").lower()
    name = next((name for name, spelled in _TYPES.items() if told.lower() in spelled), None)
    if name is None or (np.dtype(name).itemsize > 1 and order not in ("little", "big")):
        raise ValueError(f"{path}: expected a pixel type of {', '.join(HOLDS)} with its byte order, got {told or 'none'!r}, "
                         f"{order or 'no order'}")
    dtype: np.dtype[Any] = np.dtype(name).newbyteorder("<" if order != "big" else ">")
    return dtype


def _voxel(fields: Mapping[str, str]) -> tuple[float, float, float] | None:
    units = re.findall(r'"([^"]*)"', fields.get("space units", fields.get("units", "")))
    sizes = [nanometres(unit) for unit in units]
    try:
        if "space directions" in fields:
            vectors = re.findall(r"\(([^)]*)\)", fields["space directions"])
            steps = [float(np.linalg.norm([float(part) for part in vector.split(",")])) for vector in vectors]
        else:
            steps = [float(part) for part in fields.get("spacings", "").split()]
    except ValueError:
        return None
    if len(steps) != 3 or len(sizes) != 3 or None in sizes:
        return None
    x, y, z = (abs(step) * (size or 0) for step, size in zip(steps, sizes, strict=True))
    return (z, y, x) if all(np.isfinite(n) and n > 0 for n in (x, y, z)) else None


def _record(pairs: Mapping[str, str], path: Path) -> dict[str, Any]:
    if OURS in pairs:
        try:
            return checked_record(json.loads(pairs[OURS]), str(path))
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}: expected JSON in the header's {OURS}, got {error}; the file is damaged") from error
    segments: dict[str, dict[str, str]] = {}
    for key, value in pairs.items():
        if match := _SEGMENT.match(key):
            segments.setdefault(match[1], {})[match[2]] = value
    classes = {one["LabelValue"]: one["Name"] for one in segments.values() if one.keys() == {"Name", "LabelValue"}}
    return checked_record({"classes": classes}, str(path)) if classes else {}


def _new_header(noun: Volume, stored: np.dtype[Any]) -> bytes:
    z, y, x = noun.shape
    lines = ["NRRD0004", f"type: {_TYPES[stored.name][-1]}", "dimension: 3", f"sizes: {x} {y} {z}", "encoding: raw"]
    if stored.itemsize > 1:
        lines.append("endian: little")
    if noun.voxel_nm:
        lines += [f"spacings: {' '.join(repr(n) for n in reversed(noun.voxel_nm))}", 'units: "nm" "nm" "nm"']
    if record := record_of(noun, stored, names=True):
        lines.append(f"{OURS}:=" + json.dumps(record).replace("\\", "\\\\"))
    return ("\n".join(lines) + "\n\n").encode("ascii")
