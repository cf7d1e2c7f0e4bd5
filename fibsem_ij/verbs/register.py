"""register over files."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import Any

from fibsem_ij import files, register
from fibsem_ij.volume import Labels, Transforms, Volume

IN_FIJI = ("fiji-turboreg", "fiji-sift")  # fiji.plugins.ALIGNERS, which only a session can make


def with_aligner(options: register.Options, aligner: str, *, home: Path | str | None) -> register.Options:
    """fiji-turboreg and fiji-sift are the plugins of a Fiji; the others are here, or come from other packages."""
    if aligner not in IN_FIJI:
        return replace(options, aligner=aligner)
    from fibsem_ij import fiji
    from fibsem_ij.fiji.plugins import ALIGNERS

    return replace(options, aligner=ALIGNERS[aligner](fiji.start(home or None), model=options.model, runs=options.runs))


def apply(stack: Volume, fitted: Transforms, out: Path, *, interpolation: str | None, contrast: str, executor: Executor | None = None,
          progress: Callable[[int, int], None] | None = None, resume: str = "") -> tuple[int, int, int]:
    """Write the stack, or the label stack, on the canvas of `fitted`; its shape."""
    shape = (len(fitted), *fitted.canvas)
    classes: Any = getattr(stack, "classes", None)
    with files.create(out, shape=shape, dtype=stack.dtype, voxel_nm=stack.voxel_nm, names=stack.names, labels=isinstance(stack, Labels),
                      classes=classes, resume=resume) as sink:
        register.apply(stack, fitted, sink, interpolation=interpolation, contrast=contrast, executor=executor, done=sink.done,
                       progress=progress)
    return shape
