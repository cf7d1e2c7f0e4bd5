"""Texture and grey values inside objects: how fast, against what one would write with NumPy and SciPy, and how near to it.

    python benchmarks/measuring_texture.py [--small] [--rounds 3]

Objects are cubes cut by a smooth mask, in contact; the grey values are smooth noise. Jobs take turns in one process: trust the
ratios. The peers cut each object out by its box, count pairs by bincount, label every grey level by scipy.ndimage, and open by
ndimage.minimum_filter inside the mask.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import turns
from peak import peak_gb
from scipy import ndimage

from fibsem_ij.measure.grey import grey
from fibsem_ij.measure.objects import Objects
from fibsem_ij.measure.texture import texture
from fibsem_ij.measure.texture.glcm import glcm
from fibsem_ij.measure.texture.spectrum import spectrum
from fibsem_ij.measure.texture.zones import zones

Stack = np.ndarray[Any, Any]
Row = tuple[str, str, str, str]

LEVELS, SPAN, RADIUS = 32, (0.0, 255.0), 3
HALF = list(product((-1, 0, 1), repeat=3))[:13]


def scene(side: int, *, cube: int = 24, seed: int = 0) -> tuple[Stack, Stack]:
    rng = np.random.default_rng(seed)
    image = ndimage.gaussian_filter(rng.standard_normal((side,) * 3, np.float32), 1)
    mask = ndimage.gaussian_filter(rng.standard_normal((side,) * 3, np.float32), 4) > 0
    z, y, x = (np.arange(side) // cube,) * 3
    n = -(-side // cube)
    labels = (z[:, None, None] * n + y[:, None]) * n + x + 1
    return np.where(mask, labels, 0).astype(np.uint32), np.clip(image / image.std() * 50 + 128, 0, 255).astype(np.uint8)


def cut_out(labels: Stack, image: Stack) -> Iterator[tuple[Stack, Stack]]:
    level = np.clip((image - SPAN[0]) * LEVELS / (SPAN[1] - SPAN[0]), 0, LEVELS - 1).astype(int)
    for n, box in enumerate(ndimage.find_objects(labels.astype(np.int32)), 1):
        if box is not None:
            yield labels[box] == n, level[box]


def plain_texture(labels: Stack, image: Stack) -> Stack:
    return np.array([(*plain_glcm(*one), *plain_zones(*one)) for one in cut_out(labels, image)]).T


def plain_glcm(mask: Stack, level: Stack) -> tuple[float, ...]:
    matrix = np.zeros((LEVELS, LEVELS))
    for step in HALF:
        one = tuple(slice(max(s, 0), min(s, 0) or None) for s in step)
        two = tuple(slice(max(-s, 0), min(-s, 0) or None) for s in step)
        both = mask[one] & mask[two]
        pairs = np.bincount(level[one][both] * LEVELS + level[two][both], minlength=LEVELS**2).reshape(LEVELS, LEVELS)
        matrix += pairs + pairs.T
    p = matrix / matrix.sum()
    i, j = np.indices(p.shape)
    mean = (p * i).sum()
    variance = (p * (i - mean) ** 2).sum()
    return ((p / (1 + (i - j) ** 2)).sum(), (p * (i - mean) * (j - mean)).sum() / variance, variance, (p * (i - j) ** 2).sum())


def plain_zones(mask: Stack, level: Stack) -> tuple[float, ...]:
    i, j = [], []
    for value in np.unique(level[mask]):
        parts, count = ndimage.label(mask & (level == value), np.ones((3, 3, 3)))
        i.append(np.full(count, value + 1))
        j.append(np.bincount(parts.ravel())[1:])
    i, j = np.concatenate(i), np.concatenate(j)
    return (len(i) / mask.sum(), (i**2).mean(), (i**2 / j**2).mean(), j.mean())


def plain_spectrum(labels: Stack, image: Stack) -> Stack:
    return np.array([one_spectrum(np.pad(mask, 1), np.pad(level, 1)) for mask, level in cut_out(labels, image)]).T


def one_spectrum(mask: Stack, level: Stack) -> list[float]:
    def opened(values: Stack, k: int) -> float:
        for way in (1, -1):
            for _ in range(k):
                values = way * ndimage.minimum_filter(np.where(mask, way * values, LEVELS), size=3)
        return float(values[mask].sum())

    bright, dark = ([opened(values, k) for k in range(RADIUS + 1)] for values in (level, LEVELS - 1 - level))
    changed = np.array([*-np.diff(dark)[::-1], *-np.diff(bright)])
    share = changed / changed.sum()
    sizes = np.array([*range(-RADIUS, 0), *range(1, RADIUS + 1)])
    off = sizes - sizes @ share
    sd = np.sqrt(share @ off**2)
    return [sizes @ share, sd, share @ off**3 / sd**3, share @ off**4 / sd**4]


def plain_grey(labels: Stack, image: Stack) -> Stack:
    ids = np.unique(labels)[1:]
    measures = (ndimage.mean, ndimage.standard_deviation, ndimage.minimum, ndimage.maximum, ndimage.median)
    return np.array([measure(image, labels, ids) for measure in measures])


def against(side: int, rounds: int) -> Iterator[Row]:
    labels, image = scene(side)
    objects = Objects.of(labels)
    given: dict[str, Any] = {"levels": LEVELS, "span": SPAN}
    jobs: dict[str, tuple[str, Callable[..., Any], Callable[..., Any]]] = {
        "co-occurrence and size zones": (">= 10 times", partial(texture, **given), plain_texture),
        "pattern spectrum, radius 3": ("", partial(spectrum, **given), plain_spectrum),
        "grey values": ("", grey, plain_grey)}
    for name, (asked, measure, plain) in jobs.items():
        ours, theirs = partial(measure, labels, objects, image), partial(plain, labels, image)
        off = np.nanmax(np.abs(np.array(list(ours().values())) - theirs()))  # NB: it also compiles, which is not timed
        seconds = turns.median({"ours": ours, "theirs": theirs}, rounds)
        yield (f"{name}, {len(objects)} objects in {side}^3", asked, f"{seconds['theirs'] / seconds['ours']:.1f} times faster, "
               f"{seconds['ours']:.2f} s", f"{seconds['theirs']:.2f} s")
        yield "    largest difference of any feature", "1e-9", f"{off:.1e}", ""


def scaling(side: int, rounds: int) -> Iterator[Row]:
    small, large = (scene(n) for n in (side, 2 * side))
    for name, function in (("co-occurrence", glcm), ("size zones", zones), ("pattern spectrum", spectrum)):
        jobs = {n: partial(function, labels, Objects.of(labels), image, span=SPAN)
                for n, (labels, image) in (("small", small), ("large", large))}
        seconds = turns.median(jobs, rounds)
        yield (f"{name}: {2 * side}^3 to {side}^3", "linear: 8 times", f"{seconds['large'] / seconds['small']:.1f} times, "
               f"{seconds['large'] / (2 * side)**3 * 1e9:.0f} ns a voxel", "")
    for name, job in (("co-occurrence", glcm), ("pattern spectrum", spectrum)):
        alone = partial(job, large[0], Objects.of(large[0]), large[1], span=SPAN)
        seconds = turns.median({str(n): partial(alone, workers=n) for n in (1, 2)}, rounds)
        yield f"{name}: two workers to one", "both cores", f"{seconds['1'] / seconds['2']:.2f} times faster", ""


def memory(side: int) -> Iterator[Row]:
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        for depth in (side, 4 * side):
            for job in (to_disk, measured_from_disk):  # NB: each in a process of its own, which is born with the peak of its parent
                with ProcessPoolExecutor(1, mp_context=context) as process:
                    before, most = process.submit(job, folder, (depth, side, side)).result()
            yield (f"memory, all of it, {depth} slices of {side} x {side} on disk ({5 * depth * side**2 / 1e9:.2f} GB)",
                   "" if depth == side else "as for fewer", f"{most - before:.2f} GB", "")


def to_disk(folder: str, shape: tuple[int, ...]) -> tuple[float, float]:
    for name, stack in zip(("labels", "image"), scene(shape[1]), strict=True):
        with (Path(folder) / name).open("wb") as file:
            for _ in range(0, shape[0], shape[1]):
                stack.tofile(file)
    return 0.0, 0.0


def measured_from_disk(folder: str, shape: tuple[int, ...]) -> tuple[float, float]:
    """NB: read, not mapped: pages of a mapped file count as memory held."""
    labels, image = OnDisk(Path(folder) / "labels", shape, np.uint32), OnDisk(Path(folder) / "image", shape, np.uint8)
    tiny = scene(16)
    texture(tiny[0], Objects.of(tiny[0]), tiny[1])  # NB: what the compiler holds is not the measure's
    before = peak_gb()
    objects = Objects.of(labels)
    texture(labels, objects, image)
    spectrum(labels, objects, image)
    grey(labels, objects, image)
    return before or 0.0, peak_gb() or 0.0


class OnDisk:
    def __init__(self, path: Path, shape: tuple[int, ...], dtype: Any) -> None:
        self.path, self.shape, self.dtype = path, shape, np.dtype(dtype)

    def __getitem__(self, z: Any) -> Stack:
        zs = range(self.shape[0])[z]
        first, count = (zs, 1) if isinstance(zs, int) else (zs.start, len(zs))
        plane = self.shape[1] * self.shape[2]
        found = np.fromfile(self.path, self.dtype, count * plane, offset=first * plane * self.dtype.itemsize)
        return found.reshape(self.shape[1:] if isinstance(zs, int) else (count, *self.shape[1:]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="half a minute instead of several")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    side = 64 if args.small else 160
    print("| what | asked | measured | peer |\n|---|---|---|---|")
    for rows in (memory(2 * side), against(side, args.rounds), scaling(side, args.rounds)):  # NB: memory first, see there
        for row in rows:
            print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
