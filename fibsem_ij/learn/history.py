"""What a training went through: one row a validation, as a table, a picture, and in TensorBoard where it is installed.

A score is higher for better; `loss` is the mean since the row before. Seconds add up over all runs of a resumed training.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Row:
    update: int
    seconds: float
    rate: float
    loss: float
    score: float


@dataclass
class History:
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # what the user should know: a batch that was halved
    slack: float = 0.0  # how far below the best a later score may be

    @property
    def best(self) -> Row | None:
        """The first of the highest scores."""
        return max(self.rows, key=lambda row: row.score, default=None)

    @property
    def kept(self) -> Row | None:
        """The one whose weights are kept: the best, or the latest that is hardly worse than the best before it."""
        found, best = None, -math.inf
        for row in self.rows:
            found = row if row.score > best - self.slack else found
            best = max(best, row.score)
        return found

    @property
    def stale(self) -> int:
        """Validations since the best."""
        return len(self.rows) - 1 - self.rows.index(self.best) if self.best else 0

    def plain(self) -> dict[str, Any]:
        """As JSON holds it, for a training record."""
        return {"rows": [asdict(row) for row in self.rows], "notes": list(self.notes), "kept": self.kept and self.kept.update}


def write_csv(history: History, path: Path) -> None:
    text = io.StringIO()
    table = csv.DictWriter(text, list(Row.__dataclass_fields__), lineterminator="\n")
    table.writeheader()
    table.writerows(asdict(row) for row in history.rows)
    replace(path, text.getvalue().encode())


def replace(path: Path, content: bytes) -> None:
    """A file that is whole or not there. (The door to disk has its own; learn/ lies below it.)"""
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def curve(history: History, path: Path) -> None:
    """Loss and score over the minutes, as a PNG; where the weights are from is marked."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    kept = history.kept
    if not kept:
        raise ValueError("expected a history of at least one validation, got none; train first")
    figure = Figure(figsize=(6, 5), dpi=120, layout="constrained")
    panels = figure.subplots(2, sharex=True)
    minutes = [row.seconds / 60 for row in history.rows]
    for panel, name in zip(panels, ("loss", "score"), strict=True):
        panel.plot(minutes, [getattr(row, name) for row in history.rows], color="black", lw=1.2, marker=".", ms=4)
        panel.axvline(kept.seconds / 60, color="tab:red", lw=0.8)
        panel.set_ylabel(name)
        panel.yaxis.set_major_locator(MaxNLocator(5))
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_title(f"kept: update {kept.update}, score {kept.score:.4g}", fontsize=10, color="tab:red")
    panels[1].set_xlabel("minutes")
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    replace(path, picture.getvalue())


@contextmanager
def logged(folder: Path | None, history: History) -> Iterator[Callable[[], None]]:
    """Gives a function to call after each new row, for history.csv and, where it is installed, TensorBoard; curve.png comes at the end."""
    if folder is None:
        yield lambda: None
        return
    folder.mkdir(parents=True, exist_ok=True)
    board = _board(folder, purge=history.rows[-1].update + 1 if history.rows else 0)

    def write() -> None:
        write_csv(history, folder / "history.csv")
        if board:
            row = history.rows[-1]
            for name in ("loss", "score", "rate"):
                board.add_scalar(name, getattr(row, name), row.update)

    try:
        yield write
    finally:
        if history.rows:
            curve(history, folder / "curve.png")
        if board:
            board.close()


def _board(folder: Path, *, purge: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=purge)
