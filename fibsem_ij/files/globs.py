"""Patterns of files: `scan/*.tif`. A `*`, `?` or `[` in the name of a file or folder that is there is a letter like any other."""

from __future__ import annotations

from pathlib import Path

WILD = "*?["


def is_glob(path: Path, wild: str = WILD) -> bool:
    return not path.exists() and any(c in str(path.relative_to(_there(path))) for c in wild)


def matching(path: Path) -> list[Path]:
    """The files of a glob."""
    there = _there(path)
    return [p for p in there.glob(path.relative_to(there).as_posix()) if p.is_file() and not p.name.startswith(".")]


def _there(path: Path) -> Path:
    """The innermost folder around it that exists."""
    return next((folder for folder in path.parents if folder.exists()), Path())
