"""Patches made more varied: turned, blurred, noisier, brighter. Plain functions on (c, y, x) float32 in network units.

Turns are exact and fall on input and truth alike; grey truth shares brightness and contrast; blur and noise are the input's
alone. Zoom is the business of the one who cuts (`patches`): a smaller window is read and enlarged.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Augment:
    """How far each may go; a patch draws from 0 to there. All 0: turns only."""

    turns: bool = True  # flips and quarter turns; neighbouring slices also in reverse
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
        if self.zoom >= 1:
            raise ValueError(f"expected zoom below 1, got {self.zoom}; .2 zooms from .8 to 1.2")


def turned(image: npt.NDArray[Any], turn: int) -> npt.NDArray[Any]:
    """One of the 8 ways to lay a square down (turn 0..7; 0 leaves it), about the last two axes."""
    if turn >= 4:
        image = image[..., ::-1]
    return np.rot90(image, turn % 4, axes=(-2, -1))


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
