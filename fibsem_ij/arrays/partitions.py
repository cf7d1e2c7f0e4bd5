"""How two numberings of one stack differ: variation of information, objects found, ids switched, tracks broken.

The first two are read off the table of `scores.overlaps`; switches and breaks follow each true object from slice to slice.
0 is background. Everything is summed slice by slice.
"""

from __future__ import annotations

import numpy as np

from fibsem_ij.arrays.scores import Overlaps, object_dice, overlaps
from fibsem_ij.volume import ArrayLike


def variation_of_information(table: Overlaps) -> tuple[float, float]:
    """Bits of splitting, H(result | truth), and of merging, H(truth | result), within true objects (Meila 2007; 0 is perfect)."""
    kept = table.truth != 0
    if not kept.any():
        raise ValueError("expected objects in the truth, got background only; score a stack that has some")
    voxels = table.voxels[kept].astype(np.float64)
    share = voxels / voxels.sum()
    halves = []
    for ids in (table.truth[kept], table.result[kept]):
        _, row = np.unique(ids, return_inverse=True)
        halves.append(float(-(share * np.log2(share / np.bincount(row, share)[row])).sum()))
    return halves[0], halves[1]


def recall(table: Overlaps, *, least: float = 0.5) -> float:
    """The share of true objects that the result has with a Dice of `least` or more."""
    _, dice = object_dice(table)
    return float((dice >= least).mean()) if len(dice) else 1.0


def tracks(result: ArrayLike, truth: ArrayLike) -> dict[str, int]:
    """How often true objects lose their number from slice to slice (the object with most of a slice's voxels counts).

    switched: another number in the next slice that shows the object; broken: background there, though it was numbered before.
    """
    last: dict[int, int] = {}
    switched = broken = 0
    for z in range(truth.shape[0]):
        table = overlaps(np.asarray(result[z]), np.asarray(truth[z]))
        best: dict[int, tuple[int, int]] = {}
        for number, true, voxels in zip(table.result.tolist(), table.truth.tolist(), table.voxels.tolist(), strict=True):
            if true:
                best[true] = max(best.get(true, (0, 0)), (voxels, number))
        for true, (_, number) in best.items():
            before = last.get(true, 0)
            switched += bool(before and number and number != before)
            broken += bool(before and not number)
            last[true] = number or before
    return {"ids_switched": switched, "tracks_broken": broken}
