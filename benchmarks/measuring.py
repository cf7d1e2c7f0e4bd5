"""Shapes of objects: how right, against closed forms, and how fast, against scikit-image in the same run.

    python benchmarks/measuring.py [--small] [--rounds 3] [--only right,speed,many,linear,memory]

Solids are voxelised with seeded turns and shifts; errors are the worst of all turns. Speed: ellipsoids of 12 to 25 voxels across, packed so
that some touch. scikit-image measures the same 3D properties (regionprops_table; surfaces by marching cubes of each object's box).
Jobs take turns in one process. Ratios are of wall time, and of CPU time of all threads together, which is what is left of them on a
machine with no core to spare.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import sections
import turns
from peak import peak_gb
from skimage.measure import marching_cubes, mesh_surface_area, regionprops, regionprops_table

from fibsem_ij import measure

Row = tuple[str, str, str, str]
SHAPE = ("size", "surface", "hull", "topology")
VOXELS = ((1.0, 1.0, 1.0), (2.0, 1.0, 1.0), (4.0, 1.0, 1.0), (1.0, 1.0, 3.0))
PLAIN = ("label", "num_pixels", "centroid", "bbox", "extent", "axis_major_length", "axis_minor_length", "inertia_tensor",
         "euler_number", "area_filled")
SOLID = (*PLAIN, "area_convex", "solidity")


def solids() -> Any:
    sys.path.append(str(Path(__file__).parents[1] / "tests" / "measure"))  # whose closed forms are those of the tests
    import solids

    return solids


def right(few: bool) -> Iterator[Row]:
    s = solids()
    for name, solid in {"ball": s.ball(20), "ellipsoid": s.ellipsoid(33, 25, 20), "box": s.box(40, 30, 50), "torus": s.torus(30, 15),
                        "shell": s.shell(28, 18)}.items():
        for voxel in VOXELS:
            worst = dict.fromkeys(("volume", "surface", "marching cubes", "solidity", "circular variance of a ball"), 0.0)
            for seed in range(2 if few else 6):
                labels = s.drawn(solid, voxel_nm=voxel, turn=s.turned(seed), shift=tuple(np.random.default_rng(seed).random(3)))
                found = {key: float(column[0]) for key, column in measure.apply(labels, voxel_nm=voxel).items()}
                mesh = mesh_surface_area(*marching_cubes(labels, 0.5, spacing=voxel)[:2])
                errors = (found["volume_nm3"] / solid.volume - 1, found["surface_nm2"] / solid.surface - 1, mesh / solid.surface - 1,
                          found["solidity"] / (solid.volume / solid.hull) - 1, found["circular_variance"] if name == "ball" else 0)
                worst = {what: max(worst[what], error, key=abs) for what, error in zip(worst, errors, strict=True)}
            told = f"volume {worst['volume']:+.1%}, surface {worst['surface']:+.1%}, solidity {worst['solidity']:+.1%}"
            if name == "ball":
                told += f", circular variance {worst['circular variance of a ball']:.4f}"
            yield (f"{name}, voxels {voxel[0]:g} x {voxel[1]:g} x {voxel[2]:g}", "volume, solidity 2 %, surface 3 %, .01 where 0", told,
                   f"marching cubes: surface {worst['marching cubes']:+.1%}")


def packed(size: int, each: int) -> Any:
    """`each`^3 ellipsoids in a cube."""
    rng, step, reach = np.random.default_rng(0), size / each, 14
    labels = np.zeros((size + 2 * reach,) * 3, np.uint32)
    grid = np.arange(-reach, reach)
    for i, corner in enumerate(np.ndindex(each, each, each), 1):
        centre = (np.array(corner) + 0.5) * step + rng.uniform(-0.5, 0.5, 3)
        axes, start = rng.uniform(6, 12.5, 3), centre.astype(int)
        z, y, x = np.ix_(*((grid - off) / axis for off, axis in zip(centre - start, axes, strict=True)))
        labels[tuple(slice(a, a + 2 * reach) for a in start)][z**2 + y**2 + x**2 <= 1] = i
    return np.ascontiguousarray(labels[reach:-reach, reach:-reach, reach:-reach])


def ours(labels: Any, *groups: str) -> measure.Table:
    return measure.apply(labels, options=measure.Options(groups=groups))


def theirs(labels: Any, properties: tuple[str, ...]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of objects that are flat
        return regionprops_table(labels, properties=properties)


def meshes(labels: Any) -> list[float]:
    return [mesh_surface_area(*marching_cubes(np.pad(region.image, 1), 0.5)[:2]) for region in regionprops(labels) if region.num_pixels > 1]


def clocks() -> Any:
    return np.array([time.perf_counter(), time.process_time()])


def speed(size: int, each: int, rounds: int) -> Iterator[Row]:
    labels = packed(size, each)
    ours(labels[:32], *SHAPE)  # compiled
    what = f"{each**3:,} objects in {size}^3"
    jobs: dict[str, tuple[str, Callable[[], Any], Callable[[], Any]]] = {
        "size, holes, Euler number": (">= 5 x", partial(ours, labels, "size", "topology"), partial(theirs, labels, PLAIN)),
        "and solidity": (">= 20 x", partial(ours, labels, "size", "topology", "hull"), partial(theirs, labels, SOLID)),
        "surface": ("report", partial(ours, labels, "surface"), partial(meshes, labels))}
    for name, (asked, here, there) in jobs.items():
        took = {who: np.median(times, 0) for who, times in turns.seconds({"ours": here, "theirs": there}, rounds, clock=clocks).items()}
        wall, cpu = took["theirs"] / took["ours"]
        yield (f"{what}: {name}", asked, f"{wall:.1f} x, CPU {cpu:.1f} x, {took['ours'][0]:.2f} s",
               f"scikit-image {took['theirs'][0]:.1f} s")


def many(size: int, each: int) -> Iterator[Row]:
    labels = packed(size, each)
    ours(labels[:32], *SHAPE)
    for groups in (*((group,) for group in SHAPE), SHAPE):
        wall, cpu = time.perf_counter(), time.process_time()
        table = ours(labels, *groups)
        asked = "< 30 s on 2 cores" if groups == SHAPE else ""
        yield (f"{len(table['label']):,} objects in {size}^3: {', '.join(groups)}", asked,
               f"{time.perf_counter() - wall:.1f} s, CPU {time.process_time() - cpu:.1f} s", "")


def linear(size: int, each: int) -> Iterator[Row]:
    """The same slab one, two and four times over, under other numbers."""
    slab = packed(size, each)[:size // 2]
    taken = {}
    for times in (1, 2, 4):
        labels = np.concatenate([np.where(slab, slab + i * each**3, 0) for i in range(times)]).astype(np.uint32)
        taken[times] = turns.median({"ours": partial(ours, labels, *SHAPE)}, 3, clock=time.process_time)["ours"]
    yield (f"CPU time for 1, 2, 4 times {slab.size / 1e6:.0f} Mvoxel", "linear", ", ".join(f"{taken[n] / taken[1]:.2f}" for n in taken), "")


def memory(depths: tuple[int, ...], size: int) -> Iterator[Row]:
    told = []
    for depth in depths:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            told.append(f"{depth} slices {pool.submit(streamed, depth, size).result():.2f} GB")
    yield f"peak memory, slices of {size} x {size}, one object of two fifths of the stack", "does not grow", ", ".join(told), ""


class File:
    """Slices read one by one: pages of a memory map would count as memory held."""

    def __init__(self, path: Path, depth: int, size: int) -> None:
        self.path, self.shape, self.dtype = path, (depth, size, size), np.dtype(np.uint32)

    def __getitem__(self, z: int) -> Any:
        count = self.shape[1] * self.shape[2]
        return np.fromfile(self.path, self.dtype, count, offset=int(z) * count * 4).reshape(self.shape[1:])


def streamed(depth: int, size: int) -> float | None:
    y, x = np.ogrid[-1:1:size * 1j, -1:1:size * 1j]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels"
        with path.open("wb") as file:
            for z in range(depth):
                file.write(np.where(x**2 + y**2 < 0.5, 1, 2 + (x > 0) + z // 20 * 2).astype(np.uint32).tobytes())
        ours(File(path, depth, size), *SHAPE)
    return peak_gb()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a minute or two instead of half an hour")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="by comma: right, speed, many, linear, memory")
    args = parser.parse_args()
    few = args.small
    every = {"right": right(few), "speed": speed(128, 5, 1) if few else speed(256, 11, args.rounds),
             "many": many(256, 11) if few else many(512, 22), "linear": linear(128, 5) if few else linear(256, 11),
             "memory": memory((20, 40), 512) if few else memory((40, 160), 1024)}
    sections.tell(parser, every, args.only, columns=("what", "asked", "measured", "peer"))


if __name__ == "__main__":
    main()
