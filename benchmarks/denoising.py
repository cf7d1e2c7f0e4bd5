"""Denoising, side by side with its peers in one run: what, asked, measured.

    python benchmarks/denoising.py [--small] [--minutes 10] [--levels 15 20 25] [--methods supervised ...] [--real FOLDER] [--out FILE]

Stacks are phantoms, several seeds, with Poisson-Gaussian noise of half shot and half reading; five scans of each. All is measured on
slices ten or more away from those trained on, and every peer gets the same slices. The peers have what a user has not: the true noise
line, and the strength that is best for the truth. BM3D is measured where `bm3d` is importable (its terms are its own), careamics where
`--careamics PYTHON` names an interpreter that has it. `--real FOLDER` has slices named by their z (0045.tif ...).

measured: PSNR in dB / SSIM / gradient error where the truth is steepest (grey values a px), seconds per Mpx. `--curve` trains once more
for each of several budgets. With `--threads` the same number is used by all.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
import torch
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle

from fibsem_ij import denoise, phantom
from fibsem_ij.denoise.truth import truth

try:
    from bm3d import bm3d
except ImportError:
    bm3d = None

Row = tuple[str, str, str]
SCANS, APART = 5, 10
ASKED = {"supervised": "BM3D - .5 dB; SSIM and gradient at least BM3D's; 50 times faster", "supervised 2.5D": "BM3D",
         "blindspot": "non-local means", "vae": "non-local means"}

_CAREAMICS = """
import sys, numpy as np
from careamics import CAREamist
from careamics.config import create_n2v_configuration
from pytorch_lightning.callbacks import Timer
train, test, out, minutes = sys.argv[1:]
config = create_n2v_configuration("n2v", data_type="array", axes="SYX", patch_size=[64, 64], batch_size=16, num_epochs=10000)
model = CAREamist(source=config, work_dir=out + ".work", callbacks=[Timer(duration={"seconds": 60 * float(minutes)})])
model.train(train_source=np.load(train).astype(np.float32), val_percentage=0.1)
result = model.predict(source=np.load(test).astype(np.float32), data_type="array", axes="SYX")
np.save(out, np.concatenate([np.reshape(r, (-1, *np.shape(r)[-2:])) for r in (result if isinstance(result, list) else [result])]))
"""


@dataclass(frozen=True)
class Noise:
    """variance = grain * grey + read ** 2"""

    grain: float
    read: float

    @classmethod
    def of(cls, clean: Any, level: float) -> Noise:
        half = 255**2 / 10 ** (level / 10) / 2
        return cls(half / float(clean.mean()), half**0.5)

    def scan(self, clean: Any, seed: int) -> Any:
        rng = np.random.default_rng([seed, 7])
        grey = rng.poisson(clean / self.grain) * self.grain + rng.normal(0, self.read, clean.shape)
        return np.clip(np.rint(grey), 0, 255).astype(np.uint8)

    def stable(self, grey: Any) -> Any:
        """Generalised Anscombe: deviation 1 everywhere."""
        return 2 / self.grain * np.sqrt(np.maximum(self.grain * grey + 0.375 * self.grain**2 + self.read**2, 0))

    def back(self, stable: Any) -> Any:
        return ((stable * self.grain / 2) ** 2 - 0.125 * self.grain**2 - self.read**2) / self.grain


@dataclass(frozen=True)
class Case:
    """A stack that was scanned; `tried` are the slices to be judged on, each the middle of a run of neighbours."""

    name: str
    clean: Any
    trained: Any  # clean slices, all before `tried`
    noise: Noise
    tried: tuple[int, ...]
    neighbours: tuple[int, ...] = (0, 1)

    def noisy(self) -> Any:
        return self.noise.scan(self.clean, 1000)

    def told(self, result: Any, seconds: float | None = None) -> str:
        told = denoise.score(np.clip(result, 0, 255), self.clean[list(self.tried)].astype(float), data_range=255)
        speed = "" if seconds is None else f", {seconds / result.size * 1e6:.2f} s/Mpx"
        return f"{told['psnr']:.2f} / {told['ssim']:.3f} / {told['gradient']:.2f}{speed}"


def phantoms(levels: Sequence[float], seeds: int, side: int) -> Iterator[Case]:
    for seed in range(seeds):
        clean = np.asarray(phantom.make((44, side, side), seed=seed).clean)
        for level in levels:
            yield Case(f"phantom {seed}, {level:g} dB", clean, clean[:28], Noise.of(clean, level), (39, 41))


def real(folder: Path, levels: Sequence[float]) -> Iterator[Case]:
    """The run of neighbours at the end is judged; every slice at least ten before it is trained on. They have gaps: no 2.5D."""
    found = {int(path.stem): path for path in sorted(folder.glob("*.tif"))}
    last = max(z for z in found if z - 1 in found and z - 2 in found)
    clean = np.stack([tifffile.imread(found[z]) for z in (last - 2, last - 1, last)])
    trained = np.stack([tifffile.imread(found[z]) for z in sorted(found) if z <= last - 2 - APART])
    for level in levels:
        yield Case(f"real, {level:g} dB", clean, trained, Noise.of(trained, level), (1,), (0,))


def peers(case: Case) -> Iterator[Row]:
    noisy = case.noisy()[list(case.tried)]
    stable = case.noise.stable(noisy.astype(float))
    low, high = stable.min(), stable.max()

    def means(stack: Any, strength: float) -> Any:
        eight = np.rint((stack - low) / (high - low) * 255).astype(np.uint8)
        done = np.stack([cv2.fastNlMeansDenoising(s, None, strength * 255 / (high - low), 7, 21) for s in eight])
        return done / 255 * (high - low) + low

    def means_skimage(stack: Any, strength: float) -> Any:
        return np.stack([denoise_nl_means(s, h=strength, sigma=1, patch_size=5, patch_distance=6) for s in stack])

    ways: dict[str, tuple[Callable[[Any, float], Any], tuple[float, ...]]] = {
        "Gaussian": (lambda s, h: np.stack([cv2.GaussianBlur(p, (0, 0), h) for p in s]), (0.6, 0.8, 1, 1.3, 1.6, 2, 2.5)),
        "non-local means, cv2": (means, (0.6, 0.8, 0.9, 1, 1.2)),
        "non-local means, skimage": (means_skimage, (0.4, 0.5, 0.6, 0.7, 0.8)),
        "total variation": (lambda s, h: np.stack([denoise_tv_chambolle(p, weight=h) for p in s]), (0.5, 1, 1.5, 2, 3)),
    }
    if bm3d is not None:
        ways["BM3D"] = (lambda s, h: np.stack([bm3d(p, h) for p in s]), (1.0,))
    yield f"{case.name}: noisy", "", case.told(noisy.astype(float))
    for name, (way, strengths) in ways.items():
        tried = []
        for strength in strengths:
            began = time.perf_counter()
            result = case.noise.back(way(stable, strength))
            tried.append((result, time.perf_counter() - began))
        best = min(tried, key=lambda one: float(np.square(np.clip(one[0], 0, 255) - case.clean[list(case.tried)]).mean()))
        yield f"{case.name}: {name}", "", case.told(*best)


def fitted(case: Case, options: denoise.Options) -> Any:
    scans = [case.noise.scan(case.trained, seed) for seed in range(SCANS)]
    if options.method != "supervised":
        return denoise.fit(scans[0], options=options)
    return denoise.fit(scans[0], scans=[np.stack([scan[z] for scan in scans]) for z in range(len(case.trained))], options=options)


def ours(case: Case, network: Any, draws: int = 0) -> tuple[Any, float]:
    noisy, k = case.noisy(), network.neighbours
    results, seconds = [], 0.0
    for z in case.tried:
        run = noisy[z - k : z + k + 1]
        began = time.perf_counter()
        results.append(denoise.apply(run, network, draws=draws)[k].astype(float))
        seconds += (time.perf_counter() - began) / len(run)
    return np.stack(results), seconds


def flat(case: Case, network: Any) -> str:
    """Of pure noise: the share of its variance that is left."""
    noise = case.noise.scan(np.full((2 * network.neighbours + 1, 256, 256), 148.0), 5)
    z = network.neighbours
    return f"{denoise.apply(noise, network)[z].astype(float).var() / noise[z].astype(float).var():.1%}"


def methods(case: Case, names: Sequence[str], options: denoise.Options, budgets: Sequence[float]) -> Iterator[Row]:
    for name in names:
        for k in case.neighbours:
            label = f"{name}{' 2.5D' if k else ''}"
            for minutes in (*budgets, options.minutes):
                network = fitted(case, replace(options, method=name, neighbours=k, minutes=minutes))
                updates = network.record["history"]["rows"][-1]["update"]
                yield (f"{case.name}: {label}, {minutes:g} min, {updates} updates", ASKED.get(label, ASKED.get(name, "")),
                       case.told(*ours(case, network)))
            if name == "vae":
                yield f"{case.name}: {label}, posterior mean of 8 draws", "", case.told(*ours(case, network, draws=8))
            yield f"{case.name}: {label}, variance left of pure noise", "< 2 %", flat(case, network)


def median(case: Case) -> Row:
    stack = np.stack([case.noise.scan(case.clean[case.tried[0]][None], seed)[0] for seed in range(SCANS)])
    truths = {"median": truth(stack), "trimmed mean": truth(stack, trim=0.2), "mean": truth(stack, trim=0)}
    clean = case.clean[case.tried[0]].astype(float)
    return (f"{case.name}: truth from {SCANS} scans", "report",
            ", ".join(f"{name} {10 * np.log10(255**2 / np.square(t - clean).mean()):.2f}" for name, t in truths.items()) + " dB")


def careamics(case: Case, python: str, minutes: float) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        train, test, out = (str(Path(folder) / name) for name in ("train.npy", "test.npy", "out.npy"))
        np.save(train, case.noise.scan(case.trained, 0))
        np.save(test, case.noisy()[list(case.tried)])
        done = subprocess.run([python, "-c", _CAREAMICS, train, test, out, str(minutes)], capture_output=True, text=True, check=False)
        told = case.told(np.load(out).astype(float)) if done.returncode == 0 else f"failed: {(done.stderr.splitlines() or [''])[-1]}"
    return f"{case.name}: careamics Noise2Void, {minutes:g} min", "", told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="one small stack, half a minute a training")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--levels", type=float, nargs="+", default=[15.0, 20.0, 25.0], help="input PSNR, dB")
    parser.add_argument("--methods", nargs="*", default=["supervised", "blindspot", "vae"])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--base", type=int, default=16, help="maps of the networks' first level")
    parser.add_argument("--curve", action="store_true", help="also with a twentieth, a tenth, a fifth and half of the minutes")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--real", type=Path, help="a folder of slices named by their z")
    parser.add_argument("--careamics", metavar="PYTHON", help="an interpreter that has careamics")
    parser.add_argument("--out", type=Path, help="write the table there too")
    args = parser.parse_args()
    if args.small:
        args.levels, args.minutes, args.seeds = args.levels[:1], min(args.minutes, 0.5), 1
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    budgets = [args.minutes * share for share in (0.05, 0.1, 0.2, 0.5)] if args.curve else []
    options = denoise.Options(minutes=args.minutes, base=args.base)
    lines = ["| what | asked | measured: PSNR / SSIM / gradient |", "|---|---|---|"]
    print("\n".join(lines))

    def tell(row: Row) -> None:
        lines.append("| " + " | ".join(row) + " |")
        print(lines[-1], flush=True)
        if args.out:
            args.out.write_text("\n".join(lines) + "\n", encoding="utf-8")

    cases = real(args.real, args.levels) if args.real else phantoms(args.levels, args.seeds, 192 if args.small else 384)
    for case in cases:
        tell(median(case))
        for row in chain(peers(case), methods(case, args.methods, options, budgets)):
            tell(row)
        if args.careamics:
            tell(careamics(case, args.careamics, args.minutes))


if __name__ == "__main__":
    main()
