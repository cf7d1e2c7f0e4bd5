"""The four models of motion, their parameters, and the median of many fits.

A motion is written two ways:

- a matrix (3, 3) on (x, y, 1) in pixels;
- six numbers in pixels, (tx, ty, a, b, c, d): the point X, Y (about the slice's centre, 1 at half the shorter side)
  moves by (tx + a X + b Y, ty + c X + d Y). So each number is what an edge of the slice moves, whatever its size.

The median of several matrices is taken on their elements about the slice's CENTRE, then brought back to the model:
elementwise about the pixel (0, 0) would mix rotation into the shift by a lever of half the slice, and the elementwise
median of rotations is no rotation. The spread is what the slice's corners move from run to run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from fibsem_ij.volume import MODELS

Matrix = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]

_R = 0.5**0.5
_DIRECTIONS = np.array([
    (1, 0, 0, 0, 0, 0), (0, 1, 0, 0, 0, 0),  # shift
    (0, 0, 0, -_R, _R, 0),  # rotation
    (0, 0, _R, 0, 0, _R),  # scale
    (0, 0, _R, 0, 0, -_R), (0, 0, 0, _R, _R, 0),  # stretch along the axes, and along the diagonals
])
_FREE = {"translation": 2, "rigid": 3, "similarity": 4, "affine": 6}


@cache
def basis(model: str) -> Matrix:
    """The directions a model may move in, orthonormal: (6, free). Numbers @ basis are the free ones, free @ basis.T the six."""
    if model not in MODELS:
        raise ValueError(f"expected a model of {', '.join(MODELS)}, got {model!r}; choose one of them")
    free = _DIRECTIONS[: _FREE[model]].T.copy()
    free.setflags(write=False)
    return free


@dataclass(frozen=True)
class Frame:
    """The shape (height, width) of the slices, and the coordinates that follow from it."""

    shape: tuple[int, int]

    @property
    def centre(self) -> tuple[float, float]:
        return ((self.shape[1] - 1) / 2, (self.shape[0] - 1) / 2)

    @property
    def half(self) -> float:
        return min(self.shape) / 2

    @property
    def corners(self) -> Matrix:
        x, y = self.shape[1] - 1.0, self.shape[0] - 1.0
        return np.array([(0, 0), (x, 0), (0, y), (x, y)])

    def to_centred(self, matrices: Matrix) -> Matrix:
        """The same motions with the origin in the centre and the half side as unit of the input, pixels of the output."""
        return _shift(-1, self.centre) @ matrices @ _shift(1, self.centre)

    def from_centred(self, matrices: Matrix) -> Matrix:
        return _shift(1, self.centre) @ matrices @ _shift(-1, self.centre)

    def to_numbers(self, matrices: Matrix) -> Matrix:
        """Matrices (..., 3, 3) -> six numbers (..., 6)."""
        moved = self.to_centred(matrices)
        linear = (moved[..., :2, :2] - np.eye(2)) * self.half
        return np.concatenate([moved[..., :2, 2], linear.reshape(*linear.shape[:-2], 4)], -1)

    def from_numbers(self, numbers: Matrix) -> Matrix:
        """Six numbers (..., 6) -> matrices (..., 3, 3)."""
        moved = np.zeros((*numbers.shape[:-1], 3, 3))
        moved[..., :2, :2] = numbers[..., 2:].reshape(*numbers.shape[:-1], 2, 2) / self.half
        moved[..., range(3), range(3)] += 1
        moved[..., :2, 2] = numbers[..., :2]
        return self.from_centred(moved)


@cache
def _shift(sign: int, centre: tuple[float, float]) -> Matrix:
    return np.array([[1, 0, sign * centre[0]], [0, 1, sign * centre[1]], [0, 0, 1.0]])


def project(matrices: Matrix, *, model: str, frame: Frame) -> Matrix:
    """The nearest motions of a model: the centre goes where it went, the linear part to the nearest allowed one."""
    if model == "affine":
        return matrices
    moved = frame.to_centred(matrices)
    if model == "translation":
        moved[..., :2, :2] = np.eye(2)
        return frame.from_centred(moved)
    cosine = (moved[..., 0, 0] + moved[..., 1, 1]) / 2
    sine = (moved[..., 1, 0] - moved[..., 0, 1]) / 2
    if model == "rigid":
        length = np.hypot(cosine, sine)
        cosine, sine = cosine / length, sine / length
    moved[..., 0, 0], moved[..., 0, 1], moved[..., 1, 0], moved[..., 1, 1] = cosine, -sine, sine, cosine
    return frame.from_centred(moved)


def corner_distance(a: Matrix, b: Matrix, *, frame: Frame) -> Matrix:
    """How far apart two motions put the corners, their mean, in pixels: (..., 3, 3) x 2 -> (...)."""
    corners = np.column_stack([frame.corners, np.ones(4)]).T  # (3, 4)
    apart = ((a - b) @ corners)[..., :2, :]
    distance: Matrix = np.sqrt((apart**2).sum(-2)).mean(-1)
    return distance


def median(runs: Matrix, *, model: str, frame: Frame) -> tuple[Matrix, float]:
    """Matrices of several runs (runs, 3, 3) -> the registration (3, 3) and the spread of the runs in pixels."""
    middle = frame.from_centred(np.median(frame.to_centred(runs), 0))
    middle = project(middle, model=model, frame=frame)
    spread = np.sqrt(np.mean(corner_distance(runs, middle[None], frame=frame) ** 2))
    return middle, float(spread)
