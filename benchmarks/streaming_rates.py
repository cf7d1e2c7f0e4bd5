"""Do stages wait for files? Each beside the bare codec or disk on the same slices, in one process, in turn: what, asked, measured.

    python benchmarks/streaming_rates.py [--small] [--rounds 5]

Bare is what cannot be saved: reading the pixels as tifffile maps them, the codec of our stores on each chunk, its bytes to a file, one
file a chunk. Ours also keeps a checksum a slice, makes the coarser copies (a seventh more voxels), and shows a result only when it is
whole. Of `register apply` the bare part decodes, resamples with OpenCV, and encodes. Probabilities are three channels of a quarter of
the slices. In brackets the same in processor time.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
import turns
import zarr
from streaming_stages import STAGES, lay_out

from fibsem_ij.files import probabilities
from fibsem_ij.files.chunks import CODEC

CHUNK = 1024
Slices = Iterator[np.ndarray[Any, Any]]


def mapped(folder: Path) -> Slices:
    stack = tifffile.memmap(folder / "raw.tif", mode="r")
    yield from (np.array(stack[z]) for z in range(len(stack)))


def decoded(store: Path) -> Slices:
    array: Any = zarr.open_array(store=str(store / "0"), mode="r")
    height, width = array.shape[1:]
    for z in range(array.shape[0]):
        pixels = np.empty((height, width), array.dtype)
        for y in range(0, height, CHUNK):
            for x in range(0, width, CHUNK):
                packed = (store / "0" / str(z) / str(y // CHUNK) / str(x // CHUNK)).read_bytes()
                pixels[y:y + CHUNK, x:x + CHUNK] = np.frombuffer(CODEC.decode(packed), array.dtype).reshape(CHUNK, CHUNK)
        yield pixels


def encoded(slices: Slices, out: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    for z, pixels in enumerate(slices):
        for y in range(0, pixels.shape[0], CHUNK):
            for x in range(0, pixels.shape[1], CHUNK):
                (out / f"{z}.{y}.{x}").write_bytes(CODEC.encode(np.ascontiguousarray(pixels[y:y + CHUNK, x:x + CHUNK])))


def resampled(slices: Slices) -> Slices:
    matrix = np.array([[1.001, 0.001, 3.3], [-0.001, 0.999, -2.2]])
    for pixels in slices:
        yield cv2.warpAffine(pixels, matrix, pixels.shape[::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def plain(slices: Slices, out: Path) -> None:
    with out.open("wb") as file:
        for pixels in slices:
            file.write(pixels.astype(np.uint16).data)


def shares(folder: Path) -> Slices:
    """(3, y, x): soft blobs, as a network makes them; four of them again and again."""
    depth, height, width = tifffile.memmap(folder / "raw.tif", mode="r").shape
    rng, made = np.random.default_rng(1), []
    for _ in range(4):
        fields = [cv2.GaussianBlur(rng.standard_normal((height, width), np.float32), (0, 0), 12) * 40 for _ in range(3)]
        powers = np.exp([*fields, np.ones_like(fields[0])])
        made.append(np.rint(255 * powers[:3] / powers.sum(0)).astype(np.uint8))
    return (made[z % 4] for z in range(depth // 4))


def filled(found: list[np.ndarray[Any, Any]], folder: Path) -> None:
    shape = (len(found), *found[0].shape[1:])
    with probabilities.create(folder / "filled.zarr", names={1: "a", 2: "b", 3: "c"}, shape=shape, resume="this run") as out:
        for z, some in enumerate(found):
            out[:, z] = some
    shutil.rmtree(folder / "filled.zarr")


def bare(folder: Path) -> dict[str, Callable[[], Any]]:
    return {"input": lambda: encoded(mapped(folder), folder / "bare"),
            "register apply": lambda: encoded(resampled(decoded(folder / "raw.zarr")), folder / "bare"),
            "output labels.tif": lambda: plain(decoded(folder / "labels.zarr"), folder / "bare.tif")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="16 slices of 1024 px, three rounds")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    depth, side, rounds = (16, 1024, 3) if given.small else (64, 2048, given.rounds)
    print("| stage | asked | of the bare rate | ours | bare |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        lay_out(folder, depth, side)
        STAGES["input"].run(folder)
        STAGES["objects"].run(folder)
        for name, job in bare(folder).items():
            told(name, {"ours": lambda name=name: STAGES[name].run(folder), "bare": job}, rounds, depth * side**2)
        found = list(shares(folder))
        flat = [channel for some in found for channel in some]
        told("probabilities, filled", {"ours": lambda: filled(found, folder), "bare": lambda: encoded(iter(flat), folder / "bare")}, rounds,
             len(flat) * side**2)


def told(name: str, jobs: dict[str, Callable[[], Any]], rounds: int, voxels: int) -> None:
    taken, worked = turns.seconds(jobs, rounds), turns.seconds(jobs, rounds, clock=time.process_time)
    share, of_work = (np.median(times["bare"] / times["ours"]) for times in (taken, worked))
    rates = [f"{voxels / 1e6 / np.median(taken[who]):.0f} Mvoxel/s" for who in jobs]
    print(f"| {name} | over half | {share:.2f} ({of_work:.2f}) | {' | '.join(rates)} |", flush=True)


if __name__ == "__main__":
    main()
