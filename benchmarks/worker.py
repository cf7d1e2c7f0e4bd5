"""What Fiji waits for when it asks for one slice: a worker that stays alive, beside the same command as a process of its own, in turn.

    python benchmarks/worker.py [--size 512] [--rounds 5]

The network is `segment fit --preset quick` after three updates: what it says is nothing, how long it takes is what a trained one takes.
Processor time is read from /proc, so this runs on Linux. The two must write the same bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from fibsem_ij import files, phantom
from fibsem_ij.volume import Labels

FIBSEM = [sys.executable, "-m", "fibsem_ij"]


def specimen(folder: Path, size: int) -> None:
    made = phantom.make((4, size, size), seed=1)
    files.write(folder / "raw.tif", made.raw)
    drawn = np.zeros(made.raw.shape, np.uint8)
    drawn[[0, 3]] = np.asarray(made.classes)[[0, 3]]
    files.write(folder / "drawn.tif", Labels(drawn, made.raw.voxel_nm, made.raw.names, made.classes.classes))
    words = ["segment", "fit", "raw.tif", "drawn.tif", "net", "--updates", "3", "--progress", "none"]
    subprocess.run([*FIBSEM, *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def apply(out: str, z: int) -> list[str]:
    return ["segment", "apply", "raw.tif", "net", out, "--slices", str(z)]


def of_command(folder: Path, z: int) -> tuple[float, float]:
    """Seconds, and of processor time."""
    start, before = time.perf_counter(), os.times()
    subprocess.run([*FIBSEM, *apply(f"command{z}.tif", z), "--progress", "none"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - start, used


def of_worker(worker: subprocess.Popen[str], z: int) -> tuple[float, float]:
    assert worker.stdin
    assert worker.stdout
    start, before = time.perf_counter(), processor_time(worker.pid)
    worker.stdin.write(json.dumps({"id": z, "args": apply(f"worker{z}.tif", z)}) + "\n")
    worker.stdin.flush()
    while "ok" not in (answer := json.loads(worker.stdout.readline())):
        pass
    assert answer["ok"], answer
    return time.perf_counter() - start, processor_time(worker.pid) - before


def processor_time(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        specimen(folder, asked.size)
        with subprocess.Popen([*FIBSEM, "worker"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8") as worker:
            first = of_worker(worker, 0)
            pairs = [(of_worker(worker, n % 4), of_command(folder, n % 4)) for n in range(asked.rounds)]
            assert worker.stdin
            worker.stdin.close()
        written = [[(folder / f"{by}{z}.tif").read_bytes() for z in range(min(4, asked.rounds))] for by in ("worker", "command")]
        same = written[0] == written[1]
    print(f"one slice of {asked.size} x {asked.size}, quick network; seconds / of processor time, median of {asked.rounds} in turn\n")
    print("| what | asked | measured |\n|---|---|---|")
    print(f"| worker, the first request |  | {first[0]:.2f} / {first[1]:.2f} s |")
    for what, n, wanted in (("worker, each after it", 0, "< 1 s"), ("fibsem-ij segment apply --slices", 1, "")):
        wall, used = (statistics.median(pair[n][k] for pair in pairs) for k in (0, 1))
        print(f"| {what} | {wanted} | {wall:.2f} / {used:.2f} s |")
    print(f"| the same bytes | yes | {'yes' if same else 'NO'} |")


if __name__ == "__main__":
    main()
