"""Segmentation from a few drawn slices, every network on the same slices and budget, side by side with its peers: F1 of each class.

    python benchmarks/segmentation.py FOLDER [--small] [--networks resunet,unet] [--minutes 10 | --core-minutes 5] [--splits 1]
                                      [--drawn 7,10,15] [--out FILE]

FOLDER has `slices/` and `drawn/`, named by their z (0045.tif ...), and drawn/names.json. Slices less than 10 apart are a cluster. The
first split tests on the slices that stand alone, the others on whole clusters; what lies within 10 slices of a test slice is trained on
by nobody. The slices have gaps, so the networks see one at a time.

Peers: the nearest training drawing, copied; a random forest on Gaussians, edges and Hessian eigenvalues of several scales, as ilastik
and Weka have it. `--drawn` trains on so many of the training slices, drawn `--draws` times; without it on all of them.

Nuclei and nucleoli of a made stack: segmentation_phantom.py.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
import torch

from fibsem_ij import segment
from fibsem_ij.learn.device import choose
from fibsem_ij.segment.presets import PRESETS

APART = 10
ASKED = {"mitochondrion": 0.94, "membrane": 0.86, "vesicle": 0.72, "postsynaptic density": 0.55, "nuclei": 0.97, "nucleoli": 0.90}


@dataclass(frozen=True)
class Case:
    """What is trained on and what is tested, both (z, y, x) with the z that slices have in their stack."""

    name: str
    src: Any
    truth: Any
    z: Any
    tested: Any
    tested_truth: Any
    tested_z: Any
    names: dict[int, str]
    counted: dict[str, tuple[int, ...]] = field(default_factory=dict)  # classes scored as one; else each for itself

    def of(self, few: Any) -> Case:
        return replace(self, src=self.src[few], truth=self.truth[few], z=self.z[few])


Row = tuple[str, str, int, dict[str, float | None], str]  # case, what, drawn slices, F1 of each class, cost
Fit = Callable[[Case, int], tuple[Any, str]]  # and seed -> class numbers of the tested slices, cost


def real(folder: Path, splits: int) -> Iterator[Case]:
    z = np.array(sorted(int(path.stem) for path in (folder / "slices").glob("*.tif")))
    src, truth = (np.stack([tifffile.imread(folder / part / f"{k:04d}.tif") for k in z]) for part in ("slices", "drawn"))
    names = {int(i): name for i, name in json.loads((folder / "drawn" / "names.json").read_text(encoding="utf-8")).items()}
    for n, left_out in enumerate(parted(z, splits), 1):
        near = np.abs(z[:, None] - left_out).min(1)
        train, test = near >= APART, near == 0
        yield Case(f"split {n}", src[train], truth[train], z[train], src[test], truth[test], z[test], names)


def parted(z: Any, splits: int) -> list[Any]:
    """The slices of each split that are tested."""
    clusters = np.split(z, np.flatnonzero(np.diff(z) >= APART) + 1)
    alone, more = ([c for c in clusters if (len(c) == 1) == single] for single in (True, False))
    return [np.concatenate(part) for part in (alone, *(more[k :: splits - 1] for k in range(splits - 1))) if part]


def copied(case: Case, seed: int) -> tuple[Any, str]:
    nearest = np.abs(case.tested_z[:, None] - case.z).argmin(1)
    return case.truth[nearest], ""


def features(grey: Any) -> Any:
    from skimage.feature import multiscale_basic_features

    return multiscale_basic_features(grey.astype(np.float32), sigma_min=0.7, sigma_max=16).reshape(grey.size, -1)


def forest(case: Case, seed: int, *, pixels: int, threads: int) -> tuple[Any, str]:
    from sklearn.ensemble import RandomForestClassifier

    began, rng = time.perf_counter(), np.random.default_rng(seed)
    rows, kinds = [], []
    for grey, truth in zip(case.src, case.truth, strict=True):
        seen, flat = features(grey), truth.ravel()
        for kind in np.unique(flat):
            at = np.flatnonzero(flat == kind)
            share = pixels * (0.5 if kind == 0 else 0.5 / len(case.names))
            at = rng.choice(at, min(len(at), round(share)), replace=False)
            rows.append(seen[at])
            kinds.append(flat[at])
    trees = RandomForestClassifier(100, min_samples_leaf=4, n_jobs=threads, random_state=seed)
    trees.fit(np.concatenate(rows), np.concatenate(kinds))
    found = np.stack([trees.predict(features(grey)).reshape(grey.shape) for grey in case.tested])
    return found, f"{(time.perf_counter() - began) / 60:.1f} min"


def budgeted(case: Case, options: segment.Options, core_minutes: float) -> segment.Options:
    """As many updates as take so much processor time, read off a few."""
    def spent(updates: int) -> float:
        began = time.process_time()
        segment.fit(case.src, dict(enumerate(case.truth)), names=case.names, options=replace(options, minutes=None, updates=updates))
        return time.process_time() - began

    spent(1)
    return replace(options, minutes=None, updates=max(1, round(60 * core_minutes / ((spent(12) - spent(2)) / 10))))


def network(case: Case, seed: int, *, options: segment.Options, flips: bool | None, kept: dict[Any, Any],
            core_minutes: float | None = None) -> tuple[Any, str]:
    """`kept`: the last training, so that what is done with a network is told apart from how it was trained."""
    key = case.name, tuple(case.z), seed
    if key not in kept:
        kept.clear()
        options = budgeted(case, options, core_minutes) if core_minutes else options
        began, spent = time.perf_counter(), time.process_time()
        trained = segment.fit(case.src, dict(enumerate(case.truth)), names=case.names, options=replace(options, seed=seed))
        kept[key] = trained, (time.perf_counter() - began) / 60, (time.process_time() - spent) / 60
    trained, minutes, busy = kept[key]
    probabilities = segment.apply(case.tested, trained, flips=flips, device=options.device)
    found = segment.labels(probabilities, ids=segment.classes(trained), exclusive=segment.exclusive(trained),
                           least_px=segment.least_drawn(trained))
    updates = trained[0].record["history"]["rows"][-1]["update"]
    return found, f"{minutes:.1f} min, {busy:.1f} of processor time, {updates} updates"


def scored(case: Case, found: Any) -> dict[str, float | None]:
    counted = case.counted or {name: (i,) for i, name in case.names.items()}
    return {name: f1(np.isin(found, ids), np.isin(case.tested_truth, ids)) for name, ids in counted.items()}


def f1(found: Any, true: Any) -> float | None:
    return float(2 * (found & true).sum() / (found.sum() + true.sum())) if true.any() else None


def rows(case: Case, fits: dict[str, Fit], counts: list[int], draws: int) -> Iterator[Row]:
    """Each fit on all of the training slices, or on so many, spread evenly first and then drawn by chance."""
    for count in counts or [len(case.z)]:
        if count > len(case.z):
            continue
        for draw in range(draws if counts else 1):
            few = np.sort(np.random.default_rng([draw, count]).choice(len(case.z), count, replace=False))
            if draw == 0:
                few = even(case.z, count)
            for what, fit in fits.items():
                found, cost = fit(case.of(few), draw + 1)
                yield case.name, what, count, scored(case, found), cost


def even(z: Any, count: int) -> Any:
    """The slices nearest to evenly spread ones, each once."""
    left = list(range(len(z)))
    chosen = [left.pop(int(np.abs(z[left] - at).argmin())) for at in np.linspace(z[0], z[-1], count)]
    return np.sort(chosen)


def cells(told: Mapping[str, float | None], names: list[str]) -> str:
    return " | ".join("" if told.get(name) is None else f"{told[name]:.3f}" for name in names)


def summary(found: list[Row], names: list[str], by_count: bool) -> Iterator[str]:
    """Mean and deviation of each fit, and number of drawn slices, over splits and draws."""
    groups: dict[tuple[str, Any], list[dict[str, float | None]]] = {}
    for _, what, count, told, _ in found:
        groups.setdefault((what, count if by_count else ""), []).append(told)
    for (what, count), runs in groups.items():
        if len(runs) > 1:
            values = [[told[name] for told in runs if told.get(name) is not None] for name in names]
            means = " | ".join(f"{np.mean(each):.3f} ± {np.std(each):.3f}" if each else "" for each in values)
            yield f"| mean | {what} | {count} | {means} | {len(runs)} runs |"


def tell(what: str, found: Iterable[Row], *, out: Path | None, by_count: bool) -> None:
    """The table, row by row as it is known, and its means."""
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        print(line, flush=True)
        if out:
            out.write_text("\n".join(lines) + "\n", encoding="utf-8")

    say(f"{' '.join(sys.argv[1:])}: {what}; torch {torch.__version__}\n")
    all_rows: list[Row] = []
    for row in found:
        names = list(row[3])
        if not all_rows:
            say("| | what | drawn | " + " | ".join(names) + " | cost |\n" + "|---" * (len(names) + 4) + "|")
            say("| | asked | | " + cells(ASKED, names) + " | |")
        all_rows.append(row)
        say(f"| {row[0]} | {row[1]} | {row[2]} | {cells(row[3], names)} | {row[4]} |")
    for line in summary(all_rows, names, by_count):
        say(line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="with slices/ and drawn/")
    parser.add_argument("--small", action="store_true", help="a quarter of a minute a training, one split; a quick try")
    parser.add_argument("--networks", default="resunet", help="by comma: resunet, unet, ...")
    parser.add_argument("--no-peers", action="store_true", help="networks alone, where the peers' rows are known already")
    parser.add_argument("--preset", default="quick", choices=list(PRESETS))
    parser.add_argument("--minutes", type=float, help="of each training; else what the preset says")
    parser.add_argument("--updates", type=int, help="of each training, however long they take, unless --minutes says so too")
    parser.add_argument("--core-minutes", type=float, help="of processor time, in updates: the same for every network on a busy machine")
    parser.add_argument("--context", type=int)
    parser.add_argument("--patch", type=int)
    parser.add_argument("--common", type=float, help="how much oftener patches of common classes come up, see segment.Options")
    parser.add_argument("--splits", type=int, default=1)
    parser.add_argument("--drawn", default="", help="numbers of drawn slices, by comma")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--flips", action="store_true", help="without and with mirrored tiles; else as the preset has it")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, help="write the table there too")
    args = parser.parse_args()
    if args.small:
        args.minutes, args.splits, args.draws = 0.25, 1, 1
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    given = {name: getattr(args, name) for name in ("minutes", "updates", "context", "patch", "common")
             if getattr(args, name) is not None}
    if args.updates:
        given = {"minutes": None, **given}
    options = replace(PRESETS[args.preset], device=args.device, **given)
    fits: dict[str, Fit] = {} if args.no_peers else {
        "nearest drawing": copied, "random forest": partial(forest, pixels=500 if args.small else 5000, threads=args.threads)}
    for name in filter(None, args.networks.split(",")):
        one = partial(network, options=replace(options, network=name), kept={}, core_minutes=args.core_minutes)
        ways = {", plain tiles": False, ", mirrored tiles": True} if args.flips else {"": None}
        fits |= {name + said: partial(one, flips=flips) for said, flips in ways.items()}
    counts = [int(n) for n in args.drawn.split(",") if n]
    found = (row for case in real(args.folder, args.splits) for row in rows(case, fits, counts, args.draws))
    tell(f"{args.preset}, {given}; {choose(args.device)}, {args.threads} threads", found, out=args.out, by_count=bool(counts))


if __name__ == "__main__":
    main()
