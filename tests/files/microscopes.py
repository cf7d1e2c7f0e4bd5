"""Slices with headers as microscopes write them: field by field after files of SmartSEM, Atlas 5 and xT."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import tifffile


def smartsem(pixel: str = "4.965 nm", z: str = "25.857 mm") -> tuple[int, str]:
    """Tag 34118: numbers without names, then a name in capitals and below it what a person reads."""
    rows = {"DP_DETECTOR_CHANNEL": "Detector = SESI", "AP_MAG": "Mag =   22.50 K X", "AP_WD": "WD = 5.0 mm",
            "DP_IMAGE_STORE": "Store resolution = 1024 * 768", "AP_PIXEL_SIZE": "Pixel Size = 9.93 nm",
            "AP_IMAGE_PIXEL_SIZE": f"Image Pixel Size = {pixel}", "AP_STAGE_AT_T": "Stage at T = 54.0 °",
            "AP_STAGE_AT_Z": f"Stage at Z = {z}", "AP_DATE": "Date :12 Mar 2024", "AP_TIME": "Time :10:09:27"}
    return 34118, "\r\n".join(["0", "9.93e-09", "", *(line for pair in rows.items() for line in pair), ""])


def atlas(z_um: float | None = None, *, pixel_um: float = 0.005, size: tuple[int, int] = (40, 50), turned: float = 0.0,
          more: str = "") -> tuple[int, str]:
    """Tag 51023: U and V are the steps of the scan, so Uy is 0 where it is not turned."""
    cos, sin = pixel_um * math.cos(turned), pixel_um * math.sin(turned)
    place = "" if z_um is None else f"<ATLAS3D><Slice><ZIndex>0</ZIndex><ZPos>{float(z_um)!r}</ZPos></Slice></ATLAS3D>"
    return 51023, ('<?xml version="1.0" encoding="iso-8859-1"?>\r\n' + more + '<Fibics version="1.2" format="Image"><Application>'
                   "<Version>ZEISS Atlas 5 Client v5.5.5.35</Version></Application>"
                   f"<Image><Width>{size[1]}</Width><Height>{size[0]}</Height><OriginalWidth>0</OriginalWidth></Image>"
                   f'<Scan><FOV_X units="um">{size[1] * pixel_um}</FOV_X><ScanRot units="deg">{math.degrees(turned)}</ScanRot>'
                   f"<Ux>{cos!r}</Ux><Uy>{sin!r}</Uy><Vx>{sin!r}</Vx><Vy>{-cos!r}</Vy></Scan>"
                   f'<Stage><X units="um">0</X><Z units="um">12</Z></Stage>{place}</Fibics>')


def thermo(z_m: float = 0.004, *, pixel_m: tuple[float, float] = (4e-9, 4e-9), rows: int = 40, columns: int = 50, bar: int | None = None,
           corrected: str = "yes") -> tuple[int, str]:
    """Tag 34682: sections of key=value in SI units; pixel_m is y, x."""
    said = {"User": {"Date": "03/12/2024"}, "System": {"SystemType": "Helios NanoLab"}, "Beam": {"HV": "2000", "Beam": "EBeam"},
            "EBeam": {"HFW": "2.07e-005", "WD": "0.0040", "TiltCorrectionIsOn": corrected, "TiltCorrectionAngle": "-0.6632"},
            "Scan": {"Dwelltime": "3e-006", "PixelWidth": f"{pixel_m[1]:e}", "PixelHeight": f"{pixel_m[0]:e}"},
            "Stage": {"StageX": "0.001", "StageZ": repr(z_m), "StageT": "0.907571", "WorkingDistance": "0.00401"},
            "Image": {"ResolutionX": str(columns), "ResolutionY": str(rows)}}
    if bar is not None:
        said["PrivateFei"] = {"DatabarHeight": str(bar)}
    return 34682, "\r\n".join(f"[{name}]\r\n" + "\r\n".join(f"{k}={v}" for k, v in part.items()) for name, part in said.items()) + "\r\n"


def janelia(path: Path, pixels: Any, *, version: int = 8, detectors: str = "AB", wd_mm: float = 3.0885, pixel_nm: float = 5.6,
            tail: bytes = b"footer") -> None:
    """A .dat: `pixels` (detector, y, x), uint8 or int16; fields where the file of the MRC LMB in jeiss-specs has them."""
    pixels = np.asarray(pixels)
    head = bytearray(1024)
    struct.pack_into(">IHH10s", head, 0, 3555587570, version, 1, b"21/11/2021")
    struct.pack_into(">BB", head, 32, len(pixels), pixels.dtype == np.uint8)
    struct.pack_into(">II", head, 100, pixels.shape[2], pixels.shape[1])
    head[151:155] = bytes(letter in detectors for letter in "ABCD")
    for at, name in zip((380, 390, 700, 720) if version < 3 else (380, 390, 410, 430), ("InLens", "ESB @ 600 V", "C", "D"), strict=True):
        head[at:at + len(name)] = name.encode()
    struct.pack_into(">dd" if version < 3 else ">ff", head, 416 if version < 3 else 464, pixel_nm, wd_mm)
    path.write_bytes(head + np.moveaxis(pixels, 0, -1).astype(pixels.dtype.newbyteorder(">")).tobytes() + tail)


def write(path: Path, pixels: Any, header: tuple[int, str] | None) -> None:
    tags = [] if header is None else [(header[0], 2, 0, header[1].encode("cp1252") + b"\0", True)]
    tifffile.imwrite(path, np.asarray(pixels), photometric="minisblack", metadata=None, extratags=tags)
