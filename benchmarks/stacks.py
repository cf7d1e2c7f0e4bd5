"""Synthetic FIB-SEM stacks with their true matrices, for measuring registration.

The anatomy really moves through z, as anatomy does: cells lean (each wall keeps its slant for many slices), organelles
begin and end, texture turns over. So no estimate is exact, and differences below the structure's own motion do not rank
methods. The generator is independent of `fibsem_ij.phantom`: what was tuned on one can be judged on the other.

Truth follows `fibsem_ij.volume`: matrices map anatomy (output) to slice (input), pixel centres at whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

Grey = npt.NDArray[np.uint8]
Float = npt.NDArray[np.float32]

MARGIN = 48


@dataclass(frozen=True)
class Spec:
    """What a stack is like. `noise_db` is the PSNR of the input (None: clean); `resin` the empty part of the area."""

    size: int = 512
    depth: int = 40
    seed: int = 0
    noise_db: float | None = 23.5
    resin: float = 0.0
    shift_px: float = 2.2  # s.d. of a step (walk) or of a slice (jitter), each axis
    corner_px: float = 0.35  # s.d. of the rotation/scale/shear part, at a corner
    motion: str = "mixed"  # still | jitter | walk (all of it walks) | mixed (shifts walk, the rest jitters)
    lean: float = 0.45  # px a slice that a cell's axis leans
    curtains: float = 0.0
    charging: float = 0.0
    flicker: float = 0.0  # gain changes from slice to slice


def anatomy(spec: Spec) -> list[Float]:
    """Slices on a canvas that is larger than the stack by MARGIN on each side, values about 0..1."""
    rng = np.random.default_rng([spec.seed, 1])
    side = spec.size + 2 * MARGIN
    keep = _tissue(spec, side, rng)
    cells = _Cells(side, spec.depth, spec.lean, rng)
    organelles = _Organelles(side, spec.depth, spec.lean, rng)
    texture = _Texture(side, rng)
    slices = []
    for z in range(spec.depth):
        body = cells.draw(z)
        organelles.draw(body, z)
        body += 0.10 * texture.draw()
        slices.append(cv2.GaussianBlur(keep(z) * body + (1 - keep(z)) * 0.62, (0, 0), 0.8))
    return slices


class _Cells:
    """A Voronoi tissue whose seeds lean through z: walls that slant and keep slanting."""

    def __init__(self, side: int, depth: int, lean: float, rng: np.random.Generator) -> None:
        n = max(12, int(side * side / 55**2))
        self.side = side
        self.at = rng.uniform(-0.1 * side, 1.1 * side, (n, 2))
        common = rng.normal(0, 0.06 * lean, 2)
        field = ndimage.gaussian_filter(rng.normal(size=(2, 24, 24)), (0, 3, 3))
        field *= 0.5 * lean / field.std()
        where = np.clip(self.at / side * 23, 0, 23).T
        shared = np.stack([ndimage.map_coordinates(f, where, order=1) for f in field], 1)
        self.speed = common + shared + rng.normal(0, 0.8 * lean, (n, 2))
        self.turn = rng.normal(0, 0.12 * lean, (depth, n, 2))
        self.grey = rng.uniform(0.45, 0.8, n)
        self.rng = rng
        half = np.arange(0, side, 2)
        self.grid = np.stack(np.meshgrid(half, half), -1).reshape(-1, 2).astype(np.float32)
        self.shape = (len(half), len(half))
        wobble = ndimage.gaussian_filter(rng.normal(size=(2, *self.shape)), (0, 9, 9))
        self.wobble = (wobble / wobble.std() * 5).reshape(2, -1).T

    def draw(self, z: int) -> Float:
        seeds = self.at + self.speed * z + self.turn[: z + 1].sum(0)
        gap, nearest = cKDTree(seeds).query(self.grid + self.wobble, k=2)
        wall = (gap[:, 1] - gap[:, 0]).reshape(self.shape).astype(np.float32)
        grey = self.grey[nearest[:, 0]].reshape(self.shape).astype(np.float32)
        size = (self.side, self.side)
        wall = cv2.resize(wall, size, interpolation=cv2.INTER_CUBIC)
        return cv2.resize(grey, size) * (1 - 0.75 * np.exp(-((wall / 3.5) ** 2)))


class _Organelles:
    """Ellipsoids with a dark rim, leaning, that begin and end within the stack."""

    def __init__(self, side: int, depth: int, lean: float, rng: np.random.Generator) -> None:
        n = int(side * side * (depth + 40) / 220_000)
        self.at = np.column_stack([rng.uniform(0, side, n), rng.uniform(0, side, n), rng.uniform(-20, depth + 20, n)])
        self.radius = np.column_stack([rng.uniform(4, 15, (n, 2)), rng.uniform(6, 30, n)])
        self.speed = rng.normal(0, 1.2 * lean, (n, 2))
        self.angle = rng.uniform(0, 180, n)
        self.grey = rng.uniform(0.2, 0.5, n)

    def draw(self, body: Float, z: int) -> None:
        rest = 1 - ((z - self.at[:, 2]) / self.radius[:, 2]) ** 2
        for i in np.flatnonzero(rest > 0.02):
            centre = self.at[i, :2] + self.speed[i] * (z - self.at[i, 2])
            axes = self.radius[i, :2] * np.sqrt(rest[i])
            for shrink, grey in ((0.0, self.grey[i] * 0.6), (1.5, self.grey[i])):
                size = np.maximum(axes - shrink, 0.3)
                cv2.ellipse(body, tuple((centre * 16).astype(int).tolist()), tuple((size * 16).astype(int).tolist()),
                            float(self.angle[i]), 0, 360, float(grey), -1, cv2.LINE_AA if body.dtype == np.uint8 else cv2.LINE_8, 4)


class _Texture:
    """Fine grain that turns over in a few slices (an autoregressive field)."""

    def __init__(self, side: int, rng: np.random.Generator) -> None:
        self.side, self.rng = side, rng
        self.now = self._fresh()

    def _fresh(self) -> Float:
        field = cv2.GaussianBlur(self.rng.standard_normal((self.side, self.side), np.float32), (0, 0), 1.8)
        return field / field.std()

    def draw(self) -> Float:
        self.now = (0.85 * self.now + np.sqrt(1 - 0.85**2) * self._fresh()).astype(np.float32)
        return self.now


def _tissue(spec: Spec, side: int, rng: np.random.Generator) -> Any:
    """z -> 1 where there is tissue, 0 where there is resin: a smooth border that moves slowly."""
    if not spec.resin:
        return lambda z: 1.0
    small = 64
    field = ndimage.gaussian_filter(rng.normal(size=(2, small, small)), (0, 9, 9))
    field /= field.std()

    def keep(z: int) -> Float:
        t = z / 120
        mixed = (field[0] * np.cos(t) + field[1] * np.sin(t)).astype(np.float32)
        level = np.quantile(mixed, spec.resin)
        return np.clip((cv2.resize(mixed, (side, side), interpolation=cv2.INTER_CUBIC) - level) * 12 + 0.5, 0, 1)

    return keep


def motion(spec: Spec) -> npt.NDArray[np.float64]:
    """True matrices (z, 3, 3): output (anatomy) pixel -> input (slice) pixel, about the centre."""
    rng = np.random.default_rng([spec.seed, 2])
    steps = rng.normal(0, 1, (spec.depth, 6))
    shift, linear = steps[:, :2] * spec.shift_px, steps[:, 2:] * spec.corner_px / 2 / (spec.size / 2)
    if spec.motion == "still":
        shift, linear = shift * 0, linear * 0
    if spec.motion in ("walk", "mixed"):
        shift = np.cumsum(shift, 0)
    if spec.motion == "walk":
        linear = np.cumsum(linear, 0)
    centre = (spec.size - 1) / 2
    matrices = np.tile(np.eye(3), (spec.depth, 1, 1))
    matrices[:, :2, :2] += linear.reshape(-1, 2, 2)
    matrices[:, :2, 2] = shift - (matrices[:, :2, :2] - np.eye(2)) @ np.full(2, centre)
    return matrices


def make(spec: Spec) -> tuple[Grey, npt.NDArray[np.float64]]:
    """The stack (z, y, x) uint8 and its true matrices. The walk must stay within MARGIN, or the edge repeats."""
    rng = np.random.default_rng([spec.seed, 3])
    truth = motion(spec)
    out = np.empty((spec.depth, spec.size, spec.size), np.uint8)
    offset = np.array([[1, 0, MARGIN], [0, 1, MARGIN], [0, 0, 1.0]])
    for z, body in enumerate(anatomy(spec)):
        into = offset @ np.linalg.inv(truth[z])
        grey = cv2.warpAffine(body, into[:2], (spec.size, spec.size), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
                              borderMode=cv2.BORDER_REFLECT_101)
        out[z] = _detect(grey, spec, rng)
    return out, truth


def _detect(grey: Float, spec: Spec, rng: np.random.Generator) -> Grey:
    size = spec.size
    if spec.curtains:
        stripes = ndimage.gaussian_filter1d(rng.normal(size=size), 3)
        grey = grey * (1 + spec.curtains * stripes / stripes.std()).astype(np.float32)
    if spec.charging:
        spot = cv2.resize(rng.normal(size=(4, 4)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
        grey = grey + np.float32(spec.charging) * spot
    gain = 1 + spec.flicker * rng.uniform(-1, 1)
    grey = 220 * (0.1 + 0.85 * gain * grey)
    if spec.noise_db is not None:
        sigma = 255 * 10 ** (-spec.noise_db / 20)
        grey = grey + sigma * np.sqrt(np.clip(grey, 20, None) / 130) * rng.standard_normal(grey.shape, np.float32)
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)
