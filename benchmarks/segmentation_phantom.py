"""Nuclei and nucleoli of a made stack, learned from so many drawn slices: Dice, as the patches are seen directly or with large context.

    python benchmarks/segmentation_phantom.py [--drawn 7,10,15,25,50] [--draws 3] [--updates 400] [--ways direct,context] [--out FILE]

A model of a field of 2048 px, at a quarter of its size so that a CPU makes and learns it: the field is `--side` 512, nuclei are some 190 px
across. `direct` trains on patches of 128 px, as of 512 there; `context` on the whole field seen four times smaller, 128 px again, as of
2048 seen as 512. `--side 2048 --spacing 1320` is the full size.

Nuclei are all within the outer envelope, nucleoli included; noise is that of the microscope, without drift. Drawn are slices of the upper
52, spread evenly in the first draw and by chance in the others; tested are four slices, ten and more below the last of them.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from segmentation import Case, Fit, copied, network, rows, tell

from fibsem_ij import phantom
from fibsem_ij.segment.presets import PRESETS

DRAWN, APART, TESTED = 52, 10, (0, 3, 6, 9)
KINDS = {"nucleus": 1, "nuclear envelope": 1, "nucleolus": 2}
WAYS = {"direct": 1, "context": 4}  # how many times smaller


def made(side: int, spacing: float, seed: int) -> Case:
    depth = DRAWN + APART + max(TESTED)
    stack = phantom.make((depth, side, side), seed=seed, options=phantom.Options(spacing_px=spacing))
    rng = np.random.default_rng(seed)
    grey = np.stack([phantom.scans(stack, z, 1, rng=rng)[0] for z in range(depth)])
    truth = np.array([KINDS.get(phantom.CLASSES[k], 0) for k in range(len(phantom.CLASSES))], np.uint8)[np.asarray(stack.classes)]
    z, tested = np.arange(DRAWN), np.array(TESTED) + DRAWN + APART - 1
    return Case(f"phantom {seed}", grey[:DRAWN], truth[:DRAWN], z, grey[tested], truth[tested], tested, {1: "nucleus", 2: "nucleolus"},
                {"nuclei": (1, 2), "nucleoli": (2,)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drawn", default="7,10,15,25,50", help="numbers of drawn slices, by comma")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--updates", type=int, default=400, help="of each training")
    parser.add_argument("--ways", default="direct,context", help="by comma")
    parser.add_argument("--network", default="resunet")
    parser.add_argument("--side", type=int, default=512, help="px of the field; patches are a quarter")
    parser.add_argument("--spacing", type=float, default=330, help="px between cells")
    parser.add_argument("--seed", type=int, default=0, help="of the phantom")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, help="write the table there too")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    options = replace(PRESETS["quick"], network=args.network, minutes=None, updates=args.updates, patch=args.side // 4, device=args.device)
    fits: dict[str, Fit] = {"nearest drawing": copied}
    for way in args.ways.split(","):
        fits[f"{args.network}, {way}"] = partial(network, options=replace(options, context=WAYS[way]), flips=None, kept={})
    case = made(args.side, args.spacing, args.seed)
    counts = [int(n) for n in args.drawn.split(",")]
    tell(f"field {args.side} px, {args.updates} updates, {args.threads} threads", rows(case, fits, counts, args.draws), out=args.out,
         by_count=True)


if __name__ == "__main__":
    main()
