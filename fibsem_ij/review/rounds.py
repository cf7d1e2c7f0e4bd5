"""rounds.csv: what each round of drawing brought. One row a training: round, drawn, slices, score.

`drawn` is how many slices were drawn, `slices` how many the stack has, `score` the mean F1 of the classes on drawn slices that were held
back.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fibsem_ij.files import tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = ("round", "drawn", "slices", "score")
RISES = 0.005  # of the score, from which a round was worth drawing for

Table = dict[str, Any]


def append(path: Path, *, drawn: int, slices: int, score: float) -> Table:
    """One more round; the table with it."""
    if not 0 < drawn <= slices:
        raise ValueError(f"expected 1 to {slices} drawn slices of a stack of {slices}, got {drawn}")
    before = read(path) if Path(path).exists() else {name: np.array([], np.int64) for name in COLUMNS}
    row = {"round": len(before["round"]) + 1, "drawn": drawn, "slices": slices, "score": score}
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


def plot(path: Path, table: Table) -> Path:
    """The score over the slices drawn, and over their share of the stack, as a picture: .png or .svg."""
    from fibsem_ij.render.measures import save

    return save(Path(path), figure(table))


def figure(table: Table) -> Figure:
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    from fibsem_ij.render.measures import INK, dress

    drawn, score, slices = table["drawn"], np.asarray(table["score"], np.float64), int(table["slices"][-1])
    made = Figure((6.4, 3.4), layout="constrained")
    field = made.subplots()
    dress(field, INK)
    field.plot(drawn, score, color="#d9822b", lw=1.6, marker="o", ms=5)
    for n, x, y in zip(table["round"].tolist(), drawn.tolist(), score.tolist(), strict=True):
        field.annotate(str(n), (x, y), textcoords="offset points", xytext=(0, 7), ha="center", fontsize=8, color=INK)
    field.set_title("F1 on drawn slices that were held back, round by round", loc="left", fontsize=9, color=INK)
    field.set_xlabel(f"slices drawn, and their share of the {slices} slices of the stack", color=INK)
    field.xaxis.set_major_locator(MaxNLocator(7, integer=True))
    field.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.0f}\n{100 * x / slices:.3g} %"))
    field.margins(0.08, 0.18)
    return made
