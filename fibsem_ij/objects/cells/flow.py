"""Optical flow between neighbouring slices (Farneback 2003), and labels carried along it."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fibsem_ij.objects.cells.grow import Labels
from fibsem_ij.objects.cells.options import Options
from fibsem_ij.objects.cells.seen import Grey

Flow = npt.NDArray[np.float32]  # (y, x, 2)


def flow(to: Grey, back: Grey, options: Options) -> Flow:
    """Where each pixel of slice `to` was in slice `back`, in px, at the resolution of the estimate."""
    ratio = min(1.0, options.flow_px / min(to.shape))
    a, b = (cv2.resize(s, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA) if ratio < 1 else s for s in (to, back))
    window = max(3, round(options.window * ratio))
    start: Any = None
    found: Flow = cv2.calcOpticalFlowFarneback(a, b, start, options.scale, options.levels, window, options.iterations,
                                               options.poly_n, 1.1, 0)
    return found / np.float32(ratio)


def carry(labels: Labels, along: Flow) -> Labels:
    """Labels of a slice -> where its neighbour shows them."""
    if along.shape[:2] != labels.shape:
        along = cv2.resize(along, labels.shape[::-1], interpolation=cv2.INTER_LINEAR)
    moved = cv2.remap(labels.astype(np.float32), along, None, cv2.INTER_NEAREST | cv2.WARP_RELATIVE_MAP, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.int32)  # NB: float32 holds whole numbers up to 2^24; ids are checked
