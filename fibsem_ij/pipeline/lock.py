"""One run in a workspace at a time. The system holds the lock for as long as the process lives, so a crash leaves none behind.

run.lock says who holds it: {"pid": ..., "host": ..., "since": ...}. What it says counts only while it is held.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from fibsem_ij.files.whole import told

_FAR = 2**30  # the byte that is locked on Windows, where a locked byte cannot be read


@contextmanager
def held(path: Path, *, say: Callable[[str], None]) -> Iterator[None]:
    file = _opened(path)
    try:
        if before := _said(file):
            say(f"The run of process {before['pid']} on {before['host']}, since {before['since']}, ended without a word")
        since = datetime.now().astimezone().isoformat(timespec="seconds")
        with told(path):
            _write(file, {"pid": os.getpid(), "host": socket.gethostname(), "since": since})
        yield
    finally:
        _write(file, None)
        if sys.platform != "win32":  # where an open file cannot be taken away
            path.unlink(missing_ok=True)
        os.close(file)


def _opened(path: Path) -> int:
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(file)
            if path.exists() and os.path.samestat(path.stat(), os.fstat(file)):  # not one that its holder took away just now
                return file
        except BlockingIOError:
            who = _said(file) or {"pid": "?", "host": "?", "since": "?"}
            os.close(file)
            raise ValueError(f"expected {path.parent} for this run alone, got one at work there: process {who['pid']} on {who['host']}, "
                             f"since {who['since']}; wait for it, or stop it") from None
        os.close(file)


def _lock(file: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(file, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError from error
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _said(file: int) -> dict[str, Any]:
    os.lseek(file, 0, os.SEEK_SET)
    try:
        said = json.loads(os.read(file, 4096))
        return {key: said[key] for key in ("pid", "host", "since")}
    except (ValueError, KeyError, TypeError):
        return {}


def _write(file: int, said: dict[str, Any] | None) -> None:
    os.ftruncate(file, 0)
    os.lseek(file, 0, os.SEEK_SET)
    if said:
        os.write(file, json.dumps(said).encode())
