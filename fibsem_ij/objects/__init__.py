"""Room 4: probabilities -> numbered things that keep their number through the stack.

    components   a mask, classes or grey values -> one number for each piece that hangs together
    linking      a mask or regions of single slices -> objects, by how far they lie on each other; drawn ids are kept
    cells        interior and boundary, and drawn slices with whole cells -> cells with their protrusions, and a log
    nuclei       grey values -> nuclei, the classical way by their outlines; crops cuts them out and puts them back
    edits        corrections to a label stack, each with a record that undoes it

The three verbs are those of the way with drawn slices. `fit` takes the drawn slices, `apply` gives every slice their ids:
by `cells` where interior and boundary are known, by `linking` where there is a plain mask. Both work between two drawn
slices at a time, from both sides alike, so that an id survives a bad slice, a protrusion that a slice shows as an island,
and masks that merge; the others do without drawn slices and are called by name. Labels are uint32; what no drawn slice
knows is numbered above the drawn ids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.objects.cells import Options, Table
from fibsem_ij.volume import ArrayLike, WritableArray

__all__ = ["Drawn", "Options", "apply", "fit", "score"]

Drawn = Mapping[int, npt.NDArray[Any]]  # z -> the label slice that was drawn


def fit(drawn: ArrayLike | Drawn) -> Drawn:
    """The drawn slices by z, those that are not empty: an empty one is taken for one that nobody drew."""
    slices = drawn.items() if isinstance(drawn, Mapping) else ((z, drawn[z]) for z in range(drawn.shape[0]))
    fitted = {z: labels for z, slice_ in slices if (labels := np.asarray(slice_)).any()}
    if not fitted:
        raise ValueError("expected drawn slices with objects, got none; draw some cells in a few evenly spread slices")
    return fitted


def apply(src: ArrayLike, fitted: Drawn, out: WritableArray | None = None, *, boundary: ArrayLike | None = None,
          options: Options | None = None, executor: Executor | None = None, log: Callable[[Table], None] | None = None,
          progress: Callable[[int, int], None] | None = None) -> Any:
    """Labels (uint32) of cells, from `src` as their interior and `boundary`; or of objects, from `src` as a mask.

    `log` is given the decisions: z, track, event, iou, into, y, x. A mask is linked, which decides nothing that needs a log.
    """
    if boundary is None:
        from fibsem_ij.objects.linking import link

        return link(src, out, drawn=fitted, executor=executor, progress=progress)
    from fibsem_ij.objects.cells import cells

    labels, events = cells(src, boundary, fitted, out, options=options, executor=executor, progress=progress)
    if log:
        log(events)
    return labels


def score(result: ArrayLike, truth: ArrayLike) -> dict[str, float]:
    """dice and iou of what is not background; of objects: dice (mean over the true ones), recall (Dice of half or more),
    adapted_rand error, bits of splits and merges (variation of information), ids_switched and tracks_broken along z."""
    from fibsem_ij.arrays import partitions, scores

    table = scores.overlaps(result, truth)
    split, merged = partitions.variation_of_information(table)
    return {"dice": scores.dice(result, truth), "iou": scores.iou(result, truth),
            "object_dice": float(scores.object_dice(table)[1].mean()), "object_recall": partitions.recall(table),
            "adapted_rand": scores.adapted_rand(table)[0], "split_bits": split, "merged_bits": merged,
            **partitions.tracks(result, truth)}
