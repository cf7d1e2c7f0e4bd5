"""Does a stage hold more memory, or take longer a slice, when a stack is deeper? Each stage and depth as a process of its own.

    python benchmarks/streaming.py [--small] [--side 2048] [--depths 32,64,256] [--stages input,measure] [--folder /scratch] [--kept FILE]

Peak memory is that of the process. Seconds are the clock's, processor seconds in brackets; `a slice` and `off the line` are of the
straight line through the processor's seconds of all depths: its slope, and the farthest that a depth lies from it. A result that no
later stage reads is removed, so that 4 Gvoxel want some 15 GB of disk. With `--kept` what was measured stays in a file, another run with
other depths or stages adds to it, and the table is of all.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from peak import peak_gb
from streaming_stages import BLOCK, STAGES, lay_out

Told = dict[str, float]  # seconds, cpu, gb


def alone(stage: str, folder: Path) -> Told:
    """In a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--alone", stage, "--folder", folder], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{stage}: {done.stderr.strip().splitlines()[-1]}")
    told: Told = json.loads(done.stdout.splitlines()[-1])
    return told


def tell(stage: str, folder: Path) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    STAGES[stage].run(folder)
    print(json.dumps({"seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "gb": peak_gb()}))


def streamed(depth: int, side: int, stages: list[str], scratch: Path | None) -> Iterator[tuple[str, Told]]:
    """Of each stage, on a stack of `depth` slices."""
    needed = [name for name in STAGES if name in stages or STAGES[name].writes in {read for s in stages for read in STAGES[s].reads}]
    needed = ["input", *(name for name in needed if name != "input")]
    with tempfile.TemporaryDirectory(dir=scratch) as place:
        folder = Path(place)
        lay_out(folder, depth, side)
        for i, name in enumerate(needed):
            yield name, alone(name, folder)
            later = {read for s in needed[i + 1:] for read in STAGES[s].reads}
            for path in folder.iterdir():
                if path.name not in later:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()


def table(found: dict[int, dict[str, Told]], side: int) -> None:
    """A stage that was measured at fewer depths has gaps."""
    depths = sorted(found)
    heads = [f"{depth} ({depth * side**2 / 1e9:.2f} Gvoxel)" for depth in depths]
    print(f"| stage | {' | '.join(heads)} | memory, deepest to the one before | ms of processor a slice | off the line |")
    print(f"|{'---|' * (len(depths) + 4)}")
    for stage in STAGES:
        told = {depth: found[depth][stage] for depth in depths if stage in found[depth]}
        if len(told) < 2:
            continue
        measured, cpu = np.array(list(told)), np.array([one["cpu"] for one in told.values()])
        slope, offset = np.polyfit(measured, cpu, 1)
        off = np.abs(cpu / (slope * measured + offset) - 1).max()
        gb = [one["gb"] for one in told.values()]
        cells = [f"{one['gb']:.2f} GB, {one['seconds']:.0f} s ({one['cpu']:.0f})" if (one := told.get(depth)) else "" for depth in depths]
        grown = gb[-1] / gb[-2]
        print(f"| {stage} | {' | '.join(cells)} | {grown:.2f} | {1e3 * slope:.0f} | {off:.0%} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="slices of 512 px")
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--depths", default="32,64,256")
    parser.add_argument("--stages", default="", help="by comma; else all")
    parser.add_argument("--folder", type=Path, help="for what is made on the way; else the system's")
    parser.add_argument("--kept", type=Path, help="JSON of what was measured; added to")
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alone:
        tell(given.alone, given.folder)
        return
    stages = [name for name in given.stages.split(",") if name] or list(STAGES)
    if unknown := set(stages) - set(STAGES):
        parser.error(f"expected some of {', '.join(STAGES)}, got {', '.join(sorted(unknown))}")
    side = 512 if given.small else given.side
    for _ in streamed(BLOCK, 256, stages, given.folder):  # what is compiled at the first use is compiled
        pass
    said = json.loads(given.kept.read_text()) if given.kept and given.kept.exists() else {}
    found: dict[int, dict[str, Told]] = {int(depth): of for depth, of in said.items()}
    for depth in map(int, given.depths.split(",")):
        for name, told in streamed(depth, side, stages, given.folder):
            found.setdefault(depth, {})[name] = told
            if given.kept:
                given.kept.write_text(json.dumps(found))
    table(found, side)


if __name__ == "__main__":
    main()
