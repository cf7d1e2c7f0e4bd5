"""The most memory that this process has held so far."""

from __future__ import annotations

import re
import sys
from pathlib import Path


def peak_gb() -> float | None:
    """In GB (10^9 bytes); None where the system does not tell (Windows).

    NB: what getrusage tells on Linux a process inherits from the one that started it.
    """
    if sys.platform == "linux":
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
        return int(found[1]) * 1024 / 1e9 if found else None
    if sys.platform == "win32":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e9
