"""After corrections: what depends on them runs again through the pipeline, where the workspace has a recipe; else the commands for it are
told."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from pathlib import Path

from fibsem_ij import pipeline, recipe
from fibsem_ij.files.folder import CLASSES
from fibsem_ij.review.collecting import Collected
from fibsem_ij.workspace import Workspace


def rerun(workspace: Workspace, *, executor: Executor | None = None, say: Callable[[str], None]) -> tuple[pipeline.Step, ...]:
    """The steps of the pipeline; what nothing depends on does not run."""
    return pipeline.run(recipe.read(workspace.recipe), workspace, executor=executor, say=say)


def commands(workspace: Workspace, done: Collected) -> list[str]:
    """What to run by hand, in order; of stages that have left a result here."""
    if workspace.run.exists():
        return [f"fibsem-ij run RECIPE.toml {shlex.quote(str(workspace.folder))}"]
    return [f"fibsem-ij {shlex.join(map(str, words))}" for words in _commands(workspace, done)]


def _commands(workspace: Workspace, done: Collected) -> Iterator[tuple[str | Path, ...]]:
    grey, net = workspace.grey, workspace.network("segment")
    if done.placed:
        yield "register", "apply", workspace.raw, workspace.transforms, workspace.aligned
        if workspace.clean.exists():
            yield "denoise", "apply", workspace.aligned, workspace.network("denoise"), workspace.clean
    layers = sorted({(workspace.folder / path).parent for path in done.drawn})
    start: tuple[str | Path, ...] = ("--start", net, "--minutes", "3") if net.exists() else ()
    for layer in layers:
        cells = not (layer / CLASSES).exists()
        yield "segment", "fit", grey, layer, net, *(("--preset", "cells") if cells else ()), *start
        yield "segment", "apply", grey, net, workspace.classes, "--probabilities", workspace.probabilities
        if cells:
            yield "objects", "cells", workspace.probabilities, workspace.labels, "--drawn", layer
    if done.placed and not layers and workspace.probabilities.exists():
        yield "segment", "apply", grey, net, workspace.classes, "--probabilities", workspace.probabilities
    if (done.voxels or layers) and workspace.measures.exists():
        yield "measure", workspace.labels, workspace.measures
