"""What each slice of a result is made of, in a few letters: where that is as it was, the slice is taken over from the result before.

So when slices came, or one was changed, only what sees them is done again, and the bytes are those of a run on the whole stack.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from fibsem_ij.arrays.slices import around
from fibsem_ij.pipeline import fingerprints
from fibsem_ij.pipeline.job import Job
from fibsem_ij.volume import Transforms, Volume

Of = list[str]


def copied(job: Job, stack: Volume, slices: Mapping[str, str]) -> Of:
    """By the files of the microscope; nothing where the source is one file."""
    return _each(job, stack, ([name, slices[name]] for name in stack.names)) if slices else []


def pair(job: Job, stack: Volume, step: tuple[int, int], *, window: int) -> str:
    """Of a fit: its two slices, and how many around them."""
    if not job.sums or max(step) >= len(stack):
        return job.key
    return _each(job, stack, [[list(step), *(_seen(job.sums, z, window) for z in step)]])[0]


def resampled(job: Job, stack: Volume, fitted: Transforms, *, window: int) -> Of:
    rows = fitted.matrices.tolist()
    return _each(job, stack, ([_seen(job.sums, z, window), rows[z], list(fitted.canvas)] for z in range(len(fitted)))) if job.sums else []


def networked(job: Job, stack: Volume, *, neighbours: int, bad: Collection[int] = ()) -> Of:
    """NB: for a bad neighbour stands the nearest good slice, to one side or the other."""
    if not job.sums:
        return []
    good = [z for z in range(len(stack)) if z not in bad]

    def seen(z: int) -> Iterator[Any]:
        for n in around(z, neighbours, len(stack)):
            yield [n - z, job.sums[n]]
            if n in bad:
                yield [[g - z, job.sums[g]] for g in (*[g for g in good if g < n][-1:], *[g for g in good if g > n][:1])]

    return _each(job, stack, ([z in bad, list(seen(z))] for z in range(len(stack))))


def _seen(sums: Sequence[str], z: int, window: int) -> list[str]:
    return [sums[n] for n in around(z, window, len(sums))]


def _each(job: Job, stack: Volume, parts: Any) -> Of:
    base = [job.base, list(stack.shape[1:]), str(stack.dtype)]
    return [fingerprints.of([base, part]) for part in parts]
