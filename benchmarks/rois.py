"""What ROI sets cost: label slices of many objects to a .zip and back.

    python benchmarks/rois.py [--small]

Objects are blobs of three lobes on a jittered grid, some with a hole. "Whole process" starts Python, loads the slice from
.npy, writes the .zip and ends. Peers are timed on a few objects of the same slice, in memory and without writing, one full
frame an object as the recipes on the web do it, and scaled up to all.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from skimage.measure import find_contours

from fibsem_ij.arrays.outlines import fill, outlines
from fibsem_ij.files import rois

PITCH = 25
ONE_SLICE = """
import sys
import numpy as np
from fibsem_ij.files import rois
print(rois.write(sys.argv[2], rois.each_roi(np.load(sys.argv[1]))))
"""
Slice = npt.NDArray[np.uint32]
Row = tuple[str, str, str, str]


def blobs(side: int, pitch: float, *, seed: int = 0) -> Slice:
    """About (side / pitch)^2 objects, numbered from 1."""
    rng = np.random.default_rng(seed)
    n = max(1, round(side / pitch))
    step = side / n
    cell = np.minimum((np.arange(side) / step).astype(int), n - 1)
    row, column = cell[:, None], cell[None, :]
    jitter, turn, size = rng.uniform(-0.1, 0.1, (2, n, n)), rng.uniform(0, 2 * np.pi, (n, n)), rng.uniform(0.25, 0.42, (n, n))
    y = np.arange(side)[:, None] / step - row - 0.5 - jitter[0][row, column]
    x = np.arange(side)[None, :] / step - column - 0.5 - jitter[1][row, column]
    radius, angle = np.hypot(y, x), np.arctan2(y, x)
    outer = size[row, column] * (1 + 0.15 * np.cos(3 * angle + turn[row, column]))
    hole = (rng.random((n, n)) < 0.1)[row, column] & (radius < 0.1)
    return np.where((radius < outer) & ~hole, row * n + column + 1, 0).astype(np.uint32)


def seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def whole_process(labels: Slice, folder: Path) -> float:
    np.save(folder / "labels.npy", labels)
    command = [sys.executable, "-c", ONE_SLICE, str(folder / "labels.npy"), str(folder / "set.zip")]
    took = min(seconds(lambda: subprocess.run(command, check=True, capture_output=True)) for _ in range(3))
    same = np.array_equal(rois.from_rois(rois.read(folder / "set.zip"), shape=(1, *labels.shape))[0], labels)
    if not same:
        raise ValueError("expected the same labels back from the ROI set, got others")
    return took


def peer(labels: Slice, trace: Callable[[Slice], object], *, of: int) -> float:
    """Seconds for all objects, from a few of them."""
    few = np.linspace(1, labels.max(), of).astype(int)
    return seconds(lambda: [trace((labels == k).astype(np.uint8)) for k in few]) / of * len(np.unique(labels))


def one_slice(side: int, folder: Path) -> list[Row]:
    labels = blobs(side, PITCH)
    n = len(outlines(labels))
    took = whole_process(labels, folder)
    by_cv2 = peer(labels, lambda mask: cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE), of=10)
    by_skimage = peer(labels, lambda mask: find_contours(mask, 0.5), of=3)
    rows = [(f"{n} objects in {side} x {side} to .zip, whole process", "< 4 s", f"{took:.2f} s",
             f"cv2 a frame an object {by_cv2:.0f} s, scikit-image {by_skimage:.0f} s")]
    found = outlines(labels)
    rows.append(("  labels to outlines", "", f"{seconds(lambda: outlines(labels)):.2f} s", ""))
    rows.append(("  outlines to labels", "", f"{seconds(lambda: fill(found, labels.shape)):.2f} s", ""))
    rows.append(("  .zip to ROIs", "", f"{seconds(lambda: rois.read(folder / 'set.zip')):.2f} s", ""))
    return rows


def linear(side: int, folder: Path) -> list[Row]:
    rows = []
    for share in (0.25, 0.5, 1, 2):
        for what, labels in (("same area", blobs(side, PITCH / share**0.5)), ("same object size", blobs(round(side * share**0.5), PITCH))):
            n = len(outlines(labels))
            took = min(seconds(lambda labels=labels: rois.write(folder / "set.zip", rois.each_roi(labels))) for _ in range(3))
            rows.append((f"{n} objects, {what}", "linear", f"{took:.2f} s, {1e6 * took / n:.0f} us each", ""))
    return sorted(rows, key=lambda row: row[0].split(", ")[1])


def in_a_stack(depth: int, folder: Path) -> Row:
    stack = np.stack([blobs(512, 51.2, seed=z) for z in range(depth)])
    wrote = seconds(lambda: rois.write(folder / "stack.zip", rois.each_roi(stack)))
    read = seconds(lambda: rois.read(folder / "stack.zip"))
    drew = seconds(lambda: rois.from_rois(rois.read(folder / "stack.zip"), shape=stack.shape)) - read
    n = len(rois.read(folder / "stack.zip"))
    return (f"{n} ROIs in {depth} slices of 512 x 512", "likewise", f"write {wrote:.2f}, read {read:.2f}, to labels {drew:.2f} s",
            "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a sixteenth of the objects")
    small = parser.parse_args().small
    side = 1024 if small else 4096
    with tempfile.TemporaryDirectory() as name:
        rows = [*one_slice(side, Path(name)), *linear(side, Path(name)), in_a_stack(10 if small else 100, Path(name))]
    for row in [("what", "asked", "measured", "peer"), *rows]:
        print(f"{row[0]:<58} {row[1]:<9} {row[2]:<45} {row[3]}")


if __name__ == "__main__":
    main()
