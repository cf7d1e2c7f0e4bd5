"""register over files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from fibsem_ij import files, register
from fibsem_ij.volume import Labels, Transforms, Volume


@contextmanager
def aligning(options: register.Options, aligner: str, *, home: Path | str | None, heap: str | None) -> Iterator[register.Options]:
    """fiji-turboreg and fiji-sift are the plugins of a Fiji, in a process that ends with this; the others are here.

    NB: within the pool's own `with`, so that at Ctrl-C the pool does not wait for Java."""
    if not aligner.startswith("fiji-"):
        yield replace(options, aligner=aligner)
        return
    from fibsem_ij.fiji.apart import Apart
    from fibsem_ij.fiji.plugins import AlignerApart

    with Apart(home, heap=heap) as java:
        yield replace(options, aligner=AlignerApart.named(aligner, java, model=options.model, runs=options.runs))


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
