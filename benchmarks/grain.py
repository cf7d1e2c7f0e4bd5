"""The grain filter, side by side with higra in one run: what, asked, measured, peer.

    python benchmarks/grain.py [--small] [--real FOLDER] [--sides 512,1024,2048,4096] [--peer-side 1024]

Two areas from one tree: 1 and 5 % of a 256 x 256 patch. The slice is made (smooth structure and noise), or the first of `--real FOLDER`,
mirrored to the size. The peer is higra's tree of shapes as it comes, four cells a pixel; past `--peer-side` it is left out, for its
time. It leaves to the order of its queue how four pixels that cross are connected; where that is fixed, by interpolating the slice
to twice its size, its result must be ours, and `differ` counts the pixels where it is not. Times are seconds of one core, interleaved;
memory is the peak of a process of its own.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import higra as hg
import numpy as np
import turns
from peak import peak_gb
from scipy.ndimage import gaussian_filter

from fibsem_ij import files
from fibsem_ij.arrays.grain import areas, grains

Row = tuple[str, str, str, str]
AREAS = areas()


def picture(side: int, folder: Path | None) -> Any:
    if folder is None:
        rng = np.random.default_rng(0)
        soft = sum(gaussian_filter(rng.normal(size=(side, side)).astype(np.float32), width) * width for width in (2, 6, 20))
        return np.clip(128 + 60 * soft + rng.normal(0, 12, (side, side)), 0, 255).astype(np.uint8)
    first = np.asarray(files.read(folder)[0])
    return np.pad(first, [(0, max(0, side - length)) for length in first.shape], mode="symmetric")[:side, :side]


def peer(image: Any) -> Any:
    tree, altitudes = hg.component_tree_tree_of_shapes_image2d(image)
    area = hg.attribute_area(tree)
    return np.stack([hg.reconstruct_leaf_data(tree, altitudes, area < least) for least in AREAS])


def peer_at_twice_the_size(image: Any) -> Any:
    """Bright pixels connected by 8: what lies between pixels is as bright as the brightest of them."""
    border = np.concatenate([image[0], image[-1], image[1:, 0], image[1:-1, -1]])
    framed = np.pad(image, 1, constant_values=int(np.partition(border, len(border) // 2)[len(border) // 2]))
    tall = np.repeat(framed, 2, 0)[:-1]
    tall[1::2] = np.maximum(framed[:-1], framed[1:])
    wide = np.repeat(tall, 2, 1)[:, :-1]
    wide[:, 1::2] = np.maximum(tall[:, :-1], tall[:, 1:])
    pixels = np.zeros(wide.shape)
    pixels[2:-2:2, 2:-2:2] = 1
    tree, altitudes = hg.component_tree_tree_of_shapes_image2d(wide, padding="none")
    area = hg.accumulate_sequential(tree, pixels.ravel(), hg.Accumulators.sum)
    return np.stack([hg.reconstruct_leaf_data(tree, altitudes, area < least)[2:-2:2, 2:-2:2] for least in AREAS])


def ours(image: Any) -> Any:
    return grains(image, AREAS)


def _peak(job: Callable[[Any], Any], side: int, folder: Path | None) -> tuple[float, float]:
    image = picture(side, folder)
    before = peak_gb() or 0.0
    job(image)
    return before, peak_gb() or 0.0


def peak_of(job: Callable[[Any], Any], side: int, folder: Path | None) -> str:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        before, most = process.submit(_peak, job, side, folder).result()
    return f"{most:.2f} GB ({before:.2f} before it)"


def rows(sides: list[int], peer_side: int, folder: Path | None, rounds: int) -> Iterator[Row]:
    for side in sides:  # NB: first, for a process is born with the peak of its parent
        higra = f"higra {peak_of(peer, side, folder)}" if side <= peer_side else ""
        yield f"{side} x {side}, memory", "", peak_of(ours, side, folder), higra
    small = picture(256, folder)  # NB: the first of ours, which compiles, is not timed
    differ = int(np.count_nonzero(ours(small) != peer_at_twice_the_size(small)))
    yield "256 x 256, pixels that differ from higra at twice the size", "0", f"{differ}", ""
    for side in sides:
        image, with_peer = picture(side, folder), side <= peer_side
        jobs: dict[str, Callable[[], Any]] = {"ours": lambda image=image: ours(image)}
        if with_peer:
            jobs["peer"] = lambda image=image: peer(image)
        seconds = turns.median(jobs, rounds if with_peer else 1, clock=time.process_time)
        times = f"{seconds['peer'] / seconds['ours']:.1f} times faster, " if with_peer else ""
        yield (f"{side} x {side}, tree and two areas", "3 times faster" if with_peer else "", f"{times}{seconds['ours']:.2f} s",
               f"higra {seconds['peer']:.2f} s" if with_peer else "")
    yield two_threads(picture(sides[0], folder), rounds)


def two_threads(image: Any, rounds: int) -> Row:
    ratios = []
    with ThreadPoolExecutor(2) as pool:
        for _ in range(2 * rounds):
            began = time.perf_counter()
            for _ in range(4):
                ours(image)
            alone = time.perf_counter() - began
            list(pool.map(ours, [image] * 4))
            ratios.append(alone / (time.perf_counter() - began - alone))
    return f"{image.shape[0]} x {image.shape[1]}, slices a second on two threads", "both cores", f"{np.median(ratios):.2f} times one", ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a minute instead of ten")
    parser.add_argument("--real", type=Path, help="a folder of slices")
    parser.add_argument("--sides", default="512,1024,2048,4096")
    parser.add_argument("--peer-side", type=int, default=1024, help="the largest that higra is given")
    args = parser.parse_args()
    sides = [256, 512] if args.small else [int(side) for side in args.sides.split(",")]
    print("| what | asked | measured | peer |\n|---|---|---|---|")
    for row in rows(sides, args.peer_side, args.real, 1 if args.small else 3):
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
