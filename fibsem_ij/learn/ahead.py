"""Batches drawn on other threads while the network works on the one before.

Batch n is drawn from a generator seeded by (seed, n), so what is drawn depends neither on the threads nor on where a
training was taken up again.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

import numpy as np
import torch
from torch import Tensor

Batch = tuple[Tensor, ...]
_AHEAD = 2  # batches under way beside the one in use


class Ahead:
    def __init__(self, draw: Callable[[np.random.Generator, int], Batch], *, seed: int, device: torch.device, channels_last: bool) -> None:
        self.draw, self.seed, self.device, self.channels_last = draw, seed, device, channels_last
        self.pool = ThreadPoolExecutor(_AHEAD, thread_name_prefix="draw")
        self.drawn: dict[tuple[int, int], Future[Batch]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.pool.shutdown(cancel_futures=True)

    def take(self, n: int, size: int) -> Batch:
        """Batch n on the device. Ask for n, n + 1, ...; after a change of size what was drawn of the old one is forgotten."""
        self.drawn = {key: future for key, future in self.drawn.items() if key[0] >= n and key[1] == size}
        for k in range(n, n + 1 + _AHEAD):
            if (k, size) not in self.drawn:
                self.drawn[k, size] = self.pool.submit(self._made, k, size)
        batch = self.drawn[n, size].result()
        return tuple(tensor.to(self.device, non_blocking=True) for tensor in batch)

    def _made(self, n: int, size: int) -> Batch:
        batch = self.draw(np.random.default_rng([self.seed, n]), size)
        if self.channels_last:
            batch = tuple(t.contiguous(memory_format=torch.channels_last) if t.ndim == 4 else t for t in batch)
        return tuple(t.pin_memory() for t in batch) if self.device.type == "cuda" else batch
