"""Pictures: grey slices, labels over them, reslices, captioned sheets. Arrays in, (y, x, 3) uint8 out; `save` writes PNG.

Grey is stretched between its 0.5 and 99.5 percentile for the eye only; labels wear the one colour table
(arrays/colours.py), so an object has the same colour here, in its TIFF, in its ROI and in ImageJ.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from fibsem_ij.arrays import colours
from fibsem_ij.arrays.gaps import closed
from fibsem_ij.files.whole import whole
from fibsem_ij.volume import ArrayLike

RGB = npt.NDArray[np.uint8]  # (y, x, 3)

_PAPER, _INK, _GAP_PX, _CAPTION_PX = 18, 230, 8, 26


def grey(plane: npt.NDArray[Any], *, like: npt.NDArray[Any] | None = None) -> RGB:
    """A plane as the eye wants it; `like` lends its range, so that several planes are shown alike."""
    low, high = np.percentile(closed(plane if like is None else like), (0.5, 99.5))
    scaled = (closed(plane).astype(np.float32) - low) * (255 / max(high - low, 1e-6))
    return np.repeat(np.clip(scaled, 0, 255).round().astype(np.uint8)[..., None], 3, axis=-1)


def edges(labels: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Pixels of an object whose right or lower neighbour belongs to another, and the neighbour's side alike."""
    edge = np.zeros(labels.shape, np.bool_)
    for near, far in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        differs = labels[near] != labels[far]
        edge[near] |= differs
        edge[far] |= differs
    edge &= labels != 0
    return edge


def overlay(plane: npt.NDArray[Any], labels: npt.NDArray[Any], *, fill: float = 0.35) -> RGB:
    """Labels over grey: a thin wash of colour, a full outline."""
    picture, paint = grey(plane).astype(np.float32), colours.paint(labels).astype(np.float32)
    wash = np.where(labels[..., None] != 0, np.float32(fill), np.float32(0))
    wash[edges(labels)] = 1
    mixed: RGB = (picture * (1 - wash) + paint * wash).round().astype(np.uint8)
    return mixed


def outlines(plane: npt.NDArray[Any], drawn: npt.NDArray[Any], found: npt.NDArray[Any]) -> RGB:
    """What was drawn in blue, what was found in red, where both have an outline violet."""
    picture, ours, theirs = grey(plane), edges(drawn), edges(found)
    for edge, colour in ((ours, (45, 125, 255)), (theirs, (255, 55, 40)), (ours & theirs, (185, 95, 235))):
        picture[edge] = colour
    return picture


