"""A small stack of blobs with sharp walls, alike from slice to slice, and scans of it: Poisson-Gaussian noise, 8 bit."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from fibsem_ij.denoise import Options


def clean(depth: int = 8, side: int = 64, seed: int = 0) -> Any:
    field = gaussian_filter(np.random.default_rng(seed).standard_normal((depth, side, side)), 3)
    wall = np.exp(-((field / field.std()) ** 2) * 20)
    return np.rint(gaussian_filter(150 + 20 * np.sign(field) - 90 * wall, (0, 0.7, 0.7))).astype(np.uint8)


def scan(truth: Any, *, seed: int, sd: float = 25.0) -> Any:
    rng = np.random.default_rng(seed)
    grain = sd**2 / 2 / truth.mean()
    return np.clip(np.rint(rng.poisson(truth / grain) * grain + rng.normal(0, sd / 2**0.5, truth.shape)), 0, 255).astype(np.uint8)


def quick(method: str = "supervised", **more: Any) -> Options:
    return Options(**{"method": method, "minutes": None, "updates": 120, "depth": 2, "base": 8, "patch": 32, "batch": 8, "every": 100,
                      "device": "cpu", **more})
