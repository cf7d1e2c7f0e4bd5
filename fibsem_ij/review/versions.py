"""Nothing that a person drew or placed is written over: the older version is kept beside, and a log says who changed what, and when.

    drawn/classes/0045.tif                                       the slice as it is now
    drawn/classes/.versions/0045-20261125T180000-anna.tif        as it was until then
    drawn/classes/.versions/log.jsonl                            a line a change: at, who, file, did, kept (null where it is new)
"""

from __future__ import annotations

import getpass
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from fibsem_ij.files.whole import whole, write_text

FOLDER, LOG = ".versions", "log.jsonl"


@contextmanager
def replacing(path: Path, *, did: str, who: str = "") -> Iterator[None]:
    """What stands at `path` is kept before the caller writes there, and a line is logged after it."""
    who, now = who or user(), datetime.now(UTC)
    folder = path.parent / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    kept = _kept(path, folder, f"{path.stem}-{now:%Y%m%dT%H%M%S}-{re.sub(r'[^A-Za-z0-9_.-]', '_', who)}") if path.exists() else None
    yield
    told = {"at": now.isoformat(timespec="seconds"), "who": who, "file": path.name, "did": did, "kept": kept}
    log, line = folder / LOG, json.dumps(told, ensure_ascii=False)
    write_text(log, (log.read_text(encoding="utf-8") if log.exists() else "") + line + "\n")


def user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # NB: without a password database, as in some containers
        return "unknown"


def _kept(path: Path, folder: Path, stem: str) -> str:
    copy, n = folder / f"{stem}{path.suffix}", 1
    while copy.exists():
        copy, n = folder / f"{stem}-{n}{path.suffix}", n + 1
    with whole(copy) as part:
        shutil.copy2(path, part)
    return copy.name
