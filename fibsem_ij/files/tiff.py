"""TIFF stacks: ImageJ's in and out; BigTIFF, OME-TIFF and plain pages in.

Written as ImageJ's raw layout, also over 4 GB: one page, the pixels of all slices in one piece behind it, and
`images=N` in the description. ImageJ, tifffile and `read` open that by memory map. Lengths are written in nm.

Plain pages have the size that their microscope wrote beside them (headers).

uint8, uint16 and float32 are held as they are; bool as 0 and 255, int8, int16 and float16 as float32 (the description
says so, and `read` undoes it); other grey types are refused. Labels as stored.py says, with the colour table of
arrays/colours.py in TIFF tag 320, where ImageJ looks for it at every pixel type.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from tifffile import TiffFile, TiffPage, TiffWriter

from fibsem_ij.arrays.colours import as_lut
from fibsem_ij.files.headers import scan_of, xml_root
from fibsem_ij.files.pages import opened, stack_of
from fibsem_ij.files.scans import Acquired
from fibsem_ij.files.stack import Filled, Pixels, Raw
from fibsem_ij.files.stored import Found, checked_record, filled, holding, record_of
from fibsem_ij.files.units import nanometres
from fibsem_ij.files.whole import whole
from fibsem_ij.volume import Labels, Volume, slice_names

HOLDS = ("uint8", "uint16", "float32")
DTYPE = "fibsem_ij_dtype"  # key of ImageJ's description; NB: ImageJ drops it when it saves, so it never outlives its pixels
CLASSES = "fibsem_ij classes "  # a line of ImageJ's Image > Show Info, which ImageJ keeps
SPLIT = "keep one of them (Fiji: Image > Hyperstacks > Make Subset) or, if they are slices, say so (Image > Properties)"


def look(path: Path) -> Found:
    with opened(path) as (tif, pages):
        if tif.is_ome:
            told = _ome(pages, path)
        elif tif.is_imagej:
            told = _imagej(tif, pages, path)
        else:
            told = _plain(pages, path)
        data = stack_of(path, [pages[i] for i in told.order or range(len(pages))], told.count)
        scans = () if told.voxel_nm or tif.is_ome or tif.is_imagej or len(pages) != told.count else tuple(map(scan_of, pages))
    acquired = Acquired(told.names or slice_names(told.count), scans) if any(scans) else None
    return Found(data, acquired.voxel_nm if acquired else told.voxel_nm, told.names, told.record, acquired)


@contextmanager
def create(path: Path, noun: Volume) -> Iterator[Filled]:
    stored = holding(noun, HOLDS, what=".tif")
    with whole(path) as part, fill(part, noun, stored) as out:
        yield out


@contextmanager
def fill(path: Path, noun: Volume, stored: np.dtype[Any]) -> Iterator[Filled]:
    """`path` itself, slice by slice; what makes it whole is the caller's."""
    span = _Span(labels=isinstance(noun, Labels))
    with filled(lay_out(path, noun, stored), noun, seen=span) as out:
        yield out
    span.tell(path)


def lay_out(path: Path, noun: Volume, stored: np.dtype[Any]) -> Raw:
    """The header, and behind it the room for the pixels."""
    z, y, x = noun.voxel_nm or (1.0, 1.0, 1.0)
    depth, height, width = noun.shape
    record = record_of(noun, stored, names=False)
    told: dict[str, Any] = {"axes": "TZCYXS", "hyperstack": False, "unit": "nm" if noun.voxel_nm else "pixel", "spacing": z}
    if "dtype" in record:
        told[DTYPE] = record["dtype"]
    if stored != np.uint8:
        told |= {"min": _Span.text(0), "max": _Span.text(0)}
    if noun.names != slice_names(noun.shape[0]):
        told["Labels"] = list(noun.names)
    if "classes" in record:
        told["Info"] = CLASSES + json.dumps(record["classes"]) + "\n"
    colours = [(320, 3, 768, (as_lut().astype(np.uint16) * 257).ravel().tolist(), True)] if isinstance(noun, Labels) else []
    with TiffWriter(path, imagej=True, byteorder="<") as tif:
        offset, _ = tif.write(shape=(1, depth, 1, height, width, 1), dtype=stored, photometric="minisblack", metadata=told, truncate=True,
                              resolution=(1 / x, 1 / y), resolutionunit=1, extratags=colours, returnoffset=True)
    return Raw(path, offset, noun.shape, stored.newbyteorder("<"))


