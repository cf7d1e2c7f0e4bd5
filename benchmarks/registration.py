"""Registration, side by side with its peers in one run: what, asked, measured, peer.

    python benchmarks/registration.py [--small] [--real FOLDER]

Truth is known: the stacks are made by `benchmarks/stacks.py`, several seeds each. pystackreg is measured where it is
installed (it is no dependency: its terms are its own). `--real FOLDER` has slices named by their z (0045.tif ...): known
motions are put on neighbours and recovered. Errors in px: mean over four corners and the centre. Time is of a pair,
everything included: reading, looking for bad slices, making ready, fitting, solving; two worker threads.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import stacks

from fibsem_ij import register
from fibsem_ij.register.models import Frame, corner_distance, median
from fibsem_ij.register.turboreg import TurboReg
from fibsem_ij.volume import Transforms

try:
    from pystackreg import StackReg
except ImportError:
    StackReg = None

Row = tuple[str, str, str, str]
WORKERS = ThreadPoolExecutor(2)


def ours(slices: Any, **options: Any) -> tuple[Transforms, float]:
    began = time.perf_counter()
    fitted = register.fit(slices, options=register.Options(**options), executor=WORKERS)
    return fitted, (time.perf_counter() - began) / (len(slices) - 1)


def theirs(slices: Any, mode: str) -> tuple[Transforms, float]:
    began = time.perf_counter()
    matrices = [np.eye(3)]
    for fixed, moving in pairwise(slices):
        matrices.append(StackReg(getattr(StackReg, mode)).register(fixed.astype(float), moving.astype(float)) @ matrices[-1])
    return Transforms(np.stack(matrices), slices.shape[1:]), (time.perf_counter() - began) / (len(slices) - 1)


def measured(specs: list[stacks.Spec], fit: Callable[[Any], tuple[Transforms, float]]) -> str:
    scores, seconds = [], []
    for spec in specs:
        slices, truth = stacks.make(spec)
        fitted, each = fit(slices)
        seconds.append(each)
        scores.append(register.score(fitted, Transforms(truth, slices.shape[1:])))
    pair, drift = (np.array([s[name] for s in scores]) for name in ("pair_px", "drift_px"))
    return f"pair {pair.mean():.3f}, drift {drift.mean():.2f} (worst {drift.max():.2f}) px, {np.median(seconds) * 1e3:.0f} ms"


def peers(specs: list[stacks.Spec], modes: tuple[str, ...]) -> str:
    if StackReg is None:
        return "pystackreg is not installed"
    return "; ".join(f"pystackreg {m.lower()}: {measured(specs, lambda s, m=m: theirs(s, m))}" for m in modes)


def accuracy(seeds: int, depth: int) -> Iterator[Row]:
    kinds = {"512 px, 23.5 dB": ({}, "pair < .19, drift < 2"), "512 px, 15.3 dB": ({"noise_db": 15.3}, ""),
             "512 px, resin-heavy": ({"resin": 0.75}, "pair < .45, drift < 3.5"),
             "512 px, nothing moves (what is invented)": ({"motion": "still"}, "report"),
             "512 px, all of it walks": ({"motion": "walk"}, "")}
    for name, (kind, asked) in kinds.items():
        specs = [stacks.Spec(seed=seed, depth=depth, **kind) for seed in range(seeds)]
        yield name, asked, measured(specs, ours), peers(specs, ("AFFINE", "TRANSLATION"))
        if kind.get("motion") == "still":
            yield f"{name}, keep_trend", "", measured(specs, lambda s: ours(s, keep_trend=True)), ""


def large(seeds: int, depth: int) -> Iterator[Row]:
    specs = [stacks.Spec(seed=seed, size=2048, depth=depth) for seed in range(seeds)]
    yield "2048 px affine", "10 x faster at their error", measured(specs, ours), peers(specs, ("AFFINE",))
    yield "2048 px affine, reach 1", "", measured(specs, lambda s: ours(s, reach=1)), ""


def runs() -> Iterator[Row]:
    slices, _ = stacks.make(stacks.Spec(depth=2))
    seconds = {}
    for count in (1, 25):
        aligner = TurboReg(runs=count)
        ready = [aligner.prepare(image) for image in slices]
        each = []
        for seed in range(30):
            began = time.perf_counter()
            aligner(*ready, rng=np.random.default_rng(seed))
            each.append(time.perf_counter() - began)
        seconds[count] = float(np.median(each))
    yield "25 runs to 1", "1.5 times", f"{seconds[25] / seconds[1]:.2f} times ({seconds[25] * 1e3:.1f} ms)", ""


def bad_slices(seeds: int) -> Iterator[Row]:
    for seed in range(seeds):
        slices, matrices = stacks.make(stacks.Spec(seed=seed))
        truth = Transforms(matrices, slices.shape[1:])
        before = register.score(ours(slices)[0], truth)["drift_px"]
        slices[5], slices[12, 256:], slices[20], slices[13] = 0, 128, slices[19], cv2.GaussianBlur(slices[13], (0, 0), 5)
        slices[31] = slices[31] // 8 + 100
        fitted, _ = ours(slices)
        after = register.score(fitted, truth)["drift_px"]
        yield (f"5 bad slices (5, 12, 13, 20, 31), seed {seed}", "drift as without; 5 and 12 found",
               f"drift {before:.2f} -> {after:.2f} px, found {fitted.bad}", "")


def false_alarms(depth: int) -> Iterator[Row]:
    hard = {"curtains, charging, flicker": {"curtains": 0.04, "charging": 0.06, "flicker": 0.2},
            "resin": {"resin": 0.7}, "15.3 dB": {"noise_db": 15.3}}
    for name, kind in hard.items():
        slices, _ = stacks.make(stacks.Spec(seed=21, depth=depth, size=384, motion="jitter", **kind))
        yield f"{depth} good slices, {name}", "no false alarm", f"{len(ours(slices)[0].bad)} called bad", ""


def real(folder: Path, each: int) -> Iterator[Row]:
    rng = np.random.default_rng(0)
    found = {int(path.stem): path for path in folder.glob("*.tif")}
    for gap in (1, 2, 3):
        put, inherent = [], []
        for z in sorted(z for z in found if z + gap in found):
            fixed, moving = (cv2.imread(str(found[k]), cv2.IMREAD_GRAYSCALE) for k in (z, z + gap))
            frame = Frame(fixed.shape)
            own = _pair(fixed, moving, frame)
            for _ in range(each):
                known = _known(rng, frame)
                warped = cv2.warpAffine(moving, np.linalg.inv(known)[:2], fixed.shape[::-1], flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
                recovered = _pair(fixed, warped, frame)
                put.append(corner_distance(recovered, known @ own, frame=frame))
                inherent.append(corner_distance(recovered, known, frame=frame))
        yield (f"real slices, {gap} apart: the motion put on", "< .5 px", f"mean {np.mean(put):.3f}, worst {np.max(put):.3f} px",
               f"with what the slices moved by themselves: {np.mean(inherent):.2f} px")


def _pair(fixed: Any, moving: Any, frame: Frame) -> Any:
    return median(TurboReg()(fixed, moving, rng=np.random.default_rng(0)), model="affine", frame=frame)[0]


def _known(rng: np.random.Generator, frame: Frame) -> Any:
    angle = np.deg2rad(rng.uniform(-2, 2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = (turn @ (np.eye(2) + rng.uniform(-0.02, 0.02, (2, 2))) - np.eye(2)) * frame.half
    return frame.from_numbers(np.concatenate([rng.uniform(-20, 20, 2), linear.ravel()]))


def resampling(side: int) -> Iterator[Row]:
    slices = np.random.default_rng(0).integers(0, 255, (8, side, side), np.uint8)
    fitted = Transforms(stacks.motion(stacks.Spec(size=side, depth=8)), (side, side))
    out = np.empty_like(slices)
    for name, flag in (("linear", cv2.INTER_LINEAR), ("cubic", cv2.INTER_CUBIC)):
        best = {}
        for who, job in (("ours", lambda n=name: register.apply(slices, fitted, out, interpolation=n, executor=WORKERS)),
                         ("cv2", lambda f=flag: [cv2.warpAffine(image, m[:2], (side, side), flags=f | cv2.WARP_INVERSE_MAP)
                                                 for image, m in zip(slices, fitted.matrices, strict=True)])):
            times = []
            for _ in range(15):
                began = time.perf_counter()
                job()
                times.append((time.perf_counter() - began) / len(slices) * 1e3)
            best[who] = min(times)
        yield (f"apply {side} px {name}", "cv2 less 15 %", f"{best['ours']:.1f} ms a slice ({best['cv2'] / best['ours']:.0%})",
               f"cv2.warpAffine {best['cv2']:.1f} ms")


class Endless:
    """A deep stack of large slices that never lies in memory."""

    def __init__(self, depth: int) -> None:
        self.shape, self.dtype = (depth, 4000, 6000), np.dtype(np.uint8)
        self.tile = stacks.make(stacks.Spec(size=1000, depth=4))[0]

    def __getitem__(self, z: int) -> Any:
        return np.tile(self.tile[z % 4], (4, 6))


def _peak(depth: int, answer: Any) -> None:
    import resource  # only where there is one: memory() asks first

    with ThreadPoolExecutor(2) as two:
        register.fit(Endless(depth), executor=two)
    answer.put(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)


def memory() -> Iterator[Row]:
    try:
        import resource  # noqa: F401
    except ImportError:
        return
    context = multiprocessing.get_context("spawn")
    peaks = []
    for depth in (8, 24):
        answer = context.Queue()
        worker = context.Process(target=_peak, args=(depth, answer))
        worker.start()
        peaks.append(answer.get(timeout=600))
        worker.join()
    yield "fit 6000 x 4000, 8 and 24 slices: peak memory", "< 4 GB at any depth", " and ".join(f"{p:.2f} GB" for p in peaks), ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a minute instead of many")
    parser.add_argument("--real", type=Path, help="a folder of slices named by their z")
    args = parser.parse_args()
    few = args.small
    parts = [runs(), accuracy(1 if few else 5, 12 if few else 40), large(1, 3) if few else large(3, 6), bad_slices(1 if few else 3),
             false_alarms(40 if few else 100), resampling(1024 if few else 2048)]
    if args.real:
        parts.append(real(args.real, 2 if few else 5))
    if not few:
        parts.append(memory())
    print("| what | asked | measured | peer |\n|---|---|---|---|")
    for part in parts:
        for row in part:
            print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
