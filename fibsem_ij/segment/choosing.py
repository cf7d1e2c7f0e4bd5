"""Which slices to draw.

even: the middles of as many parts of equal thickness. diverse: slices that look least like one another, by farthest points (k-centre:
Gonzalez 1985; as a choice of what to annotate, Sener and Savarese, ICLR 2018). What a slice looks like is a thumbnail of its brightness
and of its texture. Slices with less than half, or more than twice, the contrast or the sharpness that is usual (blank, defocused,
noise) are no candidates: they would be the first to be chosen.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.slices import within
from fibsem_ij.volume import ArrayLike

WAYS = ("even", "diverse")
_CANDIDATES = 256  # slices read
_SIDE = 16  # of a thumbnail
_ODD = 2.0  # times more or less


def chosen(src: ArrayLike, count: int, how: str) -> list[int]:
    depth = src.shape[0]
    if how not in WAYS or not 1 <= count <= depth:
        raise ValueError(f"expected a way of {', '.join(WAYS)} and a count from 1 to {depth} slices, got {how!r} and {count}; draw fewer")
    return _middles(depth, count) if how == "even" else _diverse(src, count)


def _middles(depth: int, count: int) -> list[int]:
    return [int((n + 0.5) * depth / count) for n in range(count)]


def _diverse(src: ArrayLike, count: int) -> list[int]:
    slices = np.array(_middles(src.shape[0], min(src.shape[0], max(count, _CANDIDATES))))
    looks, wholes = [], []
    for z in slices:
        with within("slice", z):
            look, whole = _looks(np.asarray(src[int(z)]))
        looks.append(look)
        wholes.append(whole)
    usual = _usual(np.array(wholes))
    candidates = np.flatnonzero(usual) if usual.sum() >= count else np.arange(len(slices))
    return sorted(slices[candidates[_farthest(np.array(looks)[candidates], count)]].tolist())


def _looks(grey: npt.NDArray[np.generic]) -> tuple[npt.NDArray[np.float32], tuple[float, float]]:
    """Thumbnails of brightness and texture; contrast and sharpness of the whole."""
    import cv2

    small = cv2.resize(grey.astype(np.float32), (8 * _SIDE, 8 * _SIDE), interpolation=cv2.INTER_AREA)
    if not np.isfinite(small).all():
        raise ValueError("expected finite grey values, got NaN or infinity; replace them first")
    mean, square = (cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA) for image in (small, small**2))
    texture = np.sqrt(np.maximum(square - mean**2, 0))
    sharpness = float(np.abs(np.diff(grey[::4].astype(np.float32), axis=1)).mean())
    return np.stack([mean, texture]).ravel(), (float(small.std()), sharpness)


def _usual(wholes: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    usual = np.median(wholes, axis=0)
    return np.asarray(((wholes >= usual / _ODD) & (wholes <= usual * _ODD)).all(1))


def _farthest(looks: npt.NDArray[np.float32], count: int) -> list[int]:
    """First the one nearest to the mean, then always the one farthest from those chosen."""
    found = [int(np.linalg.norm(looks - looks.mean(0), axis=1).argmin())]
    nearest = np.full(len(looks), np.inf)
    while len(found) < count:
        nearest = np.minimum(nearest, np.linalg.norm(looks - looks[found[-1]], axis=1))
        nearest[found] = -1
        found.append(int(nearest.argmax()))
    return found
