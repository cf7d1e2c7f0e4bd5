"""python dask_trial.py FOLDER: FOLDER/recipe.toml up to classes alone, and on 3 dask workers that offer a GPU each. One is killed while it
aligns slices, another while networks are applied."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from distributed import LocalCluster

from fibsem_ij import pipeline, recipe
from fibsem_ij.pipeline import workers
from fibsem_ij.workspace import Workspace


def main(folder: Path) -> None:
    said = recipe.read(folder / "recipe.toml")
    pipeline.run(said, Workspace(folder / "alone"), last="segment")
    with LocalCluster(n_workers=3, threads_per_worker=1, dashboard_address=None, resources={workers.GPU: 1}) as cluster:
        victims = dict(zip(("register apply", "segment apply"), (one.pid for one in cluster.workers.values()), strict=False))
        killed: list[str] = []

        def kill(stage: str, done: int, _: int) -> None:
            if done >= 2 and (victim := victims.pop(stage, None)):
                killed.append(stage)
                os.kill(victim, signal.SIGKILL)

        with workers.pool(cluster.scheduler_address.replace("tcp://", "dask://")) as pool:
            assert pool.networks
            assert pool.networks.count == 3
            pipeline.run(said, Workspace(folder / "many"), last="segment", executor=pool.slices, networks=pool.networks, progress=kill)
    print(json.dumps(killed))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
