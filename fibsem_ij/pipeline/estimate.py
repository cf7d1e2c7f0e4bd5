"""What a plan will take: sizes by the recipe, time by a measured sample of the stack itself, memory by what each stage holds.

The sample is the middle of a few slices. On it pairs are fitted, slices resampled and packed, pieces numbered and measured, as the recipe
asks for; each rate is that of one core, and stages that map slices are given those of the machine. A U-Net is reckoned by its work and
the rate of a matrix product; a training takes its minutes. What is not known is "?". It tells hours from minutes, not more.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij import files
from fibsem_ij.arrays.slices import middle
from fibsem_ij.files.chunks import CODEC
from fibsem_ij.pipeline import fingerprints, source
from fibsem_ij.pipeline.deciding import Step
from fibsem_ij.recipe import Recipe
from fibsem_ij.recipe.tables import Cells, Nuclei
from fibsem_ij.volume import Volume
from fibsem_ij.workspace import Workspace

Sample = npt.NDArray[Any]

_SIDE, _SLICES = 256, 4
_REACHED = 0.6  # of the rate of a matrix product, by a network
_BASE = 0.4e9  # bytes
_PYRAMID = 8 / 7


@dataclass(frozen=True)
class Estimate:
    step: Step
    shape: tuple[int, ...]  # of what it writes; () where that is no stack
    disk: float  # bytes
    memory: float  # bytes
    seconds: float | None  # None: not known

    def plain(self) -> dict[str, Any]:
        return {"shape": list(self.shape), "disk_bytes": round(self.disk), "memory_bytes": round(self.memory),
                "seconds": None if self.seconds is None else round(self.seconds, 3)}


def estimate(recipe: Recipe, workspace: Workspace, steps: Sequence[Step]) -> list[Estimate]:
    stack = _stack(recipe, workspace)
    first = max(0, (len(stack) - _SLICES) // 2)
    sample = np.stack([middle(stack, z, _SIDE) for z in range(first, min(first + _SLICES, len(stack)))])
    return [_of(step, recipe, stack, sample) for step in steps]


def as_text(told: Sequence[Estimate]) -> str:
    rows = [("stage", "", "shape", "disk", "memory", "time")]
    for one in told:
        runs = one.step.runs or one.step.does == "waits"
        rows.append((one.step.name, one.step.does, " x ".join(map(str, one.shape)), _bytes(one.disk) if runs else "",
                     _bytes(one.memory) if runs else "", _time(one.seconds) if runs else ""))
    widths = [max(len(row[n]) for row in rows) for n in range(6)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    todo = [one for one in told if one.step.runs or one.step.does == "waits"]
    whys = [str(one.step) for one in told if one.step.why]
    free = shutil.disk_usage(told[0].step.writes[0].parent if told[0].step.writes[0].parent.exists() else ".").free
    total = f"In all {_bytes(sum(one.disk for one in todo))} of {_bytes(free)} free, {_time(sum(one.seconds or 0 for one in todo))}"
    return "\n".join([*lines, "", *whys, f"{total}, memory {_bytes(max((one.memory for one in todo), default=0))}"])


def _of(step: Step, recipe: Recipe, stack: Volume, sample: Sample) -> Estimate:
    depth, height, width = stack.shape
    voxels, cores = float(depth) * height * width, os.cpu_count() or 1
    name, grey = step.name, stack.dtype.itemsize
    plane = float(height) * width
    channels = 2.0
    size = {"input": grey, "register apply": grey, "denoise apply": grey, "segment apply": channels * 0.3, "segment label": 0.05,
            "objects": 0.2, "output labels.tif": 2.0, "output rois.zip": 0.02}.get(name, 0.0)
    held = {"register fit": 80 * cores, "register apply": 3 * grey * (cores + 2), "denoise apply": 40, "segment apply": 40,
            "segment label": 4 * channels, "output rois.zip": 16, "measure": 24}.get(name, 8.0)
    shaped = (int(channels), depth, height, width) if name == "segment apply" else stack.shape if size and name != "output rois.zip" else ()
    disk = voxels * size * _packing(name, sample) * (_PYRAMID if "output" not in name else 1)
    if name == "input" and not recipe.input.copy:
        disk, shaped = 0.0, stack.shape
    seconds = None
    if step.does in ("runs", "waits"):
        with contextlib.suppress(ValueError):  # a sample of resin, or of nothing, cannot be aligned or measured
            seconds = _seconds(name, recipe, stack, sample)
    return Estimate(step, shaped, disk, _BASE + plane * held + (voxels * 4 if _whole(name, recipe) else 0), seconds)


def _whole(name: str, recipe: Recipe) -> bool:
    """Whether the stage may hold a class of the whole stack."""
    return name == "segment label" and bool(recipe.segment and recipe.segment.least_voxels)


def _packing(name: str, sample: Sample) -> float:
    """How small Zstandard makes grey values like these."""
    if name not in ("input", "register apply", "denoise apply"):
        return 1.0
    packed = CODEC.encode(np.ascontiguousarray(sample))
    return min(1.0, len(packed) / sample.nbytes)


def _seconds(name: str, recipe: Recipe, stack: Volume, sample: Sample) -> float | None:
    """Of the whole stage, from what its sample takes."""
    cores = os.cpu_count() or 1
    times = float(np.prod(stack.shape, dtype=np.float64)) / sample.size
    match name:
        case "input":
            return times * _took(lambda: _packing("input", sample))
        case "register fit" if recipe.register and recipe.register.aligner in ("turboreg", "sift"):
            return times * _pairs(recipe, sample) / cores
        case "register apply":
            return times * _resampled(recipe, sample) / cores
        case "denoise fit" | "segment fit":
            return _training(getattr(recipe, name.split()[0]).options)
        case "denoise apply" | "segment apply":
            pixel = _of_denoise(recipe) if name.startswith("denoise") else _of_segment(recipe)
            return pixel and pixel * float(np.prod(stack.shape, dtype=np.float64))
        case "objects" if not isinstance(recipe.objects, Cells | Nuclei):
            return times * _numbered(sample)[1]
        case "measure":
            return times * _measured(recipe, sample)
    return None


def _pairs(recipe: Recipe, sample: Sample) -> float:
    from fibsem_ij import register

    assert recipe.register
    options = replace(recipe.register.options, anchors={}, bad=(), reference=None)
    register.fit(sample[:2, :64, :64], options=options)  # compiles, or loads what was compiled
    return _took(lambda: register.fit(sample, options=options))


def _resampled(recipe: Recipe, sample: Sample) -> float:
    from fibsem_ij import register
    from fibsem_ij.volume import Transforms

    assert recipe.register
    still = Transforms(np.tile([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]], (len(sample), 1, 1)), sample.shape[1:])
    interpolation = recipe.register.interpolation
    return _took(lambda: register.apply(sample, still, interpolation=interpolation)) + _took(lambda: _packing("input", sample))


def _training(options: Any) -> float | None:
    return 60.0 * options.minutes if options.minutes else None


def _network(options: Any, base: int, depth: int, fold: int) -> float | None:
    """A pixel through a U-Net, by its work and the rate of a matrix product here. NB: torch alone would take all the memory of a plan.

    Each level has a quarter of the pixels and twice the maps of the one above, so all cost the same: some 43 base^2 multiplications.
    """
    if options.device not in ("auto", "cpu") or (options.device == "auto" and shutil.which("nvidia-smi")):
        return None
    side = np.ones((1024, 1024), np.float32)
    side @ side
    rate = 1024**3 / _took(lambda: side @ side)
    return 43 * base**2 * depth / fold**2 / (_REACHED * rate)


def _of_segment(recipe: Recipe) -> float | None:
    from fibsem_ij.segment.presets import SMALL

    assert recipe.segment
    options = recipe.segment.options
    config = SMALL.get(options.network, {}) if options.config is None else options.config
    if options.network not in ("unet", "resunet"):
        return None
    pixel = _network(options, config.get("base", 64), config.get("depth", 4), config.get("fold", 1))
    return pixel and pixel / options.context**2 * (4 if options.flips else 1)


def _of_denoise(recipe: Recipe) -> float | None:
    assert recipe.denoise
    pixel = _network(recipe.denoise.options, recipe.denoise.options.base, recipe.denoise.options.depth, 1)
    return pixel and pixel * (4 if recipe.denoise.flips else 1)


def _numbered(sample: Sample) -> tuple[Any, float]:
    from fibsem_ij.objects.components import components

    mask = sample > np.percentile(sample, 60)
    components(mask[:1])
    found: list[Any] = []
    return (found, _took(lambda: found.append(components(mask))))


def _measured(recipe: Recipe, sample: Sample) -> float:
    from fibsem_ij import measure

    assert recipe.measure
    found, _ = _numbered(sample)
    groups = tuple(name for name in recipe.measure.options.groups if name != "skeleton")
    options = replace(recipe.measure.options, groups=groups)
    labels = found[0]
    measure.apply(labels[:, :32, :32], image=sample[:, :32, :32], options=options)
    return _took(lambda: measure.apply(labels, image=sample, options=options))


def _took(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _stack(recipe: Recipe, workspace: Workspace) -> Volume:
    if recipe.input.src and fingerprints.look(recipe.path(recipe.input.src)):
        return source.read(recipe).stack
    return files.read(workspace.grey, voxel_nm=recipe.input.voxel_nm)


def _bytes(size: float) -> str:
    for unit, of in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if size >= of:
            return f"{size / of:.1f} {unit}"
    return f"{size / 1e3:.0f} kB" if size else "-"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
