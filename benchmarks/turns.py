"""Jobs timed in turn, so that a busy machine slows them all alike: trust ratios between them, not seconds."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt


def seconds(jobs: Mapping[str, Callable[[], Any]], rounds: int, *,
            clock: Callable[[], float] = time.perf_counter) -> dict[str, npt.NDArray[np.float64]]:
    """(rounds,) of each; `clock` may be time.process_time."""
    found: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            began = clock()
            job()
            found[name].append(clock() - began)
    return {name: np.array(times) for name, times in found.items()}


def median(jobs: Mapping[str, Callable[[], Any]], rounds: int, *, clock: Callable[[], float] = time.perf_counter) -> dict[str, float]:
    return {name: float(np.median(times)) for name, times in seconds(jobs, rounds, clock=clock).items()}


def beside(jobs: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, tuple[float, str]]:
    """By the clock, after a round that does not count: seconds of each where nothing else runs, and what a busy program makes of them."""
    seconds(jobs, 1)
    quiet = median(jobs, rounds)
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        busy = median(jobs, rounds)
    finally:
        other.kill()
        other.wait()
    return {name: (quiet[name], f"{busy[name] / quiet[name]:.2f} times as long beside a program that keeps a core busy") for name in jobs}
