"""The stages that stream a stack, each on files in one folder, as the pipeline runs them; and a stack to stream.

Networks are as small as can be, and untrained: what is asked is memory and whether time grows with slices, not what they find. The stack
repeats a block of blobs and noise, each block shifted and apart from the next, so that the number of objects grows with the depth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from fibsem_ij import files, measure
from fibsem_ij.arrays.slices import map_slices
from fibsem_ij.volume import Labels, Transforms

VOXEL_NM = (8.0, 4.0, 4.0)
BLOCK = 32  # slices
THREADS = 2
INSIDE = 150  # grey values above are inside of blobs


@dataclass(frozen=True)
class Stage:
    run: Callable[[Path], None]
    reads: tuple[str, ...]
    writes: str


def lay_out(folder: Path, depth: int, side: int) -> None:
    """raw.tif of `depth` slices."""
    block = blobs(side)
    with files.create(folder / "raw.tif", shape=(depth, side, side), dtype="uint8", voxel_nm=VOXEL_NM) as out:
        for z in range(depth):
            out[z] = np.roll(block[z % BLOCK], 17 * (z // BLOCK), 1)


@cache
def blobs(side: int) -> npt.NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    inner = ndimage.gaussian_filter(rng.normal(size=(BLOCK - 2, side // 4, side // 4)).astype(np.float32), (3, 3, 3))
    there = np.pad((inner > 1.2 * inner.std()).repeat(4, 1).repeat(4, 2), ((1, 1), (0, 0), (0, 0)))
    return np.clip(100 + 100 * there + rng.normal(0, 8, there.shape), 0, 255).astype(np.uint8)


def take_in(folder: Path) -> None:
    stack = files.read(folder / "raw.tif")
    with files.create(folder / "raw.zarr", shape=stack.shape, dtype=stack.dtype, voxel_nm=stack.voxel_nm, names=stack.names,
                      resume="streaming") as out:
        map_slices(lambda pixels, _: pixels, stack, out, done=out.done)


def register_apply(folder: Path) -> None:
    from fibsem_ij.verbs import register

    stack = files.read(folder / "raw.zarr")
    rng = np.random.default_rng(1)
    matrices = np.tile(np.eye(3), (len(stack), 1, 1))
    matrices[:, :2] += np.concatenate([rng.normal(0, 1e-3, (len(stack), 2, 2)), rng.normal(0, 5, (len(stack), 2, 1))], 2)
    with ThreadPoolExecutor(THREADS) as pool:
        register.apply(stack, Transforms(matrices, stack.shape[1:], voxel_nm=VOXEL_NM), folder / "aligned.zarr", interpolation="linear",
                       contrast="none", executor=pool, resume="streaming")


def network(task: str, **more: Any) -> Any:
    from fibsem_ij.learn.network import Network, build
    from fibsem_ij.learn.scale import Scale

    config, module = build("unet", depth=1, base=2, norm="none", dropout=0.0)
    return Network("unet", config, module.eval(), Scale(offset=100, gain=0.01, dtype="uint8"), task, **more)


def denoise_apply(folder: Path) -> None:
    from fibsem_ij.verbs import denoise

    denoise.apply(files.read(folder / "raw.zarr"), network("denoise.supervised"), folder / "clean.zarr", resume="streaming", device="cpu")


def segment_apply(folder: Path) -> None:
    from fibsem_ij.verbs import segment

    said = {"ids": {"blob": 1}, "options": {"context": 1, "patch": 192, "grain": []}}
    net = network("segment", classes={0: "blob"}, activation="sigmoid", record=said)
    segment.apply(files.read(folder / "raw.zarr"), [net], folder / "probabilities.zarr", tile=512, flips=False, device="cpu",
                  resume="streaming")


def segment_label(folder: Path) -> None:
    from fibsem_ij import segment
    from fibsem_ij.files import probabilities
    from fibsem_ij.verbs.segment import class_image

    store = probabilities.read(folder / "probabilities.zarr")
    with class_image(folder / "classes.zarr", store[0], store.names) as out:
        segment.labels(store, out, ids=store.names)


def components(folder: Path) -> None:
    from fibsem_ij.objects.components import Options
    from fibsem_ij.objects.components import components as fill
    from fibsem_ij.verbs.objects import labels

    stack = files.read(folder / "raw.zarr")
    with labels(folder / "labels.zarr", stack) as out:
        fill(stack, out, options=Options(threshold=INSIDE, least_voxels=20))


def measured(folder: Path) -> None:
    from fibsem_ij.verbs import measure as verbs

    stack = files.read_labels(folder / "labels.zarr")
    options = measure.Options(groups=("size", "surface", "hull", "topology", "grey"))
    table = verbs.measured(stack, files.read(folder / "raw.zarr"), options=options)
    verbs.write(folder / "measures.csv", table, stack, labels="labels.zarr")


def labels_tif(folder: Path) -> None:
    stack: Labels = files.read_labels(folder / "labels.zarr")
    files.write(folder / "labels.tif", stack)


STAGES: Mapping[str, Stage] = {
    "input": Stage(take_in, ("raw.tif",), "raw.zarr"),
    "register apply": Stage(register_apply, ("raw.zarr",), "aligned.zarr"),
    "denoise apply": Stage(denoise_apply, ("raw.zarr",), "clean.zarr"),
    "segment apply": Stage(segment_apply, ("raw.zarr",), "probabilities.zarr"),
    "segment label": Stage(segment_label, ("probabilities.zarr",), "classes.zarr"),
    "objects": Stage(components, ("raw.zarr",), "labels.zarr"),
    "measure": Stage(measured, ("labels.zarr", "raw.zarr"), "measures.csv"),
    "output labels.tif": Stage(labels_tif, ("labels.zarr",), "labels.tif"),
}
