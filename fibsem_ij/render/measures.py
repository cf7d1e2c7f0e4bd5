"""A table of measures as figures for a paper: how each measure is distributed, and how measures go together. PNG and SVG.

Which columns, in which unit and on which axis is said in columns.py. `by` is a column of classes or parents.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.files.whole import whole
from fibsem_ij.render.columns import Table, as_numbers, axis, columns, groups_of, spearman, wide

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = 12  # at most in a figure
INK = "#222222"
_MANY = 2000  # points; past that they are drawn as pixels, also in an SVG
_WHOLE = 30  # values: as many whole numbers have a bar each


def distributions(table: Table, *, names: Sequence[str] = (), by: str = "", ink: str = INK) -> Figure:
    """A panel a measure: a histogram, or where there are groups all points with median and quartiles."""
    chosen = _chosen(table, names or columns(table)[:PANELS])
    groups = groups_of(table, by)
    figure, fields = _panels(len(chosen), height=2.3 if len(groups) < 2 else 1.7 + 0.28 * len(groups))
    for field, name in zip(fields, chosen, strict=True):
        label, values = axis(name, table[name])
        dress(field, ink)
        (_draw_groups if by else _draw_histogram)(field, values, groups, ink)
        field.set_xlabel(label)
    return figure


def scatters(table: Table, *, x: str = "", names: Sequence[str] = (), by: str = "", ink: str = INK) -> Figure:
    """One measure, the first if none is named, against others; rho is Spearman's, over all objects."""
    found = columns(table)
    across = x or (found[0] if found else "")
    chosen = _chosen(table, names or [name for name in found if name != across][:PANELS])
    _chosen(table, [across])
    figure, fields = _panels(len(chosen), height=2.9)
    for field, name in zip(fields, chosen, strict=True):
        (label, right), (other, up) = axis(across, table[across]), axis(name, table[name])
        dress(field, ink)
        for group, colour, rows in groups_of(table, by):
            field.scatter(right[rows], up[rows], s=max(4, min(22, 4000 / len(right))), color=colour, alpha=0.65, lw=0, label=group,
                          rasterized=len(right) > _MANY)
        _scale(field, right)
        _scale(field, up, axis="y")
        field.set(xlabel=label, ylabel=other)
        field.set_title(f"rho {spearman(right, up):.2f}", fontsize=8, color=ink, loc="right", pad=3)
    if by:
        fields[0].legend(title=by, fontsize=7, title_fontsize=7, frameon=False, labelcolor=ink, markerscale=1.4)
    return figure


def draw(folder: Path, table: Table, *, names: Sequence[str] = (), x: str = "", by: str = "") -> list[Path]:
    """distributions and scatter, each as .png and .svg."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = {"distributions": distributions(table, names=names, by=by)}
    if len(columns(table)) > 1 or (names and x):
        figures["scatter"] = scatters(table, x=x, names=[name for name in names if name != x], by=by)
    return [save(folder / f"{name}{ending}", figure) for name, figure in figures.items() for ending in (".png", ".svg")]


def save(path: Path, figure: Figure) -> Path:
    with whole(path) as part:
        part.write_bytes(rendered(figure, path.suffix[1:], paper="white"))
    return path


def rendered(figure: Figure, kind: str, *, paper: str = "none") -> bytes:
    """The figure as png or svg; the text of an SVG stays text, and the same figure gives the same bytes."""
    from matplotlib import rc_context

    out = io.BytesIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "fibsem_ij"}):
        figure.savefig(out, format=kind, dpi=200, facecolor=paper, metadata={"Date": None} if kind == "svg" else None)
    return out.getvalue()


def _chosen(table: Table, names: Sequence[str]) -> list[str]:
    for name in names:
        if name not in table:
            raise ValueError(f"expected a column of {', '.join(table)}, got {name!r}; name one of them")
        if not np.isfinite(as_numbers(table[name])).any():
            raise ValueError(f"expected numbers in {name}, got none; name another column")
    if not names:
        raise ValueError(f"expected columns whose numbers differ from object to object, got none in {', '.join(table)}; "
                         "measure more than one object")
    return list(names)


def _panels(count: int, *, height: float) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    across = min(count, 4)
    down = -(-count // across)
    figure = Figure((3.0 * across, height * down), layout="constrained")
    fields = list(figure.subplots(down, across, squeeze=False).ravel())
    for field in fields[count:]:
        field.remove()
    return figure, fields[:count]


def dress(field: Axes, ink: str) -> None:
    field.set_facecolor("none")
    field.spines[["top", "right"]].set_visible(False)
    field.spines[["left", "bottom"]].set_color(ink)
    field.tick_params(colors=ink, labelsize=7.5, which="both")
    for label in (field.xaxis.label, field.yaxis.label):
        label.set(color=ink, fontsize=8.5)


def _draw_histogram(field: Axes, values: npt.NDArray[np.float64], groups: Sequence[Any], ink: str) -> None:
    from matplotlib.ticker import MaxNLocator

    known = values[np.isfinite(values)]
    count = int(np.clip(np.sqrt(len(known)), 8, 40))
    low, high = float(known.min()), float(known.max())
    if (known == np.round(known)).all() and high - low <= _WHOLE:
        bins = np.arange(low - 0.5, high + 1)  # a bar a number
    else:
        bins = np.geomspace(low, high, count + 1) if wide(values) else np.linspace(low, high if high > low else low + 1, count + 1)
    field.hist(known, bins=list(bins), color=groups[0][1], lw=0.4, edgecolor="white")
    field.axvline(float(np.median(known)), color=ink, lw=1, ls=(0, (4, 2)))
    _scale(field, values)
    field.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    field.set_ylabel("objects")
    field.set_title(f"n {len(known)}, median {np.median(known):.3g}", fontsize=8, color=ink, loc="right", pad=3)


def _draw_groups(field: Axes, values: npt.NDArray[np.float64], groups: Sequence[Any], ink: str) -> None:
    """All points; a line from quartile to quartile, and the median across it."""
    rng = np.random.default_rng(0)
    for place, (_, colour, rows) in enumerate(groups):
        known = values[rows & np.isfinite(values)]
        field.scatter(known, place + rng.uniform(-0.28, 0.28, len(known)), s=7, color=colour, alpha=0.6, lw=0,
                      rasterized=len(known) > _MANY)
        if len(known):
            low, middle, high = np.percentile(known, (25, 50, 75))
            field.plot([low, high], [place, place], color=ink, lw=1.2)
            field.plot([middle, middle], [place - 0.3, place + 0.3], color=ink, lw=2.2)
    field.set_yticks(range(len(groups)), [f"{name} ({np.count_nonzero(rows)})" for name, _, rows in groups])
    field.set_ylim(len(groups) - 0.4, -0.6)
    _scale(field, values)


def _scale(field: Axes, values: npt.NDArray[np.float64], *, axis: str = "x") -> None:
    from matplotlib.ticker import NullFormatter

    if wide(values):
        field.set(**{f"{axis}scale": "log"})
        getattr(field, f"{axis}axis").set_minor_formatter(NullFormatter())

