"""What a user may choose in registration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from fibsem_ij import sockets
from fibsem_ij.volume import MODELS

_CHOICES = {"model": MODELS, "contrast": ("none", "equalise", "match"), "canvas": ("same", "pad", "crop")}
# Ours by name, the one place where they are registered: a class or function of (model, runs) that gives an aligner, see `pairs`.
ALIGNERS = MappingProxyType({"turboreg": "fibsem_ij.register.turboreg:TurboReg", "sift": "fibsem_ij.register.sift:Sift"})


def aligners() -> tuple[str, ...]:
    """All names, those of other packages included."""
    return sockets.names("aligners", ALIGNERS)


@dataclass(frozen=True)
class Options:
    model: str = "affine"
    aligner: str | Callable[..., npt.NDArray[np.float64]] = "turboreg"  # of ALIGNERS, plugged in, or any function, see `pairs`
    runs: int = 25  # stochastic runs of turboreg and sift
    seed: int = 1
    device: str = "cpu"  # where turboreg sums: cpu | cuda | mps | auto, the best there is
    reach: int = 2  # pairs at distance 1..reach
    contrast: str = "none"  # before the estimate: none | equalise | match (to the histogram of the slices around)
    reference: int | None = None  # this slice stays where it is; None: the first good one
    keep_trend: bool = False  # what is slower than trend_slices is the specimen's own and stays in it
    trend_slices: float = 20.0
    anchors: Mapping[int, npt.NDArray[np.float64]] = field(default_factory=dict)  # slice -> known matrix
    canvas: str = "same"  # same | pad (nothing is lost) | crop (what all slices share)
    bad: tuple[int, ...] = ()  # slices known to be bad, beside those that are found

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"expected {name} as one of {', '.join(allowed)}, got {getattr(self, name)!r}; choose one of them")
        if isinstance(self.aligner, str) and self.aligner not in ALIGNERS and self.aligner not in (known := aligners()):
            near, = get_close_matches(self.aligner, known, n=1, cutoff=0)
            raise ValueError(f"expected an aligner of {', '.join(known)} or a function, got {self.aligner!r}; did you mean {near!r}?")
        if self.device != "cpu" and self.aligner != "turboreg":
            raise ValueError(f"expected the aligner turboreg on the device {self.device}, got {self.aligner!r}; leave the device out")
        for name in ("runs", "reach", "trend_slices"):
            if getattr(self, name) < 1:
                raise ValueError(f"expected {name} of at least 1, got {getattr(self, name)}; leave it out for the default")
        for z, matrix in self.anchors.items():
            if np.shape(matrix) != (3, 3):
                raise ValueError(f"expected a 3 x 3 matrix as the anchor of slice {z}, got shape {np.shape(matrix)}; last row 0 0 1")

    def named(self, depth: int) -> set[int]:
        """The slices that the options name; all must exist."""
        slices = {*self.bad, *self.anchors, *(() if self.reference is None else (self.reference,))}
        if slices and not 0 <= min(slices) <= max(slices) < depth:
            raise ValueError(f"expected slices within 0..{depth - 1} in bad, anchors and reference, got {sorted(slices)}; count from 0")
        return slices
