"""Grey values -> network input, and back: one straight line for the whole stack, kept with the network.

One line, not one a slice: a slice that is half resin must not be stretched until its membranes look like another slice's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.slices import spread
from fibsem_ij.volume import ArrayLike

KINDS = ("percentiles", "mean-std", "range")
_SLICES = 16  # measured, spread through the stack
_PIXELS = 1 << 20  # measured, of each of them
_TAIL = 0.5  # percent beyond 0 and 1 at each end: hot and dead pixels


@dataclass(frozen=True)
class Scale:
    """input = (grey - offset) * gain; grey values end at low and high."""

    offset: float = 0.0
    gain: float = 1.0
    low: float | None = None
    high: float | None = None
    dtype: str = "float32"

    def __post_init__(self) -> None:
        ends = _ends(_grey_type(self.dtype))
        object.__setattr__(self, "dtype", np.dtype(self.dtype).name)
        for name, end in zip(("low", "high"), ends, strict=True):
            value = end if getattr(self, name) is None else float(getattr(self, name))
            object.__setattr__(self, name, value)
        for name in ("offset", "gain"):
            object.__setattr__(self, name, float(getattr(self, name)))
        if not (math.isfinite(self.offset) and math.isfinite(self.gain) and self.gain > 0):
            raise ValueError(f"expected a finite offset and a gain over 0, got {self.offset} and {self.gain}; measure them with Scale.of")
        low, high = (-math.inf if self.low is None else self.low), (math.inf if self.high is None else self.high)
        if not (low < high and (ends[0] is None or (ends[0] <= low and ends[1] is not None and high <= ends[1]))):
            raise ValueError(f"expected low under high, within what {self.dtype} holds, got {self.low} and {self.high}; leave them out")

    @classmethod
    def of(cls, src: ArrayLike, kind: str = "percentiles") -> Self:
        """Measured on a few slices of a stack (z, y, x).

        percentiles: the .5 and 99.5 % become 0 and 1; mean-std: mean 0, deviation 1; range: the ends of an integer type, or
        the least and greatest value of floats, become 0 and 1.
        """
        if kind not in KINDS:
            raise ValueError(f"expected a scale of {', '.join(KINDS)}, got {kind!r}; choose one of them")
        dtype = _grey_type(src.dtype)
        ends = _ends(dtype)
        if kind == "range" and ends[0] is not None and ends[1] is not None:
            offset, span = ends[0], ends[1] - ends[0]
        else:
            grey = _sample(src)
            if kind == "mean-std":
                offset, span = float(grey.mean()), float(grey.std())
            else:
                tail = _TAIL if kind == "percentiles" else 0.0
                offset, end = (float(v) for v in np.percentile(grey, (tail, 100 - tail)))
                span = end - offset
            if not span > 0:
                raise ValueError(f"expected grey values that differ, got {offset:g} nearly everywhere in the slices looked at; "
                                 "look at the stack: is it blank, or saturated?")
        return cls(offset, 1 / span, dtype=dtype.name)

    def forward(self, grey: npt.ArrayLike) -> npt.NDArray[np.float32]:
        found = np.asarray(grey)
        work = self._work(found.dtype)
        scaled = found.astype(work)
        scaled -= work(self.offset)
        scaled *= work(self.gain)
        return scaled.astype(np.float32, copy=False)

    def back(self, scaled: npt.ArrayLike) -> npt.NDArray[Any]:
        """Grey values of `dtype`. NaN has none: an error."""
        return self.held(self.grey(scaled))

    def grey(self, scaled: npt.ArrayLike) -> npt.NDArray[np.floating[Any]]:
        """Grey values, not rounded, beyond the ends too."""
        work = self._work(np.dtype(self.dtype))
        grey = np.array(scaled, work)
        grey /= work(self.gain)
        grey += work(self.offset)
        return grey

    def held(self, grey: npt.NDArray[np.floating[Any]]) -> npt.NDArray[Any]:
        """The same as `dtype` can hold them. NB: the array itself is changed."""
        dtype = np.dtype(self.dtype)
        if np.isnan(grey).any():
            raise ValueError(f"expected numbers from the network, got NaN in {int(np.isnan(grey).sum())} of {grey.size} pixels; "
                             "train again with a lower rate, or look for NaN in the stack")
        if self.low is not None or self.high is not None:
            np.clip(grey, self.low, self.high, out=grey)
        if dtype.kind != "f":
            np.rint(grey, out=grey)
        return grey.astype(dtype, copy=False)

    @staticmethod
    def _work(dtype: np.dtype[Any]) -> type[np.floating[Any]]:
        """float32 where it holds every value of `dtype`: twice as fast."""
        return np.float32 if np.can_cast(dtype, np.float32) else np.float64


def _grey_type(dtype: Any) -> np.dtype[Any]:
    try:
        found: np.dtype[Any] = np.dtype(dtype)
    except TypeError as error:
        raise ValueError(f"expected a dtype as uint8, uint16 or float32, got {dtype!r}; name the one of the stack") from error
    if found.kind not in "buif":
        raise ValueError(f"expected grey values (bool, integer or float), got dtype {found}; convert them with .astype first")
    return found


def _ends(dtype: np.dtype[Any]) -> tuple[float, float] | tuple[None, None]:
    """The least and greatest value that survive the way through floats; floats have none."""
    if dtype.kind == "f":
        return None, None
    if dtype.kind == "b":
        return 0.0, 1.0
    ends = np.iinfo(dtype)
    high = float(ends.max)
    return float(ends.min), high if int(high) <= ends.max else math.nextafter(high, 0)


def _sample(src: ArrayLike) -> npt.NDArray[np.float64]:
    found = []
    for z in spread(src.shape[0], _SLICES):
        grey = np.asarray(src[z])
        step = max(1, round((grey.size / _PIXELS) ** 0.5))
        found.append(grey[::step, ::step].astype(np.float64).ravel())
        if not np.isfinite(found[-1]).all():
            raise ValueError(f"slice {z}: expected finite grey values, got NaN or infinity; replace them first")
    return np.concatenate(found)
