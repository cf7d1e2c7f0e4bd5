"""What a file of a workspace holds, in a few letters: its content, and a quick look that tells whether it was touched.

`look` reads no pixel: names, sizes and times of files, of a store those of the full size. `content` reads: of a store the checksum of
each slice and the metadata, of networks the weights and what they are, of all else the bytes. A store that was just filled tells its
checksums itself (files.journal), so 50 Gvoxel are not read again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import fibsem_ij
from fibsem_ij import files, sockets
from fibsem_ij.files import journal, probabilities
from fibsem_ij.files.globs import is_glob, matching
from fibsem_ij.files.json_files import read_json

_LETTERS = 16
_NETWORK = ("name", "config", "task", "classes", "activation", "normalisation")  # of network.json: not when and where it was trained


def look(path: Path) -> str:
    """ "" where nothing is."""
    found = [f"{name} {stat.st_size} {stat.st_mtime_ns}\n" for name, stat in sorted(_files(path))]
    return hashlib.sha256("".join(found).encode()).hexdigest()[:_LETTERS] if found else ""


def content(path: Path) -> str:
    """NB: reads all of it."""
    if is_store(path):
        return of_sums(path, sums(path))
    if networks := sorted(path.rglob("network.json")) if path.is_dir() else []:
        return _of_networks(path, networks)
    told = hashlib.sha256()
    for name in sorted(name for name, _ in _files(path)):
        told.update(f"{name if path.is_dir() else ''}\n".encode())
        with (path / name if path.is_dir() else path).open("rb") as file:
            told.update(hashlib.file_digest(file, "sha256").digest())
    return told.hexdigest()[:_LETTERS]


def sums(store: Path) -> list[str]:
    """The checksum of each slice, by reading."""
    if probabilities.found(store):
        channels = probabilities.read(store)
        return [journal.checksum(channels[:, z]) for z in range(channels.shape[1])]
    stack = files.read(store)
    return [journal.checksum(stack[z]) for z in range(len(stack))]


def sums_of_new(path: Path) -> list[str]:
    """The same of a store that was just filled; none of what is no store."""
    if not is_store(path):
        return []
    _, found = journal.read(path)
    return [found[z] for z in range(len(found))] if found and sorted(found) == list(range(len(found))) else sums(path)


def of_sums(store: Path, slices: Sequence[str]) -> str:
    return hashlib.sha256("\n".join((*slices, (store / ".zattrs").read_text(encoding="utf-8"))).encode()).hexdigest()[:_LETTERS]


def of(value: Any) -> str:
    """Of plain values."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:_LETTERS]


@cache
def code(*parts: str) -> str:
    """Of the sources of some parts of the house, and of what other packages plug in, "aligners:NAME"."""
    home, told = Path(fibsem_ij.__file__).parent, hashlib.sha256()
    for part in parts:
        if ":" in part:
            told.update(sockets.fingerprint(*part.split(":", 1)).encode())
            continue
        place = home / part
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            told.update(f"{path.relative_to(home).as_posix()}\n".encode() + path.read_bytes())
    return told.hexdigest()[:_LETTERS]


def is_store(path: Path) -> bool:
    return path.is_dir() and (path / ".zattrs").exists()


def _of_networks(path: Path, networks: Sequence[Path]) -> str:
    told = []
    for one in networks:
        said = read_json(one)
        told.append([one.relative_to(path).as_posix(), said.get("weights_sha256"), {key: said.get(key) for key in _NETWORK}])
    return of(told)


def _files(path: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Of a store those of the full size, and its metadata; of a glob those that match."""
    if not path.is_dir():
        for file in [path] if path.exists() else matching(path) if is_glob(path) else []:
            yield file.name, file.stat()
        return
    if is_store(path):
        yield ".zattrs", (path / ".zattrs").stat()
        path = path / "0"
    folders = [(path, "")]
    while folders:
        folder, above = folders.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir():
                    folders.append((Path(entry.path), f"{above}{entry.name}/"))
                elif not entry.name.startswith("."):
                    yield f"{above}{entry.name}", entry.stat()


def plain(value: Any) -> Any:
    """A value as JSON gives it back."""
    return json.loads(json.dumps(value, default=_plain))


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return dict(value) if hasattr(value, "items") else str(value)
