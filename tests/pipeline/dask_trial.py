"""python dask_trial.py FOLDER: the registration of FOLDER/recipe.toml alone, and on 3 dask workers of which one is killed in mid-run."""

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
    pipeline.run(said, Workspace(folder / "alone"), last="register")
    with LocalCluster(n_workers=3, threads_per_worker=1, dashboard_address=None) as cluster:
        victim = next(iter(cluster.workers.values())).pid
        killed: list[str] = []

        def kill(stage: str, done: int, _: int) -> None:
            if stage == "register apply" and done == 2 and not killed:
                killed.append(stage)
                os.kill(victim, signal.SIGKILL)

        with workers.pool(cluster.scheduler_address.replace("tcp://", "dask://")) as pool:
            pipeline.run(said, Workspace(folder / "many"), last="register", executor=pool, progress=kill)
    print(json.dumps(killed))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
