"""What registration costs: against its peers by turns, with depth, with workers, in memory."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import stacks
from peak import peak_gb
from registration_fits import NO_PEER, WORKERS, Row, StackReg, ours, ratio, theirs, walls

from fibsem_ij import register
from fibsem_ij.register.turboreg import TurboReg
from fibsem_ij.volume import Transforms


def speed(sizes: dict[int, tuple[int, int]]) -> Iterator[Row]:
    """Whole fits, pairs at distance 1 and 2, bad slices and all, against one affine fit a pair. Size -> depth, rounds."""
    for size, (depth, rounds) in sizes.items():
        slices, truth = walls(size=size, depth=depth)
        asked = f">= 10 times, pair error <= {'.150' if size == 2048 else '.19'} px"
        if StackReg is None:
            yield f"{size} px: faster than pystackreg affine", NO_PEER, asked, ""
            continue
        theirs_here, ours_here = lambda s=slices: theirs(s, "AFFINE"), lambda s=slices: ours(s)
        times, seconds = ratio(theirs_here, ours_here, rounds=rounds)
        busy, spent = ratio(theirs_here, ours_here, rounds=rounds, clock=time.process_time)
        errors = [register.score(fit, truth)["pair_px"] for fit in (ours(slices), theirs(slices, "AFFINE"))]
        yield (f"{size} px: faster than pystackreg affine", "ours", asked, f"{times:.1f} times ({seconds / (len(slices) - 1) * 1e3:.0f} "
               f"ms a pair), {busy:.1f} times in processor time ({spent / (len(slices) - 1) * 1e3:.0f} ms), pair error {errors[0]:.3f} px, "
               f"theirs {errors[1]:.3f}")


def runs(rounds: int) -> Iterator[Row]:
    slices, _ = walls(depth=2)
    rng = np.random.default_rng(0)
    ready = [TurboReg().prepare(image) for image in slices]
    times, seconds = ratio(lambda: TurboReg(runs=25)(*ready, rng=rng), lambda: TurboReg(runs=1)(*ready, rng=rng), rounds=rounds)
    yield "25 stochastic runs to 1", "ours", "<= 1.5 times", f"{times:.2f} times (one run {seconds * 1e3:.1f} ms)"


def scaling(depths: tuple[int, int], size: int) -> Iterator[Row]:
    slices, _ = walls(depth=depths[1], size=size)
    short, long = slices[:depths[0]], slices
    times, _ = ratio(lambda: ours(long), lambda: ours(short), rounds=3)
    yield (f"{depths[1]} slices to {depths[0]}", "ours", f"linear: {(depths[1] - 1) / (depths[0] - 1):.1f} times", f"{times:.1f} times")
    with ThreadPoolExecutor(1) as one:
        times, _ = ratio(lambda: register.fit(long, executor=one), lambda: ours(long), rounds=3)
    yield "two workers to one", "ours", "both cores", f"{times:.2f} times faster"
    fits = [register.fit(short), ours(short), ours(short)]
    same = all(np.array_equal(a.matrices, b.matrices) for a, b in pairwise(fits))
    yield "same seed, same matrices, 0 and 2 workers", "ours", "equal to the bit", "equal" if same else "DIFFERENT"


def devices(sizes: tuple[int, ...]) -> Iterator[Row]:
    """All pairs of a chunk at once, on what torch finds here, to one pair after the other on the CPU."""
    from fibsem_ij.learn.device import available

    for size in sizes:
        slices, truth = walls(size=size, depth=12)
        for device in available():
            if device == "cpu":
                continue
            times, seconds = ratio(lambda s=slices: ours(s), lambda s=slices, d=device: ours(s, device=d), rounds=5)
            pair_px = register.score(ours(slices, device=device), truth)["pair_px"]
            yield (f"{size} px on {device}", "ours", "report", f"{times:.1f} times faster than the CPU ({seconds / 11 * 1e3:.0f} ms a "
                   f"pair), pair error {pair_px:.3f} px")
    if available() == ("cpu",):
        yield "on a GPU", "ours", "report", "left out: torch finds none here"


def resampling(side: int, rounds: int) -> Iterator[Row]:
    slices = np.random.default_rng(0).integers(0, 255, (8, side, side), np.uint8)
    fitted = Transforms(stacks.motion(stacks.Spec(size=side, depth=8)), (side, side))
    out = np.empty_like(slices)
    for name, flag in (("linear", cv2.INTER_LINEAR), ("cubic", cv2.INTER_CUBIC)):
        times, seconds = ratio(lambda f=flag: [cv2.warpAffine(image, m[:2], (side, side), flags=f | cv2.WARP_INVERSE_MAP)
                                               for image, m in zip(slices, fitted.matrices, strict=True)],
                               lambda n=name: register.apply(slices, fitted, out, interpolation=n, executor=WORKERS), rounds=rounds)
        yield (f"apply {side} px {name}", "ours", ">= 85 % of cv2.warpAffine's rate", f"{times:.0%} ({seconds / 8 * 1e3:.1f} ms a slice)")


class Endless:
    """A deep stack of large slices that never lies in memory."""

    def __init__(self, depth: int) -> None:
        self.shape, self.dtype = (depth, 4000, 6000), np.dtype(np.uint8)
        self.tile = stacks.make(stacks.Spec(size=1000, depth=4))[0]

    def __getitem__(self, z: int) -> Any:
        return np.tile(self.tile[z % 4], (4, 6))


def _measured(depth: int, answer: Any) -> None:
    began = time.perf_counter()
    with ThreadPoolExecutor(2) as two:
        register.fit(Endless(depth), executor=two)
    answer.put((peak_gb(), time.perf_counter() - began))


def memory(depths: tuple[int, int]) -> Iterator[Row]:
    """In a process of its own for each depth, since a peak never falls."""
    context = multiprocessing.get_context("spawn")
    told = []
    for depth in depths:
        answer = context.Queue()
        worker = context.Process(target=_measured, args=(depth, answer))
        worker.start()
        peak, seconds = answer.get(timeout=1200)
        worker.join()
        told.append(f"{depth} slices {'not measured here' if peak is None else f'{peak:.2f} GB'}, {seconds / depth:.1f} s a slice")
    yield "fit 6000 x 4000: peak memory", "ours", "< 4 GB at any depth", "; ".join(told)
