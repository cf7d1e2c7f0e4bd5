"""How fast stacks go to disk and come back, beside tifffile; one slice out of 20 GB; a folder of 2,500 slices.

    python benchmarks/files.py [--small]
"""

from __future__ import annotations

import argparse
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from fibsem_ij import files
from fibsem_ij.files import tiff
from fibsem_ij.files.stack import Blank
from fibsem_ij.volume import Labels, Volume

FORMATS = ("stack.tif", "folder", "store.zarr", "stack.mrc", "stack.npy")
Row = tuple[str, str, str, str]


def grey(shape: tuple[int, int, int]) -> np.ndarray[Any, Any]:
    """Noise over slow structure, which a codec finds about as hard as a real slice."""
    rng = np.random.default_rng(0)
    z, y, x = (np.linspace(0, 9 * (axis + 1), n) for axis, n in enumerate(shape))
    slow = 128 + 40 * np.sin(y)[:, None] * np.cos(x)[None]
    return np.stack([np.clip(slow + 20 * np.sin(w) + rng.normal(0, 12, shape[1:]), 0, 255).astype(np.uint8) for w in z])


def seconds(job: Callable[[], Any], times: int = 3) -> float:
    """The best of several, as the machine is shared."""
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        job()
        spent.append(time.perf_counter() - start)
    return min(spent)


def rate(size: int, spent: float) -> str:
    return f"{size / spent / 1e6:,.0f} MB/s"


def slice_by_slice(path: Path) -> int:
    volume = files.read(path)
    return sum(int(volume[z][0, 0]) for z in range(len(volume)))


def formats(folder: Path, pixels: np.ndarray[Any, Any]) -> list[Row]:
    volume, size = Volume(pixels, (5, 4, 4)), pixels.nbytes
    peer = folder / "peer.tif"
    write = rate(size, seconds(lambda: tifffile.imwrite(peer, pixels, imagej=True, metadata={"axes": "ZYX"})))
    read = rate(size, seconds(lambda: tifffile.imread(peer)))
    rows = []
    for name in FORMATS:
        spent = seconds(lambda name=name: files.write(folder / name, volume))
        rows.append((f"{name}, write", "", rate(size, spent), f"tifffile {write}"))
        spent = seconds(lambda name=name: slice_by_slice(folder / name))
        rows.append((f"{name}, read slice by slice", "", rate(size, spent), f"tifffile {read}"))
    mapped = tifffile.memmap(peer, mode="r")
    total = seconds(lambda: [int(mapped[z].sum(dtype=np.uint64)) for z in range(len(mapped))])
    ours = files.read(folder / "stack.tif")
    spent = seconds(lambda: [int(ours[z].sum(dtype=np.uint64)) for z in range(len(ours))])
    rows.append(("stack.tif, sum by memory map", "", rate(size, spent), f"tifffile.memmap {rate(size, total)}"))
    cells = Labels(np.arange(pixels.size, dtype=np.uint32).reshape(pixels.shape) // 5000 % 70_000, (5, 4, 4))
    for name in ("labels.tif", "labels.zarr"):
        spent = seconds(lambda name=name: files.write(folder / name, cells), 1)
        rows.append((f"{name} uint32, write", "", rate(4 * size, spent), ""))
    packed = sum(p.stat().st_size for p in (folder / "store.zarr").rglob("*") if p.is_file())
    rows.append(("store.zarr with pyramid, of the pixels' size", "", f"{packed / size:.2f}", ""))
    return rows


def one_of_20_gb(folder: Path, slices: int) -> list[Row]:
    like = Volume(Blank((slices, 4000, 6000), np.dtype(np.uint8)), (5, 4, 4))
    raw = tiff.lay_out(folder / "big.tif", like, np.dtype(np.uint8))
    pixels = grey((1, 4000, 6000))[0]
    with raw.path.open("r+b") as file:  # a sparse file: holes but for one slice
        file.seek(raw.offset + slices // 2 * pixels.size)
        file.write(pixels.data)
    opening = seconds(lambda: files.read(raw.path))
    volume = files.read(raw.path)
    reading = seconds(lambda: volume[slices // 2])
    assert np.array_equal(volume[slices // 2], pixels)
    tracemalloc.start()
    assert volume[0].nbytes == pixels.nbytes
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    size = f"{raw.end / 1e9:.1f} GB"
    mapped = tifffile.memmap(raw.path, mode="r")
    peer = seconds(lambda: np.array(mapped[slices // 2]))
    return [(f"{size}.tif, open", "", f"{1e3 * opening:.1f} ms", ""),
            (f"{size}.tif, one slice of 24 MB", "one slice", f"{1e3 * reading:.1f} ms", f"tifffile.memmap {1e3 * peer:.1f} ms"),
            (f"{size}.tif, memory for it", "one slice", f"{peak / 1e6:.0f} MB", "")]


def many_slices(folder: Path, count: int) -> list[Row]:
    pixels = np.zeros((1, 64, 64), np.uint8)
    for kind in ("ours", "plain"):
        (folder / kind).mkdir()
    for z in range(count):
        tifffile.imwrite(folder / "plain" / f"{z}.tif", pixels[0])
    files.write(folder / "ours", Volume(np.broadcast_to(pixels, (count, 64, 64)), (5, 4, 4)))
    peer = seconds(lambda: tifffile.TiffSequence(str(folder / "plain" / "*.tif")))
    return [(f"{count} slices, open and check all headers, {kind}", "", f"{seconds(lambda kind=kind: files.read(folder / kind)):.2f} s",
             f"TiffSequence, one header, {peer:.2f} s") for kind in ("ours", "plain")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a tenth of the size")
    small = parser.parse_args().small
    with tempfile.TemporaryDirectory() as folder:
        rows = one_of_20_gb(Path(folder), 84 if small else 840)
        rows += formats(Path(folder), grey((8, 1024, 2048) if small else (64, 2048, 2048)))
        rows += many_slices(Path(folder), 250 if small else 2500)
    rows.insert(0, ("what", "asked", "measured", "peer"))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    main()
