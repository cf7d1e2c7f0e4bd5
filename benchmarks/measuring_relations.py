"""Distances between objects, proximity and overlaps: how right, against closed forms, and how fast, against SciPy in the same run.

    python benchmarks/measuring_relations.py [--small] [--rounds 3]

Two balls lie 60 apart in seeded directions; a small ball lies in a large one. Errors are the worst of all. Speed: balls of 6 to 16
voxels across. SciPy takes the distance transform of the other class and its minimum in each object, voxel middle to voxel middle; it
holds the whole stack several times over, and does not say which object is nearest.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import turns
from peak import peak_gb
from scipy.ndimage import distance_transform_edt, minimum

from fibsem_ij.measure import between

Row = tuple[str, str, str, str]
VOXELS = ((1.0, 1.0, 1.0), (2.0, 1.0, 1.0), (4.0, 1.0, 1.0))


def ball(labels: Any, number: int, centre: Any, radius: float, voxel: tuple[float, float, float]) -> None:
    low = [max(int((c - radius) / side), 0) for c, side in zip(centre, voxel, strict=True)]
    high = [min(int((c + radius) / side) + 2, n) for c, side, n in zip(centre, voxel, labels.shape, strict=True)]
    z, y, x = np.ix_(*(np.arange(a, b) * side - c for a, b, side, c in zip(low, high, voxel, centre, strict=True)))
    labels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))][z**2 + y**2 + x**2 <= radius**2] = number


def right(seeds: int) -> Iterator[Row]:
    for voxel in VOXELS:
        gap, near = [], []
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            way = rng.normal(size=3)
            way /= np.linalg.norm(way)
            shape = tuple(int(220 / side) for side in voxel)
            labels, nuclei = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
            middle = np.array([110.0] * 3) + rng.random(3)
            for number, step in ((1, -60), (2, 60)):
                ball(labels, number, middle + way * step, 30, voxel)  # 60 apart
            gap.append(between.nearest(labels, voxel_nm=voxel)["nearest_distance_nm"][0] / 60 - 1)
            ball(nuclei, 1, middle, 80, voxel)
            labels[:] = 0
            ball(labels, 1, middle + way * 40, 12, voxel)
            near.append(between.within(labels, nuclei, voxel_nm=voxel)[0]["membrane_proximity"][0] - .5)
        worst, off = max(gap, key=abs), max(near, key=abs)
        yield (f"voxels {voxel[0]:g} x {voxel[1]:g} x {voxel[2]:g}, {seeds} directions", "2 %, .01 absolute",
               f"surface to surface {worst:+.1%}, proximity {off:+.4f}", "")


def balls(size: int, count: int, seed: int) -> Any:
    rng, labels = np.random.default_rng(seed), np.zeros((size,) * 3, np.uint32)
    for number in range(1, count + 1):
        ball(labels, number, rng.uniform(0, size, 3), rng.uniform(3, 8), (1.0, 1.0, 1.0))
    return labels


def peer(labels: Any, others: Any) -> Any:
    return minimum(distance_transform_edt(others == 0), labels, np.unique(labels)[1:])


def fast(size: int, count: int, rounds: int) -> Iterator[Row]:
    labels, others = balls(size, count, 1), balls(size, count, 2)
    between.nearest(labels[:32], others[:32])  # compiled
    between.within(labels[:32], others[:32])
    took = turns.median({"against": partial(between.nearest, labels, others), "own": partial(between.nearest, labels),
                         "within": partial(between.within, labels, others), "scipy": partial(peer, labels, others)}, rounds)
    what = f"{len(np.unique(labels)) - 1:,} objects in {size}^3: "
    yield what + "nearest of another class", "report", f"{took['against']:.2f} s", f"SciPy {took['scipy'] / took['against']:.1f} x the time"
    yield what + "nearest of its own class", "report", f"{took['own']:.2f} s", ""
    yield what + "parents and proximity", "report", f"{took['within']:.2f} s", ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="half a minute instead of several")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    print("| what | asked | measured | peer |\n|---|---|---|---|")
    for rows in (right(2), fast(128, 150, 1)) if args.small else (right(8), fast(256, 1200, args.rounds)):
        for row in rows:
            print("| " + " | ".join(row) + " |", flush=True)
    print(f"peak memory {peak_gb()} GB")


if __name__ == "__main__":
    main()
