"""What the commands that train share: where a training stands when it was stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def state_of(net: Path, *told: Any) -> Path:
    """The folder beside `net` where its training stands: of the same stacks and options, so that another training starts afresh."""
    import hashlib
    import shutil
    from dataclasses import replace

    options, *paths = told
    known = repr((replace(options, minutes=10.0, updates=None, device="auto"), [str(p) for p in paths]))
    state = net.parent / f".{net.name}.{hashlib.sha256(known.encode()).hexdigest()[:8]}.training"
    if net.parent.is_dir():
        for other in net.parent.iterdir():
            if other.name.startswith(f".{net.name}.") and other.suffix == ".training" and other != state:
                shutil.rmtree(other, ignore_errors=True)
    return state
