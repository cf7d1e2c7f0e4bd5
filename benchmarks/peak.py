"""The most memory that this process has held so far."""

from __future__ import annotations

import sys


def peak_gb() -> float | None:
    """In GB (10^9 bytes); None where the system does not tell (Windows)."""
    if sys.platform == "win32":
        return None
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / (1e9 if sys.platform == "darwin" else 1e6)
