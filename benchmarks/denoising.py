"""Denoising, side by side with its peers in one run: what, asked, measured.

    python benchmarks/denoising.py --real FOLDER                                        all: some hours
    python benchmarks/denoising.py --levels 20 --seeds 1 --methods vae --neighbours 0,1 --minutes 5     a part
    python benchmarks/denoising.py --small                                              a quick try

Stacks are phantoms, several seeds, with Poisson-Gaussian noise of half shot and half reading; five scans of each. `--real FOLDER` adds
slices named by their z (0045.tif ...), made noisy likewise. All is measured on slices ten or more away from those trained on, and every
peer gets the same slices. The peers (`denoising_peers`) are told what a user cannot know.

measured: PSNR in dB / SSIM / gradient error where the truth is steepest (grey values a px), seconds per Mpx. How many times faster than
BM3D is the median of rounds taken in turn. `--curve` trains once more for each of several budgets. `--threads` are those of all.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import cv2
import denoising_peers as peers
import numpy as np
import tifffile
import torch

from fibsem_ij import denoise, phantom
from fibsem_ij.denoise.noise import Noise
from fibsem_ij.denoise.truth import truth

Row = tuple[str, str, str]
SCANS, APART = 5, 10
FLAT = (0.1, 0.5, 0.9)  # quantiles of the stack's grey values that pure noise is laid upon
ASKED = {"supervised": "BM3D - .5 dB; SSIM and gradient at least BM3D's", "supervised 2.5D": "BM3D", "blindspot": "non-local means",
         "vae": "non-local means"}


@dataclass(frozen=True)
class Case:
    """A stack that was scanned; `tried` are the slices to be judged on, each the middle of a run of neighbours."""

    name: str
    clean: Any
    trained: Any  # clean slices, all before `tried`
    noise: peers.Noise
    tried: tuple[int, ...]
    neighbours: tuple[int, ...]

    def noisy(self) -> Any:
        return self.noise.scan(self.clean, 1000)

    def told(self, result: Any, seconds: float | None = None) -> str:
        told = denoise.score(np.clip(result, 0, 255), self.clean[list(self.tried)].astype(float), data_range=255)
        speed = "" if seconds is None else f", {seconds / result.size * 1e6:.2f} s/Mpx"
        return f"{told['psnr']:.2f} / {told['ssim']:.3f} / {told['gradient']:.2f}{speed}"


def phantoms(levels: Sequence[float], seeds: int, side: int, neighbours: tuple[int, ...]) -> Iterator[Case]:
    for seed in range(seeds):
        clean = np.asarray(phantom.make((44, side, side), seed=seed).clean)
        for level in levels:
            yield Case(f"phantom {seed}, {level:g} dB", clean, clean[:28], peers.Noise.of(clean, level), (39, 41), neighbours)


def real(folder: Path, levels: Sequence[float]) -> Iterator[Case]:
    """The run of neighbours at the end is judged; every slice at least ten before it is trained on. They have gaps: no 2.5D."""
    found = {int(path.stem): path for path in sorted(folder.glob("*.tif"))}
    last = max(z for z in found if z - 1 in found and z - 2 in found)
    clean = np.stack([tifffile.imread(found[z]) for z in (last - 2, last - 1, last)])
    trained = np.stack([tifffile.imread(found[z]) for z in sorted(found) if z <= last - 2 - APART])
    for level in levels:
        yield Case(f"real, {level:g} dB", clean, trained, peers.Noise.of(trained, level), (1,), (0,))


def median(case: Case) -> Row:
    stack = np.stack([case.noise.scan(case.clean[case.tried[0]][None], seed)[0] for seed in range(SCANS)])
    truths = {"median": truth(stack), "trimmed mean": truth(stack, trim=0.2), "mean": truth(stack, trim=0)}
    clean = case.clean[case.tried[0]].astype(float)
    return (f"{case.name}: truth from {SCANS} scans", "report",
            ", ".join(f"{name} {10 * np.log10(255**2 / np.square(t - clean).mean()):.2f}" for name, t in truths.items()) + " dB")


def read_off(case: Case) -> Row:
    noise, found = case.noise.scan(case.trained, 0), []
    told = Noise.of(noise, slices=range(0, len(noise), 2))
    for level in np.quantile(case.trained, FLAT):
        found.append(told.variance(level) / case.noise.scan(np.full((512, 512), level), 3).var())
    return f"{case.name}: noise read off the stack, of the true", "report", " / ".join(f"{share:.2f}" for share in found)


def own_noise(case: Case) -> float:
    """The share of a stack's noise that is its own, and stands in the truth too. The peers are told how much was added; so is this."""
    told = Noise.of(case.noise.scan(case.trained, 0), slices=range(0, len(case.trained), 2))
    levels = np.quantile(case.trained, FLAT)
    return max(1 - float(np.mean([case.noise.scan(np.full((512, 512), level), 3).var() / told.variance(level) for level in levels])), 0.0)


