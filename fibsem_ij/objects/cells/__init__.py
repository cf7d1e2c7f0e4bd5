"""Cells with their protrusions, followed from drawn slices through the stack.

In come the probabilities of interior and boundary (uint8, (z, y, x)) and drawn slices with whole cells, evenly spread; out
go labels that keep the drawn ids, and a log of every decision. Between two drawn slices a section is followed twice, once
from each side (`follow`), and the two are made one (`agree`). A section is in memory, never the stack.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.objects.cells.options import WAYS, Event, Options
from fibsem_ij.volume import ArrayLike, WritableArray

__all__ = ["WAYS", "Options", "cells"]

Table = dict[str, npt.NDArray[Any]]


def cells(interior: ArrayLike, boundary: ArrayLike, drawn: Mapping[int, npt.NDArray[Any]], out: WritableArray | None = None, *,
          options: Options | None = None, executor: Executor | None = None,
          progress: Callable[[int, int], None] | None = None) -> tuple[Any, Table]:
    """Labels (uint32), and the events: z, track, event, iou, into, y, x.

    A track has a negative number. `new`: it began; `joined`: it met a cell; `other side`: the pass from the other drawn slice
    knew it; `own`: nobody did, and it is numbered above the drawn ids; `bridged`: a bad slice took what was carried into it.
    """
    options = options or Options()
    depth = interior.shape[0]
    _check(interior, boundary, drawn)
    if out is None:
        out = np.empty(interior.shape, np.uint32)
    first = max(int(np.max(labels)) for labels in drawn.values()) + 1
    events: list[Event] = []
    for above, below in pairwise([-1, *sorted(drawn), depth]):
        if above >= 0:
            out[above] = np.asarray(drawn[above]).astype(np.uint32)
        if below - above > 1:
            first, told = _section(interior, boundary, drawn, out, (above, below), first, len(events), options, executor)
            events += told
        if progress:
            progress(below, depth)
    types = {"event": np.str_, "iou": np.float64}
    return out, {name: np.array([getattr(event, name) for event in events], types.get(name, np.int64)) for name in Event._fields}


def _check(interior: ArrayLike, boundary: ArrayLike, drawn: Mapping[int, npt.NDArray[Any]]) -> None:
    shape = tuple(interior.shape)
    if len(shape) != 3 or tuple(boundary.shape) != shape or interior.dtype != np.uint8 or boundary.dtype != np.uint8:
        raise ValueError(f"expected interior and boundary as uint8 of one shape (z, y, x), got {interior.dtype} {shape} and "
                         f"{boundary.dtype} {tuple(boundary.shape)}; 255 is certain")
    odd = [z for z, labels in drawn.items() if not 0 <= z < shape[0] or labels.shape != shape[1:]]
    if not drawn or odd:
        raise ValueError(f"expected drawn slices of {shape[1:]} within 0..{shape[0] - 1}, got {odd or 'none'}; draw some, count from 0")
    largest = max(int(np.max(labels)) for labels in drawn.values())
    if largest >= 2**24:
        raise ValueError(f"expected drawn ids below {2**24}, got {largest}; renumber them from 1")


def _section(interior: ArrayLike, boundary: ArrayLike, drawn: Mapping[int, npt.NDArray[Any]], out: WritableArray, ends: tuple[int, int],
             first: int, tracks: int, options: Options, executor: Executor | None) -> tuple[int, list[Event]]:
    """Fill the slices between two drawn ones. NB: at most two tracks are named for each event so far, so names stay apart."""
    from fibsem_ij.objects.cells.agree import agreed
    from fibsem_ij.objects.cells.follow import follow
    from fibsem_ij.objects.cells.seen import look

    each = executor.map if executor else map
    zs = [z for z in range(ends[0], ends[1] + 1) if 0 <= z < interior.shape[0]]
    grey = {z: (np.asarray(interior[z]), np.asarray(boundary[z])) for z in zs}
    around = [[grey.get(z + d, grey[z]) for d in (-1, 0, 1)] for z in zs]
    seen = dict(zip(zs, each(partial(look, options=options), around), strict=True))
    known = {z: np.asarray(drawn[z]).astype(np.int32) for z in ends if z in drawn}
    between = [z for z in zs if z not in known]
    orders = [between if z == ends[0] else between[::-1] for z in known]
    passes = list(each(partial(follow, options=options), known.values(),
                       [[grey[z][0] for z in (start, *order)] for start, order in zip(known, orders, strict=True)],
                       [[seen[z] for z in order] for order in orders], orders, [-2 * tracks - 1, -2 * tracks - 2]))
    if ends[1] in known:
        passes[-1].labels.reverse()
    section, first, events = agreed(passes[0], passes[-1], seen, known, first, each=each)
    for z in between:
        out[z] = section[z - zs[0]].astype(np.uint32)
    return first, events
