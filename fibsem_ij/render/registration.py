"""The registration at a glance: what each slice's transform does, how alike neighbours became, what z looks like, whom to doubt.

Left, curves over the slices, bad ones marked. Right, the stack cut along z before and after: walls that were combs are
smooth now. Below, the slices to look at first: a bad one as it is, a good one over the slice it is compared with
(`register.quality`), grey where both are bright, green or magenta where this one or the other one is brighter.

matplotlib draws, on a canvas of its own: no window, no global state. It is imported when a sheet is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from fibsem_ij.register.quality import references
from fibsem_ij.register.warp import warp
from fibsem_ij.render import RGB, grey
from fibsem_ij.volume import ArrayLike, Transforms

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Table = Mapping[str, npt.NDArray[Any]]

_PAPER, _FIELD, _INK, _FAINT, _BAD = "#121212", "#1c1c1c", "#e6e6e6", "#8a8a8a", "#e4572e"
_ORANGE, _BLUE, _GREEN = "#f2a541", "#5aa9e6", "#7bc67b"
_DPI, _WIDTH_IN, _CURVE_IN = 100, 16.0, 1.75
_WORST, _WORST_BAD = 6, 3  # pictures below; of these bad slices at most
_NAMED = 8  # bad slices in the title
_LARGEST_PX = 640  # of a picture within the sheet

# Title, unit on the axis, (column, name in the legend, colour) of each curve.
_CURVES: tuple[tuple[str, str, tuple[tuple[str, str, str], ...]], ...] = (
    ("shift of the centre", "px", (("shift_x_px", "x, to the right", _ORANGE), ("shift_y_px", "y, down", _BLUE))),
    ("rotation, clockwise", "degrees", (("rotation_deg", "", _ORANGE),)),
    ("doubt", "px", (("residual_px", "residual to the slice before", _ORANGE), ("spread_px", "spread of the runs", _BLUE))),
    ("similarity to the slice before", "correlation", (("similarity_before", "before", _ORANGE), ("similarity_after", "after", _GREEN))),
)


def registration_sheet(src: ArrayLike, fitted: Transforms, table: Table) -> RGB:
    """`table` is that of `register.quality`. The stack is read once, a slice at a time."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    cuts = _cuts(src, fitted)
    upper, lower = len(_CURVES) * _CURVE_IN, _worst_height(fitted.canvas)
    figure = Figure((_WIDTH_IN, upper + lower + 0.5), dpi=_DPI, facecolor=_PAPER, layout="constrained")
    figure.suptitle(_title(fitted, table), color=_INK, fontsize=14, x=0.01, ha="left")
    (top,), (bottom,) = figure.subfigures(2, 1, squeeze=False, height_ratios=[upper, lower])
    ((left, right),) = top.subfigures(1, 2, squeeze=False, width_ratios=[1.25, 1])
    for part in (top, bottom, left, right):
        part.set_facecolor(_PAPER)
    _draw_curves(left.subplots(len(_CURVES), 1, sharex=True), table)
    _draw_cuts(right.subplots(*_grid(cuts, _WIDTH_IN / 2, upper), squeeze=False).ravel(), cuts)
    _draw_worst(bottom.subplots(1, _WORST), src, fitted, table)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    picture: RGB = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    return picture


def _title(fitted: Transforms, table: Table) -> str:
    good = ~table["bad"]
    if not good.any():
        return f"Registration of {len(fitted)} slices, all of them bad"
    before, after, residual = (_middle(table[key][good]) for key in ("similarity_before", "similarity_after", "residual_px"))
    return (f"Registration of {len(fitted)} slices ({fitted.model}): similarity {before:.2f} before, {after:.2f} after; "
            f"residual {residual:.2f} px; {_listed(table['z'][~good])}")


def _listed(bad: npt.NDArray[Any]) -> str:
    if not len(bad):
        return "no bad slice"
    return f"{len(bad)} bad: z {', '.join(map(str, bad[:_NAMED]))}{', ...' if len(bad) > _NAMED else ''}"


def _middle(values: npt.NDArray[Any]) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")


def _draw_curves(fields: Sequence[Axes], table: Table) -> None:
    from matplotlib.ticker import MaxNLocator

    z, bad = table["z"], table["bad"]
    for field, (title, unit, lines) in zip(fields, _CURVES, strict=True):
        _dress(field, title)
        for k in z[bad]:
            field.axvspan(k - 0.5, k + 0.5, color=_BAD, alpha=0.35, lw=0)
        for column, name, colour in lines:
            # A bad slice has no say: the line has a gap there.
            field.plot(z, np.where(bad, np.nan, table[column]), color=colour, lw=1.3, marker="o", ms=2.2, label=name)
        field.set_ylabel(unit, color=_FAINT, fontsize=9)
        field.margins(x=0.01)
        field.set_facecolor(_FIELD)
        if len(lines) > 1:
            field.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, labelcolor=_INK, fontsize=9, borderpad=0,
                         borderaxespad=0.2)
    fields[2].set_ylim(bottom=0)
    fields[-1].set_xlabel("slice z" + ("   (red: bad, left out and bridged)" if bad.any() else ""), color=_FAINT, fontsize=9)
    fields[-1].xaxis.set_major_locator(MaxNLocator(integer=True))


