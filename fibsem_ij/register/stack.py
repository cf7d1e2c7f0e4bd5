"""All slices at once: pairwise fits -> one matrix a slice.

Multiplying pairwise matrices lets their errors walk away. Here every slice has its unknowns, every pair is one
observation of the difference between two slices, and all are solved for together (weighted least squares on the group,
Gauss-Newton). A pair that breaks the triangles it is in is left out first; one that still disagrees loses its weight
(Cauchy).

What a pair is worth is the disagreement of its runs, in all directions at once: where the tissue lies in one corner, the
runs agree on what that corner does and on little else. The anatomy's own motion, which no estimator can tell from the
stage's, grows with the distance between the slices: a leaning wall goes on leaning, so far pairs share the error of the
near ones and cannot average it away, while grain, which does not lean, is alike in near slices only. So what a pair is
worth falls steeply with its distance: far pairs bind a stack together where near ones are weak, and say little elsewhere.

Rotation, scale and stretch of a slice are pulled towards 0 (a microscope changes them from slice to slice, but does not
wind them up, while walls that lean through z make a chain of affine fits wind up). How hard is read off the stack: the
pull has the size of the changes from slice to slice that the runs' disagreement does not explain. It is a Cauchy pull,
so that a true trend, well beyond those changes, is followed. All is in pixels moved at the slice's edge, so a slice of
any size is treated alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fibsem_ij.register.banded import System
from fibsem_ij.register.models import Frame, Index, Matrix, basis, corner_distance, project
from fibsem_ij.register.pairs import Pair

_SHIFTS = 2  # of the free numbers, the first two


@dataclass(frozen=True)
class Trust:
    """How the observations are weighed, in pixels at the slice's edge."""

    least_px: float = 0.02  # no fit is better than this
    disagreement: float = 6.0  # variance over that of the runs: structure is alike over more than one block of tiles
    distance: float = 4.0  # the variance grows with this power of a pair's distance
    outlier: float = 3.0  # standard deviations at which a pair has lost half of its weight
    closure_px: float = 1.0  # a triangle of pairs that closes worse than this ...
    closure: float = 6.0  # ... and this many times the usual is broken
    least_pull_px: float = 0.05
    trend: float = 4.0  # times the usual change: beyond it a trend is believed
    anchor_px: float = 0.02
    rounds: int = 12


def solve(pairs: Sequence[Pair], good: Sequence[int], *, model: str, frame: Frame, anchors: Mapping[int, Matrix] | None = None,
          trust: Trust | None = None) -> Matrix:
    """Matrices of the good slices (len(good), 3, 3): a common frame -> slice."""
    trust = trust or Trust()
    free = basis(model)
    at = {z: i for i, z in enumerate(good)}
    fixed, moving = (np.array([at[z] for z in ends]) for ends in ([p.fixed for p in pairs], [p.moving for p in pairs]))
    seen = np.stack([p.matrix for p in pairs])
    weight = _weights(pairs, trust)
    pull = _pull(pairs, model, frame, trust)
    matrices = _chain(seen, fixed, moving, len(good))
    for _ in range(trust.rounds):
        off = frame.to_numbers(np.linalg.inv(matrices[moving]) @ seen @ matrices[fixed]) @ free  # (pairs, free)
        surprise = np.einsum("pi,pij,pj->p", off, weight, off) / free.shape[1]
        system = System(len(good), free.shape[1], int(np.max(moving - fixed)))
        system.observe(fixed, moving, weight / (1 + surprise / trust.outlier**2)[:, None, None], off)
        wound = (frame.to_numbers(matrices) @ free)[:, _SHIFTS:]
        strength = 1 / (pull**2 * (1 + (wound / (trust.trend * pull)) ** 2))
        system.prefer(np.arange(len(good)), np.pad(strength, ((0, 0), (_SHIFTS, 0))), np.pad(-wound, ((0, 0), (_SHIFTS, 0))))
        for z in (anchors or {}).keys() & at.keys():
            wish = frame.to_numbers(np.linalg.inv(matrices[at[z]]) @ (anchors or {})[z]) @ free
            system.prefer(np.array([at[z]]), np.full((1, len(wish)), trust.anchor_px**-2), wish[None])
        change = system.solved()
        matrices = project(matrices @ frame.from_numbers(change @ free.T), model=model, frame=frame)
        if np.abs(change).max() < 1e-4:
            break
    return matrices


