"""What of the drawn slices is held back, to tell which weights are best.

Neighbouring slices are nearly copies. So whole slices are held back, those farthest from the next drawn one; of a few drawn slices
only a quarter, that with the most classes in it. The last drawing of a class is never held back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

import numpy as np
import numpy.typing as npt

from fibsem_ij.segment.targets import Box, Plane, Targets

_FEW = 8  # drawn slices, of which none can be spared whole


def held_back(found: Targets, share: float) -> dict[int, Box]:
    """The parts that are not trained on; none where none can be spared."""
    count = max(1, round(share * len(found.planes))) if share else 0
    left = sum(_pixels(plane, len(found.ids)) for plane in found.planes.values())
    held: dict[int, Box] = {}
    for z, box in _candidates(found):
        pixels = _pixels(found.planes[z][box], len(found.ids))
        if len(held) < count and z not in held and pixels.any() and (pixels < left).all():
            held[z] = box
            left = left - pixels
    return held


def judged(found: Targets, parts: Mapping[int, Box], side_px: int) -> dict[int, Box]:
    """Of each part the window of at most so many px a side that shows most."""
    return {z: _fullest(found, z, _windows(box, side_px, side_px))[0] for z, box in parts.items()}


def everywhere(found: Targets, count: int) -> dict[int, Box]:
    """All of the slices in which most is drawn."""
    order = sorted(found.planes, key=lambda z: -_pixels(found.planes[z], len(found.ids)).sum())
    return {z: _whole(found.planes[z]) for z in order[:count]}


def _candidates(found: Targets) -> Iterator[tuple[int, Box]]:
    """The slices farthest from their next drawn one come first, of these those nearest to the middle."""
    drawn = sorted(found.planes)
    middle = (drawn[0] + drawn[-1]) / 2
    alone = {z: min((abs(z - other) for other in drawn if other != z), default=0) for z in drawn}
    for z in sorted(drawn, key=lambda z: (-alone[z], abs(z - middle), z)):
        whole, (height, width) = _whole(found.planes[z]), found.planes[z].shape
        boxes = [whole] if len(drawn) >= _FEW else _windows(whole, -(-height // 2), -(-width // 2))
        yield from ((z, box) for box in _fullest(found, z, boxes))


def _fullest(found: Targets, z: int, boxes: list[Box]) -> list[Box]:
    """Those with the most classes first, then those with the most of them."""
    def shown(box: Box) -> tuple[int, int]:
        pixels = _pixels(found.planes[z][box], len(found.ids))
        return int(np.count_nonzero(pixels)), int(pixels.sum())

    return sorted(boxes, key=shown, reverse=True)


def _whole(plane: Plane) -> Box:
    return slice(0, plane.shape[0]), slice(0, plane.shape[1])


def _windows(box: Box, high: int, wide: int) -> list[Box]:
    parts = ([slice(at, min(at + size, span.stop)) for at in range(span.start, span.stop, size)]
             for span, size in zip(box, (high, wide), strict=True))
    rows, cols = parts
    return list(product(rows, cols))


def _pixels(plane: Plane, classes: int) -> npt.NDArray[np.int64]:
    """Of each class."""
    return np.bincount(plane.ravel(), minlength=256)[1 : classes + 1]
