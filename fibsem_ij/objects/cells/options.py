"""What a user may choose in following cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

WAYS = ("everywhere", "selective", "frame")


class Event(NamedTuple):
    """A decision. `into`: the cell, 0 for none. (y, x): a pixel of the track in slice z; of a bad slice its first."""

    z: int
    track: int
    event: str
    iou: float
    into: int
    y: int
    x: int


@dataclass(frozen=True)
class Options:
    way: str = "frame"  # how carried outlines cut the mask: everywhere | selective | frame
    inside: float = 0.5  # probability, of interior and boundary together, from which a pixel is a cell's
    core_px: int = 1  # seeds are the carried cells less this margin
    least_px: int = 30  # smaller islands are no tracks
    flow_px: int = 512  # flow is estimated on slices of at most this shorter side
    levels: int = 6  # Farneback's, from the published protocol
    poly_n: int = 5
    window: int = 30
    scale: float = 0.2
    iterations: int = 3

    def __post_init__(self) -> None:
        if self.way not in WAYS:
            raise ValueError(f"expected a way of {', '.join(WAYS)}, got {self.way!r}; choose one of them")
        if not 0 < self.inside < 1 or min(self.core_px, self.least_px) < 0:
            raise ValueError(f"expected inside from 0 to 1, core_px and least_px of 0 or more, got {self}")
