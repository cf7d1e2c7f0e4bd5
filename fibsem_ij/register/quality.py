"""How well each slice sits, without a truth to compare with: one row a slice, for the QC table and its picture.

A slice is compared with the nearest good slice before it (the first ones with the next good one after them), as they came
and as the transforms put them. Only one of the two is resampled, on the other's own grid, so canvas and cropping do not
enter; both are smoothed alike, so that the blur of resampling does not pass for likeness.

    z, name                     which slice
    shift_x_px, shift_y_px      where the transform moves the slice's centre, to the right and down (a padded canvas adds its margin)
    rotation_deg                clockwise on the screen
    scale                       the root of the area's growth
    shear                       how much more the longest direction grew than the shortest, 0 where the shape is kept
    spread_px                   disagreement of the stochastic runs
    bad                         left out of the estimate, its place bridged from its neighbours
    state                       good, or what is wrong with the slice
    similarity_before, _after   correlation with the other slice, -1..1, of what both show; 0 for a blank slice
    residual_px                 displacement that is left: the median of four quarters; at most SEARCH_PX, NaN where nothing can be told
    worst                       1 for the slice to look at first

The rule of `worst`: bad slices first, the least similar of them leading. Then by doubt: how far spread, residual or lack
of similarity, whichever is the most unusual, lie above the median of the good slices, in robust standard deviations.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection
from concurrent.futures import Executor
from functools import lru_cache, partial
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.gaps import without_gaps
from fibsem_ij.arrays.slices import map_slices
from fibsem_ij.register.models import Frame, Matrix
from fibsem_ij.volume import ArrayLike, Transforms, slice_names

Grey = npt.NDArray[np.float32]
SEARCH_PX = 16  # of the reduced slice; a displacement beyond it is no residual, and the similarity tells it
_SIDE = 1024  # px, about the shorter side that slices are compared at
_BLUR_PX = 1.0
_LEAST_OVERLAP = 0.05
_NOISE = {"spread_px": 0.05, "residual_px": 0.1, "similarity_after": 0.01}  # differences below these are nothing unusual


def quality(src: ArrayLike, fitted: Transforms, *, executor: Executor | None = None) -> dict[str, npt.NDArray[Any]]:
    """The table, columns by name; two slices of `src` are in memory at a time, for each worker."""
    if len(src.shape) != 3 or src.shape[0] != len(fitted):
        raise ValueError(f"expected a stack of {len(fitted)} slices, one a matrix, got shape {tuple(src.shape)}; "
                         "these transforms are of another stack")
    depth = len(fitted)
    others = references(depth, fitted.bad)
    compared: dict[int, tuple[float, float, float]] = {}
    pairs = _WithOther(without_gaps(src), others)
    map_slices(partial(_compared, matrices=fitted.matrices, others=others), pairs, compared, executor=executor)
    before, after, residual = np.array([compared[z] for z in range(depth)]).T
    table = {
        "z": np.arange(depth),
        "name": _names(src, depth),
        **_motion(fitted.matrices, Frame((src.shape[1], src.shape[2]))),
        "spread_px": np.array(fitted.spread_px),
        "bad": np.isin(np.arange(depth), fitted.bad),
        "state": np.array([fitted.why.get(z, "bad") if z in fitted.bad else "good" for z in range(depth)]),
        "similarity_before": before,
        "similarity_after": after,
        "residual_px": residual,
    }
    return {**table, "worst": _rank(table)}


def references(depth: int, bad: Collection[int]) -> list[int]:
    """Of each slice the one to compare it with: the good one before it, else the one after it, else (there is none) itself."""
    left_out = set(bad)
    good = [z for z in range(depth) if z not in left_out]
    others = []
    for z in range(depth):
        i = bisect_left(good, z)
        others.append(next((k for k in good[max(0, i - 1):i + 2] if k != z), z))
    return others


class _WithOther:
    """The stack as pairs (2, y, x) of a slice and the one it is compared with, so that they can be mapped as slices are."""

    def __init__(self, src: ArrayLike, others: list[int]) -> None:
        self.shape, self.dtype, self.others = src.shape, src.dtype, others
        self.slice = lru_cache(2)(lambda z: np.asarray(src[z]))

    def __getitem__(self, z: int) -> npt.NDArray[Any]:
        return np.stack([self.slice(self.others[z]), self.slice(z)])


def _compared(both: npt.NDArray[Any], z: int, *, matrices: Matrix, others: list[int]) -> tuple[float, float, float]:
    """Similarity before and after, residual."""
    if others[z] == z:
        return (np.nan,) * 3
    factor = max(1, min(both.shape[1:]) // _SIDE)
    fixed, moving = (_reduced(image, factor) for image in both)
    # A pixel of the small slice is the mean of factor x factor: its centre lies at factor * (x + 0.5) - 0.5.
    middle = (factor - 1) / 2
    enlarge = np.array([[factor, 0, middle], [0, factor, middle], [0, 0, 1.0]])
    step = np.linalg.inv(enlarge) @ matrices[z] @ np.linalg.inv(matrices[others[z]]) @ enlarge  # other -> this one
    moved = _moved(moving, step, cv2.BORDER_REPLICATE)
    seen = _moved(np.ones_like(moving), step, cv2.BORDER_CONSTANT) > 0.999
    return _correlation(fixed, moving, np.ones_like(seen)), _correlation(fixed, moved, seen), _residual(fixed, moved) * factor


def _reduced(image: npt.NDArray[Any], factor: int) -> Grey:
    height, width = (n // factor * factor for n in image.shape)
    grey = image[:height, :width].astype(np.float32)
    small = cv2.resize(grey, (width // factor, height // factor), interpolation=cv2.INTER_AREA) if factor > 1 else grey
    smooth: Grey = cv2.GaussianBlur(small, (0, 0), _BLUR_PX)
    return smooth


def _moved(image: Grey, step: Matrix, border: int) -> Grey:
    moved: Grey = cv2.warpAffine(image, step[:2], image.shape[::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=border)
    return moved


def _correlation(a: Grey, b: Grey, seen: npt.NDArray[np.bool_]) -> float:
    if np.count_nonzero(seen) < _LEAST_OVERLAP * seen.size:
        return 0.0
    left, right = (v[seen].astype(np.float64) for v in (a, b))
    left, right = left - left.mean(), right - right.mean()
    power = (left @ left) * (right @ right)
    return float(left @ right / np.sqrt(power)) if power > 1e-9 else 0.0


def _residual(a: Grey, b: Grey) -> float:
    """The median over four quarters of how far the second lies from the first."""
    height, width = (n // 2 for n in a.shape)
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    quarters = [np.s_[y:y + height, x:x + width] for y in (0, height) for x in (0, width)]
    lengths = [np.hypot(*_displacement(a[q], b[q], window)) for q in quarters if min(np.ptp(a[q]), np.ptp(b[q])) > 0]
    return float(np.median(lengths)) if lengths else float("nan")


def _displacement(a: Grey, b: Grey, window: Grey) -> tuple[float, float]:
    """(y, x), by the phase of the spectra (Kuglin and Hines 1975), near 0, to a fraction of a pixel."""
    spectra = [np.fft.rfft2((image - image.mean()) * window) for image in (a, b)]
    cross = np.conj(spectra[0]) * spectra[1]
    size = np.abs(cross)
    reach = min(SEARCH_PX, min(a.shape) // 2 - 1)
    surface = np.fft.irfft2(cross / (size + 1e-3 * size.max() + 1e-12), a.shape)
    near = np.roll(surface, (reach, reach), (0, 1))[:2 * reach + 1, :2 * reach + 1]
    y, x = divmod(int(near.argmax()), near.shape[1])
    return y - reach + _vertex(near[:, x], y), x - reach + _vertex(near[y], x)


def _vertex(line: npt.NDArray[np.float64], k: int) -> float:
    """Of the parabola through a peak and its neighbours, from the peak."""
    if not 0 < k < len(line) - 1:
        return 0.0
    left, top, right = line[k - 1:k + 2]
    return float(0.5 * (left - right) / (left - 2 * top + right)) if 2 * top > left + right else 0.0


def _motion(matrices: Matrix, frame: Frame) -> dict[str, npt.NDArray[np.float64]]:
    """What the transforms do to a slice, input -> output: the polar parts of the linear map, and the shift of the centre."""
    forward = np.linalg.inv(matrices)
    centre = np.array([*frame.centre, 1])
    shift = (forward @ centre - centre)[:, :2]
    sizes = np.linalg.svd(forward[:, :2, :2], compute_uv=False)
    turn = np.arctan2(forward[:, 1, 0] - forward[:, 0, 1], forward[:, 0, 0] + forward[:, 1, 1])
    return {"shift_x_px": shift[:, 0], "shift_y_px": shift[:, 1], "rotation_deg": np.degrees(turn),
            "scale": np.sqrt(sizes.prod(1)), "shear": sizes[:, 0] / sizes[:, 1] - 1}


def _rank(table: dict[str, npt.NDArray[Any]]) -> npt.NDArray[np.int64]:
    bad = table["bad"]
    doubt = np.max([_unusual(table[key] * (-1 if key == "similarity_after" else 1), bad, least) for key, least in _NOISE.items()], 0)
    within = np.where(bad, -np.nan_to_num(table["similarity_after"], nan=-1.0), doubt)
    rank = np.empty(len(bad), np.int64)
    rank[np.lexsort((-within, ~bad))] = np.arange(1, len(bad) + 1)
    return rank


def _unusual(values: npt.NDArray[np.float64], bad: npt.NDArray[np.bool_], least: float) -> npt.NDArray[np.float64]:
    usual = values[~bad & np.isfinite(values)]
    if not len(usual):
        return np.zeros(len(values))
    middle = np.median(usual)
    away = (values - middle) / max(1.4826 * float(np.median(np.abs(usual - middle))), least)
    return np.nan_to_num(away, nan=0.0)


def _names(src: ArrayLike, depth: int) -> npt.NDArray[Any]:
    """As numbers where all names are such, as a CSV will read them."""
    names = list(getattr(src, "names", ())) or list(slice_names(depth))
    if all(name.isdecimal() and name == str(int(name)) for name in names):
        return np.array(names, np.int64)
    return np.array(names, np.str_)
