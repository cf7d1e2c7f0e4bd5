"""A coarse start: the shift between two slices, from the phase of their spectra (Kuglin and Hines 1975).

The sign and range of a peak are ambiguous (the transform wraps round) and resin, curtains or a repeated pattern make
false ones, so the few highest peaks and "no shift" are all tried on the grey values; the one that correlates best wins.
All of it on the coarsest level: a finer one brings noise, and costs more (at 10 dB, .85 of it resin, shifts of 16 px, a level of
256 px misled two pairs in five, one of 128 px one in five).
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import scipy.fft

from fibsem_ij.register.pyramid import Pyramid
from fibsem_ij.register.sums import SENTINEL, Float

_LEAST_OVERLAP = 0.3


def start(fixed: Pyramid, moving: Pyramid, *, peaks: int = 3) -> npt.NDArray[np.float64]:
    """The shift (x, y) in pixels of level 0 that a point of `fixed` makes on its way to `moving`."""
    a, b = fixed.levels[-1].moving, moving.levels[-1].moving
    cross = np.conj(fixed.spectrum) * moving.spectrum
    size = np.abs(cross)
    surface: Float = scipy.fft.irfft2(cross / (size + 1e-3 * size.max() + 1e-12), a.shape)
    surface = cv2.GaussianBlur(surface, (0, 0), 1.0)
    tries = [(0, 0), *_wrapped(_highest(surface, peaks), a.shape)]
    worth = [_correlation(a, b, *shift) for shift in tries]
    best = tries[int(np.argmax(worth))]
    shift: npt.NDArray[np.float64] = np.array(best, np.float64) * fixed.levels[-1].scale
    return shift


def _highest(surface: Float, count: int) -> list[tuple[int, int]]:
    surface = surface.copy()
    found = []
    for _ in range(count):
        y, x = divmod(int(surface.argmax()), surface.shape[1])
        found.append((x, y))
        surface[max(0, y - 3):y + 4, max(0, x - 3):x + 4] = -np.inf
    return found


def _wrapped(found: list[tuple[int, int]], shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """A peak at x may mean x or x - width."""
    height, width = shape
    shifts = [(x - wx, y - wy) for x, y in found for wx in (0, width) for wy in (0, height)]
    return [(x, y) for x, y in shifts if (width - abs(x)) * (height - abs(y)) >= _LEAST_OVERLAP * width * height]


def _correlation(a: Float, b: Float, x: int, y: int) -> float:
    """Correlation of a[p] with b[p + (x, y)] where they overlap."""
    height, width = a.shape
    left = a[max(0, -y):height - max(0, y), max(0, -x):width - max(0, x)]
    right = b[max(0, y):height - max(0, -y), max(0, x):width - max(0, -x)]
    seen = (left > SENTINEL / 10) & (right > SENTINEL / 10)
    if not seen.all():
        left, right = left[seen], right[seen]
    if left.size < 0.8 * _LEAST_OVERLAP * a.size:
        return -1.0
    left, right = (left - left.mean()).ravel(), (right - right.mean()).ravel()
    return float(left @ right / np.sqrt(max(float((left @ left) * (right @ right)), 1e-12)))
