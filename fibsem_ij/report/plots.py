"""The curves of a report, in the ink of the page (report/page.py), and the table of measures with its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fibsem_ij.render.columns import columns, summary
from fibsem_ij.render.measures import INK, distributions, dress, scatters
from fibsem_ij.report import page
from fibsem_ij.volume import Transforms

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ORANGE, _BLUE, _GREEN, _RED = "#d9822b", "#3b82c4", "#4a9d5b", "#d8452f"
_CURVE_IN = 1.75


def drift(fitted: Transforms, measured: Mapping[str, Any] | None) -> Figure:
    """The shift of the centre and the spread of the runs; with what `register.quality` measured, how alike neighbours became."""
    height, width = fitted.canvas
    centre = np.array([(width - 1) / 2, (height - 1) / 2, 1])
    shift = (np.linalg.inv(fitted.matrices) @ centre - centre)[:, :2]
    lines: list[tuple[str, tuple[tuple[str, Any, str], ...]]] = [
        ("shift of the centre (px)", (("x, to the right", shift[:, 0], _ORANGE), ("y, down", shift[:, 1], _BLUE)))]
    doubt: list[tuple[str, Any, str]] = [("spread of the runs", fitted.spread_px, _BLUE)]
    if measured:
        doubt.insert(0, ("residual to the slice before", measured["residual_px"], _ORANGE))
    lines.append(("doubt (px)", tuple(doubt)))
    if measured:
        lines.append(("similarity to the slice before", (("before", measured["similarity_before"], _ORANGE),
                                                         ("after", measured["similarity_after"], _GREEN))))
    z, bad = np.arange(len(fitted)), np.isin(np.arange(len(fitted)), fitted.bad)
    figure, fields = _stacked(len(lines))
    for field, (title, curves) in zip(fields, lines, strict=True):
        dress(field, INK)
        field.set_title(title, loc="left", fontsize=9, color=INK)
        for k in z[bad]:
            field.axvspan(k - 0.5, k + 0.5, color=_RED, alpha=0.3, lw=0)
        for name, values, colour in curves:
            field.plot(z, np.where(bad, np.nan, values), color=colour, lw=1.3, label=name)
        field.margins(x=0.01)
        _legend(field)
    fields[-1].set_xlabel("slice z")
    return figure


def curve(rows: Sequence[Mapping[str, float]]) -> Figure:
    """Of a training, from the rows of its history."""
    minutes = [row["seconds"] / 60 for row in rows]
    best = max(range(len(rows)), key=lambda k: rows[k]["score"])
    figure, fields = _stacked(2)
    for field, name, colour in zip(fields, ("loss", "score"), (_ORANGE, _GREEN), strict=True):
        dress(field, INK)
        field.set_title(name, loc="left", fontsize=9, color=INK)
        field.plot(minutes, [row[name] for row in rows], color=colour, lw=1.4, marker="o", ms=2.6)
        field.axvline(minutes[best], color=INK, lw=0.8, ls=(0, (4, 3)))
    fields[-1].set_xlabel("minutes")
    return figure


def rounds(table: Mapping[str, Any]) -> Figure:
    """The score of each round of drawing over the slices drawn, and over their share of the stack."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    drawn, score, slices = table["drawn"], np.asarray(table["score"], np.float64), int(table["slices"][-1])
    made = Figure((6.4, 3.4), layout="constrained")
    field = made.subplots()
    dress(field, INK)
    field.plot(drawn, score, color=_ORANGE, lw=1.6, marker="o", ms=5)
    for n, x, y in zip(table["round"].tolist(), drawn.tolist(), score.tolist(), strict=True):
        field.annotate(str(n), (x, y), textcoords="offset points", xytext=(0, 7), ha="center", fontsize=8, color=INK)
    field.set_title("F1 on drawn slices that were held back, round by round", loc="left", fontsize=9, color=INK)
    field.set_xlabel(f"slices drawn, and their share of the {slices} slices of the stack", color=INK)
    field.xaxis.set_major_locator(MaxNLocator(7, integer=True))
    field.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.0f}\n{100 * x / slices:.3g} %"))
    field.margins(0.08, 0.18)
    return made


def measures(name: str, table: Mapping[str, Any], definitions: Mapping[str, str]) -> str:
    """Figures, and a summary of every column."""
    by = next((column for column in ("class", "parent") if column in table and 1 < len(np.unique(table[column])) <= 12), "")
    found = columns(table)
    rows = len(next(iter(table.values()), ()))
    if not found:
        return page.heading(name) + page.text(f"{rows} rows; nothing in them differs from row to row.")
    parts = [page.heading(name), page.text(f"{rows} rows" + (f", grouped by {by}" if by else "") + ".")]
    caption = "All points with median and quartiles" if by else "The dashed line is the median"
    parts.append(page.plot(distributions(table, by=by, ink=INK), caption))
    if len(found) > 1:
        parts.append(page.plot(scatters(table, by=by, ink=INK), "rho: Spearman's rank correlation"))
    keys = ("n", "mean", "sd", "min", "median", "max")
    lines: list[list[page.Value]] = [[column, *(told[key] for key in keys), *([definitions.get(column, "")] if definitions else [])]
                                     for column, told in summary(table)]
    parts.append(page.folded("Summary of every column",
                             page.table(("column", *keys, *(["what it is"] if definitions else [])), lines), is_open=True))
    return "".join(parts)


def _stacked(count: int) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure((11, _CURVE_IN * count), layout="constrained")
    fields = list(figure.subplots(count, 1, sharex=True, squeeze=False).ravel())
    for field in fields:
        field.yaxis.set_major_locator(MaxNLocator(4))
    return figure, fields


def _legend(field: Axes) -> None:
    field.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, labelcolor=INK, fontsize=8, borderpad=0,
                 borderaxespad=0.3)
