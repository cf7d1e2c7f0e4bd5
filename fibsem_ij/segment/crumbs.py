"""Crumbs: pieces of a class, in one slice, that are smaller than nearly all that was drawn of it.

A network errs in crumbs. How large a piece of a class is in a slice, the drawing tells, so there is nothing to set: the area below
which lies a hundredth of the drawn pixels. Of few pieces less is known, so the bound is lower; how many there are, a single slice
tells, as from slice to slice they are the same: ten drawings of one nucleolus say nothing of where it ends. Pieces that the edge of the
slice cuts tell nothing, and stay. Where a crumb was, the next likely class is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

_SHARE = 0.01  # of the drawn pixels of a class

Labels = npt.NDArray[Any]


def least_drawn(planes: Iterable[Labels], number: int) -> int:
    """The area in pixels below which a piece of the class is a crumb."""
    each = [areas[~cut].astype(np.float64) for _, areas, cut in (_pieces(plane == number) for plane in planes)]
    areas = np.sort(np.concatenate(each))
    if not areas.size:
        return 0
    count = max(alike.sum() ** 2 / (alike**2).sum() for alike in each if alike.size)  # in one slice, as of one size
    usual = areas[np.searchsorted(areas.cumsum(), _SHARE * areas.sum(), side="right")]
    return int(usual * (1 - 1 / count))


def crumbs(classes: Labels, least: Mapping[int, int]) -> npt.NDArray[np.bool_]:
    """Where in a slice of class numbers a piece is smaller than its class may be."""
    found = np.zeros(classes.shape, bool)
    for number, px in least.items():
        pieces, areas, cut = _pieces(classes == number)
        found |= (~cut & (areas < px))[pieces]
    return found


def _pieces(mask: npt.NDArray[np.bool_]) -> tuple[Labels, Labels, npt.NDArray[np.bool_]]:
    """8-connected pieces, numbered from 1; of each, and first of what is around, its area and whether the edge cuts it."""
    import cv2

    _, pieces, boxes, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    x, y, width, height, areas = boxes.T
    cut = (x == 0) | (y == 0) | (x + width == mask.shape[1]) | (y + height == mask.shape[0])
    cut[0] = True
    return pieces, areas, cut
