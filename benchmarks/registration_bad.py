"""Slices that are no good: what is found, what they do to the others, and false alarms where all are good."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from registration_fits import Row, ours, walls

from fibsem_ij import register
from fibsem_ij.phantom import REGIMES, Options, make

_HARD: dict[str, dict[str, float]] = {"walls": {}, "curtains, charging, flicker": {"curtains": 0.04, "charging": 0.06, "flicker": 0.2},
                                      "resin": {"resin": 0.7}}
_QUIET = {"blank": 0.0, "half_blank": 0.0, "defocused": 0.0, "duplicate": 0.0, "read_sd": 0.0, "electron_grey": 0.0}
_LEVELS = (23.5, 15.3, 10.0)  # dB


def bad(seeds: int) -> Iterator[Row]:
    for seed in range(seeds):
        slices, truth = walls(seed=seed)
        before = register.score(ours(slices), truth)["drift_px"]
        slices[5], slices[12, 256:], slices[20], slices[13] = 0, 128, slices[19], cv2.GaussianBlur(slices[13], (0, 0), 5)
        slices[31] = slices[31] // 8 + 100
        fitted = ours(slices)
        found = ", ".join(f"{z} {why}" for z, why in fitted.why.items())
        yield (f"5 bad slices (5, 12, 13, 20, 31), seed {seed}", "ours", "drift as without; 5 and 12 found",
               f"drift {before:.2f} -> {register.score(fitted, truth)['drift_px']:.2f} px, found {found}")


def alarms(depth: int, size: int) -> Iterator[Row]:
    for name, clean in _clean(depth, size, seed=21):
        called = {noise_db: dict(ours(_scanned(clean, noise_db)).why) for noise_db in _LEVELS}
        yield (f"{depth} good slices of {size} px, {name}", "ours", "no false alarm",
               ", ".join(f"{why or 'none'} at {noise_db} dB" for noise_db, why in called.items()))


def faint(depth: int, size: int) -> Iterator[Row]:
    """The field of the slice before once more, with noise of its own; and a blur of 1.5, 2 and 3 px, under the noise."""
    twice, blurred = (5, depth // 2 + 1, depth - 1), {depth // 4: 1.5, depth // 2 + 5: 2.0, depth - 6: 3.0}
    for name, clean in _clean(depth, size, seed=31):
        spoilt = clean.copy()
        for z in twice:
            spoilt[z] = clean[z - 1]
        for z, sigma in blurred.items():
            spoilt[z] = cv2.GaussianBlur(clean[z].astype(np.float32), (0, 0), sigma)
        told = []
        for noise_db in _LEVELS:
            why = dict(ours(_scanned(spoilt, noise_db)).why)
            seen = [str(sigma) for z, sigma in blurred.items() if why.pop(z, "") == "defocused"]
            again = sum(why.pop(z, "") == "scanned twice" for z in twice)
            told.append(f"{noise_db} dB: {again} of {len(twice)} scanned twice, blur of {', '.join(seen) or 'none'} px"
                        + (f", WRONG {why}" if why else ""))
        yield f"{depth} slices of {size} px, {name}", "ours", "found; else say where the border is", "; ".join(told)


def _clean(depth: int, size: int, *, seed: int) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Stacks without noise, of both generators."""
    for name, kind in _HARD.items():
        yield name, walls(seed=seed, depth=depth, size=size, motion="jitter", noise_db=None, **kind)[0]
    for regime in REGIMES:
        yield f"phantom {regime}", make((depth, size, size), seed=seed, options=Options(**{**vars(REGIMES[regime]), **_QUIET})).raw.data


def _scanned(clean: npt.NDArray[Any], noise_db: float) -> npt.NDArray[np.uint8]:
    rng = np.random.default_rng(3)
    sigma = 255 * 10 ** (-noise_db / 20)
    out = np.empty(clean.shape, np.uint8)
    for z, grey in enumerate(clean):
        noise = sigma * np.sqrt(np.clip(grey, 20, None) / 130) * rng.standard_normal(grey.shape, np.float32)
        out[z] = np.clip(np.rint(grey + noise), 0, 255)
    return out
