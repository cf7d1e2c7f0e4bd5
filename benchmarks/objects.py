"""Numbered objects, side by side with their peers in one run: what, asked, measured, peer.

    python benchmarks/objects.py [--small] [--real FOLDER] [--only components,edits,cells,speed,memory,nuclei,real,stand-ins] [--seeds 0,1]

Cells: phantoms of three regimes with filopodia, 8 drawn slices of 128 (8, 24, ... 120). The probabilities of interior and boundary are made
from the truth, and made worse: membranes that the phantom leaves unseen, gaps in 7 % of the rest, blur, correlated noise of
28 grey levels; no network is in it. Dice is the mean over cells of at least 2,000 voxels that a drawn slice meets; the same
weighted by volume beside it. Islands are the pieces of a cell in a slice beside its largest. `--real FOLDER` has instance
labels (.tif), whose ids are forgotten; `stand-ins` cuts, transposes, thins and doubles them. Times are ratios of medians of
interleaved runs: trust nothing else on a busy machine.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cc3d
import numpy as np
import turns
from objects_cells import Row, fast, followed, phantom_of, streamed
from objects_linking import real, stand_ins
from scipy.ndimage import gaussian_filter

from fibsem_ij.arrays.scores import object_dice, overlaps
from fibsem_ij.objects import edits, nuclei
from fibsem_ij.objects.components import Options as Hanging
from fibsem_ij.objects.components import components


def blobs(shape: tuple[int, int, int]) -> Any:
    """A mask of many pieces, one tile repeated."""
    tile = tuple(min(n, 256) for n in shape)
    smooth = gaussian_filter(np.random.default_rng(0).normal(size=tile).astype(np.float32), 4, mode="wrap")
    return np.tile((smooth > 0.8 * smooth.std()).astype(np.uint8), [n // t for n, t in zip(shape, tile, strict=True)])


def hanging(shape: tuple[int, int, int], rounds: int) -> Iterator[Row]:
    mask = blobs(shape)
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/mask.npy", mask)
        src = np.load(f"{folder}/mask.npy", mmap_mode="r")
        out = np.lib.format.open_memmap(f"{folder}/out.npy", "w+", np.uint32, shape)
        for connectivity in (6, 26):
            options = Hanging(connectivity=connectivity)
            seconds = turns.median({"cc3d": lambda c=connectivity: cc3d.connected_components(mask, connectivity=c, out_dtype=np.uint32),
                                   "memory": lambda o=options: components(mask, options=o),
                                   "disk": lambda o=options: components(src, out, options=o)}, rounds)
            same = np.array_equal(out, components(mask, options=options))
            name = f"components, {connectivity} neighbours, {' x '.join(map(str, shape))}"
            yield f"{name}, in memory", "1.15 of cc3d", f"{seconds['memory'] / seconds['cc3d']:.2f}", f"cc3d {seconds['cc3d']:.2f} s"
            yield f"{name}, out of core", "2, same result", f"{seconds['disk'] / seconds['cc3d']:.2f}, same: {same}", ""


def edited(shape: tuple[int, int, int], rounds: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        src, out = (np.lib.format.open_memmap(f"{folder}/{name}.npy", "w+", np.uint32, shape) for name in ("src", "out"))
        components(blobs(shape), src)
        size = np.bincount(src.ravel())
        a, b = (np.argsort(-size[1:])[:2] + 1).tolist()

        def copy() -> None:
            for z in range(len(src)):
                out[z] = src[z]

        seconds = turns.median({"copy": copy, "merge": lambda: edits.apply(src, out, edits.merge(a, [b])),
                               "delete": lambda: edits.apply(src, out, edits.delete([a]))}, rounds)
    for name in ("merge", "delete"):
        yield f"{name}, {' x '.join(map(str, shape))} on disk", "", f"{seconds[name]:.2f} s", f"a mere copy {seconds['copy']:.2f} s"


def nuclear(shape: tuple[int, int, int], seeds: list[int]) -> Iterator[Row]:
    """Nuclei that lie whole within the sides of the field, and all of the size that was asked for."""
    for regime, seed in ((regime, seed) for regime in ("separate", "touching", "packed") for seed in seeds):
        phantom = phantom_of(shape, seed, regime)
        truth = np.asarray(phantom.nuclei)
        began = time.process_time()
        found = np.zeros(shape, np.uint32)
        nuclei.draw(nuclei.find(phantom.clean, options=nuclei.Options(least=500, most=1500)), found)
        each = (time.process_time() - began) / shape[0]
        table = overlaps(found, truth)
        numbers, dice = object_dice(table)
        volume = np.bincount(truth.ravel())[numbers.astype(int)]
        nm = 2 * (volume * 3 / 4 / np.pi) ** (1 / 3) * phantom.clean.voxel_nm[1]
        sides = np.concatenate([truth[:, 0], truth[:, -1], truth[:, :, 0], truth[:, :, -1]], axis=None)
        large = nm >= 500
        whole, hit = large & ~np.isin(numbers, sides), large & (dice > 0.5)
        mean = f"Dice of these {dice[hit].mean():.2f}" if hit.any() else "none"
        right = (object_dice(overlaps(truth, found))[1] > 0.5).sum()  # of what was found
        told = (f"whole {(hit & whole).sum()} of {whole.sum()}; all {hit.sum()} of {large.sum()}, {mean}; "
                f"right {right} of {found.max()} found")
        yield f"nuclei, {regime}, seed {seed}, classical way", "", told, f"{each:.3f} s of a processor a slice"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="minutes instead of a long while")
    parser.add_argument("--real", type=Path, help="a folder of instance labels")
    parser.add_argument("--only", default="components,edits,speed,memory,cells,nuclei,real,stand-ins", help="parts to run")
    parser.add_argument("--seeds", default="0,1", help="of the phantoms of cells")
    args = parser.parse_args()
    few = args.small
    seeds = [int(seed) for seed in args.seeds.split(",")][:1 if few else None]
    volume, field = ((64, 256, 256), (128, 192, 192)) if few else ((512, 512, 512), (128, 384, 384))
    parts = {"components": hanging(volume, 5), "edits": edited(volume, 3), "speed": fast(1024 if few else 2048),
             "memory": streamed(128 if few else 256), "cells": followed(field, seeds), "nuclei": nuclear(field, seeds),
             "real": real(args.real) if args.real else (), "stand-ins": stand_ins(args.real) if args.real else ()}
    print("| what | asked | measured | peer |\n|---|---|---|---|")
    for name in args.only.split(","):
        for row in parts[name]:
            print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
