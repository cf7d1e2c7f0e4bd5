"""Slices that are not to be trusted: blank, half blank, saturated, faded, defocused, duplicated, scanned twice, of another
field, with pixels that are no numbers.

Two kinds of evidence, both relative to the slice's neighbours, so that a stack that is all noise or all resin is not
all bad:

- what a slice is by itself (`look`): its gaps (NaN, infinity), its contrast, its detail, its sharpness, its share of pixels at
  an end of the scale;
- what it shares with its neighbours after a fit (`likeness`, correlation block by block): where the neighbours of a slice
  resemble each other across it and it resembles none of them, the slice has lost that block; where it is far more like the
  one before than slices are here, the microscope has taken that one twice.

Sharpness and repetition are held against their scatter in the whole stack, too: where noise hides them, there is no alarm.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fibsem_ij.arrays.gaps import closed, share
from fibsem_ij.register.likeness import sharpness, smoothed, thumbnail
from fibsem_ij.register.pairs import Pair

_NEAR = 4  # slices to each side that say what is usual


@dataclass(frozen=True)
class Limits:
    """When a slice is bad. Ratios are to the median of the neighbours."""

    contrast: float = 0.3  # blank, faded
    detail: float = 0.45  # defocused
    sharpness: float = 0.62  # defocused a little (a blur of 1.5 to 2 px takes half of it) ...
    sharpness_scatter: float = 5.0  # ... and as many of the stack's standard deviations below the usual
    twice: float = 0.65  # scanned twice: this much of the usual unlikeness to the slice before, noise mostly taken off ...
    twice_scatter: float = 3.0  # ... and as many standard deviations below
    nearer: float = 1.15  # ... and the slice is not this much more like the next slice than the one before is
    gaps: float = 0.001  # more of the slice NaN or infinite than usual: a border that all slices have is none
    saturated: float = 0.25  # more of the slice at an end of the scale than usual
    same: float = 0.1  # duplicated: this much of the usual difference to the slice before
    usual_likeness: float = 0.25  # a block in which the neighbours resemble each other at least so much ...
    lost_likeness: float = 0.4  # ... is lost where the slice has less than this part of it
    lost_share: float = 0.2  # of the blocks that can tell
    longest_stray: int = 4  # slices in a row that resemble only each other; more of them are a part of the stack


@dataclass(frozen=True)
class Look:
    contrast: float
    detail: float
    saturated: float
    change: float  # mean difference to the slice before; inf for the first
    sharpness: npt.NDArray[np.float64]  # (2,)
    gaps: float = 0.0  # share of pixels that are NaN or infinite


def look(slab: npt.NDArray[Any], z: int) -> Look:
    """A slice between its neighbours (3, y, x) -> what it is by itself."""
    gaps, before = share(slab[1]), share(slab[0])
    slab = np.stack([closed(plane) for plane in slab]) if gaps or before else slab
    small = thumbnail(slab[1])
    smooth = smoothed(small)
    band = smooth - cv2.GaussianBlur(small, (0, 0), 2.0)
    some = slab[1][::3, ::3]
    ends = max(float(np.mean(some == end)) for end in (some.min(), some.max()))
    change = float("inf") if z == 0 else float(np.abs(slab[1][::3, ::3].astype(np.float32) - slab[0][::3, ::3]).mean())
    low, high = np.percentile(smooth, (5, 95))
    return Look(float(high - low), float(band.std()), ends, change, sharpness(slab[1]), gaps)


def by_looks(looks: Sequence[Look], *, limits: Limits) -> dict[int, str]:
    """Slice -> why it is bad; of two slices or more."""
    table = np.array([(v.contrast, v.detail, v.saturated, v.change) for v in looks])
    table[0, 3] = table[1, 3]  # the first slice has none before it
    sharp = np.array([v.sharpness for v in looks])
    usual_sharp = _usual(sharp)
    ratios = sharp / np.where(usual_sharp > 0, usual_sharp, np.nan)  # (slices, 2)
    down, across = (_low(of, limits.sharpness, limits.sharpness_scatter) for of in ratios.T)
    found = {}
    for z, (contrast, detail, saturated, change) in enumerate(table):
        near = [k for k in range(max(0, z - _NEAR), min(len(table), z + _NEAR + 1)) if k != z]
        if contrast == 0:
            found[z] = "blank or faded"
        if looks[z].gaps > limits.gaps + float(np.median([looks[k].gaps for k in near] or [0])):
            found[z] = "not finite"
        if len(near) < 2 or z in found:
            continue
        usual = np.median(table[near], 0)
        if contrast <= limits.contrast * usual[0]:
            found[z] = "blank or faded"
        elif saturated > usual[2] + limits.saturated:
            found[z] = "half blank or saturated"
        elif z and change <= limits.same * usual[3]:
            found[z] = "duplicated"
        elif down[z] or across[z] or detail * max(usual[0], contrast) <= limits.detail * usual[1] * contrast:  # dim is not dull
            found[z] = "defocused"
    return found


def _usual(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The median of each one's neighbours: (n, ...) -> (n, ...), NaN where none of them is known."""
    rows = [[k for k in range(max(0, z - _NEAR), min(len(values), z + _NEAR + 1)) if k != z] for z in range(len(values))]
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # all NaN
        return np.stack([np.nanmedian(values[near], 0) for near in rows])


