"""Displacement: where objects went between two time points, or lie in two stacks.

Objects are matched by their number, or, where the numbers mean nothing, by their centroids: two belong together when each
is the nearest of the other. So none is matched twice, and one that came or went is matched with none, as long as things
move less than half the distance between them; a drift larger than that is `register`'s to take out first.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.measure.columns import Definition, Table

Ids = npt.NDArray[np.int64]

DEFINITIONS: Mapping[str, Definition] = MappingProxyType({
    "later_id": (0, "The number of the same object in the later stack, 0 where none was found."),
    "displacement": (1, "The length of the way from the centroid here to the centroid in the later stack."),
    **{f"displacement_{axis}": (1, f"The {axis} part of that way, later minus here.") for axis in "zyx"},
})


def displacements(ids: npt.ArrayLike, centroids: npt.ArrayLike, later_ids: npt.ArrayLike, later_centroids: npt.ArrayLike, *,
                  by: str = "id", farthest: float = np.inf) -> Table:
    """One row for each object with `centroids` (n, 3); they and `farthest` in one unit."""
    if by not in ("id", "nearest") or not farthest > 0:
        raise ValueError(f"expected objects matched by id or nearest, within more than 0, got {by!r} within {farthest}")
    here = np.asarray(centroids, np.float64).reshape(-1, 3)
    there = np.asarray(later_centroids, np.float64).reshape(-1, 3)
    numbers, names = np.asarray(ids, np.int64), np.asarray(later_ids, np.int64)
    row = _same(numbers, names) if by == "id" else _mutual(here, there)
    way = np.append(there, [[np.nan] * 3], axis=0)[row] - here  # row -1: none
    length = np.sqrt((way**2).sum(1))
    lost = ~(length <= farthest)
    row[lost], way[lost], length[lost] = -1, np.nan, np.nan
    return {"later_id": np.append(names, 0)[row], "displacement": length,
            **{f"displacement_{axis}": way[:, i] for i, axis in enumerate("zyx")}}


def summary(table: Table) -> dict[str, Any]:
    """How many were found again, how far they went together (z, y, x), and about that each on its own; in the columns' unit."""
    way = np.stack([column for name, column in table.items() if name.startswith("displacement_") and name[13:14] in "zyx"], 1)
    way = way[np.isfinite(way).all(1)]
    if not len(way):
        return {"matched": 0, "mean": None, "rms_about_mean": None}
    mean = way.mean(0)
    return {"matched": len(way), "mean": mean.tolist(), "rms_about_mean": float(np.sqrt(((way - mean) ** 2).sum(1).mean()))}


def _same(ids: Ids, later: Ids) -> Ids:
    """The row of each number among the later ones, -1 for none."""
    order = np.argsort(later, kind="stable")
    at = np.minimum(np.searchsorted(later[order], ids), max(len(later) - 1, 0))
    return np.where(later[order][at] == ids, order[at], -1) if len(later) else np.full(len(ids), -1)


def _mutual(here: npt.NDArray[np.float64], there: npt.NDArray[np.float64]) -> Ids:
    from scipy.spatial import cKDTree

    if not len(here) or not len(there):
        return np.full(len(here), -1)
    forth = cKDTree(there).query(here)[1].astype(np.int64)
    back = cKDTree(here).query(there)[1]
    return np.where(back[forth] == np.arange(len(here)), forth, -1)