def _dress(field: Axes, title: str) -> None:
    field.set_title(title, color=_INK, fontsize=10, loc="left", pad=4)
    field.tick_params(colors=_FAINT, labelsize=8)
    for spine in field.spines.values():
        spine.set_visible(False)
    field.grid(color="#303030", lw=0.6)
    field.set_axisbelow(True)


def _cuts(src: ArrayLike, fitted: Transforms) -> list[tuple[str, npt.NDArray[Any]]]:
    """xz and yz through the middle, z downwards, before and after: of each slice a row and a column, never a whole warp."""
    (height, width), (rows, columns) = src.shape[1:], fitted.canvas
    planes: list[list[npt.NDArray[Any]]] = [[], [], [], []]
    for z, matrix in enumerate(fitted.matrices):
        image = np.asarray(src[z]).astype(np.float32)
        row, column = (matrix @ _offset(*at) for at in ((0, rows // 2), (columns // 2, 0)))
        lines = (image[height // 2], warp(image, row, canvas=(1, columns))[0],
                 image[:, width // 2], warp(image, column, canvas=(rows, 1))[:, 0])
        for plane, line in zip(planes, lines, strict=True):
            plane.append(line)
    voxel = fitted.voxel_nm or getattr(src, "voxel_nm", None) or (1.0, 1.0, 1.0)
    names = ("xz before, z downwards", "xz after", "yz before", "yz after")
    return [(name, _to_scale(np.stack(plane), voxel[0] / side)) for name, plane, side in
            zip(names, planes, (voxel[2], voxel[2], voxel[1], voxel[1]), strict=True)]


def _offset(x: float, y: float) -> npt.NDArray[np.float64]:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])


def _to_scale(plane: npt.NDArray[Any], ratio: float) -> npt.NDArray[Any]:
    """Rows repeated so that a nm is a nm."""
    rows = max(1, round(len(plane) * ratio))
    return plane[(np.arange(rows) * len(plane)) // rows]


def _grid(cuts: Sequence[tuple[str, npt.NDArray[Any]]], width: float, height: float) -> tuple[int, int]:
    """Rows and columns in which the pictures become largest."""
    high, wide = np.max([plane.shape for _, plane in cuts], 0)
    return max(((4, 1), (2, 2), (1, 4)), key=lambda grid: min(height / grid[0] / high, width / grid[1] / wide))


def _draw_cuts(fields: Sequence[Axes], cuts: Sequence[tuple[str, npt.NDArray[Any]]]) -> None:
    for field, (name, plane), (_, before) in zip(fields, cuts, [cuts[0], cuts[0], cuts[2], cuts[2]], strict=True):
        _show(field, grey(plane, like=before), name)


def _worst_height(canvas: tuple[int, int]) -> float:
    """Of the row of slices, in inches, with its captions."""
    return 0.5 + _WIDTH_IN / _WORST * min(canvas[0] / canvas[1], 1.5)


def _draw_worst(fields: Sequence[Axes], src: ArrayLike, fitted: Transforms, table: Table) -> None:
    others = references(len(fitted), fitted.bad)
    chosen = _worst(table)
    for field, z in zip(fields, chosen, strict=False):
        other, this = (_shrunk(src, fitted, k) for k in (others[z], z))
        label = f"{table['worst'][z]}. slice {_label(table, z)}"
        similarity = f"similarity {table['similarity_after'][z]:.2f}"
        if table["bad"][z]:
            _show(field, grey(this, like=other), f"{label}: {table['state'][z]}\n{similarity}")
        else:
            _show(field, _fringes(other, this), f"{label} over {_label(table, others[z])}: {similarity}\n"
                                                f"residual {table['residual_px'][z]:.2f} px, spread {table['spread_px'][z]:.2f} px")
    for field in fields[len(chosen):]:
        field.set_axis_off()


def _label(table: Table, z: int) -> str:
    """z, and the name where it says more."""
    name = str(table["name"][z])
    return f"z {z}" if name.isdecimal() and int(name) == z else f"z {z} ({name})"


def _worst(table: Table) -> list[int]:
    """By rank; but bad slices are known already, so they do not take all the places while good ones are in doubt."""
    order = np.argsort(table["worst"])
    bad = [int(z) for z in order if table["bad"][z]]
    good = [int(z) for z in order if not table["bad"][z]]
    first = bad[:max(_WORST_BAD, _WORST - len(good))]
    return (first + good)[:_WORST]


def _shrunk(src: ArrayLike, fitted: Transforms, z: int) -> npt.NDArray[Any]:
    """The aligned slice, at most _LARGEST_PX wide and high."""
    rows, columns = fitted.canvas
    placed = warp(np.asarray(src[z]).astype(np.float32), fitted.matrices[z], canvas=fitted.canvas)
    ratio = max(1.0, max(rows, columns) / _LARGEST_PX)
    size = (max(1, round(columns / ratio)), max(1, round(rows / ratio)))
    return np.asarray(Image.fromarray(placed).resize(size, Image.Resampling.BOX))


def _fringes(other: npt.NDArray[Any], this: npt.NDArray[Any]) -> RGB:
    """Magenta and green; each slice by its own range, so that a jump in brightness is no fringe."""
    magenta, green = grey(other), grey(this)
    return np.stack([magenta[..., 0], green[..., 0], magenta[..., 0]], -1)


def _show(field: Axes, picture: RGB, title: str) -> None:
    field.imshow(picture, interpolation="antialiased")
    field.set_title(title, color=_INK, fontsize=9, loc="left", pad=4)
    field.set_axis_off()
