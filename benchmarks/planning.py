"""How long `fibsem-ij run --dry` takes for the two large published stacks, and how much memory, each as a whole process.

    python benchmarks/planning.py [--rounds 3]

The stacks are sparse files of their size, with a phantom in the middle, where the samples are taken.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from fibsem_ij import phantom, recipe

SHAPES = ((1583, 3874, 6114), (2526, 3511, 5728))  # z, y, x
CALL = """
import sys, time
from typer.testing import CliRunner
from fibsem_ij.cli import app
sys.path.insert(0, {here!r})
from peak import peak_gb
done = CliRunner().invoke(app, ["run", sys.argv[1], sys.argv[2], "--dry"])
if done.exception: raise done.exception
print(done.stdout, file=sys.stderr)
print(peak_gb())
"""


def lay_out(folder: Path, shape: tuple[int, int, int], name: str) -> Path:
    inside = np.asarray(phantom.make((8, 256, 256), seed=1).raw)
    stack = np.lib.format.open_memmap(folder / "raw.npy", "w+", np.uint8, shape)
    z, y, x = ((size - part) // 2 for size, part in zip(shape, inside.shape, strict=True))
    stack[z:z + 8, y:y + 256, x:x + 256] = inside
    stack.flush()
    text = recipe.ready_text(name).replace('"raw"', '"raw.npy"').replace('"raw.tif"', '"raw.npy"')
    (folder / "recipe.toml").write_text(text, encoding="utf-8")
    return folder / "recipe.toml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    print(f"{'stack (z, y, x)':24s} {'recipe':12s} {'asked':>14s} {'seconds':>8s} {'CPU s':>6s} {'MB':>5s}")
    for shape in SHAPES:
        for name in ("organelles", "align"):
            with tempfile.TemporaryDirectory() as place:
                path = lay_out(Path(place), shape, name)
                told = [planned(path) for _ in range(rounds + 1)][1:]
            took, cpu, peak = (statistics.median(column) for column in zip(*told, strict=True))
            print(f"{' x '.join(map(str, shape)):24s} {name:12s} {'5 s, 500 MB':>14s} {took:8.1f} {cpu:6.1f} {1000 * peak:5.0f}")


def planned(path: Path) -> tuple[float, float, float]:
    """Seconds, seconds of processor time, GB."""
    import resource

    code = CALL.format(here=str(Path(__file__).parent))
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code, path, path.parent / "workspace"], capture_output=True, text=True, check=True)
    took, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, float(json.loads(done.stdout))


if __name__ == "__main__":
    main()
