"""Who owns each voxel: the cell whose implicit function is lowest there.

A volume is halved again and again; at each step the parts that cannot be lowest anywhere in a half are left out
(functions grow by about one a pixel, so their value at the centre bounds them), until few parts and few voxels are left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fibsem_ij.phantom.fields import F32
from fibsem_ij.phantom.options import Options
from fibsem_ij.phantom.plan import Cell
from fibsem_ij.phantom.shapes import Cones, Ellipsoids, blend

LEAF = 24  # px; smaller pieces are decided voxel by voxel
SEAM_PX = 16.0  # rounding between the lobes of a body
STEEP = 1.3  # how much faster than one a pixel an ellipsoid's function may grow

Owner = npt.NDArray[np.uint16]


@dataclass(frozen=True, eq=False)
class Parts:
    """What is still in the running; each with the numbers of its cells."""

    lobes: Ellipsoids
    processes: Cones
    filopodia: Cones


def parts_of(cells: list[Cell]) -> Parts:
    numbered = list(enumerate(cells, 1))
    return Parts(Ellipsoids.of([(n, lobe) for n, cell in numbered for lobe in cell.lobes]),
                 Cones.of([(n, cell.process) for n, cell in numbered if cell.process]),
                 Cones.of([(n, tube) for n, cell in numbered for tube in cell.filopodia]))


def decide(owner: Owner, where: F32, parts: Parts, options: Options) -> None:
    """Fill `owner` (z, y, x), 0 for nobody, at the positions `where` (3, z, y, x)."""
    low, high = where.min((1, 2, 3)), where.max((1, 2, 3))
    centre, reach = np.asarray((low + high) / 2, np.float32)[:, None], float(np.linalg.norm(high - low)) / 2
    few, highest = _rivals(parts, centre, reach, options.grow_px)
    numbers = {*few.lobes.numbers.tolist(), *few.processes.numbers.tolist()}
    if not len(few.filopodia.numbers) and (not numbers or (len(numbers) == 1 and highest < options.grow_px)):
        owner[...] = numbers.pop() if numbers else 0
    elif max(owner.shape) <= LEAF:
        _leaf(owner, where, few, options)
    else:
        axis = int(np.argmax(owner.shape))
        for half in (slice(None, owner.shape[axis] // 2), slice(owner.shape[axis] // 2, None)):
            here = tuple(half if i == axis else slice(None) for i in range(3))
            decide(owner[here], where[(slice(None), *here)], few, options)


def _rivals(parts: Parts, centre: F32, reach: float, ceiling: float) -> tuple[Parts, float]:
    """The parts that may be lowest within `reach` of `centre`, and a bound on how high the lowest can be."""
    lobes, processes, filopodia = (p.distances(centre)[:, 0] for p in (parts.lobes, parts.processes, parts.filopodia))
    highest = min(float(lobes.min(initial=np.inf)) + STEEP * reach, float(processes.min(initial=np.inf)) + reach)
    limit = min(highest, ceiling)
    low = np.minimum(lobes, lobes / STEEP) - STEEP * reach
    few = Parts(parts.lobes.some(low < limit + SEAM_PX / 4), parts.processes.some(processes - reach < limit),
                parts.filopodia.some(filopodia < reach))
    return few, highest


def _leaf(owner: Owner, where: F32, parts: Parts, options: Options) -> None:
    position = where.reshape(3, -1)
    best = np.full(position.shape[1], options.grow_px, np.float32)
    mine = np.zeros(len(best), np.uint16)
    bodies: dict[int, F32] = {}
    for number, d in zip(parts.lobes.numbers.tolist(), parts.lobes.distances(position), strict=True):
        bodies[number] = blend(bodies[number], d, width_px=SEAM_PX) if number in bodies else d
    for number, d in bodies.items():
        mine[d < best] = number
        best = np.minimum(best, d)
    for number, d in zip(parts.processes.numbers, parts.processes.distances(position), strict=True):
        mine[d < best] = number
        best = np.minimum(best, d)
    for number, d in zip(parts.filopodia.numbers, parts.filopodia.distances(position), strict=True):
        wins = (d < 0) & (best > -options.indent_px)  # deep inside another cell there is no way through
        mine[wins] = number
        best = np.where(wins, d, best)
    owner[...] = mine.reshape(owner.shape)
