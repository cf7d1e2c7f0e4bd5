"""One outline <-> one ImageJ ROI.

Out: one ring becomes a traced polygon; several, or what a traced polygon cannot hold, a composite whose path draws ring
after ring. Both are filled even-odd in ImageJ, so they cover the same pixels there.

In: rectangle, oval, ellipse, rotated rectangle, polygon, freehand, traced and composite, each covering the pixels that
ImageJ 1.54p's own mask of it covers. Lines, angles, points, text and pictures have no area and are refused; so are
spline fits and rounded rectangles, whose outline ImageJ makes only while it draws.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt
from roifile import ROI_OPTIONS, ROI_SUBTYPE, ROI_TYPE, ImagejRoi

from fibsem_ij.arrays.outlines import Outline

LARGEST_INTEGER = 60_535  # NB: ImageJ takes stored shorts from 60,536 on for -5,000 and up
LARGEST_FLOAT = 1 << 24  # where float32, the number of a composite's path, stops being whole
_MOST_POINTS = (1 << 16) - 1
_POLYGONS = (ROI_TYPE.POLYGON, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED)
_POINTS_OF: dict[float, int] = {0: 1, 1: 1, 2: 2, 3: 3, 4: 0}  # java.awt.geom.PathIterator: move, line, quadratic, cubic, close
_FLATNESS = 0.01  # ImageJ's, in pixels, between a curve and the line in its place
_MOST_STEPS = 1000

Points = npt.NDArray[Any]


def to_roi(outline: Outline, *, z: int, colour: Points) -> Any:
    """The ROI of an outline in slice z, named ssss-yyyy-xxxx-L<id>: slice from 1, centre of the bounding box, label."""
    corners = outline.rings[0] if len(outline.rings) == 1 else np.concatenate(outline.rings)
    low, high = corners.min(0), corners.max(0)
    (left, top), (right, bottom) = low.tolist(), high.tolist()
    roi = ImagejRoi(top=top, left=left, bottom=bottom, right=right, position=z + 1,
                    name=_name(z + 1, (top + bottom) // 2, (left + right) // 2, outline.label),
                    stroke_color=b"\xff" + colour.tobytes())
    # NB: no group: ImageJ paints a group in a colour of its own over the stroke colour.
    if len(outline.rings) == 1 and len(corners) <= _MOST_POINTS and max(right, bottom) <= LARGEST_INTEGER:
        roi.roitype, roi.n_coordinates, roi.integer_coordinates = ROI_TYPE.TRACED, len(corners), corners - low
        return roi
    path = np.concatenate([_path(ring) for ring in outline.rings])
    roi.roitype, roi.shape_roi_size, roi.multi_coordinates = ROI_TYPE.RECT, len(path), path
    return roi


def moved_roi(roi: Any, move: Callable[[Points], Points]) -> Any:
    """The ROI with its outline where `move` puts it, as a composite between pixels. `move` takes pixel centres at whole numbers,
    half a pixel from the corners that ROIs count by."""
    rings = [np.asarray(move(ring - 0.5)) + 0.5 for ring in rings_of(roi)]
    path = np.concatenate([_path(ring) for ring in rings])
    (left, top), (right, bottom) = np.floor(np.concatenate(rings).min(0)), np.ceil(np.concatenate(rings).max(0))
    out = ImagejRoi(top=int(top), left=int(left), bottom=int(bottom), right=int(right), name=roi.name, position=roi.position,
                    c_position=roi.c_position, z_position=roi.z_position, t_position=roi.t_position, group=roi.group,
                    stroke_color=roi.stroke_color, stroke_width=roi.stroke_width, fill_color=roi.fill_color)
    out.roitype, out.shape_roi_size, out.multi_coordinates = ROI_TYPE.RECT, len(path), path
    return out


def _name(*numbers: int) -> str:
    # NB: ImageJ finds the slice in a name only where slice, y and x are equally wide, and drops what follows the last
    # dash when it makes a name unique, if that is shorter than 5 characters: hence four digits for the label, too.
    width = max(4, len(str(max(numbers[:3]))))
    z, y, x = (f"{n:0{width}d}" for n in numbers[:3])
    return f"{z}-{y}-{x}-L{numbers[3]:04d}"


def _path(ring: Points) -> npt.NDArray[np.float32]:
    steps = np.ones((len(ring), 3), np.float32)
    steps[0, 0] = 0
    steps[:, 1:] = ring
    return np.append(steps, np.float32(4))


def rings_of(roi: Any) -> tuple[Points, ...]:
    """The rings that enclose what the ROI covers."""
    if roi.options & ROI_OPTIONS.SPLINE_FIT:
        raise ValueError("expected straight sides, got a spline fit; take Edit > Selection > Interpolate first")
    if roi.roitype in _POLYGONS:
        return (_polygon(roi),)
    if roi.roitype is ROI_TYPE.RECT and roi.multi_coordinates is not None:
        return tuple(_path_rings(_finite(roi.multi_coordinates)))
    if roi.roitype is ROI_TYPE.RECT and roi.subtype is ROI_SUBTYPE.UNDEFINED and not roi.composite:
        if roi.rounded_rect_arc_size:
            raise ValueError("expected square corners, got a rounded rectangle; take Edit > Selection > Create Mask, then Create Selection")
        return (_rectangle(*_box(roi)),)
    if roi.roitype is ROI_TYPE.OVAL:
        return (_oval(*_box(roi)),)
    kind = roi.roitype if roi.subtype is ROI_SUBTYPE.UNDEFINED else roi.subtype
    raise ValueError(f"expected an area, got a ROI of type {kind.name.lower()}; take it out of the set or draw an area")


def _polygon(roi: Any) -> Points:
    if roi.subpixel_coordinates is not None:
        return _finite(roi.subpixel_coordinates)
    if roi.integer_coordinates is None:
        raise ValueError("expected a polygon with points, got none; draw it again")
    corners: Points = np.add(roi.integer_coordinates, (roi.left, roi.top), dtype=np.int64)
    return corners


def _box(roi: Any) -> tuple[int, int, int, int]:
    """Left, top, width, height in whole pixels, rounded as ImageJ rounds a box between pixels."""
    if not roi.subpixelrect:
        return roi.left, roi.top, roi.right - roi.left, roi.bottom - roi.top
    x, y, width, height = _finite([roi.xd, roi.yd, roi.widthd, roi.heightd]).tolist()
    return int(x), int(y), ceil(width), ceil(height)


def _finite(numbers: npt.ArrayLike) -> npt.NDArray[np.float64]:
    found = np.asarray(numbers, np.float64)
    if not np.isfinite(found).all():
        raise ValueError("expected finite coordinates, got NaN or infinity; draw it again")
    return found


def _rectangle(left: int, top: int, width: int, height: int) -> Points:
    return np.array([(left, top), (left + width, top), (left + width, top + height), (left, top + height)], np.int64)


def _oval(left: int, top: int, width: int, height: int) -> Points:
    """The pixels whose centres lie in the ellipse of the box, row by row down the left side and up the right one."""
    if not (0 < width <= LARGEST_FLOAT and 0 < height <= LARGEST_FLOAT):
        raise ValueError(f"expected an oval of 1 to {LARGEST_FLOAT} pixels, got {width} x {height}; draw it again")
    a, b = width / 2, height / 2
    row = np.arange(height)
    tall = (row - (b - 0.5)) ** 2 / (b * b)
    guess = np.floor(a - a * np.sqrt(np.maximum(1 - tall, 0)))
    # The root is a hair off where a pixel's centre lies on the ellipse: ask ImageJ's own inequality there.
    start = guess - 1
    for _ in range(2):
        start += (start < 0) | ((start - (a - 0.5)) ** 2 / (a * a) + tall > 1)
    end = np.maximum(width - start, start)
    y = top + np.stack([row, row + 1], 1).reshape(-1)
    return np.concatenate([np.stack([left + np.repeat(x, 2), y], 1)[::way] for x, way in ((start, 1), (end, -1))])


def _path_rings(path: npt.NDArray[np.float64]) -> Iterator[Points]:
    """The subpaths of a composite, each segment its kind followed by its points; curves become lines."""
    ring: list[Points] = []
    at = 0
    while at < len(path):
        kind = path[at]
        count = _line_count(path, at) if kind == 1 else 1
        end = at + count * (1 + 2 * _POINTS_OF.get(kind, len(path)))
        if end > len(path) or (kind > 0 and not ring):
            raise ValueError("expected a path of moves, lines and curves, got a damaged one; draw it again")
        points = path[at:end].reshape(count, -1)[:, 1:].reshape(-1, 2)
        if kind in (0, 4) and ring:
            yield np.concatenate(ring)
            ring = []
        if kind != 4:
            ring.append(_curve(np.concatenate([ring[-1][-1:], points])) if kind in (2, 3) else points)
        at = end
    if ring:
        yield np.concatenate(ring)


def _line_count(path: npt.NDArray[np.float64], at: int) -> int:
    """How many lines follow each other from here; looks ahead in steps that grow."""
    window = 8
    while True:
        kinds = path[at:at + 3 * window:3]
        others = np.flatnonzero(kinds != 1)
        if len(others) or len(kinds) < window:
            return int(others[0]) if len(others) else len(kinds)
        window *= 8


def _curve(control: Points) -> Points:
    """Points on a Bezier curve after its first, close enough for lines between them to stay within the flatness."""
    degree = len(control) - 1
    bend = np.abs(np.diff(control, 2, axis=0)).max() * degree * (degree - 1)
    steps = int(min(np.sqrt(bend / (8 * _FLATNESS)), _MOST_STEPS)) + 1
    t = np.arange(1, steps + 1)[:, None, None] / steps
    points = control[None]
    for _ in range(degree):
        points = points[:, :-1] * (1 - t) + points[:, 1:] * t
    return points[:, 0]
