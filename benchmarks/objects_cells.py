"""What benchmarks/objects.py prints of cells: how good in three regimes, how fast, how much memory."""

from __future__ import annotations

import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import cc3d
import numpy as np
from scipy.ndimage import gaussian_filter

from fibsem_ij.arrays.scores import adapted_rand, object_dice, overlaps
from fibsem_ij.objects.cells import WAYS, Options, cells
from fibsem_ij.objects.cells.flow import carry, flow
from fibsem_ij.objects.components import components
from fibsem_ij.phantom import REGIMES, make

# Dice published for three biopsies: separate cells, partly touching, packed with one cell type.
PUBLISHED = {"mask": (0.900, 0.704, 0.889), "mask + boundary": (0.927, 0.841, 0.888), "flow alone": (0.936, 0.881, 0.888),
             "everywhere": (0.952, 0.902, 0.888), "selective": (0.950, 0.900, 0.888), "frame": (0.952, 0.894, 0.888)}
REGIMES3 = ("separate", "touching", "packed")
Row = tuple[str, str, str, str]
phantom_of = lru_cache(8)(lambda shape, seed, regime: make(shape, seed=seed, options=REGIMES[regime]))


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


def followed(shape: tuple[int, int, int], seeds: list[int]) -> Iterator[Row]:
    for regime, seed in ((regime, seed) for regime in REGIMES3 for seed in seeds):
        phantom = phantom_of(shape, seed, regime)
        truth = np.asarray(phantom.cells).astype(np.int32)
        interior, boundary = probabilities(phantom, seed)
        drawn = {z: truth[z] for z in range(shape[0] // 16, shape[0], shape[0] // 8)}
        met = np.unique(np.stack(list(drawn.values())))[1:]
        islands = islands_of(truth, met)
        name, asked = f"{regime}, seed {seed}, {len(drawn)} drawn of {shape[0]}", "Dice .95" if regime == "separate" else "Dice .90"
        mask = (interior > 127) | (boundary > 127)
        published = {way: f"published {dice[REGIMES3.index(regime)]:.3f}" for way, dice in PUBLISHED.items()}
        yield f"{name}: mask", "", told(components(mask), truth, met, None), published["mask"]
        walls = components((interior > 127) & (boundary < 128))
        yield f"{name}: mask + boundary", "", told(walls, truth, met, None), published["mask + boundary"]
        yield f"{name}: flow alone", "", told(flow_alone(interior, drawn), truth, met, islands), published["flow alone"]
        for way in WAYS:
            began = time.perf_counter()
            found, events = cells(interior, boundary, drawn, options=Options(way=way))
            each = (time.perf_counter() - began) / shape[0]
            yield (f"{name}: {way}", f"{asked}, ARE .05, islands .90 (best way)", told(found, truth, met, islands),
                   f"{published[way]}; {each:.2f} s a slice, {len(events['z'])} events")


def fast(side: int) -> Iterator[Row]:
    phantom = make((9, 512, 512), seed=1)
    times = -(-side // 512)
    interior, boundary = (np.tile(s, (1, times, times)) for s in probabilities(phantom, 1))
    truth = np.tile(np.asarray(phantom.cells).astype(np.int32), (1, times, times))
    with ThreadPoolExecutor(2) as pool:
        began, used = time.perf_counter(), time.process_time()
        cells(interior, boundary, {0: truth[0], 8: truth[8]}, executor=pool)
    wall, cpu = (time.perf_counter() - began) / 7, (time.process_time() - used) / 7
    yield (f"cells, {side} x {side}, both passes, 2 workers, a slice that is not drawn", "1.5 s",
           f"{wall:.2f} s, of a processor {cpu:.2f} s", "published: 60 s")


class Swinging:
    """A stack of any depth: another, forwards and backwards."""

    def __init__(self, base: Any, depth: int) -> None:
        self.base, self.shape, self.dtype = base, (depth, *base.shape[1:]), base.dtype

    def __getitem__(self, z: int) -> Any:
        at = z % (2 * len(self.base) - 2)
        return self.base[min(at, 2 * len(self.base) - 2 - at)]


def streamed(side: int) -> Iterator[Row]:
    phantom = make((9, side, side), seed=1)
    interior, boundary = probabilities(phantom, 1)
    truth, peaks = np.asarray(phantom.cells).astype(np.int32), {}
    for depth in (17, 65):
        drawn = {z: Swinging(truth, depth)[z] for z in range(0, depth, 8)}
        with tempfile.TemporaryDirectory() as folder:
            out = np.lib.format.open_memmap(f"{folder}/out.npy", "w+", np.uint32, (depth, side, side))
            tracemalloc.start()
            cells(Swinging(interior, depth), Swinging(boundary, depth), drawn, out)
            peaks[depth] = tracemalloc.get_traced_memory()[1] / 1e6
            tracemalloc.stop()
    yield (f"cells, most memory, 65 slices against 17, drawn every 8th, {side} x {side}", "1 (does not grow)",
           f"{peaks[65] / peaks[17]:.2f}", f"{peaks[17]:.0f} MB of NumPy's")
