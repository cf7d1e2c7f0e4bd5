"""rounds.csv: what each round of drawing brought. One row a training: round, drawn, slices, score.

`drawn` is how many slices were drawn, `slices` how many the stack has, `score` the mean F1 of the classes on drawn slices that were held
back.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fibsem_ij.files import tables

COLUMNS = ("round", "drawn", "slices", "score")
RISES = 0.005  # of the score, from which a round was worth drawing for

Table = dict[str, Any]


def append(path: Path, *, drawn: int, slices: int, score: float) -> Table:
    """One more round, unless it is the last one once more, as after a run that was killed just behind it; the table."""
    if not 0 < drawn <= slices:
        raise ValueError(f"expected 1 to {slices} drawn slices of a stack of {slices}, got {drawn}")
    before = read(path) if Path(path).exists() else {name: np.array([], np.int64) for name in COLUMNS}
    row = {"round": len(before["round"]) + 1, "drawn": drawn, "slices": slices, "score": score}
    if len(before["round"]) and all(before[name][-1] == row[name] for name in COLUMNS[1:]):
        return before
    table = {name: np.append(before[name], row[name]) for name in COLUMNS}
    table |= {name: table[name].astype(np.int64) for name in COLUMNS[:3]}
    tables.write(path, table)
    return table


def read(path: Path) -> Table:
    table = tables.read(path)
    if missing := set(COLUMNS) - table.keys():
        raise ValueError(f"{path}: expected columns {', '.join(COLUMNS)}, got none called {min(missing)}; it is no table of rounds")
    return {name: table[name] for name in COLUMNS}


def still_rises(table: Table, *, patience: int = 2) -> bool:
    """Whether one of the last `patience` rounds was better than all before them; until there are more, it is not known and True."""
    scores = np.asarray(table["score"], np.float64)
    return len(scores) <= patience or bool(scores[-patience:].max() > scores[:-patience].max() + RISES)
