"""Labels grown into the room around them, in two or three dimensions, a face a step.

Two labels that meet have met half way, and what none can reach stays 0. Of two that reach a pixel in the same step the
one with more faces there has it, then the larger: so the result depends neither on the direction of an axis nor on
threads, and what is left of the half way is shared out. Only pixels that are still open are looked at, so the cost
follows what there is to fill.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]


def grown(labels: Labels, *rooms: Mask, among: Sequence[Labels] = ()) -> Labels:
    """`labels`, of any number but 0, grown through the first room until they stop, then through the next.

    `among`: a pixel takes no label but those that these have there.
    """
    padded = np.pad(labels, 1)
    lift = 1 - low if (low := int(labels.min())) < 0 else 0  # negative numbers are labels too
    if lift:
        padded[padded != 0] += lift
    flat, found = padded.ravel(), padded[(slice(1, -1),) * labels.ndim]
    steps = [sign * (stride // padded.itemsize) for stride in padded.strides for sign in (-1, 1)]
    for room in rooms:
        empty = np.flatnonzero(room & (found == 0))
        claims = [one.take(empty) + lift for one in among]
        todo = np.ravel_multi_index(tuple(at + 1 for at in np.unravel_index(empty, labels.shape)), padded.shape)
        while len(todo):
            near = np.stack([flat.take(todo + step) for step in steps])
            if claims:
                near *= np.logical_or.reduce([near == claim for claim in claims])
            best = _winners(near)
            met = best > 0
            if not met.any():
                break
            flat[todo[met]] = best[met]
            todo, claims = todo[~met], [claim[~met] for claim in claims]
    if lift:
        padded[padded != 0] -= lift
    return found


def _winners(near: Labels) -> Labels:
    """What lies on the faces of some pixels (faces, n) -> the label on most of them, the larger of two; 0 where there is none."""
    best: Labels = near.max(0)
    torn = np.flatnonzero(((near != best) & (near != 0)).any(0))
    if len(torn):
        rivals = near[:, torn]
        faces = np.stack([np.count_nonzero(rivals == one, 0) for one in rivals]) * (rivals != 0)
        best[torn] = np.where(faces == faces.max(0), rivals, 0).max(0)
    return best
