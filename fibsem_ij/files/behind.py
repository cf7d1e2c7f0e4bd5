"""Slices are packed and written while the next ones are made: two at a time, for packing and checksums hold no interpreter lock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import Any

import numpy as np

from fibsem_ij.files.stack import Pixels
from fibsem_ij.volume import ArrayLike

Put = Callable[[Any, Pixels], None]  # place, pixels
_AT_ONCE = 2


class Behind:
    """Takes slices as `put` does, and gives them back. What failed is told at the next slice, or at `wait`."""

    def __init__(self, put: Put, back: ArrayLike, pool: ThreadPoolExecutor) -> None:
        self._put, self._back, self._pool, self._lock = put, back, pool, Lock()
        self._running: deque[Future[None]] = deque()
        self.shape, self.dtype = back.shape, back.dtype

    def put(self, z: Any, pixels: Pixels) -> None:
        with self._lock:
            self._wait_for_all_but(_AT_ONCE - 1)
            self._running.append(self._pool.submit(self._put, z, pixels.copy()))  # NB: the caller may use the memory again

    def __getitem__(self, key: Any) -> Pixels:
        self.wait()
        return np.asarray(self._back[key])

    def wait(self) -> None:
        """Until all that was given is written."""
        with self._lock:
            self._wait_for_all_but(0)

    def _wait_for_all_but(self, most: int) -> None:
        while len(self._running) > most:
            self._running.popleft().result()


@contextmanager
def behind(put: Put, back: ArrayLike) -> Iterator[Behind]:
    """NB: whatever happens inside, slices that were given are written at the end of it: a run that was stopped goes on after them."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield Behind(put, back, pool)
