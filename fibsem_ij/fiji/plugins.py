"""Fiji's own plugins as aligners of room 1, and the proof that they work in this Fiji.

An aligner is `(fixed, moving, *, rng) -> matrices (runs, 3, 3)`, fixed pixel -> moving pixel; these are stochastic like the room's
own, and the same `rng` gives the same matrices. A run that finds nothing is left out; where fewer than half of them find
something, the answer is empty. The plugins keep static state, so a session runs one call at a time, whichever thread asks.
NB: an aligner belongs to the process of its session; it cannot be sent to another. An `AlignerApart` can: its session is in a process
beside the one that calls, so that a JVM that dies, hangs or fills its heap costs one pair's time.

`check` recovers known motions of a synthetic slice. The contract test and `fibsem-ij doctor --check` both call it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from fibsem_ij.fiji.aligner import Grey, Matrix, Slice
from fibsem_ij.fiji.apart import Apart, Limits
from fibsem_ij.fiji.errors import FijiError
from fibsem_ij.fiji.session import Session
from fibsem_ij.fiji.sift import Sift
from fibsem_ij.fiji.turboreg import TurboReg

ALIGNERS: dict[str, type[TurboReg] | type[Sift]] = {"fiji-turboreg": TurboReg, "fiji-sift": Sift}

# A plugin says a word after each run, which takes about 1 s a megapixel; a slow machine is given time, more at each try.
_SILENT_S, _SILENT_S_PER_MPX, _IDLE_S, _TRIES = 8.0, 20.0, 8.0, 3
_KEPT = 4 * (os.cpu_count() or 1)  # slices made ready: three a thread, and some

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


class Plugin(NamedTuple):
    """An aligner as it is asked for, wherever its session is."""

    kind: type[TurboReg] | type[Sift]
    model: str = "affine"
    runs: int = 25

    def of(self, session: Session) -> TurboReg | Sift:
        return self.kind(session, model=self.model, runs=self.runs)


@dataclass(frozen=True)
class AlignerApart:
    """The plugin in the process of `java`, with the same matrices to the bit. Where Java is lost the pair is fitted again, with the same
    random numbers; lost three times, it is an error."""

    java: Apart
    plugin: Plugin

    @classmethod
    def named(cls, name: str, java: Apart, *, model: str, runs: int) -> AlignerApart:
        """One of ALIGNERS. Starts Java: a plugin that is not there, or has no such model, is told now."""
        plugin = Plugin(ALIGNERS[name], model, runs)
        java.call(_find, plugin, task=f"find {plugin.kind.__name__}", tries=_TRIES)
        return cls(java, plugin)

    def __call__(self, fixed: Slice, moving: Slice, *, rng: np.random.Generator) -> Matrix:
        limits = Limits(silent_s=_SILENT_S + _SILENT_S_PER_MPX * fixed.size / 1e6, idle_s=_IDLE_S)
        matrices, rng.bit_generator.state = self.java.call(_align, self.plugin, fixed, moving, rng, limits=limits, tries=_TRIES,
                                                           task=f"fit a pair of slices by {self.plugin.kind.__name__}")
        return matrices


def _find(session: Session, plugin: Plugin) -> None:
    plugin.of(session)


def _align(session: Session, plugin: Plugin, fixed: Slice, moving: Slice, rng: np.random.Generator) -> tuple[Matrix, Any]:
    align = plugin.of(session)
    still, moved = (_ready(align, each) if isinstance(align, Sift) else each for each in (fixed, moving))
    return align(still, moved, rng=rng), rng.bit_generator.state


_made_ready: dict[bytes, Any] = {}


def _ready(align: Sift, image: Slice) -> Any:
    """A slice comes once a pair, and is made ready once: it is known by its pixels."""
    key = hashlib.blake2b(f"{image.shape}{image.dtype}".encode() + image.tobytes()).digest()
    _made_ready[key] = _made_ready.pop(key) if key in _made_ready else align.prepare(image)
    for oldest in list(_made_ready)[:-_KEPT]:
        del _made_ready[oldest]
    return _made_ready[key]


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
