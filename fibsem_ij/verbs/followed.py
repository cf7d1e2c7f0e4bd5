"""Progress of work that tells none of its own: its slices are counted as they are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Followed:
    """An array to fill. `times`: how often each slice is written."""

    def __init__(self, sink: Any, step: Callable[[int, int], None] | None, times: int = 1) -> None:
        self._sink, self._step, self._times, self._done = sink, step, times, 0
        self.shape, self.dtype = sink.shape, sink.dtype

    def __getitem__(self, key: Any) -> Any:
        return self._sink[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._sink[key] = value
        self._done += len(range(*key.indices(self.shape[0]))) if isinstance(key, slice) else 1
        if self._step:
            total = self._times * self.shape[0]
            self._step(min(self._done, total), total)
