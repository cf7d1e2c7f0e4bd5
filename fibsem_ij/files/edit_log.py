"""The log of corrections to a label stack, LABELS.edits.jsonl beside it: one JSON object a line, oldest first.

{"edit": 3, "do": "merge 3 7", "at": "2026-11-21T14:00:00+00:00", "undoes": null, "voxels": 812, "runs": "..."}: `runs` are
the changed runs as little-endian int64, zlib, base64. A line is on disk before the label stack is replaced; a line that a
crash cut short is left out, since its edit was not done.
"""

from __future__ import annotations

import base64
import json
import os
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.files.whole import write_text

Entry = dict[str, Any]


def log_of(labels: Path) -> Path:
    return labels.parent / f"{labels.name}.edits.jsonl"


def read(labels: Path) -> list[Entry]:
    path = log_of(labels)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    entries = []
    for n, line in enumerate(lines, 1):
        if not line.endswith("\n"):
            break
        try:
            entry = json.loads(line)
            runs = np.frombuffer(zlib.decompress(base64.b64decode(entry["runs"], validate=True)), "<i8").reshape(-1, 4).astype(np.int64)
            entries.append({**entry, "runs": runs, "edit": int(entry["edit"]), "do": str(entry["do"])})
        except (ValueError, KeyError, TypeError, zlib.error) as error:
            raise ValueError(f"{path}, line {n}: expected a record of an edit, got {error}; the file is damaged") from error
    return entries


def append(labels: Path, do: str, runs: npt.NDArray[np.int64], *, after: list[Entry], undoes: int | None = None) -> None:
    """Write the log anew as `after` and one more record; it is on disk when this returns."""
    number = max((e["edit"] for e in after), default=0) + 1
    told = {"edit": number, "do": do, "at": datetime.now(UTC).isoformat(timespec="seconds"), "undoes": undoes,
            "voxels": int(runs[:, 1].sum()), "runs": runs}
    write_text(log_of(labels), "".join(_line(entry) for entry in [*after, told]))
    with log_of(labels).open("rb") as file:
        os.fsync(file.fileno())


def _line(entry: Entry) -> str:
    packed = base64.b64encode(zlib.compress(entry["runs"].astype("<i8").tobytes())).decode("ascii")
    return json.dumps({**entry, "runs": packed}) + "\n"
