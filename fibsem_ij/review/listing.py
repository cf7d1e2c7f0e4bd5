"""The queue, review.csv: the slices of a workspace worth a look, the worst first, across its stages.

    z, name    which slice, from 0, and its name
    stage      registration, denoising, segmentation, objects
    score      how unusual, 0 to 1, .5 is usual, comparable across stages (`ranking`), after what is listed above it
    reason     in words
    good       True once a person has looked and found nothing to correct: no queue lists it among the others again

Each stage is looked at that has left something in the folder. All is read slice by slice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from fibsem_ij import files
from fibsem_ij.files import probabilities, tables, transforms
from fibsem_ij.review import denoising, objects, registration, segmentation
from fibsem_ij.review.ranking import LEARNS, WORTH, Evidence, doubts, ordered
from fibsem_ij.volume import Volume
from fibsem_ij.workspace import Workspace

STAGES = (registration.STAGE, denoising.STAGE, segmentation.STAGE, objects.STAGE)
COUNT = 50

_GOOD = {"true", "x", "1", "1.0", "yes", "y", "good", "ok"}

Progress = Callable[[str, int, int], None]  # stage, done, all


@dataclass(frozen=True)
class Entry:
    z: int
    name: str
    stage: str
    score: float
    reason: str
    good: bool = False


def queue(workspace: Workspace, *, count: int = COUNT, stages: Sequence[str] = STAGES, executor: Executor | None = None,
          progress: Progress | None = None) -> list[Entry]:
    """Look at the workspace, write its review.csv, and give what it lists; slices marked good stand at its end."""
    if unknown := [stage for stage in stages if stage not in STAGES]:
        raise ValueError(f"expected stages of {', '.join(STAGES)}, got {unknown[0]!r}; name those")
    names = stack_of(workspace).names
    marked = [entry for entry in read(workspace.queue) if entry.good] if workspace.queue.exists() else []
    known = {(entry.stage, entry.z) for entry in marked}
    found = [one for stage in STAGES if stage in stages for one in _EVIDENCE[stage](workspace, executor, progress)]
    if not found:
        raise FileNotFoundError(f"expected results to review in {workspace.folder}, found none of {', '.join(stages)}; run a stage first")
    left = [doubt for doubt in doubts(found) if (doubt.stage, doubt.z) not in known and (doubt.score >= WORTH or doubt.stage == LEARNS)]
    listed = [Entry(doubt.z, names[doubt.z], doubt.stage, round(doubt.score, 4), doubt.reason)
              for doubt in ordered(left, count, drawn=drawn_slices(workspace, names))]
    write(workspace.queue, [*listed, *marked])
    return listed


def stack_of(workspace: Workspace) -> Volume:
    """The latest grey stack."""
    if not workspace.folder.is_dir():
        raise FileNotFoundError(f"expected a workspace folder, got {workspace.folder}; name the folder that holds raw.zarr, labels.zarr, "
                                "...")
    if not workspace.grey.exists():
        raise FileNotFoundError(f"expected a grey stack in {workspace.folder} (clean.zarr, aligned.zarr or raw.zarr), found none; "
                                "put the stack there, or a link to it")
    return files.read(workspace.grey)


def drawn_slices(workspace: Workspace, names: Sequence[str]) -> list[int]:
    """Those that are drawn in any layer that is a folder."""
    there = {path.stem for path in workspace.drawn.glob("*/*.tif")}
    return [z for z, name in enumerate(names) if name in there]


def write(path: Path, entries: Sequence[Entry]) -> None:
    columns: dict[str, Any] = {field.name: [getattr(entry, field.name) for entry in entries] for field in fields(Entry)}
    if all(name.isdecimal() and name == str(int(name)) for name in columns["name"]):
        columns["name"] = [int(name) for name in columns["name"]]  # as a CSV will read them
    types = {"z": np.int64, "score": np.float64, "good": np.bool_}
    tables.write(path, {name: np.array(column, types.get(name)) if column else np.array([], types.get(name, np.str_))
                        for name, column in columns.items()})


def read(path: Path) -> list[Entry]:
    """The queue; a person may have put True, x, 1 or yes into the column `good`, or taken rows or that column out."""
    if not path.exists():
        raise FileNotFoundError(f"expected a queue at {path}, there is none; run review queue first")
    table = tables.read(path)
    if missing := {"z", "name", "stage", "reason"} - table.keys():
        raise ValueError(f"{path}: expected columns z, name, stage, score, reason and good, got none called {min(missing)}; run review "
                         "queue again")
    depth = len(table["z"])
    scores, good = (table.get(name, np.zeros(depth)).tolist() for name in ("score", "good"))
    if depth and table["z"].dtype.kind != "i":
        raise ValueError(f"{path}: expected slice numbers in column z, got {table['z'][0]}; run review queue again")
    rows = zip(*(table[name].tolist() for name in ("z", "name", "stage", "reason")), scores, good, strict=True)
    return [Entry(z, str(name), str(stage), float(score or 0), str(reason), str(mark).strip().lower() in _GOOD)
            for z, name, stage, reason, score, mark in rows]


def mark_good(path: Path, slices: Sequence[tuple[int, str]]) -> int:
    """Mark all that is listed of some slices, (z, name); one of which nothing is listed is added, so that it stays known. Returns how "
      "many were new."""
    entries = read(path)
    wanted = dict(slices)
    new = [entry for entry in entries if entry.z in wanted and not entry.good]
    unlisted = set(wanted) - {entry.z for entry in entries}
    if new or unlisted:
        more = [Entry(z, wanted[z], stage, 0.0, "found good", good=True) for z in sorted(unlisted) for stage in STAGES]
        write(path, [*(replace(entry, good=entry.good or entry.z in wanted) for entry in entries), *more])
    return len({entry.z for entry in new} | unlisted)