def consistent(pairs: Sequence[Pair], *, frame: Frame, trust: Trust | None = None) -> list[Pair]:
    """The pairs without those that contradict the others: i -> k must be i -> j -> k.

    A wild pair breaks every triangle it is in, its neighbours only the ones they share with it: so the pair with the
    most broken triangles goes first, and whoever then still breaks one.
    """
    trust = trust or Trust()
    by = {(p.fixed, p.moving): p for p in pairs}
    second: dict[int, list[int]] = {}
    for i, j in by:
        second.setdefault(i, []).append(j)
    triangles = [(i, j, k) for i, j in by for k in second.get(j, ()) if (i, k) in by]
    if not triangles:
        return list(pairs)
    gaps = corner_distance(np.stack([by[j, k].matrix @ by[i, j].matrix for i, j, k in triangles]),
                           np.stack([by[i, k].matrix for i, _, k in triangles]), frame=frame)
    limit = trust.closure_px + trust.closure * float(np.median(gaps))
    broken = {t for t, gap in zip(triangles, gaps, strict=True) if gap > limit}
    while broken:
        blame = Counter(side for i, j, k in broken for side in ((i, j), (j, k), (i, k)))
        # Of two with as many, the longer one goes: it is the less certain.
        worst = max(blame, key=lambda step: (blame[step], step[1] - step[0], step))
        del by[worst]
        broken = {(i, j, k) for i, j, k in broken if worst not in ((i, j), (j, k), (i, k))}
    return list(by.values())


def _weights(pairs: Sequence[Pair], trust: Trust) -> Matrix:
    """Precision of each pair's free numbers: (pairs, free, free)."""
    span = np.array([float(p.moving - p.fixed) for p in pairs])
    covariance = np.stack([p.covariance for p in pairs]) * (trust.disagreement * span**trust.distance)[:, None, None]
    return np.asarray(np.linalg.inv(covariance + trust.least_px**2 * np.eye(covariance.shape[1])))


def _pull(pairs: Sequence[Pair], model: str, frame: Frame, trust: Trust) -> Matrix:
    """Of rotation, scale and stretch: the s.d. of a slice, from the changes between neighbours."""
    near = min(p.moving - p.fixed for p in pairs)
    next_to = [p for p in pairs if p.moving - p.fixed == near]
    change = (frame.to_numbers(np.stack([p.matrix for p in next_to])) @ basis(model))[:, _SHIFTS:]
    noise = np.median([np.diag(p.covariance)[_SHIFTS:] for p in next_to], 0)
    # Of few slices the mean cannot be told from the changes: then it is a change.
    middle = np.median(change, 0) if len(change) > 4 else 0.0
    seen = (1.4826 * np.median(np.abs(change - middle), 0)) ** 2
    return np.asarray(np.sqrt(np.maximum((seen - noise) / 2, trust.least_pull_px**2)))


def _chain(seen: Matrix, fixed: Index, moving: Index, count: int) -> Matrix:
    """A start: from slice to slice by the nearest pair there is."""
    matrices = np.tile(np.eye(3), (count, 1, 1))
    reached = {0}
    for p in np.lexsort((moving - fixed, moving)):
        if moving[p] not in reached and fixed[p] in reached:
            matrices[moving[p]] = seen[p] @ matrices[fixed[p]]
            reached.add(int(moving[p]))
    return matrices


def bridge(matrices: Matrix, good: Sequence[int], depth: int, *, model: str, frame: Frame) -> Matrix:
    """Matrices of the good slices -> of all: a bad one lies between its good neighbours, beyond the ends as the last good one."""
    numbers = frame.to_numbers(matrices)
    every = np.column_stack([np.interp(np.arange(depth), good, column) for column in numbers.T])
    return project(frame.from_numbers(every), model=model, frame=frame)


def without_trend(matrices: Matrix, *, slices: float, model: str, frame: Frame) -> Matrix:
    """What is slower than `slices` is the specimen's own and is left in it: only the jitter is corrected.

    The trend is a local straight line (Gaussian window), which also holds at the ends.
    """
    z = np.arange(len(matrices), dtype=np.float64)
    numbers = frame.to_numbers(matrices)
    trend = np.empty_like(numbers)
    reach = int(np.ceil(3 * slices))
    for k in range(len(z)):
        near = slice(max(0, k - reach), k + reach + 1)
        away = z[near] - k
        line = np.column_stack([np.ones_like(away), away]) * np.exp(-0.25 * (away / slices) ** 2)[:, None]
        trend[k] = np.linalg.lstsq(line, numbers[near] * np.exp(-0.25 * (away / slices) ** 2)[:, None], rcond=None)[0][0]
    return project(frame.from_numbers(numbers - trend), model=model, frame=frame)
