"""Where slices are computed: threads of this process, processes of this machine, or a dask cluster. The result is the same."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def pool(kind: str, count: int = 0) -> Iterator[Executor]:
    """`count` 0 is one a core. `kind`: threads, processes, dask://HOST:PORT."""
    count = count or os.cpu_count() or 1
    if kind == "threads":
        with ThreadPoolExecutor(count) as threads:
            yield threads
    elif kind == "processes":
        with ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), initializer=_end_with_parent) as processes:
            yield processes
    elif kind.startswith("dask://"):
        try:
            distributed = importlib.import_module("distributed")
        except ModuleNotFoundError as error:
            raise ValueError(f"expected dask.distributed for {kind}, it is not installed; pip install 'fibsem-ij[cluster]'") from error
        with distributed.Client(kind.replace("dask://", "tcp://")) as client:
            yield client.get_executor()
    else:
        raise ValueError(f"expected --executor as threads, processes or dask://HOST:PORT, got {kind!r}; choose one of them")


def _end_with_parent() -> None:
    """A pool's process waits for work for ever, also when who gave it was killed."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
