"""Any slice size for networks that halve it: the one place where slices are padded to a multiple and cropped again.

The last row and column are repeated at the bottom and at the right. That works from one pixel on (a reflection needs more pixels
than it adds) and has no branch on the size, so that a network exports with its height and width left open. Beside it, the limits of
what a config may ask for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.nn import functional


def in_multiples(body: Callable[[Tensor], Tensor], x: Tensor, multiple: int) -> Tensor:
    """body(x) for a body that needs y and x in multiples and keeps them."""
    height, width = x.shape[-2:]
    padded = functional.pad(x, (0, -width % multiple, 0, -height % multiple), mode="replicate")
    return body(padded)[..., :height, :width]


def check(config: Any, **limits: tuple[float, float]) -> None:
    """Refuse a config whose numbers lie outside `limits`, (lowest, highest) by field."""
    for name, (low, high) in limits.items():
        if not low <= getattr(config, name) <= high:
            raise ValueError(f"expected {name} from {low} to {high}, got {getattr(config, name)}; leave it out for the default")
