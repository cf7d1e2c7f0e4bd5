"""Numbered objects, side by side with their peers in one run: what, asked, measured, peer.

    python benchmarks/objects.py [--small] [--real FOLDER] [--only components,cells,speed,real]

Cells: phantoms of three regimes with filopodia, 8 drawn slices of 128 (8, 24, ... 120). The probabilities of interior and boundary are made
from the truth, and made worse: membranes that the phantom leaves unseen, gaps in 7 % of the rest, blur, correlated noise of
28 grey levels; no network is in it. Dice is the mean over cells of at least 2,000 voxels that a drawn slice meets; the same
weighted by volume beside it. Islands are the pieces of a cell in a slice beside its largest. `--real FOLDER` has instance
labels (.tif), whose ids are forgotten. Times are ratios of medians of interleaved runs: trust nothing else on a busy machine.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cc3d
import cv2
import numpy as np
from scipy.ndimage import gaussian_filter

from fibsem_ij import files
from fibsem_ij.arrays.scores import adapted_rand, object_dice, overlaps
from fibsem_ij.objects.cells import WAYS, Options, cells
from fibsem_ij.objects.cells.flow import carry, flow
from fibsem_ij.objects.components import Options as Hanging
from fibsem_ij.objects.components import components
from fibsem_ij.objects.linking import link
from fibsem_ij.phantom import REGIMES, make

Row = tuple[str, str, str, str]


def hanging(shape: tuple[int, int, int], rounds: int) -> Iterator[Row]:
    smooth = gaussian_filter(np.random.default_rng(0).normal(size=shape).astype(np.float32), 4)
    mask = (smooth > 0.8 * smooth.std()).astype(np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/mask.npy", mask)
        src = np.load(f"{folder}/mask.npy", mmap_mode="r")
        out = np.lib.format.open_memmap(f"{folder}/out.npy", "w+", np.uint32, shape)
        for connectivity in (6, 26):
            options = Hanging(connectivity=connectivity)
            seconds = interleaved({"cc3d": lambda c=connectivity: cc3d.connected_components(mask, connectivity=c),
                                   "memory": lambda o=options: components(mask, options=o),
                                   "disk": lambda o=options: components(src, out, options=o)}, rounds)
            same = np.array_equal(out, components(mask, options=options))
            name = f"components, {connectivity} neighbours, {' x '.join(map(str, shape))}"
            yield f"{name}, in memory", "1.15 of cc3d", f"{seconds['memory'] / seconds['cc3d']:.2f}", f"cc3d {seconds['cc3d']:.2f} s"
            yield f"{name}, out of core", "2, same result", f"{seconds['disk'] / seconds['cc3d']:.2f}, same: {same}", ""


def interleaved(jobs: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            began = time.perf_counter()
            job()
            seconds[name].append(time.perf_counter() - began)
    return {name: float(np.median(each)) for name, each in seconds.items()}


def probabilities(phantom: Any, seed: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    inside, membrane = np.asarray(phantom.cells) > 0, np.asarray(phantom.classes) == 2
    holes = gaussian_filter(rng.normal(size=inside.shape).astype(np.float32), (2, 5, 5))
    seen = membrane & (holes <= np.quantile(holes[::8, ::8, ::8], 0.93))
    both = []
    for mask in (inside & ~seen, seen):
        noise = gaussian_filter(rng.normal(size=mask.shape).astype(np.float32), (0, 1.2, 1.2))
        soft = gaussian_filter(mask * np.float32(255), (0, 0.8, 0.8)) + noise * (28 / noise.std())
        both.append(np.clip(soft, 0, 255).astype(np.uint8))
    return both[0], both[1]


def flow_alone(interior: Any, drawn: dict[int, Any]) -> Any:
    out = np.zeros(interior.shape, np.int32)
    for z in sorted(range(len(out)), key=lambda z: min(abs(z - d) for d in drawn)):
        near = min(drawn, key=lambda d: abs(z - d))
        back = z - int(np.sign(z - near))
        out[z] = drawn[z] if z in drawn else carry(out[back], flow(interior[z], interior[back], Options()))
    return out


def told(found: Any, truth: Any, met: Any, islands: Any) -> str:
    table = overlaps(found, truth)
    numbers, dice = object_dice(table)
    volume = np.bincount(truth.ravel())[numbers.astype(int)]
    large = np.isin(numbers, met) & (volume >= 2000)
    weighted = np.average(dice[large], weights=volume[large])
    right = "" if islands is None else f", islands {(found[islands] == truth[islands]).mean():.3f}"
    return f"Dice {dice[large].mean():.3f} ({weighted:.3f}), ARE {adapted_rand(table)[0]:.3f}{right}"


def islands_of(truth: Any, met: Any) -> Any:
    found = np.zeros(truth.shape, bool)
    for z, labels in enumerate(truth):
        parts = cc3d.connected_components(np.ascontiguousarray(labels), connectivity=8)
        size = np.bincount(parts.ravel())
        of = np.zeros(len(size), np.int64)
        of[parts.ravel()] = labels.ravel()
        largest = np.zeros(int(of.max()) + 1, np.int64)
        np.maximum.at(largest, of, size)
        found[z] = (size < largest[of])[parts] & np.isin(labels, met) & (labels > 0)
    return found


def followed(shape: tuple[int, int, int], regimes: tuple[str, ...], seed: int) -> Iterator[Row]:
    for regime in regimes:
        phantom = make(shape, seed=seed, options=REGIMES[regime])
        truth = np.asarray(phantom.cells).astype(np.int32)
        interior, boundary = probabilities(phantom, seed)
        drawn = {z: truth[z] for z in range(shape[0] // 16, shape[0], shape[0] // 8)}
        met = np.unique(np.stack(list(drawn.values())))[1:]
        islands = islands_of(truth, met)
        name, asked = f"{regime}, {len(drawn)} drawn of {shape[0]}", "Dice .95" if regime == "separate" else "Dice .90"
        mask = (interior > 127) | (boundary > 127)
        yield f"{name}: mask", "", told(components(mask), truth, met, None), ""
        yield f"{name}: mask + boundary", "", told(components((interior > 127) & (boundary < 128)), truth, met, None), ""
        yield f"{name}: flow alone", "", told(flow_alone(interior, drawn), truth, met, islands), ""
        for way in WAYS:
            began = time.perf_counter()
            found, events = cells(interior, boundary, drawn, options=Options(way=way))
            each = (time.perf_counter() - began) / shape[0]
            yield (f"{name}: {way}", f"{asked}, ARE .05, islands .90 (best way)", told(found, truth, met, islands),
                   f"{each:.2f} s a slice, {len(events['z'])} events")


def fast(side: int) -> Iterator[Row]:
    phantom = make((5, 512, 512), seed=1)
    times = -(-side // 512)
    interior, boundary = (np.tile(s, (1, times, times)) for s in probabilities(phantom, 1))
    truth = np.tile(np.asarray(phantom.cells).astype(np.int32), (1, times, times))
    with ThreadPoolExecutor(2) as pool:
        began = time.perf_counter()
        cells(interior, boundary, {0: truth[0], 4: truth[4]}, executor=pool)
    yield f"cells, {side} x {side}, both passes", "1.5 s a slice", f"{(time.perf_counter() - began) / 5:.2f} s", "published: 60 s"


def real(folder: Path) -> Iterator[Row]:
    disc = np.array([[abs(x) + abs(y) <= 2 for x in range(-2, 3)] for y in range(-2, 3)], np.uint8)
    for path in sorted(folder.glob("*.tif")):
        truth = np.asarray(files.read_labels(path)).astype(np.int32)
        drawn = {z: truth[z] for z in range(0, len(truth), 32)}
        met = np.unique(np.stack(list(drawn.values())))[1:]
        given = (truth > 0).astype(np.uint8)
        for kind, mask in (("as given", given), ("closed by 2 px", np.stack([cv2.morphologyEx(s, cv2.MORPH_CLOSE, disc) for s in given]))):
            hanging = ", ".join(f"{c} neighbours {adapted_rand(overlaps(components(mask, options=Hanging(connectivity=c)), truth))[0]:.3f}"
                                for c in (6, 26))
            error = adapted_rand(overlaps(link(mask), truth))[0]
            yield f"{path.stem}, {kind}: no ids, ARE", "< .02" if kind == "as given" else "well below", f"{error:.4f}", hanging
            found = link(mask, drawn=drawn)
            right = (found == truth)[np.isin(truth, met)].mean()
            others = np.setdiff1d(truth, [0, *met])
            own = sum(_own(found, truth, number, met) for number in others.tolist())
            yield f"{path.stem}, {kind}: ids of every 32nd", ".95 right, own ids", f"{right:.4f}, {own} of {len(others)} own", ""


def _own(found: Any, truth: Any, number: int, met: Any) -> bool:
    names, voxels = np.unique(found[truth == number], return_counts=True)
    name = names[voxels.argmax()]
    return bool(name and name not in met and voxels.max() > 0.9 * voxels.sum() and (truth[found == name] == number).mean() > 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="minutes instead of a long while")
    parser.add_argument("--real", type=Path, help="a folder of instance labels")
    parser.add_argument("--only", default="components,cells,speed,real", help="parts to run")
    args = parser.parse_args()
    few, only = args.small, args.only.split(",")
    parts = {"components": hanging((64, 256, 256) if few else (512, 512, 512), 5 if few else 7),
             "cells": followed((128, 192, 192) if few else (128, 384, 384), ("separate", "touching", "packed"), 0),
             "speed": fast(1024 if few else 2048), "real": real(args.real) if args.real else ()}
    print("| what | asked | measured | peer |\n|---|---|---|---|")
    for name in only:
        for row in parts[name]:
            print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