def reslice(src: ArrayLike, *, y: int | None = None, x: int | None = None, voxel_nm: Sequence[float] | None = None) -> npt.NDArray[Any]:
    """The xz plane at row `y` or the yz plane at column `x`, z downwards; rows repeated so that a nm is a nm."""
    if (y is None) == (x is None):
        raise ValueError(f"expected one of y and x, got y={y}, x={x}; a reslice is one plane")
    plane = np.stack([np.asarray(src[z, y] if y is not None else src[z, :, x]) for z in range(src.shape[0])])
    if voxel_nm is None:
        return plane
    rows = max(1, round(len(plane) * voxel_nm[0] / voxel_nm[2 if y is not None else 1]))
    return plane[(np.arange(rows) * len(plane)) // rows]


def shrunk(plane: npt.NDArray[Any], largest_px: int) -> npt.NDArray[Any]:
    """A grey plane as means of square blocks, no side longer than `largest_px`."""
    height, width = _small(plane.shape, largest_px)
    if (height, width) == plane.shape:
        return plane
    return np.asarray(Image.fromarray(plane.astype(np.float32)).resize((width, height), Image.Resampling.BOX))


def shrunk_overlay(plane: npt.NDArray[Any], labels: npt.NDArray[Any], largest_px: int, *, fill: float = 0.35) -> RGB:
    """Labels over grey, shrunk before the outlines are drawn, so that these stay as thick as a pixel."""
    return overlay(shrunk(plane, largest_px), shrunk_labels(labels, largest_px), fill=fill)


def shrunk_labels(labels: npt.NDArray[Any], largest_px: int) -> npt.NDArray[Any]:
    """The middle pixel of the blocks of `shrunk`."""
    y, x = (((np.arange(n) + 0.5) * size / n).astype(int) for n, size in zip(_small(labels.shape, largest_px), labels.shape, strict=True))
    return labels[np.ix_(y, x)]


def _small(shape: Sequence[int], largest_px: int) -> tuple[int, int]:
    ratio = min(1.0, largest_px / max(shape))
    height, width = (max(1, round(n * ratio)) for n in shape)
    return height, width


def evenly(depth: int, count: int) -> list[int]:
    """`count` slices spread through a stack, none at its ends where there is a choice."""
    return sorted({int(z) for z in (np.arange(min(count, depth)) + 0.5) * depth / min(count, depth)})


def montage(src: ArrayLike, labels: ArrayLike | None = None, *, count: int = 12, columns: int = 4, largest_px: int = 360,
            names: Sequence[str] = (), voxel_nm: Sequence[float] | None = None, title: str = "") -> RGB:
    """Slices spread through a stack, and cuts along z through its middle, with the labels over them."""
    if labels is not None and tuple(labels.shape) != tuple(src.shape):
        raise ValueError(f"expected labels of the stack's shape {tuple(src.shape)}, got {tuple(labels.shape)}; name those of this stack")
    planes = [(f"slice {names[z] if names else z}", np.asarray(src[z]), None if labels is None else np.asarray(labels[z]))
              for z in evenly(src.shape[0], count)]
    for name, place in (("xz", {"y": src.shape[1] // 2}), ("yz", {"x": src.shape[2] // 2})):
        over = None if labels is None else reslice(labels, voxel_nm=voxel_nm, **place)
        planes.append((f"{name} through the middle", reslice(src, voxel_nm=voxel_nm, **place), over))
    times = max(1, largest_px // max(src.shape[1:]))  # a small stack is magnified, pixels as squares
    panels = [(caption, grey(shrunk(plane, largest_px)) if over is None else shrunk_overlay(plane, over, largest_px))
              for caption, plane, over in planes]
    return sheet([(caption, panel.repeat(times, 0).repeat(times, 1)) for caption, panel in panels], columns=columns, title=title)


def sheet(panels: Sequence[tuple[str, RGB]], *, columns: int = 3, title: str = "") -> RGB:
    """Panels with captions in a grid on dark paper, each at its own size."""
    if not panels:
        raise ValueError("expected at least one panel, got none; a sheet shows something")
    rows = [panels[i : i + columns] for i in range(0, len(panels), columns)]
    font, large = ImageFont.load_default(size=15), ImageFont.load_default(size=18)
    widths = [max(max(row[c][1].shape[1], int(font.getlength(row[c][0])) + 1) for row in rows if c < len(row))
              for c in range(min(columns, len(panels)))]
    heights = [max(p.shape[0] for _, p in row) + _CAPTION_PX for row in rows]
    head = _CAPTION_PX + _GAP_PX if title else 0
    across = max(sum(widths) + _GAP_PX * (len(widths) + 1), int(large.getlength(title)) + 2 * _GAP_PX)
    paper = Image.new("RGB", (across, head + sum(heights) + _GAP_PX * (len(heights) + 1)), (_PAPER,) * 3)
    draw = ImageDraw.Draw(paper)
    if title:
        draw.text((_GAP_PX, _GAP_PX), title, fill=(_INK,) * 3, font=large)
    top = head + _GAP_PX
    for row, height in zip(rows, heights, strict=True):
        left = _GAP_PX
        for (caption, panel), width in zip(row, widths, strict=False):
            draw.text((left, top + 4), caption, fill=(_INK,) * 3, font=font)
            paper.paste(Image.fromarray(panel), (left, top + _CAPTION_PX))
            left += width + _GAP_PX
        top += height + _GAP_PX
    return np.asarray(paper)


def save(path: str | Path, picture: RGB) -> Path:
    """Write a PNG; the file appears whole or not at all."""
    with whole(Path(path)) as beside:
        Image.fromarray(picture).save(beside, format="PNG")
    return Path(path)
