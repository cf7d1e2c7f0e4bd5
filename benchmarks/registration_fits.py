"""What `registration.py` compares: our fit, pystackreg's and Fiji's, each a function of a stack, and how they score."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import stacks
import turns

from fibsem_ij import register
from fibsem_ij.phantom import REGIMES, Options, make
from fibsem_ij.volume import Transforms

try:
    from pystackreg import StackReg
except ImportError:
    StackReg = None

Row = tuple[str, str, str, str]  # what, who, asked, measured
Fit = Callable[[Any], Transforms]
Made = tuple[Any, Transforms]  # slices, their truth
WORKERS = ThreadPoolExecutor(2)
NO_PEER = "pystackreg is not installed"


def ours(slices: Any, **options: Any) -> Transforms:
    return register.fit(slices, options=register.Options(**options), executor=WORKERS)


def theirs(slices: Any, mode: str) -> Transforms:
    """pystackreg, each slice to the one before."""
    matrices = [np.eye(3)]
    for fixed, moving in pairwise(slices):
        matrices.append(pair_of_theirs(fixed, moving, mode) @ matrices[-1])
    return Transforms(np.stack(matrices), slices.shape[1:])


def pair_of_theirs(fixed: Any, moving: Any, mode: str) -> Any:
    return StackReg(getattr(StackReg, mode)).register(fixed.astype(float), moving.astype(float))


def peers(*modes: str) -> dict[str, Fit]:
    return {f"pystackreg {m.lower()}": lambda s, m=m: theirs(s, m) for m in modes} if StackReg else {}


def walls(**kind: Any) -> Made:
    """A stack of `stacks.py`."""
    slices, matrices = stacks.make(stacks.Spec(**kind))
    return slices, Transforms(matrices, slices.shape[1:])


def phantom(regime: str, seed: int, *, noise_db: float, depth: int, size: int) -> Made:
    """A stack of `fibsem_ij.phantom` without bad slices, its noise brought to a level."""
    variance = (255 * 10 ** (-noise_db / 20)) ** 2
    shot = Options().electron_grey * 130
    quiet = {"blank": 0.0, "half_blank": 0.0, "defocused": 0.0, "duplicate": 0.0, "read_sd": max(variance - shot, 0) ** 0.5}
    made = make((depth, size, size), seed=seed, options=Options(**{**vars(REGIMES[regime]), **quiet}))
    return made.raw.data, made.drift


def compared(what: str, made: Sequence[Callable[[], Made]], fits: Mapping[str, Fit], asked: Mapping[str, str]) -> list[Row]:
    """A row a method: pair error, drift and time over several stacks, each made once and fitted by all."""
    scores: dict[str, list[tuple[float, float, float]]] = {who: [] for who in fits}
    for one in made:
        slices, truth = one()
        for who, fit in fits.items():
            began = time.perf_counter()
            fitted = fit(slices)
            each = (time.perf_counter() - began) / (len(slices) - 1)
            told = register.score(fitted, truth)
            scores[who].append((told["pair_px"], told["drift_px"], each))
    rows = []
    for who, found in scores.items():
        pair, drift, seconds = np.array(found).T
        rows.append((what, who, asked.get(who, ""), f"pair {pair.mean():.3f}, drift {drift.mean():.2f} (worst {drift.max():.2f}) px, "
                                                    f"{np.median(seconds) * 1e3:.0f} ms"))
    return rows if StackReg else [*rows, (what, NO_PEER, "", "")]


def ratio(slow: Callable[[], object], fast: Callable[[], object], *, rounds: int,
          clock: Callable[[], float] = time.perf_counter) -> tuple[float, float]:
    """How many times longer `slow` takes, by turns, so that a busy machine slows both; and the seconds of `fast`."""
    taken = turns.seconds({"slow": slow, "fast": fast}, rounds, clock=clock)
    return float(np.median(taken["slow"] / taken["fast"])), float(np.median(taken["fast"]))
