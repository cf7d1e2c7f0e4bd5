"""A segmentation at a glance: where it differs from the drawings, and how good it is in each slice.

Drawn is blue, found is red, and where both agree they make violet; so blue is missed and red is too much. A class sheet shows the
slice of its worst, its middle and its best F1, and beside each the place with most of the errors, pixel by pixel. The score sheet has
F1 over the slices, dashed that of a second expert, and the confusion matrix.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from fibsem_ij.arrays.class_scores import Planes
from fibsem_ij.arrays.colours import colours_of
from fibsem_ij.render import RGB, edges, grey, save, sheet
from fibsem_ij.volume import ArrayLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Mask = npt.NDArray[np.bool_]
Told = Mapping[str, Any]  # what class_scores.score returns

_DRAWN, _FOUND, _BOTH = (45, 125, 255), (255, 55, 40), (185, 95, 235)
_FILL = 0.45
_WHOLE_PX, _DETAIL_PX, _LEAST_PX = 640, 480, 400
_PAPER, _FIELD, _INK, _FAINT = "#121212", "#1c1c1c", "#e6e6e6", "#8a8a8a"
_TICKS = 30  # slice names under the curves, at most


def draw(folder: Path, result: ArrayLike, truth: Planes, told: Told, names: Mapping[int, str], *, second: Told | None = None,
         src: ArrayLike | None = None, slice_names: Sequence[str] = ()) -> list[Path]:
    """Both kinds of sheet as PNG: scores.png, and one named for each class that is drawn or found somewhere."""
    if src is not None and tuple(src.shape) != tuple(result.shape):
        raise ValueError(f"expected the grey stack that was segmented, {tuple(result.shape)}, got {tuple(src.shape)}; name that one")
    folder.mkdir(parents=True, exist_ok=True)
    paths = [save(folder / "scores.png", score_sheet(told, names, second=second, slice_names=slice_names))]
    for i, name in _there(told, names).items():
        picture = class_sheet(result, truth, told, name, i, src=src, slice_names=slice_names)
        paths.append(save(folder / f"class_{i}_{re.sub(r'[^0-9A-Za-z]+', '_', name)}.png", picture))
    return paths


def overlay(plane: npt.NDArray[Any], found: Mask, true: Mask) -> RGB:
    """Both masks over grey; the outline of the drawn one is opaque."""
    picture = grey(plane).astype(np.float32)
    wash = np.where(edges(true), 1, _FILL).astype(np.float32)[..., None]
    for mask, colour in ((true & ~found, _DRAWN), (found & ~true, _FOUND), (found & true, _BOTH)):
        picture[mask] += wash[mask] * (np.array(colour, np.float32) - picture[mask])
    return picture.round().astype(np.uint8)


def class_sheet(result: ArrayLike, truth: Planes, told: Told, name: str, class_id: int, *, src: ArrayLike | None = None,
                slice_names: Sequence[str] = ()) -> RGB:
    """One class; `src` is the grey stack, without which the masks lie on black."""
    panels: list[tuple[str, RGB]] = []
    for z, row in _chosen(told["table"], name):
        found, true = (np.asarray(planes[z]) == class_id for planes in (result, truth))
        plane = np.zeros(found.shape, np.uint8) if src is None else np.asarray(src[z])
        whole, at = overlay(plane, found, true), _worst_place(found != true)
        detail = (plane[at], found[at], true[at])
        caption = f"slice {slice_names[z] if slice_names else z}: " + ", ".join(
            f"{key} {_short(row[key])}" for key in ("f1", "precision", "recall"))
        panels.append((caption, _sized(_framed(whole, at))))
        if src is not None:
            panels.append(("grey, where most errors are", _sized(grey(plane[at], like=plane))))
        panels.append(("drawn and found, where most errors are" if src is None else "drawn and found", _sized(overlay(*detail))))
    title = f"{name}, F1 {_short(told['classes'][name]['f1'])}.  Blue: drawn only (missed).  Red: found only.  Violet: both."
    return sheet(panels, columns=2 if src is None else 3, title=title)


def score_sheet(told: Told, names: Mapping[int, str], *, second: Told | None = None, slice_names: Sequence[str] = ()) -> RGB:
    """F1 of every class over the slices, and the confusion matrix."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((15, 5.6), dpi=100, facecolor=_PAPER, layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.7, 1])
    _draw_curves(left, told, names, second, slice_names)
    _draw_confusion(right, told["confusion"])
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    picture: RGB = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    return picture


def _there(told: Told, names: Mapping[int, str]) -> dict[int, str]:
    """The classes that are drawn or found somewhere."""
    return {i: name for i, name in names.items() if told["classes"].get(name, {}).get("f1") is not None}


