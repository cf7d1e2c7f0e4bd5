"""One slice put elsewhere by hand: by a nudge, or by pairs of points, where something lies and where it belongs.

Both are said in the aligned picture. A nudge moves it by dx to the right and dy down and turns it by `angle` degrees, clockwise on the
screen, about the middle of the canvas. Pairs are fitted as well as they tell: one a shift, two a shift and a turn, three and more what the
model of the stack allows, by least squares.

A motion takes points of the picture to where they shall lie; the slice's matrix, which maps output to input, becomes matrix @
inverse(motion). All other matrices stay as they are, to the bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fibsem_ij.volume import Transforms

Matrix = npt.NDArray[np.float64]
_RANK = {"translation": 1, "rigid": 2, "similarity": 3, "affine": 4}


def nudge(dx: float, dy: float, angle: float, *, canvas: tuple[int, int]) -> Matrix:
    if not np.isfinite((dx, dy, angle)).all():
        raise ValueError(f"expected dx, dy and angle as numbers, got {dx}, {dy}, {angle}; write 0 for none")
    y, x = ((n - 1) / 2 for n in canvas)
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    turn = np.array([[c, -s], [s, c]])
    motion = np.eye(3)
    motion[:2, :2] = turn
    motion[:2, 2] = np.array([x + dx, y + dy]) - turn @ (x, y)
    return motion


def fitted(src: Matrix, dst: Matrix, *, model: str) -> Matrix:
    """The motion that takes points src (n, 2) of x, y to dst, or as near as the model allows."""
    if src.shape != dst.shape or not len(src):
        raise ValueError(f"expected as many points called src as dst, got {len(src)} and {len(dst)}; add or delete some")
    allowed = min(_RANK[model], (1, 2, 4)[min(len(src), 3) - 1])
    middle, to = src.mean(0), dst.mean(0)
    a, b = src - middle, dst - to
    motion = np.eye(3)
    if allowed > 1:
        motion[:2, :2] = _linear(a, b, allowed)
    motion[:2, 2] = to - motion[:2, :2] @ middle
    return motion


def placed(transforms: Transforms, motions: Mapping[int, Matrix]) -> Transforms:
    """The transforms with the matrices of some slices moved."""
    matrices = np.array(transforms.matrices)
    for z, motion in motions.items():
        matrices[z] = matrices[z] @ np.linalg.inv(motion)
        matrices[z, 2] = (0, 0, 1)
    return replace(transforms, matrices=matrices)


def _linear(a: Matrix, b: Matrix, allowed: int) -> Matrix:
    """Points about their middle: a turn (2), with one scale (3; Umeyama 1991), or anything linear (4)."""
    if np.linalg.matrix_rank(a, tol=1e-6) < (1 if allowed < 4 else 2):
        raise ValueError("expected points that lie apart, and three that do not lie on a line, got others; draw them farther apart")
    if allowed == 4:
        return np.asarray(np.linalg.lstsq(a, b, rcond=None)[0].T)
    u, sizes, v = np.linalg.svd(b.T @ a)
    flip = np.array([1, np.sign(np.linalg.det(u @ v))])
    turn = (u * flip) @ v
    return np.asarray(turn if allowed == 2 else turn * (sizes @ flip) / (a**2).sum())