def _registration(workspace: Workspace, executor: Executor | None, progress: Progress | None) -> Iterator[Evidence]:
    if workspace.transforms.exists() and workspace.raw.exists():
        yield from registration.evidence(files.read(workspace.raw), transforms.read(workspace.transforms), executor=executor)


def _denoising(workspace: Workspace, executor: Executor | None, progress: Progress | None) -> Iterator[Evidence]:
    noisy = workspace.aligned if workspace.aligned.exists() else workspace.raw
    if workspace.clean.exists() and noisy.exists():
        yield from denoising.evidence(files.read(noisy), files.read(workspace.clean), bad=_bad(workspace), executor=executor,
                                      progress=_told(progress, denoising.STAGE))


def _segmentation(workspace: Workspace, executor: Executor | None, progress: Progress | None) -> Iterator[Evidence]:
    how: dict[str, Any] = {"bad": _bad(workspace), "executor": executor, "progress": _told(progress, segmentation.STAGE)}
    if workspace.probabilities.exists():
        store = probabilities.read(workspace.probabilities)
        yield from segmentation.evidence(store, store.names, **how)
    elif workspace.classes.exists():
        classes = files.read_labels(workspace.classes)
        names = classes.classes or {i: f"class {i}" for i in range(1, 256)}
        yield from segmentation.evidence(classes, names, **how)


def _objects(workspace: Workspace, executor: Executor | None, progress: Progress | None) -> Iterator[Evidence]:
    for path, what in ((workspace.labels, "object"), (workspace.cells, "cell")):
        log = path.parent / f"{path.name}.events.csv"
        if path.exists():
            yield from objects.evidence(files.read_labels(path), tables.read(log) if log.exists() else None, what=what, bad=_bad(workspace),
                                        executor=executor, progress=_told(progress, objects.STAGE))


def _bad(workspace: Workspace) -> tuple[int, ...]:
    return transforms.read(workspace.transforms).bad if workspace.transforms.exists() else ()


def _told(progress: Progress | None, stage: str) -> Callable[[int, int], None] | None:
    return progress and (lambda done, of: progress(stage, done, of))


_EVIDENCE = dict(zip(STAGES, (_registration, _denoising, _segmentation, _objects), strict=True))
