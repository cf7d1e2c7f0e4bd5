"""Small pictures with structure at all scales, and stacks of them with their truth."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from fibsem_ij.register.models import Frame, Matrix
from fibsem_ij.volume import Transforms


@cache
def picture(side: int = 320, seed: int = 0) -> npt.NDArray[np.float32]:
    """Blobs and edges, 0..255."""
    rng = np.random.default_rng(seed)
    field = sum(cv2.GaussianBlur(rng.standard_normal((side, side), np.float32), (0, 0), s) * s for s in (1.5, 4, 12))
    cells = cv2.GaussianBlur(rng.standard_normal((side, side), np.float32), (0, 0), 8)
    grey = 120 + 22 * field / field.std() - 60 * np.exp(-((cells / cells.std() / 0.12) ** 2))
    return np.clip(grey, 0, 255).astype(np.float32)


def moved(matrix: Matrix, *, side: int = 256, seed: int = 0, noise: float = 0.0, noise_seed: int = 0) -> npt.NDArray[np.uint8]:
    """The middle of the picture under a motion: moved[M @ p] = still[p]."""
    whole = picture(side + 64, seed)
    frame = np.array([[1, 0, 32], [0, 1, 32], [0, 0, 1.0]])
    into = frame @ np.linalg.inv(matrix)
    grey = cv2.warpAffine(whole, into[:2], (side, side), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT)
    grey = grey + noise * np.random.default_rng(noise_seed).standard_normal(grey.shape)
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


def motion(numbers: list[float], *, side: int = 256) -> Matrix:
    return Frame((side, side)).from_numbers(np.array(numbers, np.float64))


def jitter(depth: int, *, side: int = 256, seed: int = 0, shift_px: float = 3.0, edge_px: float = 0.5) -> Matrix:
    numbers = np.random.default_rng(seed).normal(0, 1, (depth, 6)) * np.array([shift_px] * 2 + [edge_px] * 4)
    return Frame((side, side)).from_numbers(numbers)


def small_stack(depth=14):
    truth = jitter(depth)
    return np.stack([moved(m, noise=8, noise_seed=z) for z, m in enumerate(truth)]), Transforms(truth, (256, 256))


def spoil(slices, z, kind):
    rng = np.random.default_rng(z)
    if kind == "blank":
        slices[z] = 0
    elif kind == "noise":
        slices[z] = np.clip(rng.normal(120, 10, slices[z].shape), 0, 255)
    elif kind == "half blank":
        slices[z, 128:] = 255
    elif kind == "half noise":
        slices[z, :, 128:] = np.clip(rng.normal(120, 10, (256, 128)), 0, 255)
    elif kind == "saturated":
        slices[z] = np.clip(slices[z].astype(int) * 3, 0, 255)
    elif kind == "faded":
        slices[z] = slices[z] // 10 + 100
    elif kind == "defocused":
        slices[z] = cv2.GaussianBlur(slices[z], (0, 0), 6)
    elif kind == "duplicated":
        slices[z] = slices[z - 1]
    elif kind == "another field":
        slices[z] = moved(np.eye(3), seed=9)
