"""Smooth random fields: white noise on a coarse grid, read slice by slice at full size.

A field never exists as a whole: `slab` makes the slices that are asked for, and a slice is the same whoever asks,
so that slabs can be worked on in any order and by any number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

F32 = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Field:
    """Mean 0, sd about 1; grid points lie `step_px` apart."""

    coarse: F32  # (z, y, x) with one point before the volume and two after
    step_px: int
    shape: tuple[int, int, int]

    def slice(self, z: int) -> F32:
        at = z / self.step_px + 1
        first, t = int(at) - 1, at % 1
        weights = np.array([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], np.float32) / 6
        plane = (self.coarse[first:first + 4] * weights[:, None, None]).sum(0)
        grown = cv2.resize(plane, None, fx=self.step_px, fy=self.step_px, interpolation=cv2.INTER_CUBIC)
        return np.asarray(grown[self.step_px:self.step_px + self.shape[1], self.step_px:self.step_px + self.shape[2]], np.float32)

    def slab(self, start: int, stop: int) -> F32:
        return np.stack([self.slice(z) for z in range(start, stop)])


def smooth(shape: tuple[int, int, int], step_px: int, rng: np.random.Generator) -> Field:
    grid = tuple(n // step_px + 5 for n in shape)
    coarse = gaussian_filter(rng.standard_normal(grid, np.float32), 0.7, mode="wrap")
    return Field((coarse / coarse.std() * 1.25).astype(np.float32), step_px, shape)


def ripple(z: F32, y: F32, x: F32, *, wavelength_px: float, rng: np.random.Generator, waves: int = 5) -> F32:
    """A few plane waves of about one wavelength, sd about 1: a field for the small box of one organelle."""
    total = np.zeros(np.broadcast_shapes(z.shape, y.shape, x.shape), np.float32)
    for _ in range(waves):
        way = rng.standard_normal(3)
        way *= 2 * np.pi / (wavelength_px * rng.uniform(0.75, 1.35) * np.linalg.norm(way))
        a, b, c = (np.float32(v) for v in way)
        total += np.sin(a * z + b * y + c * x + np.float32(rng.uniform(0, 2 * np.pi)))
    return total * np.float32((2 / waves) ** 0.5)
