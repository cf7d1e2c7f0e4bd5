"""What the verbs that train share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Progress = Callable[[int, int], None]


def thousandths(step: Progress | None) -> Callable[[dict[str, Any]], None] | None:
    """The progress of all trainings as (done, of 1000), told when it moves."""
    if step is None:
        return None
    last = -1

    def tell(told: dict[str, Any]) -> None:
        nonlocal last
        if (now := int(1000 * (told.get("training", 1) - 1 + told["position"]) / told.get("trainings", 1))) > last:
            last = now
            step(now, 1000)

    return tell
