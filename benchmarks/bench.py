"""All benchmarks, one after the other, each a process of its own, into one page with the machine that they ran on.

    make bench                  small, some minutes of a quiet machine
    make bench FULL=1           as the results in benchmarks/results/ were read, a day
    python benchmarks/bench.py [--full] [--only startup,rois] [--out benchmarks/RESULTS.md]

A benchmark that fails, or takes longer than its limit, is named in the table, and the others go on. What compares with something that
not every machine has (real slices, a Fiji, a GPU) is run by hand, see its own --help.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
LIMIT_S = {"small": 600, "full": 6 * 3600}
VERSIONS = ("numpy", "numba", "scipy", "scikit-image", "torch", "tifffile", "zarr", "imagecodecs", "opencv-python-headless")

WORDS = """Written by `{make}`. Trust ratios, and processor seconds, more than seconds: they say less of what else the machine did. What
each asks, and compares with, stands at the top of its script; whole runs, and what was learned from them, are in [results](results)."""

# What, in small, in full; none: not a part of the small ones.
BENCHMARKS: tuple[tuple[str, str | None, str], ...] = (
    ("start of the command line", "startup.py --small", "startup.py"),
    ("pixels to ImageJ and back", "bridge.py --small", "bridge.py"),
    ("stacks to disk and back", "files.py --small", "files.py"),
    ("label image to ROI set", "rois.py --small", "rois.py"),
    ("planning 50 Gvoxel", "planning.py --rounds 1", "planning.py"),
    ("codecs and checksums", "codecs.py --side 1024", "codecs.py"),
    ("slices that come later", "slices_come.py --slices 16 --more 2 --side 192", "slices_come.py"),
    ("Java that dies", None, "java_faults.py"),
    ("streaming, by depth", "streaming.py --small --depths 16,64 --stages input,objects", "streaming.py --depths 32,64,256,1024"),
    ("streaming, rates", "streaming_rates.py --small", "streaming_rates.py"),
    ("registration", "registration.py --small --sections speed,runs,apply", "registration.py"),
    ("denoising", "denoising.py --small --methods blindspot --neighbours 0", "denoising.py"),
    ("training", "training.py --small", "training.py"),
    ("prediction", "prediction.py --small --rounds 3 --engines torch ours --networks 'U-Net base 16'", "prediction.py"),
    ("segmentation of nuclei", "segmentation_phantom.py --drawn 7 --draws 1 --updates 60 --ways direct", "segmentation_phantom.py"),
    ("grain filter", "grain.py --small --sides 512 --peer-side 512", "grain.py"),
    ("objects", "objects.py --small --only components,edits,nuclei", "objects.py"),
    ("measures", "measuring.py --small --only right,speed", "measuring.py"),
    ("texture", "measuring_texture.py --small --rounds 1", "measuring_texture.py"),
    ("relations", "measuring_relations.py --small --rounds 1", "measuring_relations.py"),
    ("which slices to correct next", None, "review.py --phantom"),
    ("one slice asked for from Fiji", "worker.py --size 256 --rounds 2", "worker.py"),
    ("how hard the phantom is", None, "phantom_floors.py"),
)


@dataclass(frozen=True)
class Run:
    what: str
    command: str
    ended: str  # "", or how it failed
    seconds: float
    cpu: float
    printed: str


def run(what: str, command: str, limit: float) -> Run:
    began, before = time.perf_counter(), children()
    words = [re.sub("^'|'$", "", word) for word in re.findall(r"'[^']*'|\S+", command)]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        try:
            done = subprocess.run([sys.executable, HERE / words[0], *words[1:]], stdout=out, stderr=err, timeout=limit, check=False)
            ended = f"failed, code {done.returncode}" if done.returncode else ""
        except subprocess.TimeoutExpired:
            ended = f"longer than {limit:.0f} s"
        printed, said = (file.read().rstrip() for file in (out, err) if not file.seek(0))
    if ended and said:
        ended += f": {without_paths(said.splitlines()[-1])[:200]}"
    lines = (line.rstrip() for line in without_paths(printed).splitlines())
    return Run(what, command, ended, time.perf_counter() - began, children() - before, "\n".join(lines))


def children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def without_paths(text: str) -> str:
    """The page is read elsewhere: no folder of this machine stands in it."""
    for path in (str(HERE.parent), tempfile.gettempdir(), str(Path.home()), sys.prefix):
        text = re.sub(rf"{re.escape(path)}[\w./-]*/", "", text)
    return text


def machine() -> list[tuple[str, str]]:
    try:
        model = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        model = None
    import torch

    cards = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    said = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=HERE, capture_output=True, text=True, check=False)
    commit = said.stdout.strip()
    return [("processor", f"{model[1] if model else platform.processor() or platform.machine()}, {os.cpu_count()} cores"),
            ("memory", f"{memory:.0f} GB"), ("GPU", ", ".join(cards) or "none"), ("system", f"{platform.system()} {platform.machine()}"),
            ("load before", f"{os.getloadavg()[0]:.1f} processes on {os.cpu_count()} cores"),
            ("Python", f"{platform.python_version()}; " + ", ".join(f"{name} {importlib.metadata.version(name)}" for name in VERSIONS)),
            ("fibsem-ij", f"{importlib.metadata.version('fibsem-ij')}{f', commit {commit}' if commit else ''}"),
            ("day", f"{datetime.now(UTC):%Y-%m-%d}")]


def page(size: str, about: list[tuple[str, str]], runs: list[Run], left: list[str]) -> str:
    make = "make bench FULL=1" if size == "full" else "make bench"
    told = ["# Benchmarks", "", WORDS.format(make=make), "", "| machine | |", "|---|---|",
            *(f"| {name} | {value} |" for name, value in about), "",
            "| benchmark | ended | seconds | of a processor |", "|---|---|---|---|",
            *(f"| {one.what} | {one.ended or 'well'} | {one.seconds:.0f} | {one.cpu:.0f} |" for one in runs),
            *(f"| {what} | not run yet | | |" for what in left), ""]
    for one in runs:
        printed = [one.printed] if one.printed.startswith("|") else ["```", one.printed, "```"] if one.printed else []
        ended = f": {one.ended}" if one.ended else ""
        told += [f"## {one.what[0].upper()}{one.what[1:]}", "", f"`python benchmarks/{one.command}`{ended}", "", *printed, ""]
    return "\n".join(told)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only", default="", help="scripts by comma: startup,rois")
    parser.add_argument("--out", type=Path, default=HERE / "RESULTS.md")
    given = parser.parse_args()
    size = "full" if given.full else "small"
    about, runs = machine(), list[Run]()
    all_ = [(what, command) for what, small, full in BENCHMARKS if (command := full if given.full else small)]
    for what, command in all_:
        if not given.only or command.split(".")[0] in given.only.split(","):
            runs.append(run(what, command, LIMIT_S[size]))
            print(f"{runs[-1].what}: {runs[-1].ended or 'well'}, {runs[-1].seconds:.0f} s ({runs[-1].cpu:.0f} of a processor)", flush=True)
            left = [what for what, _ in all_ if what not in {one.what for one in runs}]
            given.out.write_text(page(size, about, runs, left), encoding="utf-8")
    sys.exit(any(one.ended for one in runs))


if __name__ == "__main__":
    main()
