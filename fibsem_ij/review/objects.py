"""Doubts about the objects: one that is gone, doubled or halved in a single slice, and what was decided where cells split or met.

An object's area in a slice is held against that before and after (see `ranking.outside`); the oddest object of a slice is its doubt. The
events are those of `objects cells`, LABELS.events.csv: each has a weight, of one the code does not know the weight is 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.slices import map_slices
from fibsem_ij.review.ranking import Evidence, Floats, outside
from fibsem_ij.review.segmentation import sized
from fibsem_ij.volume import ArrayLike

STAGE = "objects"
_FLOOR_PX = 50.0
# How much an event is worth, and how it is told.
_EVENTS: Mapping[str, tuple[float, str]] = {
    "joined": (1.0, "a piece meets object {into}"),
    "own": (0.5, "{into} begins, which no drawn slice knows"),
    "new": (0.3, "a piece begins that nothing was carried into"),
    "bridged": (1.0, "the slice shows little of what lies beside it, and was bridged"),
    "other side": (0.2, "a piece has its number from the other side, object {into}"),
    "merge": (1.0, "objects merge into {into}"),
    "split": (1.0, "object {into} splits"),
    "break-off": (1.0, "a piece breaks off from object {into}"),
}

Areas = tuple[npt.NDArray[Any], npt.NDArray[np.int64]]  # numbers from 1 on, sorted, and their pixels


def evidence(labels: ArrayLike, events: Mapping[str, npt.NDArray[Any]] | None = None, *, what: str = "object",
             bad: Collection[int] = (), executor: Executor | None = None,
             progress: Callable[[int, int], None] | None = None) -> list[Evidence]:
    """`what`: how the things are called in the reasons."""
    depth = labels.shape[0]
    areas: dict[int, Areas] = {}
    values, worst = np.full(depth, np.nan), [(0, 0.0, 0.0)] * depth
    good = [z for z in range(depth) if z not in set(bad)]
    map_slices(areas_of, labels, _Threes(good, areas, values, worst), executor=executor, progress=progress)

    def says(z: int, _: float) -> str:
        number, here, beside = worst[z]
        return sized(f"{what} {number}", here, beside)

    found = [Evidence(STAGE, "sudden", values, 0.05, says)]
    return [*found, of_events(events, depth)] if events is not None else found


def areas_of(plane: npt.NDArray[Any], z: int) -> Areas:
    numbers, pixels = np.unique(plane, return_counts=True)
    there = numbers > 0
    return numbers[there], pixels[there].astype(np.int64)


def oddest(before: Areas, here: Areas, after: Areas) -> tuple[float, tuple[int, float, float]]:
    """How odd the oddest object is, and its number, its area here and beside."""
    numbers = np.union1d(np.union1d(before[0], here[0]), after[0])
    if not len(numbers):
        return float("nan"), (0, 0.0, 0.0)
    one, now, other = (_at(numbers, areas) for areas in (before, here, after))
    odd = outside(now, one, other, floor=_FLOOR_PX)
    k = int(odd.argmax())
    return float(odd[k]), (int(numbers[k]), float(now[k]), float(one[k] + other[k]) / 2)


def of_events(events: Mapping[str, npt.NDArray[Any]], depth: int) -> Evidence:
    if missing := {"z", "event", "into"} - events.keys():
        raise ValueError(f"expected events with columns z, event and into, got none of {', '.join(sorted(missing))}; run objects cells "
                         "again")
    values: Floats = np.zeros(depth)
    told: dict[int, Counter[str]] = {}
    rows = zip(*(events[name].tolist() for name in ("z", "event", "into")), strict=True)
    for z, event, into in rows:
        if not 0 <= z < depth:
            raise ValueError(f"expected events in slices 0 to {depth - 1}, got one in {z}; they are of another stack: run objects cells "
                             "again")
        weight, words = _EVENTS.get(event, (1.0, f"{event} of object {{into}}"))
        values[z] += weight
        told.setdefault(z, Counter())[words.format(into=into)] += 1

    def says(z: int, _: float) -> str:
        return "; ".join(words + (f" ({n} times)" if n > 1 else "") for words, n in told[z].most_common(2))

    return Evidence(STAGE, "events", np.where(values > 0, values, np.nan), 0.5, says, usual=float(np.median(values)))


def _at(numbers: npt.NDArray[Any], areas: Areas) -> Floats:
    found: Floats = np.zeros(len(numbers))
    found[np.searchsorted(numbers, areas[0])] = areas[1]
    return found


class _Threes:
    """Takes the areas of slices in whatever order they come; where three good ones in a row are known the middle one is judged."""

    def __init__(self, good: list[int], areas: dict[int, Areas], values: Floats, worst: list[tuple[int, float, float]]) -> None:
        self.good, self.areas, self.values, self.worst = good, areas, values, worst
        self.place = {z: n for n, z in enumerate(good)}
        self.judged = {0, len(good) - 1}  # the ends have one neighbour only

    def __setitem__(self, z: int, areas: Areas) -> None:
        if z not in self.place:
            return
        self.areas[z] = areas
        at = self.place[z]
        for n in (at - 1, at, at + 1):
            if 0 < n < len(self.good) - 1 and n not in self.judged and all(self.good[k] in self.areas for k in (n - 1, n, n + 1)):
                middle = self.good[n]
                self.values[middle], self.worst[middle] = oddest(*(self.areas[self.good[k]] for k in (n - 1, n, n + 1)))
                self.judged.add(n)
        for n in range(max(0, at - 2), min(len(self.good), at + 3)):  # what no slice needs any more
            if {n - 1, n, n + 1} & set(range(len(self.good))) <= self.judged:
                self.areas.pop(self.good[n], None)
