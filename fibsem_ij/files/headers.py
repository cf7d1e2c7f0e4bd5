"""What a microscope wrote beside the pixels of one slice: pixel size, place along the milling, rows of text below the picture.

Read from the TIFF tags of the makers, in the first that is there:

- 51023, Zeiss Atlas (Fibics): XML. The pixel is the length of the scan's steps U and V (um; NB: Uy is no size), else FOV over
  width. The place is ATLAS3D/Slice/ZPos (um), else Stage/Z. A header of a picture of another size has outlived it and is not believed.
- 34682 and 34680, Thermo Fisher (FEI): [Scan] PixelWidth and PixelHeight (m), else those of [EScan] or [IScan]; [Stage] StageZ (m);
  [Image] ResolutionY and [PrivateFei] DatabarHeight tell the data bar.
- 34118, Zeiss SmartSEM: AP_IMAGE_PIXEL_SIZE, else AP_PIXEL_SIZE, which is of a picture 1,024 px wide; AP_STAGE_AT_Z.

A header is somebody's text: what is no number, or out of all reason, is as if it were not there. XML with declarations of its own
(entities that unfold without end) is not read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from xml.etree import ElementTree

from tifffile import TiffPage

from fibsem_ij.files.units import nanometres

_ATLAS, _FEI, _SFEG, _ZEISS = 51023, 34682, 34680, 34118
_LONGEST = 2**22  # bytes of a header
_PIXEL_NM = (0.01, 1e6)
_TILTED = math.radians(45)  # a stage beyond it faces the ion beam, and the electron beam looks at the milled face aslant


@dataclass(frozen=True)
class Scan:
    """What is known of one slice."""

    maker: str
    pixel_nm: tuple[float, float] | None = None  # y, x
    z_nm: float | None = None  # along the milling, from anywhere
    bar_px: int = 0  # rows of text below the picture
    aslant: float = 0.0  # radians of the stage's tilt, where the header says that it is not corrected for
    odd: str = ""  # why the pixel size is not believed


def scan_of(page: TiffPage) -> Scan | None:
    """Of a page of a TIFF; None where no maker's tag is there, or none that can be read."""
    height, width = int(page.imagelength), int(page.imagewidth)
    atlas = _value(page, _ATLAS)
    if isinstance(atlas, str) and (root := xml_root(atlas)) is not None and root.tag == "Fibics":
        return _atlas(root, height, width)
    fei = {**_sections(_value(page, _SFEG)), **_sections(_value(page, _FEI))}
    if fei:
        return _thermo(fei, height, width)
    said = _value(page, _ZEISS)
    return _smartsem(said, width) if isinstance(said, Mapping) else None


def xml_root(text: str) -> ElementTree.Element | None:
    """The root of an XML text; None where it is none, or declares anything itself."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        return None
    try:
        return ElementTree.fromstring(text.strip("\x00 \r\n\t"))
    except (ElementTree.ParseError, ValueError):
        return None


def _value(page: TiffPage, code: int) -> Any:
    tag = page.tags.get(code)
    return tag.value if tag is not None and tag.count <= _LONGEST else None


def _atlas(root: ElementTree.Element, height: int, width: int) -> Scan:
    steps = [[_length(root, f"Scan/{axis}{part}") for part in "xy"] for axis in "VU"]
    sizes = [math.hypot(*(part or 0.0 for part in step)) for step in steps]
    if not all(sizes):
        sizes = [(_length(root, f"Scan/FOV_{axis}") or 0.0) / n for axis, n in (("Y", height), ("X", width))]
    z_nm = _length(root, "ATLAS3D/Slice/ZPos")
    scan = Scan("Zeiss Atlas", pixel(*sizes), _length(root, "Stage/Z") if z_nm is None else z_nm)
    told = [_number(root.findtext(f"Image/{name}")) for name in ("Height", "Width")]
    if all(told) and told != [height, width]:
        return replace(scan, pixel_nm=None, odd=f"it tells of a picture of {told[0]:.0f} x {told[1]:.0f} pixels")
    return scan


def _length(root: ElementTree.Element, path: str) -> float | None:
    """In nm; Atlas means micrometres where it names no unit."""
    found = root.find(path)
    value = None if found is None else _number(found.text)
    unit = nanometres((found.get("units") if found is not None else None) or "um")
    return None if value is None or unit is None else value * unit


def _thermo(said: Mapping[str, Mapping[str, Any]], height: int, width: int) -> Scan:
    def number(section: str, key: str) -> float | None:
        return _number(said.get(section, {}).get(key))

    sizes = next((found for section in ("Scan", "EScan", "IScan")
                  if all(found := [number(section, key) or 0.0 for key in ("PixelHeight", "PixelWidth")])), [0.0, 0.0])
    z = number("Stage", "StageZ")
    rows, columns, bar = (number(*key) for key in (("Image", "ResolutionY"), ("Image", "ResolutionX"), ("PrivateFei", "DatabarHeight")))
    bar = (height - rows if rows else 0.0) if bar is None else bar
    scan = Scan("Thermo Fisher", pixel(*(size * 1e9 for size in sizes)), None if z is None else z * 1e9, aslant=_aslant(said))
    if (columns or width) != width or (rows or height - bar) != height - bar or not 0 <= bar < height:
        return replace(scan, pixel_nm=None, odd=f"it tells of a picture of {rows or 0:.0f} x {columns or 0:.0f} pixels")
    return replace(scan, bar_px=int(bar))


def _aslant(said: Mapping[str, Mapping[str, Any]]) -> float:
    beam = said.get("EBeam", {})
    tilt = _number(said.get("Stage", {}).get("StageT")) or 0.0
    corrected = str(beam.get("TiltCorrectionIsOn", "")).lower() not in ("no", "false")
    return 0.0 if corrected or not _TILTED < abs(tilt) < math.pi / 2 else abs(tilt)


def _sections(value: Any) -> dict[str, Mapping[str, Any]]:
    return {name: part for name, part in value.items() if isinstance(part, Mapping)} if isinstance(value, Mapping) else {}


def _smartsem(said: Mapping[str, Any], width: int) -> Scan:
    def length(key: str) -> float | None:
        row = said.get(key, ())
        unit = nanometres(str(row[2])) if isinstance(row, tuple) and len(row) == 3 else None
        value = _number(row[1]) if unit else None
        return None if value is None or unit is None else value * unit

    size = length("ap_image_pixel_size") or (length("ap_pixel_size") or 0.0) * 1024 / width
    return Scan("Zeiss SmartSEM", pixel(size, size), length("ap_stage_at_z"))


def pixel(y: float, x: float) -> tuple[float, float] | None:
    """A size that a pixel of a microscope may have."""
    return (y, x) if all(_PIXEL_NM[0] <= size <= _PIXEL_NM[1] for size in (y, x)) else None


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and not isinstance(value, bool) else None
