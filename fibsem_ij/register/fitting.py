"""From a stack to its transforms: leave out what is bad, fit pairs, leave out what resembles nothing, solve, bridge."""

from __future__ import annotations

import pkgutil
from collections import Counter
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from concurrent.futures import Executor
from functools import lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij import sockets
from fibsem_ij.arrays.contrast import equalise, match
from fibsem_ij.arrays.gaps import without_gaps
from fibsem_ij.arrays.slices import around, map_slices
from fibsem_ij.register.bad import Limits, Look, by_company, by_likeness, by_looks, by_repetition, look
from fibsem_ij.register.models import Frame
from fibsem_ij.register.options import ALIGNERS, Options
from fibsem_ij.register.pairs import Aligner, Pair, Step, fit_pairs, steps
from fibsem_ij.register.stack import bridge, consistent, solve, without_trend
from fibsem_ij.register.warp import MATCHED, on_canvas
from fibsem_ij.volume import ArrayLike, Transforms

Progress = Callable[[int, int], None]
DUPLICATED = "duplicated"


def fit_stack(src: ArrayLike, options: Options, *, executor: Executor | None = None, kept: MutableMapping[Step, Pair] | None = None,
              progress: Progress | None = None) -> Transforms:
    if len(src.shape) != 3 or src.shape[0] < 2:
        raise ValueError(f"expected a stack (z, y, x) of at least two slices, got shape {tuple(src.shape)}; there is nothing to align")
    options.named(src.shape[0])
    frame = Frame((src.shape[1], src.shape[2]))
    why = dict.fromkeys(options.bad, "given") | look_at(src, executor=executor, progress=progress)
    pairs, good, unlike, twice = _trusted_pairs(without_gaps(src), why, options, {} if kept is None else kept, executor, progress)
    matrices = solve(consistent(list(pairs.values()), frame=frame), good, model=options.model, frame=frame, anchors=options.anchors)
    if options.keep_trend:
        matrices = without_trend(matrices, slices=options.trend_slices, model=options.model, frame=frame)
    every = bridge(matrices, good, src.shape[0], model=options.model, frame=frame)
    for z in sorted({z for z, reason in why.items() if reason == DUPLICATED} | twice.keys()):
        # It is the slice before once more, so it lies where that lies, but for what the stage did between two scans.
        every[z] = twice[z].matrix @ every[twice[z].fixed] if z in twice else every[z - 1]
    if not options.anchors:
        every = every @ np.linalg.inv(every[good[0] if options.reference is None else options.reference])
        every[:, 2] = (0, 0, 1)
    fitted = Transforms(every, frame.shape, options.model, getattr(src, "voxel_nm", None), _spread(pairs, good, src.shape[0]),
                        tuple(z for z in range(src.shape[0]) if z not in set(good)), why | unlike)
    return on_canvas(fitted, canvas=options.canvas, shape=frame.shape)


def look_at(src: ArrayLike, *, executor: Executor | None = None, progress: Progress | None = None) -> dict[int, str]:
    """Slices that are bad by themselves, and why."""
    looks: dict[int, Look] = {}
    map_slices(look, src, looks, executor=executor, neighbours=1, progress=progress)
    return by_looks([looks[z] for z in range(src.shape[0])], limits=Limits())


def _trusted_pairs(src: ArrayLike, why: Mapping[int, str], options: Options, kept: MutableMapping[Step, Pair], executor: Executor | None,
                   progress: Progress | None) -> tuple[dict[Step, Pair], list[int], dict[int, str], dict[int, Pair]]:
    """The pairs of the good slices, these, and why others are not; of slices scanned twice, their pairs with the first scan.

    Each slice that turns out bad makes new neighbours: until none does.
    """
    even = _Matched(src) if options.contrast == "match" else src
    fit_more = partial(fit_pairs, even, aligner=_aligner(options), model=options.model, seed=options.seed,
                       contrast=equalise if options.contrast == "equalise" else None, kept=kept, executor=executor, progress=progress)
    good = [z for z in range(src.shape[0]) if z not in why]
    tried: set[Step] = set()
    unlike: dict[int, str] = {}
    twice: dict[int, Pair] = {}
    pairs: dict[Step, Pair] = {}
    while True:
        wanted = set(steps(good, reach=options.reach))
        pairs.update(fit_more(wanted - tried))
        tried |= wanted
        used = {step: pair for step, pair in sorted(pairs.items()) if step in wanted}
        if not used:
            told = ", ".join(f"{count} {reason}" for reason, count in Counter({**why, **unlike}.values()).items())
            raise ValueError(f"expected at least two slices that resemble each other, got none of {src.shape[0]}"
                             f"{f' ({told})' if told else ''}; look at the stack: it is blank, out of order, or of another kind")
        lost = by_likeness(used, good, limits=Limits()) or by_company(used, good, limits=Limits())
        if not lost:
            again = by_repetition(used, good, limits=Limits())
            lost, twice = dict.fromkeys(again, "scanned twice"), twice | again
        if not lost:
            return used, good, unlike, twice
        unlike |= lost
        good = [z for z in good if z not in lost]


class _Matched:
    """The stack with each slice's histogram matched to that of the slices around it, read when it is asked for."""

    def __init__(self, src: ArrayLike) -> None:
        self.shape, self.dtype = src.shape, src.dtype
        self.read = lru_cache(2 * MATCHED + 1)(lambda z: np.asarray(src[z]))

    def __getitem__(self, z: int) -> npt.NDArray[Any]:
        return match(self.read(z), np.stack([self.read(k) for k in around(z, MATCHED, self.shape[0])]))


def _aligner(options: Options) -> Aligner:
    if not isinstance(options.aligner, str):
        return options.aligner
    ours = ALIGNERS.get(options.aligner)
    kind: Any = pkgutil.resolve_name(ours) if ours else sockets.load("aligners", options.aligner)
    aligner: Any = kind(options.model, options.runs)
    if options.device != "cpu":  # of turboreg alone, as the options have seen
        from fibsem_ij.register.together import Together  # brings torch

        aligner = Together(aligner, options.device)
    one: Aligner = aligner
    return one


def _spread(pairs: Mapping[Step, Pair], good: Sequence[int], depth: int) -> npt.NDArray[np.float64]:
    """Of each slice: the mean spread of its pairs with its nearest neighbours; of a bad one: between its neighbours'."""
    nearest: dict[int, dict[int, float]] = {z: {} for z in good}
    for (fixed, moving), pair in pairs.items():
        nearest[fixed][moving] = nearest[moving][fixed] = pair.spread_px
    of_good = []
    for z, spreads in nearest.items():
        closest = min(abs(other - z) for other in spreads)
        of_good.append(np.mean([spread for other, spread in spreads.items() if abs(other - z) == closest]))
    return np.asarray(np.interp(np.arange(depth), good, of_good))
