"""Clean canvas -> the stack as the microscope gives it: drifting, noisy, striped, and now and then a slice that is no good.

The matrices follow volume.py: output (clean grid) -> input (raw). Noise is Poisson-Gaussian: variance = electron_grey x grey + read_sd^2.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fibsem_ij.phantom.cells import workers
from fibsem_ij.phantom.fields import F32
from fibsem_ij.phantom.options import Options
from fibsem_ij.phantom.shapes import F64

BAD = ("blank", "half_blank", "defocused", "duplicate")


def bad_slices(depth: int, options: Options, rng: np.random.Generator) -> dict[int, str]:
    """Slice -> what is wrong with it. Never the first or last, never two in a row."""
    wanted = [kind for kind in BAD for _ in range(round(getattr(options, kind) * depth))]
    bad: dict[int, str] = {}
    for z in rng.permutation(np.arange(1, max(depth - 1, 1))):
        if len(bad) < len(wanted) and not {int(z) - 1, int(z) + 1} & bad.keys():
            bad[int(z)] = wanted[len(bad)]
    return dict(sorted(bad.items()))


def drift(shape: tuple[int, int, int], bad: dict[int, str], options: Options, rng: np.random.Generator) -> F64:
    """A walk that the margin holds back, jitter on top, and a small affine part about the middle of the slice."""
    depth, height, width = shape
    walk = np.cumsum(rng.normal(0, options.walk_px, (depth, 2)), 0)
    limit = max(options.margin_px - 3 * options.jitter_px - 4, 1)
    shift = limit * np.tanh((walk - walk[0]) / limit) + rng.normal(0, options.jitter_px, (depth, 2)).clip(-3, 3)
    slow = np.cumsum(rng.normal(0, options.shear * 0.15, (depth, 2, 2)), 0)
    bend = options.shear * 2 * np.tanh((slow - slow[0]) / max(options.shear * 2, 1e-9)) + rng.normal(0, options.shear, (depth, 2, 2))
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    matrices = np.tile(np.eye(3), (depth, 1, 1))
    matrices[1:, :2, :2] += bend[1:]
    matrices[1:, :2, 2] = (shift + centre - matrices[:, :2, :2] @ centre)[1:]
    for z, kind in bad.items():
        if kind == "duplicate":
            matrices[z] = matrices[z - 1]
    return matrices


@dataclass(frozen=True, eq=False)
class _Habits:
    """What is decided once for the stack: stripes, brightness and contrast of each slice."""

    stripes: F32  # (z, x)
    gain: F64
    offset: F64


def _habits(depth: int, width: int, options: Options, rng: np.random.Generator) -> _Habits:
    stripes = np.empty((depth, width), np.float32)
    profile = np.zeros(width)
    for z in range(depth):
        fresh = sum(cv2.GaussianBlur(rng.standard_normal((1, width)), (0, 0), s)[0] * (2 * s) ** 0.5 for s in (1.0, 4.0, 16.0))
        profile = 0.8 * profile + 0.45 * fresh
        stripes[z] = profile * options.curtain * 0.6
    steps = rng.random(depth) < options.jumps
    offset = rng.normal(0, options.brightness_sd, depth) + 0.5 * np.cumsum(steps * rng.normal(0, 14, depth))
    gain = 1 + 0.3 * np.cumsum(steps * rng.normal(0, 0.12, depth))
    return _Habits(stripes, np.clip(gain, 0.8, 1.2), np.clip(offset, -22, 22))


def record(canvas: npt.NDArray[np.uint8], matrices: F64, bad: dict[int, str], options: Options,
           rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """The raw stack (z, y, x) of the field within the canvas."""
    margin = options.margin_px
    depth, height, width = canvas.shape[0], canvas.shape[1] - 2 * margin, canvas.shape[2] - 2 * margin
    habits = _habits(depth, width, options, rng)
    key = int(rng.integers(2**31))
    out = np.empty((depth, height, width), np.uint8)

    def work(z: int) -> None:
        dice = np.random.default_rng((key, z))
        seen = z - 1 if bad.get(z) == "duplicate" else z
        into = np.linalg.inv(matrices[z])
        into[:2, 2] += margin
        field = cv2.warpAffine(canvas[seen].astype(np.float32), into[:2], (width, height),
                               flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT)
        if bad.get(z) == "defocused":
            field = cv2.GaussianBlur(field, (0, 0), dice.uniform(3.5, 5))
        field = _upset(field, habits, seen, options, dice)
        out[z] = _ruined(noisy(field, options, dice), bad.get(z, ""), dice)

    with workers() as pool:
        list(pool.map(work, range(depth)))
    return out


def _upset(field: F32, habits: _Habits, z: int, options: Options, rng: np.random.Generator) -> F32:
    """Curtaining along the milling direction (y), charging along the scan (x), brightness and contrast of the slice."""
    height, width = field.shape
    fade = np.linspace(rng.uniform(0.3, 1), rng.uniform(0.7, 1.4), height, dtype=np.float32)[:, None]
    field = (field * (1 + habits.stripes[z] * fade)).astype(np.float32)
    if rng.random() < options.charging:
        for _ in range(int(rng.integers(1, 4))):
            field = field + _charge(height, width, rng)
    return np.asarray((field - 140) * habits.gain[z] + 140 + habits.offset[z], np.float32)


def _charge(height: int, width: int, rng: np.random.Generator) -> F32:
    """A bright or dark patch that the scan drags along to the right."""
    across = np.arange(width) - rng.uniform(-0.2, 1) * width
    down = (np.arange(height) - rng.uniform(0, height)) / (rng.uniform(0.02, 0.12) * height + 2)
    tail = np.exp(np.where(across > 0, -across / (0.4 * width), across / 12))
    return np.asarray(rng.normal(0, 16) * np.outer(np.exp(-0.5 * down**2), tail), np.float32)


def noisy(field: F32, options: Options, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """One scan of a noise-free field."""
    signal = np.clip(field, 0, 255)
    if options.electron_grey > 0:
        signal = (rng.poisson(signal / options.electron_grey) * options.electron_grey).astype(np.float32)
    if options.read_sd > 0:
        signal = signal + rng.normal(0, options.read_sd, field.shape).astype(np.float32)
    return np.clip(np.rint(signal), 0, 255).astype(np.uint8)


def _ruined(scan: npt.NDArray[np.uint8], kind: str, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    if kind not in ("blank", "half_blank"):
        return scan
    height = len(scan)
    row = 0 if kind == "blank" else int(rng.uniform(0.3, 0.7) * height)
    scan[row:] = np.uint8(rng.choice([0, 0, 128, 255]))
    return scan
