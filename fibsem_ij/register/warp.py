"""Transforms put to use: slices resampled once from the raw, points moved, canvases chosen.

Matrices map output to input (see `fibsem_ij.volume`), which is what resampling asks for; a point of the input goes to
the output by their inverse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.contrast import equalise, match
from fibsem_ij.register.models import Matrix
from fibsem_ij.volume import Transforms

INTERPOLATIONS = {"nearest": cv2.INTER_NEAREST, "linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}
MATCHED = 3  # slices to each side whose histogram a slice is matched to
CANVASES = ("same", "pad", "crop")
_SMOOTH = tuple(np.dtype(t) for t in ("uint8", "uint16", "int16", "float32", "float64"))
_CARRIERS = {1: np.uint8, 2: np.uint16, 4: np.int32, 8: np.int32}  # by item size; 8 bytes are two channels


def warp(image: npt.NDArray[Any], matrix: Matrix, *, canvas: tuple[int, int], interpolation: str = "linear",
         fill: float = 0, into: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
    """One slice (y, x) onto the canvas (height, width), of the same dtype; `fill` where there is no picture. An interpolated slice may
    be written `into` an array: to copy it there costs a fifth of the time."""
    if interpolation not in INTERPOLATIONS:
        raise ValueError(f"expected an interpolation of {', '.join(INTERPOLATIONS)}, got {interpolation!r}; choose one of them")
    flags = INTERPOLATIONS[interpolation] | cv2.WARP_INVERSE_MAP
    if interpolation != "nearest":
        if image.dtype not in _SMOOTH:
            raise ValueError(f"expected {', '.join(map(str, _SMOOTH))} to interpolate, got {image.dtype}; "
                             "use interpolation='nearest' for labels, or convert with .astype")
        smooth: npt.NDArray[Any] = cv2.warpAffine(image, matrix[:2], canvas[::-1], dst=into, flags=flags,
                                                  borderMode=cv2.BORDER_CONSTANT, borderValue=float(fill))
        return smooth
    # Exact for every dtype: nearest only moves values, so they travel as integers of the same width.
    carried = np.ascontiguousarray(image).view(_CARRIERS[image.dtype.itemsize]).reshape(*image.shape, -1)
    outside = np.array(fill, image.dtype).reshape(1).view(carried.dtype)
    moved = cv2.warpAffine(carried, matrix[:2], canvas[::-1], flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=outside.tolist())
    return np.ascontiguousarray(moved).reshape(canvas[0], -1).view(image.dtype)


def resample(slab: npt.NDArray[Any], z: int, *, fitted: Transforms, interpolation: str, fill: float, contrast: str,
             into: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
    """Slice z of a stack, alone (y, x) or between its neighbours (2 n + 1, y, x), on the canvas of `fitted`; `into`: see `Placed`."""
    image = slab if slab.ndim == 2 else slab[len(slab) // 2]
    if contrast == "equalise":
        image = equalise(image)
    elif contrast == "match":
        image = match(image, slab)
    elif contrast != "none":
        raise ValueError(f"expected contrast as none, equalise or match, got {contrast!r}; choose one of them")
    return warp(image, fitted.matrices[z], canvas=fitted.canvas, interpolation=interpolation, fill=fill,
                into=None if into is None else into[z])


class Placed:
    """A stack in memory as a sink of slices that its threads may have written there already."""

    def __init__(self, out: npt.NDArray[Any]) -> None:
        self.out = out

    def __setitem__(self, z: int, result: npt.NDArray[Any]) -> None:
        if result.ctypes.data != self.out[z].ctypes.data:
            self.out[z] = result


def move_points(points: npt.NDArray[Any], matrix: Matrix) -> Matrix:
    """Points (n, 2) x, y of a slice -> where they lie in the output: outlines, ROIs, marks."""
    back = np.linalg.inv(matrix)
    return np.asarray(np.asarray(points, np.float64) @ back[:2, :2].T + back[:2, 2])


def on_canvas(transforms: Transforms, *, canvas: str, shape: tuple[int, int]) -> Transforms:
    """Transforms of slices of `shape`, their canvas padded so that nothing is lost, cropped to what all share, or the same."""
    if canvas not in CANVASES:
        raise ValueError(f"expected a canvas of {', '.join(CANVASES)}, got {canvas!r}; choose one of them")
    if canvas == "same":
        return replace(transforms, canvas=shape)
    good = [z for z in range(len(transforms)) if z not in transforms.bad] or list(range(len(transforms)))
    corners = _moved_corners(transforms.matrices if canvas == "pad" else transforms.matrices[good], shape)
    low, high = _around(corners) if canvas == "pad" else _within(corners)
    width, height = (int(n) for n in high - low + 1)
    if min(width, height) < 1:
        raise ValueError(f"expected slices that share an area to crop to, got none in {len(good)} slices; use canvas='pad'")
    offset = np.array([[1, 0, low[0]], [0, 1, low[1]], [0, 0, 1.0]])
    return replace(transforms, matrices=transforms.matrices @ offset, canvas=(height, width))


def _moved_corners(matrices: Matrix, shape: tuple[int, int]) -> Matrix:
    """Where the corners of each slice lie in the output: (slices, 4, 2) in the order top left, top right, bottom left, bottom right."""
    x, y = shape[1] - 1.0, shape[0] - 1.0
    corners = np.array([(0, 0), (x, 0), (0, y), (x, y)])
    return np.stack([move_points(corners, matrix) for matrix in matrices])


def _around(corners: Matrix) -> tuple[Matrix, Matrix]:
    # A warp by a thousandth of a pixel asks for no column more.
    return np.floor(corners.min((0, 1)) + 1e-3), np.ceil(corners.max((0, 1)) - 1e-3)


def _within(corners: Matrix) -> tuple[Matrix, Matrix]:
    """The pixels that all slices have; of slightly turned slices, a little less than they share."""
    left, right = corners[:, [0, 2], 0].max(), corners[:, [1, 3], 0].min()
    top, bottom = corners[:, [0, 1], 1].max(), corners[:, [2, 3], 1].min()
    return np.ceil(np.array([left, top]) - 1e-3), np.floor(np.array([right, bottom]) + 1e-3)


def corner_errors(a: Matrix, b: Matrix, *, points: Sequence[tuple[float, float]]) -> Matrix:
    """Mean distance of the images of points under two stacks of matrices: (n, 3, 3) x 2 -> (n,)."""
    at = np.column_stack([np.array(points), np.ones(len(points))]).T
    return np.asarray(np.sqrt((((a - b) @ at)[:, :2] ** 2).sum(1)).mean(1))
