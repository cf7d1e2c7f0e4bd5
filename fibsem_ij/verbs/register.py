"""register over files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fibsem_ij import files, register
from fibsem_ij.volume import Labels, Transforms, Volume

IN_FIJI = ("fiji-turboreg", "fiji-sift")  # fiji.plugins.ALIGNERS, which only a session can make


@contextmanager
def aligning(options: register.Options, aligner: str, *, home: Path | str | None, heap: str | None) -> Iterator[register.Options]:
    """fiji-turboreg and fiji-sift are the plugins of a Fiji, in a process that ends with this; the others are here, or come from other
    packages.

    NB: within the pool's own `with`, so that at Ctrl-C the pool does not wait for Java."""
    if aligner not in IN_FIJI:
        yield replace(options, aligner=aligner)
        return
    from fibsem_ij.fiji.apart import Apart
    from fibsem_ij.fiji.plugins import AlignerApart

    with Apart(home, heap=heap) as java:
        yield replace(options, aligner=AlignerApart.named(aligner, java, model=options.model, runs=options.runs))


def extended(fit: Callable[[register.Options], Transforms], options: register.Options, before: Transforms,
             now: Mapping[int, int]) -> Transforms:
    """The transforms of a stack to which slices came: those of `before` stay as they are, to the bit, and the others are placed against
    them. `now`: where a slice lay -> where it lies."""
    held = {now[z]: before.matrices[z] for z in range(len(before)) if z not in before.bad}
    fitted = fit(replace(options, anchors={**options.anchors, **held}, canvas="same", keep_trend=False, reference=None))
    assert fitted.spread_px is not None
    assert before.spread_px is not None
    matrices, spread, where = fitted.matrices.copy(), fitted.spread_px.copy(), [now[z] for z in range(len(before))]
    matrices[where], spread[where] = before.matrices, before.spread_px
    why = {z: reason for z, reason in fitted.why.items() if z not in where} | {now[z]: reason for z, reason in before.why.items()}
    bad = {z for z in fitted.bad if z not in where} | {now[z] for z in before.bad}
    return Transforms(matrices, before.canvas, before.model, fitted.voxel_nm, np.asarray(spread), tuple(bad), why)


def moved(before: Transforms, after: Transforms, now: Mapping[int, int], shape: Sequence[int]) -> float:
    """How far the slice that moved most did, in pixels, in the mean over its corners."""
    from fibsem_ij.register.warp import corner_errors

    y, x = (n - 1.0 for n in shape)
    where = [now[z] for z in range(len(before))]
    return float(corner_errors(before.matrices, after.matrices[where], points=[(0, 0), (x, 0), (0, y), (x, y)]).max())


def apply(stack: Volume, fitted: Transforms, out: Path, *, interpolation: str | None, contrast: str, executor: Executor | None = None,
          progress: Callable[[int, int], None] | None = None, resume: str = "", of: Sequence[str] = ()) -> tuple[int, int, int]:
    """Write the stack, or the label stack, on the canvas of `fitted`; its shape. `resume`, `of`: see files.create."""
    shape = (len(fitted), *fitted.canvas)
    classes: Any = getattr(stack, "classes", None)
    with files.create(out, shape=shape, dtype=stack.dtype, voxel_nm=stack.voxel_nm, names=stack.names, labels=isinstance(stack, Labels),
                      classes=classes, resume=resume, of=of) as sink:
        register.apply(stack, fitted, sink, interpolation=interpolation, contrast=contrast, executor=executor, done=sink.done,
                       progress=progress)
    return shape
