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

from fibsem_ij.objects.cells.options import WAYS, Options
from fibsem_ij.volume import ArrayLike, WritableArray

__all__ = ["WAYS", "Options", "cells"]

Table = dict[str, npt.NDArray[Any]]
Event = tuple[int, int, str, float, int]  # z, track, event, iou, into


def cells(interior: ArrayLike, boundary: ArrayLike, drawn: Mapping[int, npt.NDArray[Any]], out: WritableArray | None = None, *,
          options: Options | None = None, executor: Executor | None = None,
          progress: Callable[[int, int], None] | None = None) -> tuple[Any, Table]:
    """Labels (uint32), and the events: z, track, event, iou, into.

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
    names = ("z", "track", "event", "iou", "into")
    types = (np.int64, np.int64, np.str_, np.float64, np.int64)
    return out, {name: np.array([event[n] for event in events], dtype) for n, (name, dtype) in enumerate(zip(names, types, strict=True))}


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
    from fibsem_ij.objects.cells.agree import agreed, named, one_sided, resolved
    from fibsem_ij.objects.cells.flow import flow
    from fibsem_ij.objects.cells.follow import Pass, follow

    above, below = ends
    zs = list(range(above + 1, below))
    grey = {z: (np.asarray(interior[z]), np.asarray(boundary[z])) for z in range(max(above, 0), min(below + 1, interior.shape[0]))}
    each = executor.map if executor else map

    sides = [(start, order, name) for start, order, name in ((above, zs, -2 * tracks - 1), (below, zs[::-1], -2 * tracks - 2))
             if start in drawn]
    flows = [list(each(partial(flow, options=options), [grey[z][0] for z in order], [grey[z][0] for z in (start, *order[:-1])]))
             for start, order, _ in sides]
    passes = dict(zip((start for start, _, _ in sides), each(
        partial(follow, options=options), [np.asarray(drawn[start]).astype(np.int32) for start, _, _ in sides],
        [[grey[z] for z in order] for _, order, _ in sides], flows, [order for _, order, _ in sides], [name for _, _, name in sides]),
        strict=True))
    nothing = Pass(0, [np.zeros(interior.shape[1:], np.int32) for _ in zs])
    up, down = passes.get(above, nothing), passes.get(below, nothing)
    down.labels.reverse()
    (risen, told_up), (fallen, told_down) = resolved(up, down), resolved(down, up)
    if above in drawn and below in drawn:
        interiors, boundaries = (np.stack([grey[z][n] for z in sorted(grey)]) for n in (0, 1))
        mask = (interiors >= options.inside * 255) | (boundaries >= options.inside * 255)
        ends_drawn = (np.asarray(drawn[above]).astype(np.int32), np.asarray(drawn[below]).astype(np.int32))
        section, first = agreed(risen, fallen, mask, boundaries, ends_drawn, first, options)
    else:
        section, first = one_sided(risen if above in drawn else fallen, first)
    for z, labels in zip(zs, section, strict=True):
        out[z] = labels.astype(np.uint32)
    told = [*up.events, *down.events, *told_up, *told_down, *named(risen, section, zs), *named(fallen, section, zs)]
    return first, sorted(told)
