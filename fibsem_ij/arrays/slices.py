"""Map a function over the slices of a stack: on an executor, with neighbours, progress and resume.

The slice is the unit of work. Slices are read here, in order, computed wherever the executor computes, and written here,
as they come back: one reader, one writer, and no more slices in memory than are under way. Any
`concurrent.futures.Executor` will do; for a pool of processes the function must be picklable (of a module, not a lambda).
What a slice becomes must depend on nothing but the arguments of `function`, so the result does not depend on the executor.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fibsem_ij.volume import ArrayLike

_HANDED_ON = 2e-4  # s


class SliceSink(Protocol):
    """Where the results go: a writable array, or a dict or list of whatever `function` returns."""

    def __setitem__(self, z: int, result: Any, /) -> None: ...


def map_slices(function: Callable[[npt.NDArray[Any], int], Any], src: ArrayLike, out: SliceSink, *, executor: Executor | None = None,
               neighbours: int = 0, done: Collection[int] = (), in_flight: int | None = None,
               finished: Callable[[int], None] | None = None, progress: Callable[[int, int], None] | None = None,
               unit: str = "slice") -> None:
    """out[z] = function(src[z], z) for every slice that is not in `done`.

    With neighbours, `function` gets (2 * neighbours + 1, y, x), the end slices repeated beyond the ends. `finished(z)` is
    called when out[z] is written (record it, pass it as `done` to resume), `progress(how many, depth)` after it. `unit` is
    what errors call src[z].
    """
    depth = src.shape[0]
    if neighbours < 0 or not all(0 <= z < depth for z in done):
        raise ValueError(f"expected neighbours of 0 or more and done slices within 0..{depth - 1}, got {neighbours} and {sorted(done)}")
    so_far = len(set(done))
    tasks = _slabs(src, neighbours, set(done), unit)
    with _brisk(executor):
        for z, result in _computed(function, tasks, executor, in_flight or (os.cpu_count() or 1) + 2, unit):
            with within(unit, z):
                out[z] = result
            so_far += 1
            if finished:
                finished(z)
            if progress:
                progress(so_far, depth)


def around(z: int, neighbours: int, depth: int) -> list[int]:
    """Slice z with its neighbours to each side; beyond the ends the end slice is repeated."""
    return [min(max(k, 0), depth - 1) for k in range(z - neighbours, z + neighbours + 1)]


def spread(depth: int, count: int) -> list[int]:
    """At most `count` slices, evenly through a stack, its ends among them."""
    return sorted({round(z) for z in np.linspace(0, depth - 1, min(count, depth))})


def middle(src: ArrayLike, z: int, size: int) -> npt.NDArray[Any]:
    """The middle of slice z, `size` x `size` px at most; no other pixel is asked for."""
    starts = [max(0, (n - size) // 2) for n in src.shape[1:]]
    return np.asarray(src[(z, *(slice(start, start + size) for start in starts))])


def _slabs(src: ArrayLike, neighbours: int, done: set[int], unit: str) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    read = lru_cache(2 * neighbours + 1)(lambda z: np.asarray(src[z]))
    depth = src.shape[0]
    for z in range(depth):
        if z in done:
            continue
        with within(unit, z):
            slab = np.stack([read(k) for k in around(z, neighbours, depth)]) if neighbours else read(z)
        yield z, slab


def _computed(function: Callable[[npt.NDArray[Any], int], Any], tasks: Iterator[tuple[int, npt.NDArray[Any]]],
              executor: Executor | None, in_flight: int, unit: str) -> Iterator[tuple[int, Any]]:
    """(z, result) in the order in which they are ready; at most `in_flight` are held."""
    if executor is None:
        for z, slab in tasks:
            with within(unit, z):
                result = function(slab, z)
            yield z, result
        return
    for z, future in as_ready(executor, function, ((z, (slab, z)) for z, slab in tasks), in_flight):
        with within(unit, z):
            result = future.result()
        yield z, result


def as_ready(executor: Executor, function: Callable[..., Any], tasks: Iterator[tuple[Any, tuple[Any, ...]]],
             in_flight: int) -> Iterator[tuple[Any, Future[Any]]]:
    """(key, what became of function(*arguments)) of each (key, arguments), in the order in which they are ready; so many in memory."""
    running: dict[Future[Any], Any] = {}
    try:
        while True:
            for key, arguments in islice(tasks, in_flight - len(running)):
                running[executor.submit(function, *arguments)] = key
            if not running:
                return
            ready, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ready:
                yield running.pop(future), future
    finally:
        for future in running:
            future.cancel()


@contextmanager
def _brisk(executor: Executor | None) -> Iterator[None]:
    """Threads hand the interpreter's lock on sooner.

    A thread that comes out of compiled code waits for the lock as long as another may hold it, 5 ms by default, which is the
    time of many such calls: two threads that align slices of 512 px took 28 ms a pair with it, 22 without.
    NB: of the whole process, while slices are mapped.
    """
    before = sys.getswitchinterval()
    if isinstance(executor, ThreadPoolExecutor):
        sys.setswitchinterval(min(before, _HANDED_ON))
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextmanager
def within(unit: str, z: int) -> Iterator[None]:
    """An error says in which slice, or other unit, it happened: a ValueError in its message, another in its note."""
    try:
        yield
    except ValueError as error:
        if str(error).startswith(f"{unit} {z} "):  # it was said where it was found
            raise
        raise ValueError(f"{unit} {z}: {error}") from error
    except Exception as error:
        error.add_note(f"in {unit} {z}")
        raise
