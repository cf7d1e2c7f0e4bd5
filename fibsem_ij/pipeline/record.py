"""run.json: what ran, of what, with which result. Written anew after every stage, so that it is true whenever the machine stops.

    {"recipe": {...}, "seeds": {...}, "versions": {...}, "git": {...} or null, "folder": where the recipe lay,
     "text": of recipe.toml as it was copied,
     "stages": {"register fit": {"key": ..., "options": {...}, "code": ..., "reads": {path: content}, "writes": {path: content},
                                 "start": of what a training went on from, "" for afresh, where the recipe says "last",
                                 "at": time, "seconds": 12.3, "grew": [contents of its result before slices came],
                                 "slices": {name of a slice: size and time of its file}}, and while it runs
                                 "running": key, "was": content of its result, "sums": of the slices of it},
     "seen": {path: [look, content]}, "slices": {path: checksums of its slices}}

Paths are relative to the workspace, contents are those of `fingerprints`. A look that has not changed spares the reading.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from typing import Any

from fibsem_ij.files.json_files import read_json, write_json
from fibsem_ij.pipeline import fingerprints
from fibsem_ij.pipeline.source import Listing
from fibsem_ij.recipe import Recipe
from fibsem_ij.workspace import Workspace

_SMALL = 2**24  # bytes, read at once
_NAMED = ("fibsem-ij", "numpy", "torch", "opencv-python-headless", "zarr")


@dataclass
class Record:
    workspace: Workspace
    about: dict[str, Any] = field(default_factory=dict)  # recipe, seeds, versions, git, folder, text
    stages: dict[str, dict[str, Any]] = field(default_factory=dict)
    seen: dict[str, list[str]] = field(default_factory=dict)
    slices: dict[str, str] = field(default_factory=dict)
    source: Listing = field(default_factory=Listing)  # not written: of this run

    @classmethod
    def read(cls, workspace: Workspace) -> Record:
        if not workspace.run.exists():
            return cls(workspace)
        said = read_json(workspace.run)
        parts = {name: said.pop(name, {}) for name in ("stages", "seen", "slices")}
        if not all(isinstance(part, dict) for part in parts.values()):
            raise ValueError(f"{workspace.run}: expected stages, seen and slices as objects, got others; move it away to start afresh")
        return cls(workspace, said, **parts)

    def write(self) -> None:
        write_json(self.workspace.run, {**self.about, "stages": self.stages, "seen": self.seen, "slices": self.slices})

    def name(self, path: Path) -> str:
        """A path as it is recorded: within the workspace from there, else its name alone, as a folder of sources may be moved."""
        return path.relative_to(self.workspace.folder).as_posix() if path.is_relative_to(self.workspace.folder) else path.name

    def content(self, path: Path, *, quick: bool = False) -> str:
        """What a path holds now; "" where nothing is. `quick` reads small files alone: what else was touched is taken for new."""
        if not path.exists():
            return ""
        name, look = self.name(path), fingerprints.look(path)
        known, held = self.seen.get(name, ("", ""))
        if known == look:
            return held
        if quick and (path.is_dir() or path.stat().st_size > _SMALL):
            return f"touched {look}"
        found = fingerprints.sums(path) if fingerprints.is_store(path) else []
        return self._hold(path, found)

    def sums(self, path: Path) -> tuple[str, ...]:
        """The checksums of the slices of a store whose content was just asked for."""
        return tuple(self.slices.get(self.name(path), "").split()) if fingerprints.is_store(path) else ()

    @property
    def depth(self) -> int:
        """How many slices there are."""
        return len(self.source.slices or self.before("input"))

    def before(self, stage: str) -> Mapping[str, str]:
        """The slices that a stage had before it."""
        found: Mapping[str, str] = self.stages.get(stage, {}).get("slices", {})
        return found

    def made(self, path: Path) -> str:
        """The content of a result that was just written."""
        return self._hold(path, fingerprints.sums_of_new(path))

    def _hold(self, path: Path, found: Sequence[str]) -> str:
        name = self.name(path)
        if found:
            self.slices[name] = " ".join(found)
        held = fingerprints.of_sums(path, found) if found else fingerprints.content(path)
        self.seen[name] = [fingerprints.look(path), held]
        return held

    def tell(self, recipe: Recipe) -> None:
        """What this run is, at its start."""
        said = recipe.plain()
        seeds = {name: table["seed"] for name, table in said.items() if "seed" in table}
        folder = self.about.get("folder") if recipe.folder == self.workspace.folder.resolve() else None
        self.about = {"recipe": fingerprints.plain(said), "seeds": seeds, "versions": versions(), "git": git(),
                      "folder": folder or str(recipe.folder), "text": fingerprints.of(recipe.text)}
        self.write()


def versions() -> dict[str, str]:
    found = {"python": python_version()}
    for name in _NAMED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "?"
    return found


def git() -> dict[str, Any] | None:
    """Of the checkout that the code runs from, where it is one."""
    here = str(Path(__file__).parents[1])

    def asked(*what: str) -> str:
        return subprocess.run(["git", "-C", here, *what], capture_output=True, text=True, timeout=10, check=True).stdout.strip()

    try:
        return {"commit": asked("rev-parse", "HEAD"), "changed": bool(asked("status", "--porcelain", "--", here))}
    except (OSError, subprocess.SubprocessError):
        return None
