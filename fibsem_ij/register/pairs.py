"""Every pair of slices that is worth a fit, fitted: the aligners' socket and the one place where the median is taken.

An aligner is any function `(fixed, moving, *, rng) -> matrices (runs, 3, 3)`, fixed pixel -> moving pixel; it gives back
an empty array where it finds nothing, and a fit that has run away counts as nothing found. If it has a method
`prepare(slice)`, that is called once a slice, and the aligner gets what it made instead of the slices. If it has a method
`many(pairs, *, rngs) -> [matrices, ...]`, it is given all pairs of a chunk at once.

The stack is cut into chunks of neighbouring slices, a chunk's pairs are fitted together, and only as many slices as the
reach are held ready. Each pair has its own random numbers, from the seed and its two slices: the result does not depend
on chunks or workers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.slices import map_slices
from fibsem_ij.register.likeness import likeness, smoothed, thumbnail
from fibsem_ij.register.models import Frame, Matrix, basis, median
from fibsem_ij.volume import ArrayLike

Step = tuple[int, int]  # fixed slice, moving slice
_CHUNK_BYTES = 128 * 2**20
_RUNAWAY = 0.5


class Aligner(Protocol):
    def __call__(self, fixed: Any, moving: Any, *, rng: np.random.Generator) -> Matrix: ...


@dataclass(frozen=True, eq=False)
class Pair:
    """One fit. `covariance` is that of the free numbers of the model, by the disagreement of the runs."""

    fixed: int
    moving: int
    matrix: Matrix  # (3, 3)
    covariance: Matrix  # (free, free) in px2
    spread_px: float
    likeness: npt.NDArray[np.float32]  # (blocks,) correlation of the slices after the fit, -1..1
    smooth: npt.NDArray[np.float32]  # the same with little of the noise


def steps(good: Sequence[int], *, reach: int) -> list[Step]:
    """Pairs at distance 1..reach, counted in good slices, so that a gap is bridged like any other step."""
    return [(z, good[i + d]) for i, z in enumerate(good) for d in range(1, reach + 1) if i + d < len(good)]


def fit_pairs(src: ArrayLike, wanted: Iterable[Step], aligner: Aligner, *, model: str, seed: int,
              contrast: Callable[[npt.NDArray[Any]], npt.NDArray[Any]] | None = None, executor: Executor | None = None,
              kept: MutableMapping[Step, Pair] | None = None, progress: Callable[[int, int], None] | None = None) -> dict[Step, Pair]:
    """Fit the wanted pairs that are not in `kept`, and put them there. A pair for which the aligner found nothing is absent."""
    kept, wanted = {} if kept is None else kept, set(wanted)
    chunks = _Chunks(src, wanted - kept.keys())
    if chunks.steps:
        task = partial(_fit_chunk, jobs=chunks.jobs(), aligner=aligner, model=model, seed=seed, contrast=contrast)
        map_slices(task, chunks, _Kept(kept), executor=executor, progress=progress, unit="chunk")
    return {step: kept[step] for step in sorted(wanted & kept.keys())}


class _Kept:
    """Chunks in, pairs kept."""

    def __init__(self, pairs: MutableMapping[Step, Pair]) -> None:
        self.pairs = pairs

    def __setitem__(self, _: int, found: list[Pair]) -> None:
        for pair in found:
            self.pairs[pair.fixed, pair.moving] = pair


class _Chunks:
    """The stack as overlapping chunks, so that chunks can be mapped as slices are."""

    def __init__(self, src: ArrayLike, wanted: Iterable[Step]) -> None:
        self.src = src
        self.dtype = src.dtype
        size = int(np.prod(src.shape[1:])) * src.dtype.itemsize
        wanted = sorted(wanted)
        # A few chunks at least, for all workers to have one; not too short, for each makes its last slices ready anew.
        self.length = max(2, min(_CHUNK_BYTES // size, 10, max(4, -(-len({fixed for fixed, _ in wanted}) // 4))))
        self.steps: list[list[Step]] = []
        for step in wanted:
            if not self.steps or step[0] >= self.steps[-1][0][0] + self.length:
                self.steps.append([])
            self.steps[-1].append(step)
        self.shape = (len(self.steps), *src.shape[1:])

    def jobs(self) -> list[tuple[list[int], list[Step]]]:
        """Of each chunk: which slices it holds, which pairs it fits."""
        return [(sorted({z for step in chunk for z in step}), chunk) for chunk in self.steps]

    def __getitem__(self, i: int) -> npt.NDArray[Any]:
        return np.stack([np.asarray(self.src[z]) for z in self.jobs()[i][0]])


def _fit_chunk(slices: npt.NDArray[Any], i: int, *, jobs: list[tuple[list[int], list[Step]]], aligner: Aligner, model: str,
               seed: int, contrast: Callable[[npt.NDArray[Any]], npt.NDArray[Any]] | None) -> list[Pair]:
    numbers, wanted = jobs[i]
    prepare: Callable[[npt.NDArray[Any]], Any] = getattr(aligner, "prepare", lambda image: image)
    ready: dict[int, tuple[Any, npt.NDArray[np.float32]]] = {}
    frame = Frame((slices.shape[1], slices.shape[2]))
    at_once = len(wanted) if hasattr(aligner, "many") else 1
    found = []
    for first in range(0, len(wanted), at_once):
        some = wanted[first:first + at_once]
        for z in (z for z in list(ready) if z < some[0][0]):
            del ready[z]
        for z in sorted({z for step in some for z in step} - ready.keys()):
            image = slices[numbers.index(z)]
            ready[z] = prepare(contrast(image) if contrast else image), thumbnail(image)
        for step, runs in zip(some, _runs(aligner, some, ready, seed), strict=True):
            pair = _pair(step, runs, ready[step[0]][1], ready[step[1]][1], model, frame) if len(runs) else None
            if pair and _possible(pair.matrix):
                found.append(pair)
    return found


def _runs(aligner: Aligner, some: Sequence[Step], ready: Mapping[int, tuple[Any, Any]], seed: int) -> list[Matrix]:
    pairs = [(ready[fixed][0], ready[moving][0]) for fixed, moving in some]
    rngs = [np.random.default_rng([seed, *step]) for step in some]
    of = " and ".join(f"slice {moving} to slice {fixed}" for fixed, moving in (some if len(some) < 3 else (some[0], some[-1])))
    try:
        if hasattr(aligner, "many"):
            return list(aligner.many(pairs, rngs=rngs))
        return [aligner(*pairs[0], rng=rngs[0])]
    except ValueError as error:
        raise ValueError(f"{of}: {error}") from error
    except Exception as error:
        error.add_note(f"while fitting {of}")
        raise


def _possible(matrix: Matrix) -> bool:
    """No microscope stretches or turns a slice by half from one to the next: such a fit has run away, and found nothing."""
    return bool(np.abs(matrix[:2, :2] - np.eye(2)).max() < _RUNAWAY)


def _pair(step: Step, runs: Matrix, fixed: npt.NDArray[np.float32], moving: npt.NDArray[np.float32], model: str, frame: Frame) -> Pair:
    matrix, spread = median(runs, model=model, frame=frame)
    apart = frame.to_numbers(np.linalg.inv(matrix) @ runs) @ basis(model)
    covariance = apart.T @ apart / max(1, len(runs) - 1)
    alike = (likeness(*both, matrix, frame) for both in ((fixed, moving), (smoothed(fixed), smoothed(moving))))
    return Pair(*step, matrix, covariance, spread, *alike)