def others(case: Case) -> Iterator[Row]:
    noisy, clean = (stack[list(case.tried)] for stack in (case.noisy(), case.clean))
    yield f"{case.name}: noisy", "", case.told(noisy.astype(float))
    for name, result, seconds in peers.best(noisy, clean, case.noise):
        yield f"{case.name}: {name}", "", case.told(result, seconds)


def fitted(case: Case, options: denoise.Options) -> Any:
    scans = [case.noise.scan(case.trained, seed) for seed in range(SCANS)]
    if options.method != "supervised":
        return denoise.fit(scans[0], options=options)
    return denoise.fit(scans[0], scans=[np.stack([scan[z] for scan in scans]) for z in range(len(case.trained))], options=options)


def ours(case: Case, network: Any, **asked: Any) -> Any:
    noisy, k = case.noisy(), network.neighbours
    return np.stack([denoise.apply(noisy[z - k : z + k + 1], network, **asked)[k].astype(float) for z in case.tried])


def sure(case: Case, network: Any) -> str:
    """Correlation over the pixels of the judged slices, both blurred by 2 px: one error is a draw, its size is what is told."""
    noisy, k, told = case.noisy(), network.neighbours, []
    for z in case.tried:
        unsure = np.zeros(noisy[z - k : z + k + 1].shape, np.float32)
        clean = denoise.apply(noisy[z - k : z + k + 1], network, uncertainty=unsure)
        error = np.abs(clean[k].astype(float) - case.clean[z])
        told.append(np.corrcoef(*(cv2.GaussianBlur(np.asarray(a, float), (0, 0), 2).ravel() for a in (unsure[k], error)))[0, 1])
    return f"{np.mean(told):.2f}"


def faster(case: Case, network: Any) -> str:
    """Than BM3D, in turn with it, in CPU time, which a busy machine changes less; slices one after another, as in a stack."""
    stack = np.concatenate([case.noisy()] * 8)[:8]
    part = case.noise.stable(stack[0, :128, :128].astype(float))

    def seconds(work: Callable[[], Any], pixels: int) -> float:
        began = time.process_time()
        work()
        return (time.process_time() - began) / pixels * 1e6

    own, theirs = [], []
    for _ in range(3):
        own.append(seconds(lambda: denoise.apply(stack, network), stack.size))
        theirs.append(seconds(lambda: peers.bm3d(part, 1.0), part.size) if peers.bm3d else np.nan)
    ratio = f"{np.median(np.divide(theirs, own)):.0f} times; " if peers.bm3d else ""
    return f"{ratio}{min(own):.2f} CPU s/Mpx"


def flat(case: Case, network: Any) -> str:
    """Of pure noise: the share of its variance that is left, dark, middling and bright."""
    left = []
    for level in np.quantile(case.trained, FLAT):
        noise = case.noise.scan(np.full((2 * network.neighbours + 1, 256, 256), level), 5)
        z = network.neighbours
        left.append(denoise.apply(noise, network)[z].astype(float).var() / noise[z].astype(float).var())
    return " / ".join(f"{share:.1%}" for share in left)


