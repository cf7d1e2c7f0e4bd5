"""A small stack with dark blobs that have bright cores, drawn in some slices; and options that learn it in seconds."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from fibsem_ij.segment import Options

NAMES = {3: "blob", 7: "core"}


def made(depth: int = 12, side: int = 96, seed: int = 0) -> tuple[Any, Any]:
    """Grey values (uint8) and class ids."""
    rng = np.random.default_rng(seed)
    field = gaussian_filter(rng.standard_normal((depth, side, side)), (2, 6, 6))
    field /= field.std()
    truth = np.where(field > 1.6, 7, np.where(field > 0.8, 3, 0)).astype(np.uint8)
    grey = np.select([truth == 7, truth == 3], [200.0, 80.0], 140.0) + rng.normal(0, 12, truth.shape)
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8), truth


def drawn(truth: Any, slices: Any = (0, 4, 8)) -> dict[int, Any]:
    return {z: truth[z] for z in slices}


def quick(**more: Any) -> Options:
    return Options(**{"minutes": None, "updates": 60, "every": 30, "batch": 4, "patch": 32, "rate": 1e-2, "warmup": 5, "average": 0.8,
                      "config": {"base": 8, "depth": 2}, "device": "cpu", "flips": False, **more})
