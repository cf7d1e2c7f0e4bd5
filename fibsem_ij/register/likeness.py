"""How alike two slices are after a fit: the correlation of small copies of them, block by block; and what a slice tells of its own
sharpness and noise."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fibsem_ij.register.models import Frame, Matrix

THUMBNAIL = 128  # px, the shorter side
BLOCKS = 8  # along the shorter side
_LAGS = (1, 3, 12)  # px
_NORMED = tuple(np.dtype(t) for t in ("uint8", "uint16", "int16", "float32", "float64"))


def thumbnail(image: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """The slice at about THUMBNAIL pixels, averaged, float32."""
    ratio = max(1.0, min(image.shape) / THUMBNAIL)
    size = (max(1, round(image.shape[1] / ratio)), max(1, round(image.shape[0] / ratio)))
    small: npt.NDArray[np.float32] = cv2.resize(image.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return small


def smoothed(small: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """A thumbnail with a tenth of its noise: what is left of a difference is the tissue's."""
    smooth: npt.NDArray[np.float32] = cv2.GaussianBlur(small, (0, 0), 1.0)
    return smooth


def sharpness(image: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Of what grey values change over 12 px, the part they change within 3: (2,), down the slice and across it.

    By the structure function, the mean square of the difference of pixels k apart, of which white noise is the same part at every k
    and falls out of differences; gain and offset fall out of the ratio. NaN where the slice is noise alone.
    """
    exact = image if image.dtype in _NORMED else image.astype(np.float32)
    told = np.full(2, np.nan)
    for axis in (0, 1):
        if exact.shape[axis] > _LAGS[-1]:
            near, middle, far = (_apart(exact, k, axis) for k in _LAGS)
            told[axis] = (middle - near) / (far - middle) if far > middle else np.nan
    return told


def _apart(image: npt.NDArray[Any], k: int, axis: int) -> float:
    """Mean square of the difference of pixels k apart."""
    first, second = (image[:-k], image[k:]) if axis == 0 else (image[:, :-k], image[:, k:])
    return float(cv2.norm(first, second, cv2.NORM_L2SQR)) / first.size


def likeness(fixed: npt.NDArray[np.float32], moving: npt.NDArray[np.float32], matrix: Matrix, frame: Frame) -> npt.NDArray[np.float32]:
    """Correlation of two thumbnails, block by block, after the fit: (blocks,)."""
    ratio = np.array([frame.shape[1] / fixed.shape[1], frame.shape[0] / fixed.shape[0]])
    at = matrix[:2].copy()
    # NB: thumbnails are averaged, so their pixel x lies at ratio * (x + 0.5) - 0.5 of the slice.
    at[:, 2] = (matrix[:2, :2] @ (ratio / 2 - 0.5) + matrix[:2, 2] + 0.5) / ratio - 0.5
    at[:, :2] *= ratio / ratio[:, None]
    warped = cv2.warpAffine(moving, at, fixed.shape[::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)
    side = max(2, min(fixed.shape) // BLOCKS)
    rows, cols = fixed.shape[0] // side, fixed.shape[1] // side
    a, b = (v[:rows * side, :cols * side].reshape(rows, side, cols, side).swapaxes(1, 2).reshape(rows * cols, -1) for v in (fixed, warped))
    a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    return np.asarray((a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1) + 1e-3), np.float32)
