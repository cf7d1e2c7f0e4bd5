"""rounds.csv: one row a training of the segmentation, so that one sees what another round of drawing gained."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fibsem_ij.files import tables


def add(path: Path, *, drawn: int, slices: int, score: float) -> None:
    """A row, unless it is the last one once more: a run that was killed just after it comes here again."""
    kept = {name: column.tolist() for name, column in tables.read(path).items()} if path.exists() else {}
    row = {"drawn": drawn, "slices": slices, "score": score}
    if kept and all(kept[name][-1] == value for name, value in row.items()):
        return
    row = {"round": len(kept.get("round", ())) + 1, **row}
    tables.write(path, {name: np.array([*kept.get(name, ()), value]) for name, value in row.items()})
