"""Connected components of a stack that does not fit into memory, the same as of one that does.

The stack is cut into slabs along z, each beginning with the last slice of the one before. Each slab is labelled by
itself (cc3d); on the slice that two slabs share, equal voxels have two numbers, and those two are one component. So any
neighbourhood and any rule of what hangs together is joined exactly: every pair of neighbours lies inside one slab.

Components are numbered from 1 by their first voxel in (z, y, x) order, whatever the height of the slabs: cc3d numbers a
slab in that order, and a component takes the lowest number it has anywhere (union-find, by scipy's sparse graphs).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[Any]
Ids = npt.NDArray[np.uint32]
Read = Callable[[int], Pixels]  # the pixels of slab i, shared slice included

SLAB_VOXELS = 2**22  # small enough for a processor's cache: larger slabs are slower ...
SLAB_SLICES = 8  # ... and lower ones label too many slices twice


@dataclass(frozen=True)
class Slabs:
    """Where the slabs lie: slab i adds slices `own(i)`, and is labelled on `seen(i)`."""

    depth: int
    height: int

    @classmethod
    def of(cls, shape: tuple[int, ...], height: int | None) -> Slabs:
        return cls(shape[0], min(height or max(SLAB_SLICES, SLAB_VOXELS // (shape[1] * shape[2])), shape[0]))

    def __len__(self) -> int:
        return -(-self.depth // self.height)

    def own(self, i: int) -> slice:
        return slice(i * self.height, min((i + 1) * self.height, self.depth))

    def seen(self, i: int) -> slice:
        return slice(max(i * self.height - 1, 0), self.own(i).stop)


@dataclass(frozen=True, eq=False)
class Joined:
    """Slab i calls a component `n`; in the stack it is `tables[i][n]`."""

    tables: tuple[Ids, ...]
    count: int

    def renamed(self, number: Ids) -> Joined:
        """The components under other numbers: `number[old]` is new, 0 for dropped."""
        return Joined(tuple(number[table] for table in self.tables), int(number.max(initial=0)))


def label(pixels: Pixels, *, connectivity: int, delta: float | None = None) -> tuple[Ids, int]:
    """Components of neighbours that are equal, or differ by no more than `delta`; 0 is background."""
    import cc3d

    pixels = np.require(pixels, pixels.dtype.newbyteorder("="), ["C", "W"])  # NB: cc3d refuses what cannot be written, a memmap
    if pixels.dtype == bool and sorted(pixels.shape)[1] == 1:
        pixels = pixels.view(np.uint8)  # NB: cc3d 4.1.1 fails on a bare line of bool
    limit = {} if delta is None else {"delta": pixels.dtype.type(delta)}
    labels, count = cc3d.connected_components(pixels, connectivity=connectivity, out_dtype=np.uint32, return_N=True, **limit)
    return labels, int(count)


def join(read: Read, slabs: Slabs, *, connectivity: int, delta: float | None = None,
         each: Callable[[int, Pixels, Ids, int], None] | None = None) -> Joined:
    """The components of all slabs together. `each(i, pixels, labels, count)` sees every slab as it is labelled."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first = [0]
    pairs: list[npt.NDArray[np.int64]] = []
    last = np.empty((0, 0), np.uint32)
    for i in range(len(slabs)):
        pixels = read(i)
        labels, count = label(pixels, connectivity=connectivity, delta=delta)
        if i:
            pairs.append(_pairs(last, labels[0]) + np.array(first[i - 1:i + 1]))
        first.append(first[i] + count)
        last = labels[-1].copy()
        if each:
            each(i, pixels, labels, count)
    above, below = np.concatenate([*pairs, np.empty((0, 2), np.int64)]).T - 1
    graph = coo_array((np.ones(len(above), bool), (above, below)), shape=(first[-1], first[-1]))
    count, root = connected_components(graph, directed=False) if first[-1] else (0, np.empty(0, np.int64))
    _, where = np.unique(root, return_index=True)
    number = np.empty(count, np.uint32)
    number[np.argsort(where)] = np.arange(1, count + 1)
    tables = (np.concatenate([[0], number[root[a:b]]]).astype(np.uint32) for a, b in pairwise(first))
    return Joined(tuple(tables), count)


def _pairs(above: Ids, below: Ids) -> npt.NDArray[np.int64]:
    """Two labellings of one slice -> the pairs of numbers (n, 2) that share a voxel."""
    both = above.astype(np.uint64).ravel() << np.uint64(32) | below.ravel()
    both = both[np.flatnonzero(np.diff(both, prepend=np.uint64(0)))]
    both = np.unique(both[both > 0])
    return np.stack([both >> np.uint64(32), both & np.uint64(2**32 - 1)], 1).astype(np.int64)
