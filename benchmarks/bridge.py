"""The bridge to ImageJ, measured: throughput against array.copy(), start, exit, memory.

    python benchmarks/bridge.py [--small]

Throughput: `array.copy()` of the same bytes, to_fiji and from_fiji take turns in one process, and the medians are compared. Bytes are
those of the array in Python. The first round of all warms up (Java's heap grows, memory is touched for the first time).
NB: `array.copy()` has two speeds on Linux, ten times apart: the kernel gives its new memory in huge pages or in small ones. In huge
pages it moves bytes as fast as the memory does, and a crossing, which zeroes a Java array and fills it, cannot be twice as fast.
The peer is what JPype offers by itself: slice assignment to a Java array, and np.asarray of one.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]

LIFE = """
import json, os, time
began = time.perf_counter()
import numpy as np
from fibsem_ij import fiji
from fibsem_ij.volume import Volume
session = fiji.start(mode={mode!r})
started = time.perf_counter() - began
volume = Volume(np.zeros((4, 512, 512), np.uint8))
session.command("Gaussian Blur...", volume, sigma=2)
if {mode!r} == "interactive":
    session.show(volume)
print(json.dumps([started, time.time()]), flush=True)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a stack of 32 MiB and fewer rounds, for a quick look")
    small = parser.parse_args().small
    rows: list[tuple[str, str, str, str]] = [*throughput((32 if small else 256, 1024, 1024), rounds=3 if small else 7), *memory(), *lives()]
    widths = [max(len(row[i]) for row in [HEAD, *rows]) for i in range(4)]
    for row in [HEAD, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


HEAD = ("what", "asked", "measured", "array.copy()")


def throughput(shape: tuple[int, int, int], *, rounds: int) -> Iterator[tuple[str, str, str, str]]:
    from fibsem_ij import fiji
    from fibsem_ij.volume import Labels, Volume

    session = fiji.start(heap="6g")
    values = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    nouns = {
        "uint8": Volume(values),
        "uint16": Volume(values.astype(np.uint16)),
        "float32": Volume(values.astype(np.float32)),
        "labels uint16": Labels(values.astype(np.uint16)),
        "labels uint32": Labels(values.astype(np.uint32)),
    }
    while nouns:
        name = next(iter(nouns))
        noun = nouns.pop(name)
        seconds: dict[str, list[float]] = {way: [] for way in ("copy", "to", "from", "peer to", "peer from")}
        for _ in range(rounds + 1):
            timed(seconds["copy"], noun.data.copy)
            imp = timed(seconds["to"], lambda noun=noun: session.to_fiji(noun))
            back = timed(seconds["from"], lambda imp=imp: session.from_fiji(imp))
            if name == "uint8":
                java = timed(seconds["peer to"], lambda noun=noun: assigned(noun.data))
                timed(seconds["peer from"], lambda java=java: np.stack([np.asarray(pixels).view(np.uint8) for pixels in java]))
                del java
            if not np.array_equal(back.data, noun.data):
                raise SystemExit(f"{name} came back changed")
            del imp, back
        copy, to, back_again = (statistics.median(seconds[way][1:]) for way in ("copy", "to", "from"))
        for way, took in (("to", to), ("from", back_again)):
            rate = f"{noun.data.nbytes / took / 1e9:.1f} GB/s, {copy / took:.2f} x copy"
            yield f"{name} {way} ImageJ, {noun.data.nbytes >> 20} MiB", ">= 2 x copy", rate, f"{noun.data.nbytes / copy / 1e9:.1f} GB/s"
        if name == "uint8":
            for way in ("peer to", "peer from"):
                took = statistics.median(seconds[way][1:])
                rate = f"{noun.data.nbytes / took / 1e9:.1f} GB/s, {copy / took:.2f} x copy"
                yield f"JPype alone, {name} {way.removeprefix('peer ')} Java", "", rate, f"{noun.data.nbytes / copy / 1e9:.1f} GB/s"


def assigned(stack: np.ndarray) -> list[Any]:
    """The slices in Java arrays, by JPype's slice assignment."""
    from jpype import JArray, JByte

    arrays = [JArray(JByte)(plane.size) for plane in stack]
    for array, plane in zip(arrays, stack, strict=True):
        array[:] = plane.reshape(-1).view(np.int8)
    return arrays


def timed(into: list[float], call: Callable[[], Any]) -> Any:
    began = time.perf_counter()
    result = call()
    into.append(time.perf_counter() - began)
    return result


def memory() -> Iterator[tuple[str, str, str, str]]:
    statm = Path("/proc/self/statm")
    if not statm.is_file():
        yield "resident memory over 500 round trips", "< 50 MB", "not measured: no /proc here", ""
        return
    from fibsem_ij import fiji
    from fibsem_ij.volume import Volume

    session, volume = fiji.start(heap="6g"), Volume(np.zeros((1, 1024, 1024), np.uint8))

    def resident_after(trips: int) -> int:
        for _ in range(trips):
            session.from_fiji(session.to_fiji(volume))
        return int(statm.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")

    before = resident_after(500)
    yield "resident memory over 500 round trips of 1 MiB", "< 50 MB", f"{(resident_after(500) - before) / 1e6:+.1f} MB", ""


def lives() -> Iterator[tuple[str, str, str, str]]:
    for mode in ("headless", "interactive"):
        with display(mode) as env:
            if env is None:
                yield f"start and end, {mode}", "< 5 s to end", "not measured: no Xvfb and no DISPLAY here", ""
                continue
            command = [sys.executable, "-c", LIFE.format(mode=mode)]
            done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True, timeout=120)
            started, last = json.loads(done.stdout.splitlines()[-1])
            yield f"start, {mode}", "", f"{started:.1f} s", ""
            yield f"end of the process, {mode}", "< 5 s", f"{time.time() - last:.1f} s", ""


@contextmanager
def display(mode: str) -> Iterator[dict[str, str] | None]:
    """The environment with a display in it: this one's, else a virtual one; None where there is neither."""
    xvfb = shutil.which("Xvfb")
    if mode == "headless" or os.environ.get("DISPLAY") or os.name == "nt":
        yield dict(os.environ)
    elif xvfb is None:
        yield None
    else:
        command = [xvfb, "-displayfd", "1", "-screen", "0", "1280x1024x24"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
            try:
                assert server.stdout is not None
                yield dict(os.environ) | {"DISPLAY": f":{server.stdout.readline().strip()}"}
            finally:
                server.terminate()


if __name__ == "__main__":
    main()
