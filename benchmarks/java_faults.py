"""Java that dies, hangs or fills its heap in the middle of a fit, twenty times: what the run says, how soon, and what it makes.

    python benchmarks/java_faults.py [--only sleep] [--size 128] [--crossing 2048]

Where Java comes back the run must end with the bytes of an undisturbed one; where the fault stays it must name the pair, and the next run
must end with them; where the run itself is ended, Java must be gone, and the next run must end with them. Then, what it costs that Java is
in a process of its own: its start, and a pair of slices there and back.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from java_trials import ENDS, LIMIT_S, TRIALS, Trial, laid_out, results, started, tried

from fibsem_ij import fiji

SAME_IN_PROCESS = """
import json, sys
sys.path.insert(0, {here!r})
from java_trials import Shift, wandering
from fibsem_ij import fiji, register
from fibsem_ij.files import transforms
options = register.Options(model="translation", runs=3, aligner=Shift(fiji.start(heap="256m")))
transforms.write("in_process.json", register.fit(wandering({size}), options=options))
"""


def row(folder: Path, n: int, trial: Trial, undisturbed: dict[str, bytes]) -> tuple[str, bool]:
    """As the table has it, and whether all is as it should be."""
    told = tried(folder, n, trial)
    made = told.workspace / "transforms.json"
    if trial.always or trial.kind in ENDS:
        wanted = ENDS.get(trial.kind)
        right = told.code == (2 if trial.always else {9: -9, 15: 143, 2: 130}[int(wanted or 0)]) and not made.exists()
        right &= "while fitting slice" in told.word or not trial.always
        with started(folder, told.workspace.name, {}) as again:
            right &= again.wait(LIMIT_S) == 0
        then = f"exit {told.code}; the next run"
    else:
        right = told.code == 0 and told.again_s is not None
        then = f"again after {told.again_s:.1f} s" if told.again_s is not None else f"exit {told.code}"
    same = results(told.workspace) == undisturbed
    right &= same and not told.orphans and not told.litter and told.heard_s < 10
    cells = [f"{trial.kind}{', each time' if trial.always else ''}", f"call {trial.at}", f"{told.heard_s:.1f} s", then,
             "the same bytes" if same else "OTHER BYTES", str(told.orphans), ", ".join(told.litter) or "none"]
    return f"| {' | '.join(cells)} |", right


def same_in_process(folder: Path, size: int) -> bool:
    code = SAME_IN_PROCESS.format(here=str(Path(__file__).parent), size=size)
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, timeout=LIMIT_S)
    return (folder / "in_process.json").read_bytes() == (folder / "undisturbed" / "transforms.json").read_bytes()


def both_shapes(_: fiji.Session, fixed: Any, moving: Any) -> tuple[Any, Any]:
    return fixed.shape, moving.shape


def processor_s(_: fiji.Session) -> float:
    return time.process_time()


def crossing(size: int) -> list[str]:
    """A pair there, its answer back; beside the start, which is once a fit."""
    import java_faults  # and not __main__, which the other process does not know

    lines = []
    with fiji.Apart(heap="256m") as java:
        began = time.perf_counter()
        used = java.call(java_faults.processor_s, task="start")
        took = time.perf_counter() - began
        lines.append(f"| start of Python, JVM and ImageJ, once a fit | {took:.1f} s, {used:.1f} s of processor time |")
        for dtype in (np.uint8, np.uint16, np.float32):
            pair = [np.random.default_rng(n).integers(0, 255, (size, size)).astype(dtype) for n in range(2)]
            times = []
            for _ in range(15):
                began = time.perf_counter()
                java.call(java_faults.both_shapes, *pair, task="take a pair")
                times.append(time.perf_counter() - began)
            lines.append(f"| a pair of {size} x {size}, {np.dtype(dtype)}, median of 15 | {statistics.median(times) * 1e3:.0f} ms |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="trials whose fault has this in its name")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--crossing", type=int, default=2048)
    asked = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        undisturbed = laid_out(folder, asked.size)
        print("| fault, in mid-call | where | heard after | then | in the end | processes left | files left |", "|" + "---|" * 7, sep="\n")
        for n, trial in enumerate(trial for trial in TRIALS if asked.only in trial.kind):
            line, right = row(folder, n, trial, undisturbed)
            wrong += not right
            print(line, flush=True)
        same = same_in_process(folder, asked.size)
    print(f"\n{wrong} of them not as asked. The same transforms as with Java in the run's own process: {'yes' if same else 'NO'}.\n")
    print("| what it costs | measured |\n|---|---|", *crossing(asked.crossing), sep="\n")
    raise SystemExit(bool(wrong) or not same)


if __name__ == "__main__":
    main()
