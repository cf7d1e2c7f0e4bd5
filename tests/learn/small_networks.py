"""Every network, small enough for a test."""

from __future__ import annotations

import math
from typing import Any

from fibsem_ij.learn.network import configure, layout

SEGMENTATION: dict[str, dict[str, Any]] = {
    "unet": {"base": 8, "depth": 3}, "resunet": {"base": 8, "depth": 2}, "efficientunet": {"encoder": "b0", "base": 4},
    "transunet": {"base": 16, "blocks": 1, "dim": 32, "depth": 1, "heads": 2}, "setr": {"dim": 64, "depth": 1, "heads": 2, "base": 32},
    "msdnet": {"depth": 12, "width": 2, "dilations": 5}}
SMALL = SEGMENTATION | {"vae": {"base": 4, "depth": 2}}


def parameters(name: str, **config: Any) -> int:
    sizes = layout(name, configure(name, **config))
    return sum(math.prod(shape) for key, (shape, _) in sizes.items() if "running" not in key and "num_batches" not in key)
