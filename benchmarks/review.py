"""Which slices to correct next: worst first, as `review queue` has it, beside chance. F1 on slices that nobody draws, as slices are drawn.

    python benchmarks/review.py FOLDER [--seeds 10] [--small] [--out FILE]
    python benchmarks/review.py --phantom [--seeds 10] [--small]

FOLDER has `slices/` and `drawn/`, named by their z (0045.tif ...), and drawn/names.json: the experts' drawings play the person. Each seed
tests on three neighbourhoods of slices, chosen by chance; all others, at least 10 slices away from them, can be drawn. With `--phantom`
nuclei and nucleoli of a made stack that is deeper than a cell, so that they come and go as in a stack of thousands; every 32nd slice is
tested, and what lies 10 slices away from those can be drawn.

A seed is a stack, or what of it is tested. `--repeats` times over, chance chooses the slices that are drawn first and how the network
begins, both the same for every way; then each round draws some more, and trains on from the network of the round before (`--afresh`: anew,
as long as the first, so that later rounds are not better for having been trained longer). The ways: `worst`, all evidence of the
segmentation and the order of review/ranking.py, drawn slices counted as learned from; `unsure`, the slices the network is least sure of
and nothing else; `known`, those with the most wrong pixels, which nobody knows; `chance`. Each way's number is the area under its curve,
the mean F1 over the rounds after the first, which all share, and of a seed the mean of its repeats. Told is the mean over seeds, and the
difference to chance, seed by seed, with its 95 % interval (Student's t).

What is compared is the choice, not the network: slices are shrunk by `--shrink`, and the network is small and trained shortly, so that
more rounds are more training too. `--learner forest` has a random forest on pixels in its place, which learns in seconds what it can.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
import torch
from review_learners import LEARNERS, Case, scored
from scipy import stats

from fibsem_ij import phantom, segment
from fibsem_ij.phantom import CLASSES
from fibsem_ij.review import ranking, segmentation

FAR, TESTED, EVERY = 10, 3, 32
NUCLEI = {"nucleus": 1, "nuclear envelope": 1, "nucleolus": 2}


Shares = Callable[[], Any]  # the probabilities of the stack, made where they are asked for
Choose = Callable[[Case, list[int], int, Shares, Any], list[int]]  # case, drawn, how many, shares, rng -> more to draw


def real(folder: Path, seed: int, shrink: int) -> Case:
    """Tested are the slices of three neighbourhoods, chosen by chance; a neighbourhood ends where the next slice is ten away."""
    z = np.array(sorted(int(path.stem) for path in (folder / "slices").glob("*.tif")))
    src, truth = (np.stack([tifffile.imread(folder / part / f"{k:04d}.tif") for k in z]) for part in ("slices", "drawn"))
    names = {int(i): name for i, name in json.loads((folder / "drawn" / "names.json").read_text(encoding="utf-8")).items()}
    src = np.stack([cv2.resize(grey, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA) for grey in src])
    truth = truth[:, shrink // 2 :: shrink, shrink // 2 :: shrink]
    names = {i: name for i, name in names.items() if (truth == i).any((1, 2)).all()}  # those that every slice shows
    truth = np.where(np.isin(truth, list(names)), truth, 0).astype(np.uint8)
    groups = np.split(np.arange(len(z)), np.flatnonzero(np.diff(z) >= FAR) + 1)
    chosen = np.random.default_rng(seed).choice(len(groups), TESTED, replace=False)
    tested = np.isin(np.arange(len(z)), np.concatenate([groups[k] for k in chosen]))
    return Case(src, truth, z, tested, names, FAR)


def made(seed: int, depth: int, side: int) -> Case:
    stack = phantom.make((depth, side, side), seed=seed)
    rng = np.random.default_rng(seed)
    grey = np.stack([phantom.scans(stack, z, 1, rng=rng)[0] for z in range(depth)])
    truth = np.array([NUCLEI.get(CLASSES[k], 0) for k in range(len(CLASSES))], np.uint8)[np.asarray(stack.classes)]
    z = np.arange(depth)
    return Case(grey, truth, z, z % EVERY == rng.integers(EVERY), {1: "nucleus", 2: "nucleolus"}, FAR)


def worst(case: Case, drawn: list[int], count: int, shares: Shares, rng: Any) -> list[int]:
    found = segmentation.evidence(shares(), case.names)
    kinds = found if case.is_whole else [one for one in found if one.kind == "unsure"]
    doubts = [replace(doubt, z=int(case.z[doubt.z])) for doubt in ranking.doubts(kinds)]
    listed = [doubt.z for doubt in ranking.ordered(doubts, count, drawn=case.z[drawn].tolist(), among=case.z[case.open].tolist())]
    return filled([int(np.flatnonzero(case.z == z)[0]) for z in listed], drawn, case.open, count, rng)


def unsure(case: Case, drawn: list[int], count: int, shares: Shares, rng: Any) -> list[int]:
    order = np.argsort(-segmentation.evidence(shares(), case.names)[0].values)
    return [int(k) for k in order if k not in drawn and k in case.open][:count]


def known(case: Case, drawn: list[int], count: int, shares: Shares, rng: Any) -> list[int]:
    found = segment.labels(shares(), ids=case.names)
    order = np.argsort(-(found != case.truth).sum((1, 2)), kind="stable")
    return [int(k) for k in order if k not in drawn and k in case.open][:count]


def chance(case: Case, drawn: list[int], count: int, shares: Shares, rng: Any) -> list[int]:
    return filled([], drawn, case.open, count, rng)


def filled(chosen: list[int], drawn: list[int], open_: list[int], count: int, rng: Any) -> list[int]:
    """By chance, where there is nothing more to doubt."""
    left = [k for k in open_ if k not in drawn and k not in chosen]
    return chosen + rng.permutation(left)[: count - len(chosen)].tolist()


WAYS: Mapping[str, Choose] = {"worst": worst, "unsure": unsure, "known": known, "chance": chance}


def curves(case: Case, seed: int, repeat: int, args: argparse.Namespace) -> Iterator[tuple[str, list[float]]]:
    """Of each way the F1 of the rounds."""
    shown = [k for k in case.open if set(np.unique(case.truth[k])) >= set(case.names)]  # every class
    first = np.random.default_rng([seed, 0, repeat]).choice(shown, args.first, replace=False).tolist()
    learner = LEARNERS[args.learner](case, 1000 * repeat + seed, args)
    learner.learn(first)
    begun, score, seen = learner.learned, learner.score(), learner.shares()
    if args.tell:
        print(f"doubt goes with error by {candour(case, learner, seen):+.2f}", flush=True)
    for way in args.ways.split(","):
        learner.learned = begun
        drawn, told, rng = list(first), [score], np.random.default_rng([seed, 1, repeat])
        for n in range(args.rounds):
            drawn += WAYS[way](case, drawn, args.more, learner.shares if n else lambda: seen, rng)
            learner.learn(drawn)
            told.append(learner.score())
        if args.tell:
            print(way, "drew", [int(case.z[k]) for k in drawn], flush=True)
        yield way, told


def candour(case: Case, learner: Any, shares: Any) -> float:
    """The correlation, over the slices, of how unsure the learner is and of how wrong, 1 - F1."""
    unsure = segmentation.evidence(shares, case.names)[0].values
    truth = getattr(learner, "truth", case.truth)
    found = segment.labels(shares, ids=case.names)
    wrong = [1 - scored(found[k : k + 1], truth[k : k + 1], case.names) for k in range(len(truth))]
    return float(np.corrcoef(unsure, wrong)[0, 1])


def summary(found: dict[str, list[list[float]]]) -> Iterator[str]:
    areas = {way: np.array([np.mean(told[1:]) for told in runs]) for way, runs in found.items()}
    rounds = len(next(iter(found.values()))[0])
    yield "| way | area | less chance, 95 % | better in | " + " | ".join(f"round {n}" for n in range(rounds)) + " |"
    yield "|" + "---|" * (4 + rounds)
    for way, area in areas.items():
        apart = area - areas["chance"]
        half = stats.t.ppf(0.975, len(apart) - 1) * apart.std(ddof=1) / np.sqrt(len(apart)) if len(apart) > 1 else float("nan")
        lead = "" if way == "chance" else f"{apart.mean():+.4f} ± {half:.4f}"
        wins = "" if way == "chance" else f"{int((apart > 0).sum())} of {len(apart)}"
        yield f"| {way} | {area.mean():.4f} | {lead} | {wins} | " + " | ".join(f"{f1:.3f}" for f1 in np.mean(found[way], 0)) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="with slices/ and drawn/")
    parser.add_argument("--phantom", action="store_true")
    parser.add_argument("--small", action="store_true", help="three seeds, a few updates; minutes")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="the first of them")
    parser.add_argument("--ways", default="worst,unsure,chance")
    parser.add_argument("--learner", choices=list(LEARNERS), default="network")
    parser.add_argument("--pixels", type=int, default=6000, help="of a drawn slice that the forest learns from")
    parser.add_argument("--repeats", type=int, default=1, help="of each seed: other slices first, another beginning of the network")
    parser.add_argument("--first", type=int, default=1, help="slices drawn first")
    parser.add_argument("--more", type=int, default=1, help="slices drawn a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--begin", type=int, default=100, help="updates of the first training")
    parser.add_argument("--updates", type=int, default=40, help="of each round")
    parser.add_argument("--afresh", action="store_true", help="each round trains anew, with the updates of the first: slices alone count")
    parser.add_argument("--shrink", type=int, default=3)
    parser.add_argument("--base", type=int, default=8)
    parser.add_argument("--patch", type=int, default=96)
    parser.add_argument("--side", type=int, default=256, help="px of a phantom")
    parser.add_argument("--depth", type=int, default=192, help="slices of a phantom")
    parser.add_argument("--tell", action="store_true", help="which slices are drawn, and whether doubt goes with error")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    if bool(args.folder) == args.phantom:
        parser.error("name a folder, or --phantom")
    if args.small:
        for name, most in (("seeds", 3), ("begin", 60), ("updates", 30), ("rounds", 3)):
            setattr(args, name, min(getattr(args, name), most))
    torch.set_num_threads(1)
    began = time.process_time()
    found: dict[str, list[list[float]]] = {}
    for seed in range(args.seed, args.seed + args.seeds):
        case = made(seed, args.depth, args.side) if args.phantom else real(args.folder, seed, args.shrink)
        runs: dict[str, list[list[float]]] = {}
        for way, told in (one for repeat in range(args.repeats) for one in curves(case, seed, repeat, args)):
            runs.setdefault(way, []).append(told)
            print(f"seed {seed} {way:8} {np.mean(told[1:]):.4f}  " + " ".join(f"{f1:.3f}" for f1 in told), flush=True)
        for way, drawn in runs.items():
            found.setdefault(way, []).append(np.mean(drawn, 0).tolist())
    minutes = (time.process_time() - began) / 60
    rounds = f"{args.begin} updates, anew each round" if args.afresh else f"{args.begin} updates and {args.updates} a round"
    network = f"base {args.base}, {rounds}"
    how = network if args.learner == "network" else f"{args.pixels} pixels a slice"
    seeds = f"seeds {args.seed} to {args.seed + args.seeds - 1}"
    lines = [*summary(found), "", f"{args.learner} ({how}), {seeds}, {args.first} slices first and {args.more} a round; "
             f"{case.src.shape[1]} x {case.src.shape[2]} px, {len(case.open)} to choose from and {case.tested.sum()} tested in the last; "
             f"{args.repeats} repeats of each seed; {minutes:.0f} CPU minutes."]
    print("\n".join(lines))
    if args.out:
        args.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
