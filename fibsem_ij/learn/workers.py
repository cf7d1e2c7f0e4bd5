"""Networks applied by several workers, each on a GPU of its own.

A stack goes out in parts: some consecutive slices, with the neighbours that these are seen with. What a worker does with a part is what
is done here with a whole stack, on a stack that has these slices alone and all their numbers. So a slice becomes the same on any number
of workers, and an error names it by its place in the stack.

Workers are those that are given (of a cluster), or, where the device is left open and this machine has several GPUs, a process for each.
Networks travel with each part, packed once; a worker unpacks them once.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.processes import processes
from fibsem_ij.arrays.slices import as_ready, within
from fibsem_ij.learn.device import gpus
from fibsem_ij.learn.network import Network
from fibsem_ij.volume import ArrayLike

_PIXELS = 1 << 26  # of a part, at most, but for one slice
_WORTH = 8  # slices for each GPU, for which processes are started


@dataclass(frozen=True)
class Workers:
    executor: Executor
    count: int  # that work at the same time


class Part:
    """A stack (depth, y, x) of which the consecutive slices from `first` on are there."""

    def __init__(self, slices: npt.NDArray[Any], first: int, depth: int) -> None:
        self.slices, self.first, self.shape, self.dtype = slices, first, (depth, *slices.shape[1:]), slices.dtype

    def __getitem__(self, key: Any) -> Any:
        return self.slices[self._here(key)]

    def __setitem__(self, key: Any, value: Any) -> None:
        self.slices[self._here(key)] = value

    def _here(self, key: Any) -> Any:
        z, *window = key if isinstance(key, tuple) else (key,)
        if not 0 <= z - self.first < len(self.slices):
            raise IndexError(f"expected slices {self.first} to {self.first + len(self.slices) - 1}, which this part has, got {z}")
        return (z - self.first, *window)


class Carried:
    """Networks as they travel."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self.packed = pickle.dumps(list(networks))
        self.key = hashlib.sha256(self.packed).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Carried) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


@lru_cache(1)
def unpacked(carried: Carried) -> list[Network]:
    found: list[Network] = pickle.loads(carried.packed)  # NB: of this run, never of a file
    return found


@contextmanager
def at_work(given: Workers | None, device: str, slices: int) -> Iterator[Workers | None]:
    """Those that are given; or a process for each GPU; or None, where one device does it all, as few slices are done sooner so."""
    found = gpus() if given is None and device in ("auto", "cuda") else ()
    if len(found) < 2 or slices < _WORTH * len(found):
        yield given
        return
    context = get_context("spawn")
    left = context.SimpleQueue()
    for gpu in found:
        left.put(gpu)
    pool = processes(len(found), _take_one, left)
    try:
        yield Workers(pool, len(found))
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)  # who stops it shall not wait for parts that nobody will keep
        raise
    pool.shutdown()


def _take_one(left: Any) -> None:
    os.environ["CUDA_VISIBLE_DEVICES"] = left.get()  # before torch looks for one


def spread(work: Callable[[Part, Sequence[int]], Any], views: Sequence[tuple[ArrayLike, Sequence[int]]],
           keep: Callable[[Sequence[int], Any], None], *, neighbours: int, workers: Workers,
           progress: Callable[[int, int], None] | None = None) -> None:
    """keep(zs, work(part, zs)) for the slices wanted of each view, in parts, as they are ready. `work` is sent to the workers."""
    total, done = sum(len(wanted) for _, wanted in views), 0
    for zs, future in as_ready(workers.executor, work, _tasks(views, neighbours, -(-total // workers.count)), workers.count + 1):
        keep(zs, future.result())
        done += len(zs)
        if progress:
            progress(done, total)


def _tasks(views: Iterable[tuple[ArrayLike, Sequence[int]]], neighbours: int, share: int) -> Iterator[tuple[range, tuple[Part, range]]]:
    for src, wanted in views:
        depth, height, width = src.shape
        for zs in _runs(wanted, max(1, min(share, _PIXELS // (height * width)))):
            first, stop = max(0, zs.start - neighbours), min(depth, zs.stop + neighbours)
            yield zs, (Part(np.stack([_slice(src, z) for z in range(first, stop)]), first, depth), zs)


def _slice(src: ArrayLike, z: int) -> npt.NDArray[Any]:
    with within("slice", z):
        return np.asarray(src[z])


def _runs(wanted: Sequence[int], most: int) -> Iterator[range]:
    """Consecutive slices, at most so many."""
    begin = 0
    for end in range(1, len(wanted) + 1):
        if end == len(wanted) or wanted[end] != wanted[end - 1] + 1 or end - begin == most:
            yield range(wanted[begin], wanted[end - 1] + 1)
            begin = end
