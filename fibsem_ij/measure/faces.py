"""The surfaces of objects as points: the middles of the voxel faces between an object and anything else.

They lie where a surface mesh of the labels has its vertices. Coordinates are whole numbers of half voxels (z, y, x), so
that nothing is rounded: voxel (z, y, x) has its middle at (2z, 2y, 2x). A face on the border of the stack is where the
stack was cut, not where the object ends, and is left out.

`Patches` are the faces of one object in one block of the stack, told by their box and one of them: all that must be in
memory to know which few faces can matter, and those are read again (`of_patches`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.compiled import compiled
from fibsem_ij.measure.objects import Objects, over_slices
from fibsem_ij.volume import ArrayLike

Ints = npt.NDArray[np.int32]
Codes = npt.NDArray[np.int64]
BLOCK = 8  # voxels along each side of a block


@dataclass(frozen=True, eq=False)
class Patches:
    codes: Codes  # (n,), rising: block and row in one number
    rows: Ints  # (n,)
    low: Ints  # (n, 3)
    high: Ints  # (n, 3)
    one: Ints  # (n, 3) one of the faces

    def __len__(self) -> int:
        return len(self.codes)


def faces(labels: ArrayLike, objects: Objects) -> Iterator[tuple[int, Ints]]:
    """z, and the faces of the voxels of slice z: (n, 4) of row, z, y, x."""
    return over_slices(lambda rows, k, z: (z, _of_slice(rows[max(k - 1, 0):k + 2], min(k, 1), z)), labels, objects, halo=1)


def patches(labels: ArrayLike, objects: Objects) -> Patches:
    """All patches of a stack, in one pass."""
    table = np.empty((0, 10), np.int64)  # code, low, high, one
    whole: list[npt.NDArray[np.int64]] = []
    for z, found in faces(labels, objects):
        if z % BLOCK == 0:
            whole.append(table)
            table = table[:0]
        codes = _codes(z, found, labels.shape, objects)
        table = _merged(np.concatenate([table, np.concatenate([codes[:, None], found[:, [1, 2, 3] * 3]], 1)]))
    table = np.concatenate([*whole, table])
    low, high, one = (table[:, i:i + 3].astype(np.int32) for i in (1, 4, 7))
    return Patches(table[:, 0], (table[:, 0] % max(len(objects), 1)).astype(np.int32), low, high, one)


def of_patches(labels: ArrayLike, objects: Objects, codes: Codes) -> tuple[Ints, Codes]:
    """The faces (n, 3) of these patches, patch by patch, and where each patch begins (len(codes) + 1,)."""
    points, owners = [np.empty((0, 3), np.int32)], [np.empty(0, np.int64)]
    for z, found in faces(labels, objects) if len(codes) else ():
        these = _codes(z, found, labels.shape, objects)
        at = np.minimum(np.searchsorted(codes, these), len(codes) - 1)
        kept = codes[at] == these
        points.append(found[kept, 1:])
        owners.append(at[kept])
    owner = np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    return np.concatenate(points)[order], np.searchsorted(owner[order], np.arange(len(codes) + 1))


def _codes(z: int, found: Ints, shape: tuple[int, ...], objects: Objects) -> Codes:
    """Of faces of the voxels of slice z. NB: one between two blocks may be told to belong to either, always to the same."""
    high, wide = (n // BLOCK + 1 for n in shape[1:])
    y, x = (found[:, i].astype(np.int64) // (2 * BLOCK) for i in (2, 3))
    return ((z // BLOCK * high + y) * wide + x) * len(objects) + found[:, 0]


def _merged(table: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """One line for each code."""
    _, first, at = np.unique(table[:, 0], return_index=True, return_inverse=True)
    out = table[first]
    np.minimum.at(out[:, 1:4], at, table[:, 1:4])
    np.maximum.at(out[:, 4:7], at, table[:, 4:7])
    return out


@compiled
def _of_slice(rows: Any, k: int, z: int) -> Any:
    """The faces of slice k of (up to three) slices of rows; it is slice z of the stack."""
    depth, height, width = rows.shape
    count = 0
    for fill in range(2):  # first they are counted, then they are written
        out = np.empty((count if fill else 0, 4), np.int32)
        count = 0
        for y in range(height):
            for x in range(width):
                row = rows[k, y, x]
                if row < 0:
                    continue
                for side in range(6):
                    step = 1 if side % 2 else -1
                    dz, dy, dx = (step if side < 2 else 0), (step if 2 <= side < 4 else 0), (step if side >= 4 else 0)
                    a, b, c = k + dz, y + dy, x + dx
                    if a < 0 or b < 0 or c < 0 or a >= depth or b >= height or c >= width or rows[a, b, c] == row:
                        continue
                    if fill:
                        out[count, 0], out[count, 1], out[count, 2], out[count, 3] = row, 2 * z + dz, 2 * y + dy, 2 * x + dx
                    count += 1
    return out