def methods(case: Case, names: Sequence[str], options: denoise.Options, budgets: Sequence[float]) -> Iterator[Row]:
    for name in names:
        for k in case.neighbours:
            label = f"{name}{' 2.5D' if k else ''}"
            for minutes in (*budgets, options.minutes):
                began = time.process_time()
                network = fitted(case, replace(options, method=name, neighbours=k, minutes=minutes))
                spent = f"{(time.process_time() - began) / 60:.1f} min of CPU"
                updates = network.record["history"]["rows"][-1]["update"]
                yield (f"{case.name}: {label}, {spent}, {updates} updates", ASKED.get(label, ASKED.get(name, "")),
                       case.told(ours(case, network)))
            if case.name.startswith("real"):
                own = own_noise(case)
                yield (f"{case.name}: {label}, the stack's own noise ({own:.2f}) left in", ASKED.get(label, ASKED.get(name, "")),
                       case.told(ours(case, network, leave=own)))
            if name == "vae":
                yield f"{case.name}: {label}, posterior mean of 8 draws", "", case.told(ours(case, network, draws=8))
                yield f"{case.name}: {label}, its uncertainty and its error go together", "report", sure(case, network)
            yield f"{case.name}: {label}, variance left of pure noise", "< 2 %", flat(case, network)
            yield f"{case.name}: {label}, faster than BM3D", "50 times", faster(case, network)


def listed(kind: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    return lambda text: [kind(part) for part in text.split(",") if part]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="one small stack, half a minute a training")
    parser.add_argument("--minutes", type=float, default=10.0, help="of each training; of careamics minutes of processor time")
    parser.add_argument("--updates", type=int, help="of each training, whichever comes first: the same on any machine, however busy")
    parser.add_argument("--levels", type=listed(float), default=[15.0, 20.0, 25.0], help="input PSNR in dB: 15,20,25")
    parser.add_argument("--methods", type=listed(str), default=["supervised", "blindspot", "vae"], help="supervised,blindspot,vae")
    parser.add_argument("--neighbours", type=listed(int), default=[0, 1], help="to each side: 0,1")
    parser.add_argument("--seeds", type=int, default=2, help="phantoms; 0: real slices only")
    parser.add_argument("--base", type=int, default=16, help="maps of the networks' first level")
    parser.add_argument("--curve", action="store_true", help="also with a twentieth, a tenth, a fifth and half of the minutes")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--real", type=Path, help="a folder of slices named by their z")
    parser.add_argument("--no-peers", action="store_true", help="ours only")
    parser.add_argument("--careamics", metavar="PYTHON", help="an interpreter that has careamics")
    parser.add_argument("--out", type=Path, help="write the table there too")
    args = parser.parse_args()
    if args.small:
        args.levels, args.minutes, args.seeds = args.levels[:1], min(args.minutes, 0.5), 1
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    budgets = [args.minutes * share for share in (0.05, 0.1, 0.2, 0.5)] if args.curve else []
    options = denoise.Options(minutes=args.minutes, updates=args.updates, base=args.base)
    lines = ["| what | asked | measured: PSNR / SSIM / gradient |", "|---|---|---|"]
    print("\n".join(lines))

    def tell(row: Row) -> None:
        lines.append("| " + " | ".join(row) + " |")
        print(lines[-1], flush=True)
        if args.out:
            args.out.write_text("\n".join(lines) + "\n", encoding="utf-8")

    tell(("this run", "10 min", f"{args.minutes:g} min a training, {args.threads} threads, base {args.base}"))
    cases = [phantoms(args.levels, args.seeds, 192 if args.small else 384, tuple(args.neighbours))]
    cases += [real(args.real, args.levels)] if args.real else []
    for case in chain(*cases):
        tell(median(case))
        tell(read_off(case))
        for row in chain([] if args.no_peers else others(case), methods(case, args.methods, options, budgets)):
            tell(row)
        if args.careamics:
            result = peers.careamics(case.noise.scan(case.trained, 0), case.noisy()[list(case.tried)], args.careamics, args.minutes)
            told = result if isinstance(result, str) else case.told(result)
            tell((f"{case.name}: careamics Noise2Void, {args.minutes:g} min of CPU", "", told))


if __name__ == "__main__":
    main()