class _Span:
    """The least and greatest value stored, which ImageJ shows as black and white."""

    def __init__(self, *, labels: bool) -> None:
        self.labels, self.low, self.high = labels, np.inf, -np.inf

    def __call__(self, pixels: Pixels) -> None:
        if pixels.dtype == np.uint8:
            return
        low, high = float(pixels.min()), float(pixels.max())
        if not np.isfinite((low, high)).all():
            finite = pixels[np.isfinite(pixels)]
            low, high = float(finite.min(initial=np.inf)), float(finite.max(initial=-np.inf))
        self.low, self.high = min(self.low, low), max(self.high, high)

    def tell(self, path: Path) -> None:
        if self.low > self.high:
            return
        # NB: with 0 to 255 or more, label k below 256 gets its own colour k of the table.
        low, high = (0.0, max(self.high, 255.0)) if self.labels else (self.low, self.high)
        with TiffFile(path, mode="r+") as tif:
            tag = tif.pages[0].tags["ImageDescription"]
            zero = self.text(0)
            tag.overwrite(tag.value.replace(f"min={zero}", f"min={self.text(low)}").replace(f"max={zero}", f"max={self.text(high)}"))

    @staticmethod
    def text(value: float) -> str:
        return f"{value:+.9e}"  # always as long, so that it can be written over


@dataclass(frozen=True)
class _Told:
    """What a description says of the stack; `order` is the page of each slice where it is not the order of the file."""

    count: int
    voxel_nm: tuple[float, float, float] | None = None
    names: tuple[str, ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict)
    order: tuple[int, ...] = ()


def _imagej(tif: TiffFile, pages: list[TiffPage], path: Path) -> _Told:
    said: dict[str, Any] = tif.imagej_metadata or {}
    axes = {name: int(said.get(name, 1)) for name in ("channels", "frames")}
    if max(axes.values()) > 1:
        got = " and ".join(f"{n} {name}" for name, n in axes.items() if n > 1)
        raise ValueError(f"{path}: expected one stack of slices, got {got}; {SPLIT}")
    count = int(said.get("images", len(pages)))
    if count < 1:
        raise ValueError(f"{path}: expected at least one slice, got images={count}; the file is damaged")
    labels = said.get("Labels", ())
    record: dict[str, Any] = {"dtype": str(said[DTYPE])} if DTYPE in said else {}
    for line in str(said.get("Info", "")).splitlines():
        if line.startswith(CLASSES):
            record["classes"] = json.loads(line[len(CLASSES):])
    names = tuple(_stem(name) for name in ([labels] if isinstance(labels, str) else labels))
    if len(set(names)) < count or len(names) != count:
        names = ()  # ImageJ lets slices share a label, or have none; a name tells them apart
    return _Told(count, _imagej_voxel(said, pages[0], count), names, checked_record(record, str(path)))


def slice_labels(path: Path) -> list[str]:
    """What ImageJ calls the slices, also where several have one label, which are no names then."""
    with opened(path) as (tif, _):
        said = (tif.imagej_metadata or {}).get("Labels", [])
    return [said] if isinstance(said, str) else [str(label) for label in said]


