"""What other packages plug in: networks, aligners and groups of measures, found by name (docs/adding.md).

A package lists what it brings among its entry points. Who installs it has it under that name like one of ours, in Python, on the command
line, in a recipe and in Fiji's menu:

    [project.entry-points."fibsem_ij.networks"]
    narrow = "my_package.narrow"

Nothing of a package is loaded before it is asked for by name, and data can name no more than what somebody installed. A name of ours
stays ours, whoever else has it.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Collection, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Any


@cache
def plugged(kind: str) -> Mapping[str, EntryPoint]:
    """By name; `kind` is networks, aligners or measures."""
    return MappingProxyType({entry.name: entry for entry in entry_points(group=f"fibsem_ij.{kind}")})


def names(kind: str, ours: Collection[str]) -> tuple[str, ...]:
    """All that can be asked for, ours first."""
    return (*ours, *sorted(plugged(kind).keys() - set(ours)))


def load(kind: str, name: str) -> Any:
    """What a package plugged in under that name: a module, or what it names in it."""
    entry = plugged(kind)[name]
    try:
        return entry.load()
    except Exception as error:  # NB: anything can go wrong in code that is not ours
        raise ValueError(f"expected {entry.value} for {name}, as an installed package says, got {type(error).__name__}: {error}; "
                         "mend or uninstall that package") from error


def fingerprint(kind: str, name: str) -> str:
    """Of the source that a name stands for."""
    entry = plugged(kind)[name]
    found = importlib.util.find_spec(entry.module)
    source = Path(found.origin).read_bytes() if found and found.origin and Path(found.origin).is_file() else b""
    return hashlib.sha256(entry.value.encode() + source).hexdigest()
