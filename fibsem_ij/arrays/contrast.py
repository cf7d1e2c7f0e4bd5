"""Brightness of a slice: normalised, equalised, or matched to its neighbours.

Each function takes one slice (y, x) and gives one slice; which pixels count is not guessed, so mask before if need be.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Grey = npt.NDArray[Any]
_BINS = 4096


def normalise(image: Grey, *, low: float = 0.5, high: float = 99.5) -> npt.NDArray[np.float32]:
    """The percentiles `low` and `high` become 0 and 1; what lies beyond is cut. A constant slice becomes 0."""
    if not 0 <= low < high <= 100:
        raise ValueError(f"expected percentiles 0 <= low < high <= 100, got {low} and {high}")
    bottom, top = np.percentile(image, (low, high))
    if top <= bottom:
        return np.zeros(image.shape, np.float32)
    scaled = (image.astype(np.float32) - np.float32(bottom)) / np.float32(top - bottom)
    return np.clip(scaled, 0, 1, out=scaled)


def equalise(image: Grey) -> Grey:
    """Histogram equalisation over the dtype's range (float: 0..1), of the same dtype: each grey value equally often."""
    values, counts = _histogram(image)
    below = np.cumsum(counts) - counts / 2
    return _mapped(image, values, below / max(int(counts.sum()), 1), *_span(image.dtype))


def match(image: Grey, reference: Grey) -> Grey:
    """The slice with the histogram of `reference` (a neighbour, or a few in one array); of the slice's dtype."""
    values, counts = _histogram(image)
    wanted, frequency = _histogram(reference)
    below = (np.cumsum(counts) - counts / 2) / max(int(counts.sum()), 1)
    reference_below = (np.cumsum(frequency) - frequency / 2) / max(int(frequency.sum()), 1)
    return _mapped(image, values, np.interp(below, reference_below, wanted), 0.0, 1.0)


def _histogram(image: Grey) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Grey values that occur (or the middles of bins, for what has too many) and how often."""
    if image.dtype.kind == "u" and image.dtype.itemsize <= 2:
        counts = np.bincount(image.ravel(), minlength=1)
        present = np.flatnonzero(counts)
        return present.astype(np.float64), counts[present]
    counts, edges = np.histogram(image, _BINS)
    present = np.flatnonzero(counts)
    return ((edges[:-1] + edges[1:]) / 2)[present], counts[present]


def _span(dtype: np.dtype[Any]) -> tuple[float, float]:
    if dtype.kind == "f":
        return 0.0, 1.0
    limits = np.iinfo(dtype)
    return float(limits.min), float(limits.max)


def _mapped(image: Grey, values: npt.NDArray[np.float64], wanted: npt.NDArray[np.float64], low: float, high: float) -> Grey:
    """`values` become low + wanted * (high - low), what lies between them in proportion."""
    target = low + wanted * (high - low)
    if image.dtype.kind == "u" and image.dtype.itemsize <= 2:
        table = np.interp(np.arange(int(values[-1]) + 1), values, target)
        limits = np.iinfo(image.dtype)
        lookup: Grey = np.clip(np.rint(table), limits.min, limits.max).astype(image.dtype)[image]
        return lookup
    mapped = np.interp(image, values, target)
    if image.dtype.kind != "f":
        limits = np.iinfo(image.dtype)
        mapped = np.clip(np.rint(mapped), limits.min, limits.max)
    return np.asarray(mapped.astype(image.dtype))