def _low(ratios: npt.NDArray[np.float64], limit: float, scatter: float) -> npt.NDArray[np.bool_]:
    """Where a ratio to the usual, (n,), is below `limit`, and by more than `scatter` standard deviations of the stack's ratios."""
    known = ratios[np.isfinite(ratios)]
    # By the lower quartile: beside a bad slice much lies above the usual.
    usual = max(0.0, 1.4826 * (1 - float(np.percentile(known, 25)))) if len(known) else 0.0
    return np.asarray(ratios < min(limit, 1 - scatter * usual))


def by_likeness(pairs: Mapping[tuple[int, int], Pair], good: Sequence[int], *, limits: Limits) -> dict[int, str]:
    """Slice -> why it is bad: it resembles none of its neighbours where those resemble each other.

    Beside a bad slice a good one has lost something too, so of slices that share a pair only the worst is named; ask
    again without it.
    """
    of = _by_slice(pairs, good)
    share = {}
    for i, z in enumerate(good):
        others = [pair for k in good[max(0, i - 3):i + 4] for pair in of[k] if z not in (pair.fixed, pair.moving)]
        share[z] = _lost_share(np.stack([pair.likeness for pair in of[z]]).max(0), others, limits) if of[z] else 1.0
    rank = {z: (share[z], len(of[z])) for z in good}
    worst = [z for z in good if share[z] > limits.lost_share and all(rank[z] >= max(rank[p.fixed], rank[p.moving]) for p in of[z])]
    return {z: "unlike its neighbours" if share[z] > 0.75 else "part unlike its neighbours" for z in worst}


def by_repetition(pairs: Mapping[tuple[int, int], Pair], good: Sequence[int], *, limits: Limits) -> dict[int, Pair]:
    """Slice that was scanned twice -> its pair with the slice before, the same field.

    They differ far less than slices do here; and to a third slice both are as unlike, where a thin slice would be nearer. Asked of
    the half of the blocks in which slices are most alike: in the others noise is most of the difference.
    """
    near = [pairs[step] for step in pairwise(good) if step in pairs]
    if len(near) < _NEAR:
        return {}
    apart = 1 - np.stack([pair.smooth for pair in near]).astype(np.float64)
    usual = _usual(apart)
    telling = usual < np.minimum(np.median(usual, 1, keepdims=True), 1 - limits.usual_likeness)
    ratios = np.array([np.median(mine[some]) if np.count_nonzero(some) > 2 else np.nan
                       for mine, some in zip(apart / np.maximum(usual, 1e-6), telling, strict=True)])
    alike = np.flatnonzero(_low(ratios, limits.twice, limits.twice_scatter))
    return {near[i].moving: near[i] for i in alike if _one_place(pairs, near[i], telling[i], limits)}


def _one_place(pairs: Mapping[tuple[int, int], Pair], pair: Pair, telling: npt.NDArray[np.bool_], limits: Limits) -> bool:
    """Whether both slices of a pair are as unlike each third slice that both were fitted to."""
    first, second = ({other: 1 - p.smooth[telling] for step, p in pairs.items() if z in step for other in step if other != z}
                     for z in (pair.fixed, pair.moving))
    farther = {z: (first[z], second[z]) if z > pair.moving else (second[z], first[z]) for z in first.keys() & second.keys()}
    return all(float(np.median(far / np.maximum(near, 1e-6))) < limits.nearer for far, near in farther.values())


def by_company(pairs: Mapping[tuple[int, int], Pair], good: Sequence[int], *, limits: Limits) -> dict[int, str]:
    """Slice -> why it is bad: it is of a few that resemble each other and nothing around them (another field).

    Only the smallest such group is named: without it, new pairs may join the others.
    """
    of = _by_slice(pairs, good)
    at = {z: i for i, z in enumerate(good)}
    alike = []
    for pair in pairs.values():
        i = at[pair.fixed]
        near = [other for k in good[max(0, i - 4):i + 5] for other in of[k] if other is not pair]
        if _lost_share(pair.likeness, near, limits) <= 0.5:
            alike.append((at[pair.fixed], at[pair.moving]))
    ends = np.array(alike, int).reshape(-1, 2)
    group = connected_components(coo_array((np.ones(len(ends)), ends.T), shape=(len(good), len(good))), directed=False)[1]
    sizes = np.bincount(group)
    smallest = int(sizes.argmin())
    if len(sizes) == 1 or sizes[smallest] > limits.longest_stray:
        return {}
    return dict.fromkeys(np.array(good)[group == smallest].tolist(), "of another field")


def _by_slice(pairs: Mapping[tuple[int, int], Pair], good: Sequence[int]) -> dict[int, list[Pair]]:
    of: dict[int, list[Pair]] = {z: [] for z in good}
    for pair in pairs.values():
        of[pair.fixed].append(pair)
        of[pair.moving].append(pair)
    return of


def _lost_share(likeness: npt.NDArray[np.float32], others: Sequence[Pair], limits: Limits) -> float:
    """Of the blocks in which the others are alike, the share in which this likeness is far below theirs."""
    if len(others) < 2:
        return 0.0
    usual = np.median([pair.likeness for pair in others], 0)
    telling = usual > limits.usual_likeness
    lost = np.count_nonzero(telling & (likeness < limits.lost_likeness * usual))
    return lost / np.count_nonzero(telling) if lost > 2 else 0.0
