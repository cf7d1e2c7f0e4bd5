"""Results that appear under their name only when they are whole.

`whole` and `whole_folder` hand out a hidden sibling to write in. At a clean exit it takes the name asked for, over
whatever had it; on any exception it is removed and an older result stays as it was.
"""

from __future__ import annotations

import errno
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A file to write; it becomes `path` at a clean exit."""
    if path.is_dir():
        raise ValueError(f"expected a file to write, got the folder {path}; choose another name")
    part = _sibling(path, "part")
    with _told(path):
        try:
            yield part
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path, *, stranger: Callable[[Path], str | None], stays: bool = False) -> Iterator[Path]:
    """A folder to fill; it becomes `path` at a clean exit.

    An older folder is replaced only where `stranger(folder)` finds nothing in it that a result cannot have written,
    so that a mistyped name never costs somebody's notes. What `stays` is there again, under the same hidden name, after a stop.
    """
    may_become(path, stranger=stranger)
    part, old = unfinished(path) if stays else _sibling(path, "part"), _sibling(path, "old")
    with _told(path):
        try:
            part.mkdir(exist_ok=stays)
            yield part
            if path.exists():
                path.rename(old)
            try:
                part.rename(path)
            except OSError:
                if old.exists():
                    old.rename(path)
                raise
        finally:
            if not stays:
                shutil.rmtree(part, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)


def unfinished(path: Path) -> Path:
    """Where a folder is filled over several runs."""
    return path.parent / f".{path.name}.unfinished"


def may_become(path: Path, *, stranger: Callable[[Path], str | None]) -> None:
    """Refuse a folder that `whole_folder` would refuse: ask before the work, not after it."""
    if path.exists() and not path.is_dir():
        raise ValueError(f"expected a folder to write, got the file {path}; choose another name or remove it")
    found = stranger(path) if path.exists() else None
    if found:
        raise ValueError(f"expected {path} to hold nothing but an older result, got {found}; write to another name or move it away")
    _within_a_folder(path)


def write_text(path: Path, text: str) -> None:
    with whole(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def room_for(path: Path, size: int) -> None:
    """Refuse at the start what the disk cannot hold, not after hours of work."""
    free = shutil.disk_usage(path.parent).free
    if size > free:
        raise OSError(errno.ENOSPC, f"expected {size / 1e9:.1f} GB free, got {free / 1e9:.1f} GB; make room or write to another disk")


def _within_a_folder(path: Path) -> None:
    if not path.parent.is_dir():
        raise FileNotFoundError(f"expected the folder {path.parent} to hold {path.name}, it does not exist; make it first")


def _sibling(path: Path, kind: str) -> Path:
    _within_a_folder(path)
    return path.parent / f".{path.name}.{secrets.token_hex(4)}.{kind}"


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """An OSError on the way says which result it stopped."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise type(error)(error.errno, f"{path} was not written, what had that name before is untouched: {reason}") from error
