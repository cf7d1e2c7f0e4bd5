"""A further round of drawing: trained on from the network of the round before, beside afresh. F1 of each class.

    python benchmarks/segmentation_rounds.py FOLDER [--drawn 7,10] [--updates 400,200] [--threads 2] [--out FILE]

FOLDER and the slices tested are those of segmentation.py, its first split. Drawn are slices spread evenly, in the second round some more;
`--updates` of the first round, and of each training of the second.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from segmentation import Case, Row, even, real, scored, tell

from fibsem_ij import segment
from fibsem_ij.segment.starting import from_networks


def second(z: Any, first: Any, count: int) -> Any:
    """`first`, and the slices farthest from what is drawn already, one after the other."""
    drawn = list(first)
    while len(drawn) < count:
        drawn.append(int(np.abs(z[:, None] - z[drawn]).min(1).argmax()))
    return np.sort(drawn)


def trained(case: Case, updates: int, start: Any = None) -> tuple[Any, str]:
    began = time.process_time()
    options = replace(segment.preset("quick"), minutes=None, updates=updates)
    networks = segment.fit(case.src, dict(enumerate(case.truth)), names=case.names, options=options,
                           prepare=from_networks(start) if start else None)
    return networks, f"{(time.process_time() - began) / 60:.1f} min of processor time, {updates} updates"


def row(case: Case, what: str, networks: Any, cost: str) -> Row:
    found = segment.labels(segment.apply(case.tested, networks), ids=segment.classes(networks), least_px=segment.least_drawn(networks))
    return case.name, what, len(case.z), scored(case, found), cost


def rounds(case: Case, counts: list[int], updates: list[int]) -> Iterator[Row]:
    first = even(case.z, counts[0])
    networks, cost = trained(case.of(first), updates[0])
    yield row(case.of(first), "first round", networks, cost)
    more = case.of(second(case.z, first, counts[1]))
    for what, start in (("second, trained on", networks), ("second, afresh", None)):
        yield row(more, what, *trained(more, updates[1], start))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--drawn", default="7,10", help="of the first round, of the second")
    parser.add_argument("--updates", default="400,200")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, help="write the table there too")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    counts, updates = ([int(n) for n in said.split(",")] for said in (args.drawn, args.updates))
    tell(f"quick, {args.threads} threads", rounds(next(real(args.folder, 1)), counts, updates), out=args.out, by_count=True)


if __name__ == "__main__":
    main()
