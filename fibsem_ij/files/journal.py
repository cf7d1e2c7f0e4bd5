"""The slices of a store that is filled over several runs: which are whole, and with which checksum.

`.slices` lies in the store: first a line that says what the stack is made of (`key`), then one a slice, "z checksum", written behind
its pixels. What a kill cut short has no line, or one without an end; pixels that a power cut lost have another checksum.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fibsem_ij.files.stack import Pixels
from fibsem_ij.files.whole import append_line, write_text

NAME = ".slices"


def checksum(pixels: Pixels) -> str:
    return hashlib.blake2b(np.ascontiguousarray(pixels).view(np.uint8).data, digest_size=8).hexdigest()


def read(store: Path) -> tuple[str, dict[int, str]]:
    """The key, and the checksum of each slice that has a line; nothing of a store that has no such file."""
    path = store / NAME
    lines = path.read_text(encoding="ascii", errors="replace").splitlines(keepends=True) if path.is_file() else []
    key, rows = (lines[0].strip() if lines else ""), [line.split() for line in lines[1:] if line.endswith("\n")]
    return key, {int(row[0]): row[1] for row in rows if len(row) == 2 and row[0].isdecimal()}


class Journal:
    """That of the folder of an unfinished store; one that was made of something else is emptied."""

    def __init__(self, folder: Path, key: str) -> None:
        self.path = folder / NAME
        for torn in folder.glob(f".{NAME}.*.part"):
            torn.unlink()
        known, self.sums = read(folder)
        if known != key:
            for path in folder.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            self.sums = {}
            write_text(self.path, f"{key}\n")

    def check(self, slice_of: Callable[[int], Pixels]) -> None:
        """Forget the slices that are not as they were written."""
        key, _ = read(self.path.parent)
        self.sums = {z: known for z, known in sorted(self.sums.items()) if _same(slice_of, z, known)}
        write_text(self.path, "".join((f"{key}\n", *(f"{z} {known}\n" for z, known in self.sums.items()))))

    def add(self, z: int, pixels: Pixels) -> None:
        self.sums[z] = checksum(pixels)
        append_line(self.path, f"{z} {self.sums[z]}")


def _same(slice_of: Callable[[int], Pixels], z: int, known: str) -> bool:
    try:
        return checksum(slice_of(z)) == known
    except ValueError:  # a damaged chunk
        return False