def _imagej_voxel(said: Mapping[str, Any], page: TiffPage, count: int) -> tuple[float, float, float] | None:
    units = [nanometres(str(said.get(key, said.get("unit", "")))) for key in ("zunit", "yunit", "unit")]
    steps = [page.tags.valueof(tag) for tag in (283, 282)]  # YResolution, XResolution: pixels a unit
    # NB: ImageJ leaves the spacing out where it is 1; of a single slice nobody knows it.
    spacing = said.get("spacing", 1.0 if count > 1 else 0.0)
    sizes = [abs(float(spacing)), *(step[1] / step[0] if step and step[0] else 0.0 for step in steps)]
    z, y, x = (size * (unit or 0.0) for size, unit in zip(sizes, units, strict=True))
    return (z, y, x) if min(z, y, x) > 0 else None


def _stem(label: str) -> str:
    """ImageJ labels the slices of a folder with file names, and may put more lines below."""
    name = label.split("\n", 1)[0].strip()
    return name.rsplit(".", 1)[0] if name.lower().endswith((".tif", ".tiff", ".png")) else name


def _plain(pages: list[TiffPage], path: Path) -> _Told:
    """Pages with nothing said, or with the shape that tifffile notes down."""
    count = 0
    for page in pages:
        said = json.loads(page.description) if page.description.startswith('{"shape"') else {}
        lead = [(n, a) for n, a in zip(said.get("shape", ()), said.get("axes", "Z" * 9), strict=False)][:-2 - (page.samplesperpixel > 1)]
        wide = [(n, a) for n, a in lead if n > 1]
        if len(wide) > 1 or any(a in "CT" for _, a in wide):
            raise ValueError(f"{path}: expected one stack of slices, got {said['shape']} {said.get('axes', '')}; save each channel apart")
        count += wide[0][0] if wide else int(bool(said))
    return _Told(count or len(pages))


def _ome(pages: list[TiffPage], path: Path) -> _Told:
    root = xml_root(pages[0].description)
    if root is None:
        raise ValueError(f"{path}: expected OME-XML that declares nothing of its own, got another text; save it anew")
    images = root.findall("{*}Image/{*}Pixels")
    if len(images) != 1:
        raise ValueError(f"{path}: expected one image, got {len(images)}; save each as its own file")
    pixels = images[0].attrib
    depth, samples = int(pixels["SizeZ"]), pages[0].samplesperpixel
    if int(pixels["SizeT"]) > 1 or int(pixels["SizeC"]) not in (1, samples):
        raise ValueError(f"{path}: expected one stack of slices, got {pixels['SizeC']} channels and {pixels['SizeT']} times; {SPLIT}")
    elsewhere = {u.attrib["FileName"] for u in images[0].iterfind(".//{*}UUID") if "FileName" in u.attrib} - {path.name}
    if elsewhere:
        raise ValueError(f"{path}: expected all slices in this file, got {min(elsewhere)} for some; open the files as a folder")
    sizes = [float(pixels.get(f"PhysicalSize{a}", 0)) * (nanometres(pixels.get(f"PhysicalSize{a}Unit", "um")) or 0) for a in "ZYX"]
    z, y, x = sizes
    return _Told(depth, (z, y, x) if min(sizes) > 0 else None, order=_ome_order(images[0], depth, len(pages), path))


def _ome_order(pixels: ElementTree.Element, depth: int, count: int, path: Path) -> tuple[int, ...]:
    """The page of each slice, from the TiffData elements."""
    order: dict[int, int] = {}
    for part in pixels.iterfind("{*}TiffData"):
        page, z = int(part.get("IFD", 0)), int(part.get("FirstZ", 0))
        planes = int(part.get("PlaneCount", 1 if "IFD" in part.attrib else depth))
        order |= {z + i: page + i for i in range(min(planes, depth))}
    if not order and count == depth:
        return ()
    if sorted(order) != list(range(depth)) or set(order.values()) != set(range(count)):
        raise ValueError(f"{path}: expected the {depth} slices that it promises, got {count} pages; the file was cut or is one of several")
    return tuple(order[z] for z in range(depth))
