"""Fiji's own plugins as aligners of room 1, and the proof that they work in this Fiji.

An aligner is `(fixed, moving, *, rng) -> matrices (runs, 3, 3)`, fixed pixel -> moving pixel; these are stochastic like the room's
own, and the same `rng` gives the same matrices. A run that finds nothing is left out; where fewer than half of them find
something, the answer is empty. The plugins keep static state, so a session runs one call at a time, whichever thread asks.
NB: an aligner belongs to the process of its session; it cannot be sent to another.

`check` recovers known motions of a synthetic slice. The contract test and `fibsem-ij doctor --check` both call it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from fibsem_ij.fiji.aligner import Grey, Matrix
from fibsem_ij.fiji.errors import FijiError
from fibsem_ij.fiji.session import Session
from fibsem_ij.fiji.sift import Sift
from fibsem_ij.fiji.turboreg import TurboReg

ALIGNERS: dict[str, type[TurboReg] | type[Sift]] = {"fiji-turboreg": TurboReg, "fiji-sift": Sift}

_SIDE_PX = 256
_BLOBS = 500
_NOISE = 4.0  # of grey values that vary by about 30
_SEED = 1
# Linear part about the slice's centre, shift of the centre in px, and how far off (mean of the corners, px) is still right.
_MOTIONS = {
    "translation": (((1.0, 0.0), (0.0, 1.0)), (3.4, -2.7), 0.1),
    "rigid": (((0.99966, -0.02618), (0.02618, 0.99966)), (2.3, 4.6), 0.5),  # 1.5 degrees
    "similarity": (((1.00946, -0.03032), (0.03032, 1.00946)), (-3.2, 1.7), 0.5),  # 1.72 degrees, 1 % larger
    "affine": (((1.013, -0.021), (0.017, 0.991)), (2.6, -3.8), 0.5),
}


class Checked(NamedTuple):
    """`ok` is None where the plugin is not there."""

    what: str
    ok: bool | None
    found: str


def check(session: Session) -> list[Checked]:
    """Every plugin and model on a synthetic pair of slices: is the motion found, and by the same seed again?"""
    return [line for name, aligner in ALIGNERS.items() for line in _checked(session, name, aligner)]


def _checked(session: Session, name: str, aligner: type[TurboReg] | type[Sift]) -> Iterator[Checked]:
    noise = np.random.default_rng(_SEED).normal(0, _NOISE, (2, _SIDE_PX, _SIDE_PX))
    fixed = scene(np.eye(3)) + noise[0]
    for model, (_, _, allowed_px) in _MOTIONS.items():
        try:
            align = aligner(session, model=model)
        except FijiError as error:
            yield Checked(name, None, str(error))
            return
        truth = motion(model)
        moving = scene(truth) + noise[1]
        try:
            runs, again = (align(fixed, moving, rng=np.random.default_rng(_SEED)) for _ in range(2))
        except FijiError as error:
            yield Checked(f"{name} {model}", False, str(error))
            continue
        off_px = corner_error(np.median(runs, 0), truth) if len(runs) else np.inf
        same = np.array_equal(runs, again)
        yield Checked(f"{name} {model}", bool(off_px <= allowed_px) and same,
                      f"{off_px:.3f} px off (allowed {allowed_px}) in {len(runs)} runs; again {'the same' if same else 'NOT the same'}")


def motion(model: str) -> Matrix:
    """The known motion of a model: fixed pixel -> moving pixel."""
    linear, shift, _ = _MOTIONS[model]
    centre = np.full(2, (_SIDE_PX - 1) / 2)
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = centre + shift - matrix[:2, :2] @ centre
    return matrix


def scene(moved: Matrix) -> Grey:
    """A slice of soft blobs as it looks after a motion (3, 3); drawn from its formula, so that no resampling blurs the truth."""
    rng = np.random.default_rng(_SEED)
    centres = rng.uniform(-32, _SIDE_PX + 32, (_BLOBS, 2))
    sizes, heights = rng.uniform(1.5, 8, _BLOBS), rng.uniform(-1, 1, _BLOBS)
    y, x = np.mgrid[:_SIDE_PX, :_SIDE_PX]
    back = np.linalg.inv(moved)
    at_x, at_y = ((back[i, 0] * x + back[i, 1] * y + back[i, 2]).astype(np.float32) for i in range(2))
    grey = np.full(x.shape, 128, np.float32)
    for (centre_x, centre_y), size, height in zip(centres, sizes, heights, strict=True):
        grey += np.float32(40 * height) * np.exp(((at_x - centre_x) ** 2 + (at_y - centre_y) ** 2) / np.float32(-2 * size**2))
    return grey


def corner_error(found: Matrix, truth: Matrix) -> float:
    """How far apart two motions put the corners of the scene, their mean, in pixels."""
    last = _SIDE_PX - 1
    corners = np.array([(0, 0, 1), (last, 0, 1), (0, last, 1), (last, last, 1)]).T  # (3, 4)
    return float(np.hypot(*((found - truth) @ corners)[:2]).mean())
