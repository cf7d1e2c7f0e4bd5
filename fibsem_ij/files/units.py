"""Units of length as TIFF, OME and OME-Zarr files spell them, in nanometres."""

from __future__ import annotations

_NM = {
    "angstrom": 0.1, "å": 0.1, "\u212b": 0.1, "pm": 1e-3, "picometer": 1e-3, "nm": 1.0, "nanometer": 1.0, "nanometre": 1.0,
    "um": 1e3, "\u00b5m": 1e3, "\u03bcm": 1e3, "micron": 1e3, "microns": 1e3, "micrometer": 1e3, "micrometre": 1e3,
    "mm": 1e6, "millimeter": 1e6, "millimetre": 1e6, "cm": 1e7, "centimeter": 1e7, "m": 1e9, "meter": 1e9, "metre": 1e9,
    "in": 2.54e7, "inch": 2.54e7, "inches": 2.54e7,
}


def nanometres(unit: str | None) -> float | None:
    """How many nanometres one `unit` is; None where it is no length (pixel, reference frame, nothing)."""
    if unit is None:
        return None
    # NB: ImageJ writes a micrometre as the six characters \u00B5 and an m.
    return _NM.get(unit.strip().strip('"').replace("\\u00B5", "\u00b5").replace("\\u00b5", "\u00b5").lower())
