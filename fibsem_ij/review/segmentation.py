"""Doubts about the segmentation: the network is unsure, a slice disagrees with both its neighbours, a class flickers.

    unsure       mean over the pixels of 1 minus the lead of the likeliest class over the next, the background counted as one
    disagrees    of the pixels that have a class here or there, the share where it is another: the smaller one of both neighbours, so that
                 a slice beside an odd one is not odd itself
    flickers     how far the area of a class lies outside of what it is before and after (see `ranking.outside`)

Large slices are looked at pixel by pixel in steps, some million pixels of each. Slices that the registration left out are passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.slices import map_slices
from fibsem_ij.review.ranking import LEARNS, Evidence, outside
from fibsem_ij.volume import ArrayLike

STAGE = LEARNS
_SIDE = 1024  # px of a slice, at least, that are looked at
_FLOOR = 1e-3  # of the slice: a class of less area may come and go

Pixels = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Look:
    """What is kept of a slice."""

    classes: Pixels  # (y, x) uint8
    unsure: float


def evidence(src: ArrayLike, names: Mapping[int, str], *, bad: Collection[int] = (), executor: Executor | None = None,
             progress: Callable[[int, int], None] | None = None) -> list[Evidence]:
    """Of class probabilities (c, z, y, x) of `names`, or of class numbers (z, y, x), about which only neighbours can tell something."""
    found = _Neighbours(names, src.shape[-3], frozenset(bad))
    if len(src.shape) == 4:
        map_slices(partial(_of_shares, ids=np.array([0, *names], np.uint8)), _Across(src), found, executor=executor, progress=progress)
    else:
        map_slices(_of_classes, src, found, executor=executor, progress=progress)
    return found.evidence()


def _of_shares(shares: Pixels, z: int, *, ids: Pixels) -> Look:
    """Of the shares (c, y, x) of one slice, 255 is certain; `ids` are the class numbers, with that of the background before them."""
    some = _sparse(shares).astype(np.int16)
    all_ = np.concatenate([np.maximum(255 - some.sum(0, keepdims=True, dtype=np.int16), 0), some])
    lead: Pixels = np.diff(np.partition(all_, -2, axis=0)[-2:], axis=0)
    return Look(ids[all_.argmax(0)], 1 - float(lead.mean()) / 255)


def _of_classes(classes: Pixels, z: int) -> Look:
    return Look(_sparse(classes).astype(np.uint8), float("nan"))


def disagreement(a: Pixels, b: Pixels) -> float:
    there = int(np.count_nonzero((a > 0) | (b > 0)))
    return int(np.count_nonzero(a != b)) / max(there, 1)


class _Across:
    """Probabilities as a stack of slices (c, y, x)."""

    def __init__(self, src: ArrayLike) -> None:
        self.src, self.shape, self.dtype = src, src.shape[1:], src.dtype

    def __getitem__(self, z: int) -> Pixels:
        return np.asarray(self.src[:, z])


class _Neighbours:
    """Takes looks in whatever order they come, and keeps the class maps of those whose next good slice is yet to come."""

    def __init__(self, names: Mapping[int, str], depth: int, bad: frozenset[int]) -> None:
        self.names, self.depth = dict(names), depth
        self.good = [z for z in range(depth) if z not in bad]
        self.after = dict(zip(self.good, self.good[1:], strict=False))
        self.before = {later: z for z, later in self.after.items()}
        self.unsure = np.full(depth, np.nan)
        self.areas = np.zeros((depth, 256), np.int64)
        self.steps: dict[int, float] = {}  # good slice -> disagreement with the next good one
        self.waiting: dict[int, Pixels] = {}
        self.pixels = 1

    def __setitem__(self, z: int, seen: Look) -> None:
        if z not in self.after and z not in self.before:
            self.unsure[z] = seen.unsure if z in self.good else np.nan
            return
        self.unsure[z], self.pixels = seen.unsure, seen.classes.size
        self.areas[z] = np.bincount(seen.classes.ravel(), minlength=256)
        self.waiting[z] = seen.classes
        for one in (self.before.get(z), z):
            if one in self.waiting and (other := self.after.get(one)) in self.waiting:
                self.steps[one] = disagreement(self.waiting[one], self.waiting[other])
        for one in (self.before.get(z), z, self.after.get(z)):
            ends = (self.before.get(one), one) if one is not None else ()
            if one in self.waiting and all(end is None or end in self.steps or end not in self.after for end in ends):
                del self.waiting[one]

    def evidence(self) -> list[Evidence]:
        disagrees = np.full(self.depth, np.nan)
        flickers, which = np.full(self.depth, np.nan), np.zeros(self.depth, np.int64)
        ids = list(self.names)
        for z in self.good[1:-1]:
            before, after = self.before[z], self.after[z]
            disagrees[z] = min(self.steps[before], self.steps[z])
            odd = outside(self.areas[z, ids], self.areas[before, ids], self.areas[after, ids], floor=_FLOOR * self.pixels)
            flickers[z], which[z] = odd.max(), ids[int(odd.argmax())]

        def flicker(z: int, _: float) -> str:
            k = int(which[z])
            here, beside = int(self.areas[z, k]), (self.areas[self.before[z], k] + self.areas[self.after[z], k]) / 2
            return sized(self.names[k], here, float(beside))

        return [
            Evidence(STAGE, "unsure", self.unsure, 0.01, lambda z, usual: f"the network is unsure of {self.unsure[z]:.0%} of the slice, "
                                                                          f"usually of {usual:.0%}", is_wrong=True),
            Evidence(STAGE, "disagrees", disagrees, 0.02, lambda z, usual: f"{disagrees[z]:.0%} of what is segmented is another class in "
                                                                           f"both neighbours, usually {usual:.0%}"),
            Evidence(STAGE, "flickers", flickers, 0.05, flicker),
        ]


def sized(what: str, here: float, beside: float) -> str:
    """In words: how large something is here, and beside."""
    if not here:
        return f"{what} is gone here, and there before and after"
    if not beside:
        return f"{what} is here, and neither before nor after"
    return f"{what} is {here / beside:.1f} times as large as before and after" if here >= beside else (
        f"{what} has {here / beside:.0%} of its size before and after")


def _sparse(pixels: Pixels) -> Pixels:
    step = max(1, min(pixels.shape[-2:]) // _SIDE)
    return pixels[..., ::step, ::step]
