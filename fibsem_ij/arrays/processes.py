"""Pools of processes that end with the one that made them."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any


def processes(count: int, first: Callable[..., None] | None = None, *args: Any) -> ProcessPoolExecutor:
    """`count` of them, spawned: neither Java nor a GPU outlives a fork. Each calls `first(*args)` when it starts."""
    return ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), initializer=_begin, initargs=(first, *args))


def _begin(first: Callable[..., None] | None, *args: Any) -> None:
    _end_with_parent()
    if first:
        first(*args)


def _end_with_parent() -> None:
    """A pool's process waits for work for ever, also when who gave it was killed."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
