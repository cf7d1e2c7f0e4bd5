"""objects over files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

from fibsem_ij import files, objects
from fibsem_ij.files import probabilities, tables
from fibsem_ij.volume import ArrayLike


def cells(interior: Any, boundary: ArrayLike | None, drawn: Mapping[int, Any], out: Path, *, options: objects.Options,
          executor: Executor | None = None, progress: Callable[[int, int], None] | None = None) -> Counter[str]:
    """Write the labels, and beside them the decisions, OUT.events.csv; how many of each kind. Without a boundary a mask is linked."""
    events: list[Any] = []
    with labels(out, interior) as sink:
        objects.apply(interior, objects.fit(drawn), sink, boundary=boundary, options=options, executor=executor, log=events.append,
                      progress=progress)
    if events:
        tables.write(out.parent / f"{out.name}.events.csv", events[0])
    return Counter(event for table in events for event in table["event"].tolist())


def labels(out: Path, like: Any) -> AbstractContextManager[Any]:
    return files.create(out, shape=like.shape, dtype=np.uint32, voxel_nm=like.voxel_nm, names=like.names, labels=True)


def interior_and_boundary(path: Path) -> tuple[Any, Any]:
    """Of a store of class probabilities that has both; a plain stack has no boundary."""
    if not probabilities.found(path):
        return files.read(path), None
    store = probabilities.read(path)
    if missing := {"interior", "boundary"} - set(store.classes):
        raise ValueError(f"{path}: expected the classes interior and boundary, got {', '.join(store.classes)} and no {min(missing)}; "
                         "train with segment fit --preset cells, or give a mask of one class")
    return store.of("interior"), store.of("boundary")
