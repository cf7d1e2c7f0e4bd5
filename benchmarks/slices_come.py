"""What it costs to go on when slices came, beside a run on all of them: processor seconds of each stage, and how far placed slices move.

    python benchmarks/slices_come.py [--slices 60] [--more 6] [--side 384]

A phantom as a folder of slices; registration (10 runs), a denoiser of a few updates and its application, as `fibsem-ij run` does them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from fibsem_ij import files, phantom, pipeline, recipe
from fibsem_ij.files import transforms
from fibsem_ij.pipeline import source
from fibsem_ij.verbs.register import moved
from fibsem_ij.volume import Transforms, Volume
from fibsem_ij.workspace import Workspace

RECIPE = """
[input]
src = "slices"
voxel_nm = [8, 8, 8]
[register]
runs = 10
HOLD
[denoise]
updates = 60
device = "cpu"
"""
STAGES = ("input", "register fit", "register apply", "denoise fit", "denoise apply")


def run(folder: Path, place: str, *, hold: bool = False) -> dict[str, float]:
    """Processor seconds of each stage, between what is said of them."""
    marks: list[tuple[str, float]] = []
    text = RECIPE.replace("HOLD", f"hold = {str(hold).lower()}")
    pipeline.run(recipe.parse(text, folder=folder), Workspace(folder / place), say=lambda line: marks.append((line, time.process_time())))
    marks = [(name, at) for line, at in marks for name in STAGES if line.startswith((f"{name} runs", f"{name} is"))]
    ends = [at for _, at in marks[1:]] + [time.process_time()]
    return {name: end - at for (name, at), end in zip(marks, ends, strict=True)}


def give(folder: Path, raw: Volume, first: int, last: int) -> None:
    (folder / "slices").mkdir(exist_ok=True)
    for z in range(first, last):
        files.write(folder / "slices" / f"{z:04d}.tif", Volume(raw[z][None]))


def placed(folder: Path, place: str) -> Transforms:
    return transforms.read(Workspace(folder / place).transforms)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=60)
    parser.add_argument("--more", type=int, default=6)
    parser.add_argument("--side", type=int, default=384)
    asked = parser.parse_args()
    source.WAIT = 0.0
    raw = phantom.make((asked.slices + asked.more, asked.side, asked.side), seed=3).raw
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        give(folder, raw, 0, asked.slices)
        run(folder, "warm")  # what is compiled is compiled
        rows = {f"{asked.slices} slices": run(folder, "anew")}
        run(folder, "held", hold=True)
        before = placed(folder, "anew")
        give(folder, raw, asked.slices, asked.slices + asked.more)
        rows[f"{asked.more} more"] = run(folder, "anew")
        rows[f"{asked.more} more, hold = true"] = run(folder, "held", hold=True)
        rows[f"{asked.slices + asked.more} slices"] = run(folder, "fresh")
        after, held = placed(folder, "anew"), placed(folder, "held")
        now = {z: z for z in range(asked.slices)}
        each = [moved(_only(before, z), _only(after, z), {0: 0}, raw.shape[1:]) for z in now]
        print(f"{'run':24s}" + "".join(f"{stage:>16s}" for stage in STAGES) + f"{'in all':>10s}")
        for what, times in rows.items():
            print(f"{what:24s}" + "".join(f"{times[stage]:16.1f}" for stage in STAGES) + f"{sum(times.values()):10.1f}")
        print(f"placed slices moved by {np.median(each):.3f} px in the middle, {max(each):.3f} at most; held: "
              f"{moved(before, held, now, raw.shape[1:]):.3f}")


def _only(fitted: Transforms, z: int) -> Transforms:
    return Transforms(fitted.matrices[z:z + 1], fitted.canvas, fitted.model)


if __name__ == "__main__":
    main()
