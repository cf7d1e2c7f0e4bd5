"""The networks: one network, one file, one frozen config.

Every file has a `Config`, whose first fields are `inputs` (channels in: 2k + 1 slices for k neighbours) and `outputs`, and a
`Net(config)` that takes (b, inputs, y, x) float32 of any y and x >= 1 and gives (b, outputs, y, x), raw: logits, not
probabilities. Its `multiple` is the one that y and x are padded to inside. NETS lists them by name: the one place where ours are
registered. Other packages plug theirs in (`sockets`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

NETS: Mapping[str, str] = MappingProxyType({name: f"{__name__}.{name}" for name in (
    "resunet", "unet", "efficientunet", "transunet", "setr", "msdnet", "vae")})
GENERATIVE = ("vae",)  # their Net gives a distribution, which no class can be read from