def _chosen(table: Mapping[str, Sequence[Any]], name: str) -> list[tuple[int, dict[str, Any]]]:
    """z and scores of the slices with the worst, the middle and the best F1 of a class."""
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    known = sorted((row for row in rows if row["class"] == name and row["f1"] is not None), key=lambda row: float(row["f1"]))
    if not known:
        raise ValueError(f"expected slices with {name}, drawn or found, got none; there is nothing to show")
    places = sorted({0, (len(known) - 1) // 2, len(known) - 1})
    return [(known[place]["z"], known[place]) for place in places]


def _worst_place(wrong: Mask) -> tuple[slice, slice]:
    """The window with most wrong pixels."""
    import cv2

    height, width = (min(n, _DETAIL_PX) for n in wrong.shape)
    sums = cv2.integral(wrong.view(np.uint8))
    inside = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    y, x = (int(n) for n in np.unravel_index(int(inside.argmax()), inside.shape))
    return slice(y, y + height), slice(x, x + width)


def _framed(picture: RGB, at: tuple[slice, slice]) -> RGB:
    """A white frame around the window, as thick as it takes to be seen when the picture is shrunk; none around the whole picture."""
    if picture[at].shape == picture.shape:
        return picture
    thick = 1 + max(picture.shape) // _WHOLE_PX
    inner = tuple(slice(window.start + thick, window.stop - thick) for window in at)
    framed = picture.copy()
    framed[at] = 255
    framed[inner] = picture[inner]
    return framed


def _sized(picture: RGB) -> RGB:
    """Not wider than a sheet can show, nor so small that captions run into each other."""
    times = _LEAST_PX // max(picture.shape)
    if times > 1:
        return picture.repeat(times, 0).repeat(times, 1)
    image = Image.fromarray(picture)
    image.thumbnail((_WHOLE_PX, _WHOLE_PX), Image.Resampling.BOX)
    return np.asarray(image)


def _draw_curves(field: Axes, told: Told, names: Mapping[int, str], second: Told | None, slice_names: Sequence[str]) -> None:
    slices = sorted(set(told["table"]["z"]))
    for i, name in _there(told, names).items():
        label = f"{name} {_short(told['classes'][name]['f1'])}"
        field.plot(_curve(told, name, slices), color=colours_of(i) / 255, lw=1.6, marker="o", ms=3.5, label=label)
        if second:
            field.plot(_curve(second, name, slices), "--", color=colours_of(i) / 255, lw=1.2, marker="o", ms=2)
            field.lines[-2].set_label(f"{label} (second expert {_short(second['classes'][name]['f1'])})")
    field.set_ylim(-0.02, 1.02)
    field.set_xlim(-0.5, len(slices) - 0.5)
    shown = range(0, len(slices), -(-len(slices) // _TICKS))
    field.set_xticks(shown, [str(slice_names[slices[n]] if slice_names else slices[n]) for n in shown], rotation=90)
    field.set_xlabel("slice" + (", dashed: the second expert" if second else ""), color=_FAINT)
    _dress(field, f"F1 of each class in each slice: micro {_short(told['f1_micro'])}, weighted {_short(told['f1_weighted'])}")
    field.grid(color="#303030", lw=0.6)
    field.legend(loc="upper left", bbox_to_anchor=(0, -0.16), ncols=3 - bool(second), frameon=False, labelcolor=_INK, fontsize=9)


def _curve(told: Told, name: str, slices: Sequence[int]) -> list[float]:
    """F1 of a class in these slices, NaN where it has none."""
    rows = zip(told["table"]["z"], told["table"]["class"], told["table"]["f1"], strict=True)
    known = {z: f1 for z, which, f1 in rows if which == name and f1 is not None}
    return [known.get(z, np.nan) for z in slices]


def _draw_confusion(field: Axes, confusion: Mapping[str, Any]) -> None:
    pixels = np.array(confusion["pixels"], np.float64)
    share = pixels / np.maximum(pixels.sum(1, keepdims=True), 1)
    field.imshow(share, cmap="gray", vmin=0, vmax=1)
    for (row, column), value in np.ndenumerate(share):
        field.text(column, row, _short(value) if value >= 0.005 else "", ha="center", va="center",
                   color="black" if value > 0.5 else _INK, fontsize=9)
    places = range(len(share))
    field.set_xticks(places, confusion["classes"], rotation=30, ha="right")
    field.set_yticks(places, confusion["classes"])
    field.set_xlabel("found as", color=_FAINT)
    _dress(field, "of each drawn class (row), what share was found as")


def _dress(field: Axes, title: str) -> None:
    field.set_title(title, color=_INK, fontsize=11, loc="left")
    field.set_facecolor(_FIELD)
    field.set_axisbelow(True)
    field.tick_params(colors=_FAINT, labelsize=9)
    for spine in field.spines.values():
        spine.set_visible(False)


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}".removeprefix("0") if value < 1 else "1"
