"""Results that appear under their name only when they are whole.

`whole` and `whole_folder` hand out a hidden sibling to write in. At a clean exit it takes the name asked for, over
whatever had it; on any exception it is removed and an older result stays as it was. A disk that is full on the way is an error that names
the result, says how much is free, and what to do.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_ROOM = "make room, or write to another disk"


@contextmanager
def whole(path: Path, *, instead_of: Path | None = None) -> Iterator[Path]:
    """A file to write; it becomes `path` at a clean exit. `instead_of`: what spoke for an older result, and goes just before."""
    if path.is_dir():
        raise ValueError(f"expected a file to write, got the folder {path}; choose another name")
    part = _sibling(path, "part")
    with told(path):
        try:
            yield part
            if instead_of:
                instead_of.unlink(missing_ok=True)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path, *, stranger: Callable[[Path], str | None], stays: bool = False, size: int = 0) -> Iterator[Path]:
    """A folder to fill; it becomes `path` at a clean exit. `size`: the bytes that it may take, to be told where the disk is full.

    An older folder is replaced only where `stranger(folder)` finds nothing in it that a result cannot have written,
    so that a mistyped name never costs somebody's notes. What `stays` is there again, under the same hidden name, after a stop.
    """
    may_become(path, stranger=stranger)
    part, old = unfinished(path) if stays else _sibling(path, "part"), _sibling(path, "old")
    with told(path, size):
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


def write_text(path: Path, text: str, *, instead_of: Path | None = None) -> None:
    with whole(path, instead_of=instead_of) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def append_line(path: Path, line: str) -> None:
    """To a file that is read line by line, each whole or left out."""
    with told(path, kept="the lines before are untouched"), path.open("a", encoding="ascii", newline="\n") as file:
        file.write(f"{line}\n")


def room_for(path: Path, size: int) -> None:
    """Refuse at the start what the disk cannot hold, not after hours of work."""
    free = shutil.disk_usage(path.parent).free
    if size > free:
        raise OSError(errno.ENOSPC, f"expected {amount(size)} free, got {amount(free)}; {_ROOM}")


def amount(size: float) -> str:
    """Bytes as people say them."""
    return next(f"{size / step:.1f} {unit}" for step, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")) if size >= step or unit == "kB")


def _within_a_folder(path: Path) -> None:
    if not path.parent.is_dir():
        raise FileNotFoundError(f"expected the folder {path.parent} to hold {path.name}, it does not exist; make it first")


def _sibling(path: Path, kind: str) -> Path:
    _within_a_folder(path)
    return path.parent / f".{path.name}.{secrets.token_hex(4)}.{kind}"


@contextmanager
def told(path: Path, size: int = 0, *, kept: str = "what had that name before is untouched") -> Iterator[None]:
    """What the system says against writing says which result it stopped; of a full disk (which not all libraries tell as such) how full."""
    try:
        yield
    except Exception as error:
        full = getattr(error, "errno", None) in _FULL or any(os.strerror(number) in str(error) for number in _FULL)
        if not full and not isinstance(error, OSError):
            raise
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        if full and _ROOM not in reason:
            need = f", up to {amount(size)} needed" if size else ""
            reason = f"{reason}, {amount(shutil.disk_usage(path.parent).free)} free{need}; {_ROOM}"
        kind, number = (type(error), error.errno) if isinstance(error, OSError) else (OSError, errno.ENOSPC)
        raise kind(number, f"{path} was not written, {kept}: {reason}") from error
