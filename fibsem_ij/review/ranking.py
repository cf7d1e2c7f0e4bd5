"""Doubts of all stages on one scale, and the order in which a person should look at them.

A stage gives Evidence: a number a slice, the larger the more doubtful. What is usual is the median of the stack, and how far a slice lies
from it, d, is counted in robust standard deviations (1.4826 times the median absolute deviation, but no less than what is noise in such a
number). The score is (1 + d / (|d| + 3)) / 2: .5 is usual, .75 three deviations above, towards 1 beyond, below .5 better than usual. So
scores of different stages, and of different kinds of evidence, mean the same: how unusual a slice is within its own stack.

The order is greedy, and what is listed makes others worth less: a slice beside it, in the same stage, half at `_BESIDE` slices and all at
none, since neighbours are nearly copies; and each entry of one kind takes a tenth off the next of that kind. So blank and duplicated
slices and the many slices of one fault leave room for others, and scores, as listed, fall from first to last.

The segmentation learns from what is corrected, so there a slice has two parts. One, up to a half, is what there is to learn: how much the
network is unsure of in the slices around, as far as no drawn or listed slice teaches it already; what is learned from a slice reaches
others by .5 ** (n / 10), n slices away (a greedy facility location, in shares of the most there is). What the network is unsure of goes
with the pixels that it has wrong (rank correlations of .5 to .9, benchmarks/results/review.md), so empty slices far from all that is
drawn do not come first, as they would by their distance alone, nor ten neighbours that are unsure of the same. The other is how far a
fault of this one slice exceeds the usual, 2 s - 1: a class that flickers, a disagreement with both neighbours. It counts up to three
quarters in a good segmentation, and the less the more there is left to learn, for then every slice is faulty and one corrected slice
mends many. A drawn slice is not listed again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

Floats = npt.NDArray[np.float64]

LEARNS = "segmentation"  # the stage that learns from what is drawn
WORTH = 0.6  # a score, three quarters of a deviation above the usual, from which a slice is worth a look
_BESIDE, _LEARNED = 3.0, 10.0  # slices
_REACH = 0.5 ** (np.abs(np.arange(-50, 51)) / _LEARNED)  # of what is learned from a slice
_FAULT = 0.75  # what a gross fault of one slice is worth, where nothing is left to learn; what there is to learn, half
_MUCH = 0.1  # of a usual slice is likely wrong: while there is so much to learn, faults of one slice can wait
_HALF = 3.0  # robust deviations that are half way to certainty
_AGAIN = 0.9  # what is left of a kind's scores after each entry of it


@dataclass(frozen=True, eq=False)
class Evidence:
    """One kind of doubt about the slices of one stage."""

    stage: str
    kind: str
    values: Floats  # (z,); NaN where nothing can be told
    least: float  # differences below this are nothing unusual
    says: Callable[[int, float], str]  # z, what is usual -> the reason in words
    usual: float | None = None  # None: the median
    is_wrong: bool = False  # values are the share of the slice that is likely wrong


@dataclass(frozen=True)
class Doubt:
    z: int
    stage: str
    kind: str
    score: float
    reason: str
    wrong: float = 0.02  # the share of the slice that is likely wrong; where that cannot be told, as of a good segmentation


def doubts(found: Sequence[Evidence]) -> list[Doubt]:
    """Of each stage and slice the strongest doubt."""
    best: dict[tuple[str, int], Doubt] = {}
    wrong = {one.stage: np.nan_to_num(one.values) for one in found if one.is_wrong and np.isfinite(one.values).any()}
    for evidence in found:
        usual, scores = scored(evidence)
        for z in np.flatnonzero(scores > 0).tolist():
            at = (evidence.stage, z)
            if at not in best or scores[z] > best[at].score:
                share = float(wrong[evidence.stage][z]) if evidence.stage in wrong else Doubt.wrong
                best[at] = Doubt(z, evidence.stage, evidence.kind, float(scores[z]), evidence.says(z, usual), share)
    return list(best.values())


def scored(evidence: Evidence) -> tuple[float, Floats]:
    """What is usual, and the score of each slice; 0 where nothing can be told."""
    known = evidence.values[np.isfinite(evidence.values)]
    if not len(known):
        return 0.0, np.zeros(len(evidence.values))
    usual = float(np.median(known)) if evidence.usual is None else evidence.usual
    spread = max(1.4826 * float(np.median(np.abs(known - usual))) if evidence.usual is None else 0.0, evidence.least)
    away = (evidence.values - usual) / spread
    return usual, np.nan_to_num((1 + away / (np.abs(away) + _HALF)) / 2, nan=0.0)


def ordered(found: Sequence[Doubt], count: int, *, drawn: Collection[int] = (), among: Collection[int] | None = None) -> list[Doubt]:
    """At most `count` doubts, the worst first, each with the score that it has after those before it; with `among` of these slices."""
    return list(_taken(found, count, drawn, among))


def _taken(found: Sequence[Doubt], count: int, drawn: Collection[int], among: Collection[int] | None) -> Iterator[Doubt]:
    z = np.array([doubt.z for doubt in found], np.int64)
    stage, kind = (np.array([getattr(doubt, name) for doubt in found]) for name in ("stage", "kind"))
    learns = stage == LEARNS
    score = np.array([doubt.score for doubt in found])
    wrong = np.zeros(int(max([*z, *drawn], default=0)) + 1)
    wrong[z[learns]] = [doubt.wrong for doubt in found if doubt.stage == LEARNS]
    known = _Known(wrong)
    fault = _FAULT * (1 - min(float(np.median(wrong[z[learns]])) / _MUCH, 1)) if learns.any() else 0.0
    for one in drawn:
        known.add(one)
    out = np.zeros(len(found), bool) if among is None else ~np.isin(z, list(among))
    listed = np.full(len(found), np.inf)  # distance to what is listed in the same stage
    for _ in range(min(count, len(found))):
        barred = out | (learns & np.isin(z, known.slices))
        now = np.where(barred, 0, _worth(score, listed, known.gain()[z], fault, learns))
        best = int(now.argmax())
        if now[best] <= 0:
            return
        yield _listed(found[best], float(now[best]), known)
        alike = stage == stage[best]
        listed = np.where(alike, np.minimum(listed, np.abs(z - z[best])), listed)
        score = np.where(alike & (kind == kind[best]), score * _AGAIN, score)
        if learns[best]:
            known.add(int(z[best]))


def _worth(score: Floats, listed: Floats, gain: Floats, fault: float, learns: npt.NDArray[np.bool_]) -> Floats:
    both = fault * np.clip(2 * score - 1, 0, 1) + (1 - fault) * gain / 2
    return np.asarray((1 - 0.5 ** (listed / _BESIDE)) * np.where(learns, both, score))


class _Known:
    """How much of each slice of a stack is learned already, 0..1; `wrong` is what there is to learn."""

    def __init__(self, wrong: Floats) -> None:
        self.slices: list[int] = []
        half = len(_REACH) // 2
        self.share = np.pad(np.zeros(len(wrong)), half, constant_values=1)  # beyond the ends there is nothing to learn
        self.wrong = sliding_window_view(np.pad(wrong, half), len(_REACH))  # around each slice
        self.most = float((self.wrong * _REACH).sum(1).max())

    def add(self, z: int) -> None:
        self.slices.append(z)
        here = self.share[z:z + len(_REACH)]
        np.maximum(here, _REACH, out=here)

    def gain(self) -> Floats:
        """How much of what is wrong around each slice would be learned from it, as a share of the most there could be."""
        around = sliding_window_view(self.share, len(_REACH))  # (z, 101)
        return np.asarray((self.wrong * np.maximum(_REACH - around, 0)).sum(1) / (self.most or 1))

    def nearest(self, z: int) -> int:
        return min(abs(z - other) for other in self.slices)


def _listed(doubt: Doubt, score: float, known: _Known) -> Doubt:
    if doubt.stage != LEARNS or doubt.score >= WORTH:
        return replace(doubt, score=score)
    nothing = f"no slice nearer than {known.nearest(doubt.z)} is drawn, or listed here" if known.slices else "nothing is drawn yet"
    return replace(doubt, score=score, reason=nothing)


def outside(here: npt.ArrayLike, before: npt.ArrayLike, after: npt.ArrayLike, *, floor: float) -> Floats:
    """How far sizes lie outside of what they are before and after, 0..1: 1 where something large is gone, or is there in one slice alone.
    What grows or shrinks steadily lies between, and is 0. `floor`: sizes about which nobody would care."""
    now, one, other = (np.asarray(sizes, np.float64) for sizes in (here, before, after))
    low, high = np.minimum(one, other), np.maximum(one, other)
    return np.asarray(np.maximum(np.maximum(now - high, low - now), 0) / (np.maximum(now, high) + floor))
