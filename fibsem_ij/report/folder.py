"""What a workspace holds, told apart by name (design: the workspace) and opened, not read.

Grey stacks are raw, aligned, denoised, clean; label stacks have one of the names below, or are label stores (.zarr). What cannot be
opened is said in `problems`, and the rest is shown all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from fibsem_ij import files
from fibsem_ij.files import rounds, sidecar, tables, transforms
from fibsem_ij.files.json_files import read_json
from fibsem_ij.volume import Labels, Transforms, Volume
from fibsem_ij.workspace import Workspace

Read = TypeVar("Read")

GREY = ("raw", "aligned", "denoised", "clean")
CLASSES = "classes"
OBJECTS = ("labels", "cells", "nuclei", "nucleoli", "organelles", "mitochondria", "objects", "instances")
REPORT = "report.html"
_ENDINGS = (".zarr", ".tif", ".tiff", ".mrc", ".npy", "")  # the first that is there
_RECIPES = ("recipe.toml", "run.json")
_ROW = ("update", "seconds", "loss", "score")
_TEXT = 40_000  # bytes of a recipe that are shown


@dataclass(eq=False)
class Found:
    folder: Path
    grey: dict[str, Volume] = field(default_factory=dict)
    classes: dict[str, Labels] = field(default_factory=dict)
    objects: dict[str, Labels] = field(default_factory=dict)
    paths: dict[str, Path] = field(default_factory=dict)  # of each stack
    transforms: Transforms | None = None
    networks: dict[str, dict[str, Any]] = field(default_factory=dict)  # what network.json says
    slices: tables.Table | None = None  # what the microscope said of each
    tables: dict[str, tables.Table] = field(default_factory=dict)
    rounds: rounds.Table | None = None  # of drawing and training
    meanings: dict[str, dict[str, str]] = field(default_factory=dict)  # of each table: column -> what it is
    scores: dict[str, dict[str, Any]] = field(default_factory=dict)
    drawn: dict[str, Path] = field(default_factory=dict)  # layers
    recipes: dict[str, str] = field(default_factory=dict)
    pictures: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def stack(self) -> Volume | None:
        """The stack that says how large all this is."""
        return next(iter([*self.grey.values(), *self.classes.values(), *self.objects.values()]), None)

    @contextmanager
    def minding(self, what: str) -> Iterator[None]:
        """What is damaged ends here as a problem, and the rest goes on."""
        try:
            yield
        except (ValueError, OSError) as error:
            self.problems.append(f"{what}: {error}")

    def under(self, labels: Volume) -> Volume | None:
        """The cleanest grey stack of the shape of some labels."""
        return next((self.grey[name] for name in reversed(GREY) if name in self.grey and self.grey[name].shape == labels.shape), None)


def gather(folder: Path) -> Found:
    if not folder.is_dir():
        raise FileNotFoundError(f"expected a workspace folder, got {folder}; name the folder that holds raw.zarr, labels.tif, ...")
    found = Found(folder)
    for name, path in _stacks(folder, GREY):
        if volume := _opened(found, path, files.read):
            found.grey[name], found.paths[name] = volume, path
    for name, path in _stacks(folder, (CLASSES, *OBJECTS, *_label_stores(folder))):
        if labels := _opened(found, path, files.read_labels):
            kind = found.classes if name == CLASSES or labels.classes else found.objects
            kind[name], found.paths[name] = labels, path
    if (path := folder / "transforms.json").exists():
        found.transforms = _opened(found, path, transforms.read)
    for path in sorted({*folder.glob("*/network.json"), *folder.glob("*/*/network.json"), *folder.glob("*/*/*/network.json")}):
        if said := _opened(found, path, _network):
            found.networks[path.parent.relative_to(folder).as_posix()] = said
    if (path := Workspace(folder).rounds).exists():
        found.rounds = _opened(found, path, rounds.read)
    if (path := Workspace(folder).slices).exists():
        found.slices = _opened(found, path, tables.read)
    for path in sorted({*folder.glob("*.csv"), *folder.glob("*.parquet")} - {Workspace(folder).rounds, Workspace(folder).slices}):
        if table := _opened(found, path, tables.read):
            found.tables[path.name] = table
            found.meanings[path.name] = _meanings(_opened(found, path, sidecar.read) or {})
    for path in sorted(folder.glob("*scores*.json")):
        if said := _opened(found, path, read_json):
            found.scores[path.stem] = said
    found.drawn = {path.name: path for path in sorted((folder / "drawn").glob("*")) if path.is_dir() or path.suffix in (".zip", ".tif")}
    for path in (folder / name for name in _RECIPES if (folder / name).is_file()):
        with path.open(encoding="utf-8", errors="replace") as file:
            head = file.read(_TEXT)
            found.recipes[path.name] = head + ("\n... (cut here: the file has more)" if file.read(1) else "")
    found.pictures = [path for place in (folder, folder / "pictures", folder / "qc") for path in sorted(place.glob("*.png"))]
    return found


def describe(volume: Volume) -> str:
    """64 x 400 x 400 uint8, voxel 10 x 10 x 10 nm."""
    size = f", voxel {' x '.join(f'{v:g}' for v in volume.voxel_nm)} nm" if volume.voxel_nm else ", no voxel size"
    return f"{' x '.join(map(str, volume.shape))} {volume.dtype}{size} (z, y, x)"


def _stacks(folder: Path, names: Iterable[str]) -> Iterator[tuple[str, Path]]:
    for name in names:
        if path := next((path for path in (folder / f"{name}{ending}" for ending in _ENDINGS) if path.exists()), None):
            yield name, path


def _label_stores(folder: Path) -> list[str]:
    """Other stores that say themselves that they hold labels."""
    known = {CLASSES, *OBJECTS, *GREY}
    stores = [path.parent for path in sorted(folder.glob("*.zarr/.zattrs")) if path.parent.stem not in known]
    return [store.stem for store in stores if b'"image-label"' in (store / ".zattrs").read_bytes()]


def _opened(found: Found, path: Path, read: Callable[[Path], Read]) -> Read | None:
    try:
        return read(path)
    except (ValueError, OSError) as error:
        found.problems.append(f"{path.relative_to(found.folder).as_posix()}: {error}")
        return None


def _network(path: Path) -> dict[str, Any]:
    """What network.json says: name, task, and of the training `rows` and `notes`."""
    said = read_json(path)
    record = said.get("record")
    history = record.get("history", {}) if isinstance(record, dict) else {}
    rows, notes = (history.get(key, []) for key in ("rows", "notes")) if isinstance(history, dict) else ([], [])
    if any(not isinstance(row, dict) or any(not isinstance(row.get(key), int | float) for key in _ROW) for row in rows):
        raise ValueError(f"expected rows of {', '.join(_ROW)} in its history, got others; train again")
    return {"name": str(said.get("name", "?")), "task": str(said.get("task", "?")), "rows": rows, "notes": [str(note) for note in notes]}


def _meanings(said: Mapping[str, Any]) -> dict[str, str]:
    """What a sidecar says of the columns, as text; it may be another's JSON."""
    columns = said.get("columns")
    return {name: str(told.get("is", "")) for name, told in columns.items() if isinstance(told, dict)} if isinstance(columns, dict) else {}
