"""A label stack on disk corrected, with a log beside it that can undo it: what `labels edit` and `review collect` do alike.

The corrected stack is written whole beside the old one and takes its name at the end, after the record is on disk. A record whose edit a
crash prevented shows in the pixels, and is dropped by the next edit.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fibsem_ij import files
from fibsem_ij.files import edit_log
from fibsem_ij.objects import edits
from fibsem_ij.verbs.followed import Followed
from fibsem_ij.volume import Labels


def edit(path: Path, do: str, change_of: Callable[[Labels], edits.Change], *, undoes: int | None = None,
         entries: list[dict[str, Any]] | None = None, progress: Callable[[int, int], None] | None = None) -> int:
    """Change the label stack at `path`; how many voxels changed. `entries`: its settled log, where it was read already."""
    entries = settled(path) if entries is None else entries
    src = files.read_labels(path)
    with files.create(path, shape=src.shape, dtype=src.dtype, voxel_nm=src.voxel_nm, names=src.names, labels=True,
                      classes=src.classes) as out:
        runs = edits.apply(src, Followed(out, progress), change_of(src))
        if not len(runs):
            raise ValueError(f"expected {do!r} to change something, it does not; look at the numbers in {path}")
        edit_log.append(path, do, runs, after=entries, undoes=undoes)
    return int(runs[:, 1].sum())


def settled(path: Path) -> list[dict[str, Any]]:
    """The log without a last record that the pixels do not show."""
    entries = edit_log.read(path)
    return entries if not entries or edits.was_done(files.read_labels(path), entries[-1]["runs"]) else entries[:-1]
