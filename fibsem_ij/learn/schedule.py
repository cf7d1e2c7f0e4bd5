"""The learning rate over a training.

`position` runs from 0 to 1 over the updates or the minutes, whichever is further, so the rate needs no state of its own.
"""

from __future__ import annotations

import math

SCHEDULES = ("cosine", "constant", "steps")


def rate_at(position: float, update: int, *, rate: float, schedule: str, warmup: int = 0, drops: tuple[float, ...] = (0.5,)) -> float:
    """The rate of `update` (from 0). Cosine goes down to 0; steps divide by ten at each position in `drops`.

    The first `warmup` updates climb in a straight line to the rate that the schedule asks for.
    """
    if schedule == "cosine":
        rate *= (1 + math.cos(math.pi * min(position, 1.0))) / 2
    elif schedule == "steps":
        rate *= 0.1 ** sum(position >= drop for drop in drops)
    elif schedule != "constant":
        raise ValueError(f"expected a schedule of {', '.join(SCHEDULES)}, got {schedule!r}; choose one of them")
    return rate * min(1.0, (update + 1) / (warmup + 1))
