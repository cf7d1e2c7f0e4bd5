"""Patches made more varied: turned, tilted, bent, blurred, noisier, brighter. Plain functions on (c, y, x) float32 in network units.

Turns are exact and fall on input and truth alike, as tilts and bends do; grey truth shares brightness and contrast; blur and noise are
the input's alone. Zoom is the business of the one who cuts (`patches`): a smaller window is read and enlarged.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.float32]

_KNOT_PX = 48  # between the places that a bend moves on their own


@dataclass(frozen=True)
class Augment:
    """How far each may go; a patch draws from 0 to there. All 0: turns only."""

    turns: bool = True  # flips and quarter turns; neighbouring slices also in reverse
    tilt: float = 0.0  # share of the patches that lie at any angle
    bend_px: float = 0.0  # deviation of how far a place moves, smoothly from place to place
    zoom: float = 0.0  # larger or smaller by this share
    blur_px: float = 0.0  # deviation of a Gaussian
    noise: float = 0.0  # deviation, the same everywhere (network units)
    shot: float = 0.0  # variance per unit of brightness: Poisson's, as a Gaussian
    brightness: float = 0.0  # added, up or down
    contrast: float = 0.0  # share, up or down, about the mean of the patch

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not 0 <= value < np.inf:
                raise ValueError(f"expected {name} of 0 or more, got {value}; 0 leaves it out")
        if self.tilt > 1:
            raise ValueError(f"expected tilt up to 1, got {self.tilt}; .5 tilts every other patch")
        if self.zoom >= 1:
            raise ValueError(f"expected zoom below 1, got {self.zoom}; .2 zooms from .8 to 1.2")


def turned(image: npt.NDArray[Any], turn: int) -> npt.NDArray[Any]:
    """One of the 8 ways to lay a square down (turn 0..7; 0 leaves it), about the last two axes."""
    if turn >= 4:
        image = image[..., ::-1]
    return np.rot90(image, turn % 4, axes=(-2, -1))


@dataclass(frozen=True, eq=False)
class Warp:
    """Where each pixel of a patch comes from, in a window that is larger by `margin` on each side."""

    margin: int = 0
    at: Image | None = None  # (2, y, x); None: it stays where it is

    def __call__(self, planes: npt.NDArray[Any], *, nearest: bool = False) -> npt.NDArray[Any]:
        """(c, y, x) of the window -> of the patch."""
        if self.at is None:
            return planes
        import cv2

        y, x = self.at  # NB: cubic, as linear would take the noise away that the network has to live with
        how = cv2.INTER_NEAREST if nearest else cv2.INTER_CUBIC
        return np.stack([cv2.remap(plane, x, y, how, borderMode=cv2.BORDER_REFLECT) for plane in planes])


def warp(size: int, augment: Augment, rng: np.random.Generator) -> Warp:
    """Tilted and bent, as chance has it."""
    angle = rng.uniform(-math.pi / 4, math.pi / 4) if augment.tilt and rng.random() < augment.tilt else 0.0
    if not (angle or augment.bend_px):
        return Warp()
    along, across = math.cos(angle), math.sin(angle)
    margin = math.ceil(size * (along + abs(across) - 1) / 2 + 3 * augment.bend_px) + 1
    y, x = np.mgrid[:size, :size].astype(np.float32) - (size - 1) / 2
    at = np.stack([along * y - across * x, across * y + along * x])
    if augment.bend_px:
        at += _bent(size, augment.bend_px, rng)
    return Warp(margin, (at + (size - 1) / 2 + margin).astype(np.float32))


def _bent(size: int, bend_px: float, rng: np.random.Generator) -> Image:
    """(2, y, x)"""
    import cv2

    side = max(2, round(size / _KNOT_PX))
    knots = rng.standard_normal((2, side, side), np.float32).clip(-3, 3) * np.float32(bend_px)
    return np.stack([cv2.resize(plane, (size, size), interpolation=cv2.INTER_CUBIC) for plane in knots])


def varied(image: Image, truth: Image | None, augment: Augment, rng: np.random.Generator) -> tuple[Image, Image | None]:
    """Contrast and brightness of both, then blur and noise of the input."""
    if augment.contrast or augment.brightness:
        mean = float(image.mean())
        gain, shift = 1 + rng.uniform(-1, 1) * augment.contrast, rng.uniform(-1, 1) * augment.brightness
        image = _stretched(image, mean, gain, shift)
        truth = None if truth is None else _stretched(truth, mean, gain, shift)
    if augment.blur_px:
        image = blurred(image, rng.uniform(0, augment.blur_px))
    if augment.noise or augment.shot:
        image = noisy(image, rng, noise=rng.uniform(0, augment.noise), shot=rng.uniform(0, augment.shot))
    return image, truth


def blurred(image: Image, sigma_px: float) -> Image:
    import cv2

    if sigma_px < 0.1:  # less than a thousandth of a pixel's value would move
        return image
    return np.stack([cv2.GaussianBlur(plane, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT) for plane in image])


def noisy(image: Image, rng: np.random.Generator, *, noise: float, shot: float) -> Image:
    variance = np.float32(noise**2) + np.float32(shot) * np.maximum(image, 0)
    made: Image = image + np.sqrt(variance) * rng.standard_normal(image.shape, np.float32)
    return made


def _stretched(image: Image, mean: float, gain: float, shift: float) -> Image:
    stretched: Image = (image - np.float32(mean)) * np.float32(gain) + np.float32(mean + shift)
    return stretched
