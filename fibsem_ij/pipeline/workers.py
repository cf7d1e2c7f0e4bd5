"""Where work is done: threads of this process, processes of this machine, or a dask cluster. The result is the same."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from fibsem_ij.arrays.processes import processes

if TYPE_CHECKING:
    from fibsem_ij.learn.workers import Workers

GPU = "GPU"  # what a dask worker offers: dask worker ... --resources GPU=1


class Pool(NamedTuple):
    slices: Executor  # computes slices
    networks: Workers | None = None  # apply networks, each on a GPU of its own; None: it is done where the run is


@contextmanager
def pool(kind: str, count: int = 0) -> Iterator[Pool]:
    """`count` 0 is one a core. `kind`: threads, processes, dask://HOST:PORT."""
    count = count or os.cpu_count() or 1
    if kind == "threads":
        with ThreadPoolExecutor(count) as threads:
            yield Pool(threads)
    elif kind == "processes":
        with processes(count) as many:
            yield Pool(many)
    elif kind.startswith("dask://"):
        try:
            distributed = importlib.import_module("distributed")
        except ModuleNotFoundError as error:
            raise ValueError(f"expected dask.distributed for {kind}, it is not installed; pip install 'fibsem-ij[cluster]'") from error
        with distributed.Client(kind.replace("dask://", "tcp://")) as client:
            yield Pool(client.get_executor(), with_gpus(client))
    else:
        raise ValueError(f"expected --executor as threads, processes or dask://HOST:PORT, got {kind!r}; choose one of them")


def with_gpus(client: Any) -> Workers | None:
    """The workers of a dask client that offer a GPU."""
    count = sum(int(worker["resources"].get(GPU, 0)) for worker in client.scheduler_info(n_workers=-1)["workers"].values())
    if not count:
        return None
    from fibsem_ij.learn.workers import Workers  # brings torch

    return Workers(client.get_executor(resources={GPU: 1}), count)
