"""What of a table of measures is worth showing, under which name, in which unit, on which axis, and its summary.

Columns are found by themselves: numbers that differ from object to object, not where the object lies. Lengths in nm are shown in µm
where they are large; an axis is logarithmic where that makes a positive measure of many sizes less lopsided. A group (a class, a
parent) that is a number wears its label colour.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.colours import colours_of

Table = Mapping[str, npt.NDArray[Any]]

GROUPS = 12  # at most in a figure
_ONE = "#3b78c4"  # where there are no groups
_PLACES = re.compile(r"label|parent.*|class.*|slice.*|z|y|x|axis_[zyx]|.*_id|cut|(centroid|box)_.*|.*_(start|stop)|spectrum_-?\d+",
                     re.IGNORECASE)
_UNITS = {"nm": ("nm", "µm", 1e3), "nm2": ("nm²", "µm²", 1e6), "nm3": ("nm³", "µm³", 1e9), "px": ("px", "", 0), "px2": ("px²", "", 0),
          "px3": ("px³", "", 0)}
_LOG_SPAN = 50


def columns(table: Table) -> list[str]:
    """Those worth a figure, in their order."""
    sized = any(name.startswith("volume_") for name in table)  # and says what `voxels` would
    return [name for name, values in table.items()
            if not _PLACES.fullmatch(name) and not (sized and name == "voxels") and _differs(np.asarray(values))]


def axis(name: str, values: npt.ArrayLike) -> tuple[str, npt.NDArray[np.float64]]:
    """What stands at the axis, and the values in its unit."""
    numbers = np.asarray(values, np.float64)
    stem, _, suffix = name.rpartition("_")
    if not stem or suffix not in _UNITS:
        return name.replace("_", " "), numbers
    small, large, factor = _UNITS[suffix]
    known = np.abs(numbers[np.isfinite(numbers)])
    if factor and len(known) and np.median(known) >= factor / 100:
        return f"{stem.replace('_', ' ')} ({large})", numbers / factor
    return f"{stem.replace('_', ' ')} ({small})", numbers


def groups_of(table: Table, by: str) -> list[tuple[str, Any, npt.NDArray[np.bool_]]]:
    """Name, colour and rows of each; the largest, where there are too many."""
    rows = len(next(iter(table.values()), ()))
    if not by:
        return [("all", _ONE, np.ones(rows, bool))]
    if by not in table:
        raise ValueError(f"expected a column of {', '.join(table)} to group by, got {by!r}; name one of them")
    values = np.asarray(table[by])
    found, sizes = np.unique(values, return_counts=True)
    kept = found[np.sort(np.argsort(-sizes, kind="stable")[:GROUPS])]
    ids = kept.astype(np.int64) if kept.dtype.kind in "ui" else np.arange(1, len(kept) + 1)
    colours = np.where((ids > 0)[:, None], colours_of(np.maximum(ids, 0)), 140) / 255
    return [(str(group), tuple(colour), values == group) for group, colour in zip(kept.tolist(), colours, strict=True)]


def summary(table: Table) -> Iterator[tuple[str, dict[str, float]]]:
    """Of each column in its own unit: n, mean, sd, min, median, max."""
    for name in columns(table):
        known = as_numbers(table[name])
        known = known[np.isfinite(known)]
        yield name, {"n": len(known), "mean": float(known.mean()), "sd": float(known.std(ddof=1)), "min": float(known.min()),
                     "median": float(np.median(known)), "max": float(known.max())}


def as_numbers(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    array = np.asarray(values)
    return array.astype(np.float64) if array.dtype.kind in "uifb" else np.full(len(array), np.nan)


def wide(values: npt.NDArray[np.float64]) -> bool:
    """Positive, over more than a factor of _LOG_SPAN, and less lopsided as logarithms than as they are."""
    known = values[np.isfinite(values)]
    if not len(known) or known.min() <= 0 or known.max() <= _LOG_SPAN * known.min():
        return False
    return abs(_lopsided(np.log(known))) < abs(_lopsided(known))


def spearman(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    from scipy.stats import rankdata

    known = np.isfinite(a) & np.isfinite(b)
    ranks = [rankdata(v[known]) for v in (a, b)]
    if known.sum() < 3 or any(np.ptp(r) == 0 for r in ranks):
        return float("nan")
    matrix: Any = np.corrcoef(np.stack(ranks))
    return float(matrix[0, 1])


def _differs(values: npt.NDArray[Any]) -> bool:
    if values.dtype.kind not in "uif":
        return False
    known = values[np.isfinite(values)]
    return len(known) > 1 and bool(known.min() < known.max())


def _lopsided(values: npt.NDArray[np.float64]) -> float:
    off = values - values.mean()
    return float((off**3).mean() / (off**2).mean() ** 1.5)
