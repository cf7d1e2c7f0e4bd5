"""The slices of a store that is filled over several runs: which are whole, and with which checksum.

`.slices` lies in the store: first a line that says what the stack is made of (`key`), then one a slice, "z checksum", or "z checksum of"
where `of` says what this slice is made of, written behind its pixels. What a kill cut short has no line, or one without an end; pixels that
a power cut lost have another checksum.

When slices came, or some are made of something else, a new store takes over from the finished one the slices that are made of the same.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from fibsem_ij.files.stack import Pixels
from fibsem_ij.files.whole import append_line, write_text

NAME = ".slices"


def checksum(pixels: Pixels) -> str:
    return hashlib.blake2b(np.ascontiguousarray(pixels).view(np.uint8).data, digest_size=8).hexdigest()


def read(store: Path) -> tuple[str, dict[int, str]]:
    """The key, and the checksum of each slice that has a line; nothing of a store that has no such file."""
    key, rows = _rows(store)
    return key, {int(row[0]): row[1] for row in rows}


def made_of(store: Path) -> dict[str, tuple[int, str]]:
    """What a slice is made of -> where it is, and its checksum."""
    return {row[2]: (int(row[0]), row[1]) for row in _rows(store)[1] if len(row) == 3}


def _rows(store: Path) -> tuple[str, list[list[str]]]:
    path = store / NAME
    lines = path.read_text(encoding="ascii", errors="replace").splitlines(keepends=True) if path.is_file() else []
    key, rows = (lines[0].strip() if lines else ""), [line.split() for line in lines[1:] if line.endswith("\n")]
    return key, [row for row in rows if len(row) in (2, 3) and row[0].isdecimal()]


class Journal:
    """That of the folder of an unfinished store; one that was made of something else is emptied. `of`: what each slice is made of."""

    def __init__(self, folder: Path, key: str, of: Sequence[str] = ()) -> None:
        self.path, self.of = folder / NAME, of
        for torn in folder.glob(f".{NAME}.*.part"):
            torn.unlink()
        known, self.sums = read(folder)
        if known != key:
            for path in folder.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            self.sums = {}
            write_text(self.path, f"{key}\n")

    def take_over(self, store: Path, arrays: Sequence[str]) -> None:
        """The slices that the finished `store` has and this one lacks. NB: of their chunks, so both have the same arrays of slices."""
        there = made_of(store) if self.of else {}
        for z, of in enumerate(self.of):
            if z in self.sums or of not in there:
                continue
            before, known = there[of]
            for array in arrays:
                shutil.rmtree(here := self.path.parent / array / str(z), ignore_errors=True)
                if (old := store / array / str(before)).is_dir():
                    shutil.copytree(old, here, copy_function=_linked)
            self.sums[z] = known

    def check(self, slice_of: Callable[[int], Pixels]) -> None:
        """Forget the slices that are not as they were written."""
        self.sums = {z: known for z, known in self.sums.items() if _same(slice_of, z, known)}
        self.sort()

    def sort(self) -> None:
        """Lines in the order of the slices, not in that in which they were ready."""
        key, _ = read(self.path.parent)
        self.sums = dict(sorted(self.sums.items()))
        write_text(self.path, "".join((f"{key}\n", *(f"{self._line(z)}\n" for z in self.sums))))

    def add(self, z: int, pixels: Pixels) -> None:
        self.sums[z] = checksum(pixels)
        append_line(self.path, self._line(z))

    def _line(self, z: int) -> str:
        return f"{z} {self.sums[z]} {self.of[z]}" if self.of else f"{z} {self.sums[z]}"


def _linked(source: str, here: str) -> None:
    """The same file under another name: chunks are replaced, never written into. A copy, where the disk knows no links."""
    try:
        os.link(source, here)
    except OSError:
        shutil.copyfile(source, here)


def _same(slice_of: Callable[[int], Pixels], z: int, known: str) -> bool:
    try:
        return checksum(slice_of(z)) == known
    except Exception:  # NB: a damaged chunk; each codec has its own error
        return False
