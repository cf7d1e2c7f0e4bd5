"""Labels grown into the room around them, in two or three dimensions, a face a step.

Two labels that meet have met half way, and what none can reach stays 0. Of two that reach a pixel in the same step the
one with more of its neighbours has it, then the larger: so the result depends neither on the direction of an axis nor on
threads, and what is left of the half way is shared out. Only pixels that are still open are looked at, so the cost
follows what there is to fill.

Steps over faces alone measure the half way along the axes: a finger, round and thin, so loses its boundary to the flat wall
beside it. Into boundaries every other step therefore goes over edges too (chamfer distance; Borgefors 1986), which is within a voxel of
Euclid's half way there. Elsewhere it would pass through walls that lie across.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.compiled import compiled

Labels = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.intp]


def grown(labels: Labels, *rooms: Mask, into: Mask | None = None, among: Sequence[Labels] = ()) -> Labels:
    """`labels`, of any number but 0, grown through the first room until they stop, then through the next, last `into` the boundaries.

    `among`: a pixel takes no label but those that these have there.
    """
    padded = np.pad(labels, 1)
    lift = 1 - low if (low := int(labels.min())) < 0 else 0  # negative numbers are labels too
    if lift:
        padded[padded != 0] += lift
    found = padded[(slice(1, -1),) * labels.ndim]
    faces, edges = (_neighbours(padded, reach) for reach in (1, 2))
    for room, turns in [*((room, [faces]) for room in rooms), *([(into, [faces, edges])] if into is not None else [])]:
        empty = np.flatnonzero(room & (found == 0))
        todo = np.ravel_multi_index(tuple(at + 1 for at in np.unravel_index(empty, labels.shape)), padded.shape)
        claims = np.stack([one.take(empty) + lift for one in among]) if among else np.zeros((0, len(empty)), np.int32)
        _fill(padded.ravel(), todo, turns, claims.astype(np.int32, copy=False))
    if lift:
        padded[padded != 0] -= lift
    return found


def _fill(flat: Labels, todo: Places, turns: list[Places], claims: Labels) -> None:
    """Fill the pixels `todo`, step by step, over the neighbours whose turn it is, until none can be reached."""
    step = idle = 0
    while len(todo) and idle < len(turns):
        best = _winners(flat, todo, turns[step % len(turns)], claims)
        met = best > 0
        flat[todo[met]] = best[met]
        todo, claims = todo[~met], claims[:, ~met]
        step, idle = step + 1, 0 if met.any() else idle + 1


def _neighbours(padded: Labels, reach: int) -> Places:
    """How far the neighbours of a pixel are in memory: over faces (1), over edges too (2)."""
    strides = np.array(padded.strides) // padded.itemsize
    return np.array([np.dot(way, strides) for way in product((-1, 0, 1), repeat=padded.ndim) if 0 < np.abs(way).sum() <= reach])


@compiled
def _winners(flat: Labels, todo: Places, ways: Places, claims: Labels) -> Labels:
    """The label on most neighbours of each pixel, the larger of two; 0 where there is none. Only those of `claims`, where there are any."""
    best = np.zeros(len(todo), np.int32)
    for i in range(len(todo)):
        most = 0
        for way in ways:
            one = flat[todo[i] + way]
            if one == 0 or one == best[i] or (len(claims) and not (claims[:, i] == one).any()):
                continue
            count = 0
            for other in ways:
                count += flat[todo[i] + other] == one
            if count > most or (count == most and one > best[i]):
                best[i], most = one, count
    return best
