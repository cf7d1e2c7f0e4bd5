"""What the headers of all slices say together: the size of a voxel, slices that are missing, and what a person should be told.

Places along the milling count only where they go one way from slice to slice: a stage that stands still while the ion beam moves tells
nothing. The thickness is the mean of the usual steps, those from half of the median to nearly two; a step of nearly two and more is a
slice that is missing. Sizes are rounded to six digits, so that the last digits of an instrument do not change them when slices come.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from fibsem_ij.files.headers import Scan
from fibsem_ij.files.tables import Table

Voxel = tuple[float, float, float]
GOOD = "ok"
_OTHER = 0.01  # sizes this much apart are two sizes
_MOVED, _ONE_WAY = 0.5, 0.95  # of the steps, and of those that moved
_GAP, _THIN, _UNEVEN = 1.75, 0.5, 0.15  # of the median step; the last is a standard deviation
_LISTED = 8


@dataclass(frozen=True)
class Acquired:
    """A stack by its headers."""

    names: tuple[str, ...]
    scans: tuple[Scan | None, ...]

    @property
    def makers(self) -> str:
        return ", ".join(sorted({scan.maker for scan in self.scans if scan}))

    @cached_property
    def pixel_nm(self) -> tuple[float, float] | None:
        """y, x; the median."""
        known = [scan.pixel_nm for scan in self.scans if scan and scan.pixel_nm]
        y, x = (_round(float(np.median(sizes))) for sizes in zip(*known, strict=True)) if known else (0.0, 0.0)
        return (y, x) if known else None

    @cached_property
    def steps_nm(self) -> npt.NDArray[np.float64] | None:
        """From each slice to the next; NaN where one of them has no place, None where places tell nothing."""
        places = np.array([np.nan if scan is None or scan.z_nm is None else scan.z_nm for scan in self.scans], np.float64)
        steps = np.diff(places)
        moved = steps[np.isfinite(steps) & (steps != 0)]
        if len(moved) < max(1, _MOVED * len(steps)) or np.mean(np.sign(moved) == np.sign(np.median(moved))) < _ONE_WAY:
            return None
        return np.asarray(steps * np.sign(np.median(moved)))

    @cached_property
    def thickness_nm(self) -> float | None:
        steps = self.steps_nm
        if steps is None:
            return None
        middle = float(np.median(steps[steps > 0]))
        return _round(float(steps[(steps >= _THIN * middle) & (steps <= _GAP * middle)].mean()))

    @property
    def voxel_nm(self) -> Voxel | None:
        thickness, pixel = self.thickness_nm, self.pixel_nm
        return None if thickness is None or pixel is None else (thickness, *pixel)

    @property
    def bar_px(self) -> int:
        """Rows of text below every slice; 0 where slices differ in that."""
        bars = {scan.bar_px if scan else 0 for scan in self.scans}
        return bars.pop() if len(bars) == 1 else 0

    def two_sizes(self) -> str:
        """The slice from which on pixels have another size, in words; "" where all are of one."""
        usual = self.pixel_nm
        odd = [z for z, scan in enumerate(self.scans) if usual and scan and scan.pixel_nm and _apart(scan.pixel_nm, usual)]
        if not usual or not odd:
            return ""
        scan = self.scans[odd[0]]
        assert scan
        assert scan.pixel_nm
        more = f" and in {len(odd) - 1} more" if len(odd) > 1 else ""
        return (f"slice {self.names[odd[0]]}: expected pixels of {_x(usual)} nm as in the others, got {_x(scan.pixel_nm)} nm{more}; the "
                "magnification was changed: move these slices away, or give voxel_nm if the header is wrong")

    def table(self) -> Table:
        steps = self.steps_nm
        pixels = [scan.pixel_nm if scan and scan.pixel_nm else (np.nan, np.nan) for scan in self.scans]
        thick = np.full(len(self.names), np.nan) if steps is None else np.r_[np.nan, steps]
        words = [name if name[:1].isalpha() else f"slice {name}" for name in self.names]  # NB: 45 alone would be a number
        return {"z": np.arange(len(self.names)), "slice": np.array(words),
                "z_nm": np.array([np.nan if scan is None or scan.z_nm is None else _round(scan.z_nm, 12) for scan in self.scans]),
                "thickness_nm": np.array([_round(step) for step in thick.tolist()]),
                "pixel_y_nm": np.array([_round(y) for y, _ in pixels]), "pixel_x_nm": np.array([_round(x) for _, x in pixels]),
                "note": np.array([self._note(z, step) or GOOD for z, step in enumerate(thick.tolist())])}

    def missing(self) -> list[str]:
        """Where slices are missing, or thinner than half."""
        return [note for note in self.table()["note"].tolist() if note != GOOD]

    def _note(self, z: int, step: float) -> str:
        usual = self.thickness_nm or math.nan
        before, name = self.names[z - 1], self.names[z]
        if step > _GAP * usual:
            count = max(1, round(step / usual) - 1)
            return f"about {count} slice{'s' * (count > 1)} missing between {before} and {name} ({step:.4g} nm)"
        if step < _THIN * usual:
            return f"{name} lies {step:.4g} nm from {before}" if step else f"{name} lies where {before} does"
        return ""

    def notes(self, given: Voxel | None) -> list[str]:
        """What a person should know, in lines; `given`: the voxel size that she gave."""
        if not any(self.scans):
            return []
        found, pixel = self.voxel_nm, self.pixel_nm
        lines = [self.two_sizes()] if given else []
        if given and pixel and (_apart(given[1:], pixel) or (found and _apart(given[:1], found[:1]))):
            lines.append(f"voxel_nm is given as {_x(given)} nm, the headers ({self.makers}) say {_x(found or pixel)} nm; the given one "
                         "is used")
        elif not given and found:
            lines.append(f"voxels of {_x(found)} nm (z, y, x), by the headers ({self.makers})")
        elif not given and pixel:
            lines.append(f"the headers ({self.makers}) say pixels of {_x(pixel)} nm and nothing of the thickness of a slice, so no size is "
                         f"known; write voxel_nm = [THICKNESS, {pixel[0]:g}, {pixel[1]:g}]")
        odd = [f"{name}: {scan.odd}" for name, scan in zip(self.names, self.scans, strict=True) if scan and scan.odd]
        lines.append(f"a header is not believed: {_some(odd)}; give voxel_nm" if odd else "")
        bare = [name for name, scan in zip(self.names, self.scans, strict=True) if scan is None]
        lines.append(f"slices without a header: {_some(bare)}" if bare else "")
        return [line for line in [*lines, *self._of_places(), self._aslant()] if line]

    def _of_places(self) -> list[str]:
        steps, gaps = self.steps_nm, self.missing()
        if steps is None:
            return []
        known = steps[np.isfinite(steps)]
        spread = 1.4826 * float(np.median(np.abs(known - np.median(known)))) / float(np.median(known))
        low, high = np.percentile(known, (5, 95))
        uneven = f"slices are uneven: {low:.4g} to {high:.4g} nm thick, {np.median(known):.4g} in the middle"
        return [_some(gaps, "; "), uneven if spread > _UNEVEN else ""]

    def _aslant(self) -> str:
        tilt = max((scan.aslant for scan in self.scans if scan), default=0.0)
        if not tilt or not self.pixel_nm:
            return ""
        y = self.pixel_nm[0] / math.sin(tilt)
        return (f"the stage is tilted {math.degrees(tilt):.0f} degrees without tilt correction: on a face that the ion beam milled a pixel "
                f"is {y:.4g} nm high, not {self.pixel_nm[0]:.4g}; say so in voxel_nm if this is one")


def _apart(sizes: Sequence[float], usual: Sequence[float]) -> bool:
    return any(abs(size / one - 1) > _OTHER for size, one in zip(sizes, usual, strict=True))


def _some(lines: Sequence[str], between: str = ", ") -> str:
    more = f"{between}and {len(lines) - _LISTED} more" if len(lines) > _LISTED else ""
    return between.join(lines[:_LISTED]) + more


def _x(sizes: Sequence[float]) -> str:
    return " x ".join(f"{size:.6g}" for size in sizes)


def _round(value: float, digits: int = 6) -> float:
    return float(f"{value:.{digits}g}")
