"""python trials.py FOLDER COUNT: an undisturbed run of FOLDER/recipe.toml, and COUNT that are killed at a file operation and run again.

One JSON line a trial: {"workspace": ..., "at": operation, "of": operations, "killed": true, "stage": where it was}.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fibsem_ij.denoise.fitting
import fibsem_ij.segment.fitting  # noqa: F401  loaded once, for all children
from fibsem_ij import pipeline, recipe
from fibsem_ij.workspace import Workspace

_EVENTS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate"}


def run(folder: Path, place: str) -> None:
    pipeline.run(recipe.read(folder / "recipe.toml"), Workspace(folder / place))


def watched(place: Path, kill_at: int | None) -> Callable[[], int]:
    """Count what happens to files of `place`; at one of them this process is gone."""
    count = 0

    def hook(event: str, args: tuple[Any, ...]) -> None:
        nonlocal count
        writes = event in _EVENTS or (event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"))
        if writes and str(place) in str(args[0]):
            count += 1
            if count == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    return lambda: count


def child(work: Callable[[], None]) -> int:
    """The status of a fork that did it."""
    pid = os.fork()
    if not pid:
        try:
            work()
        except BaseException as error:  # a fork must not go on as its parent
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def operations(folder: Path) -> int:
    """Of a run that nobody disturbs."""
    reader, writer = os.pipe()

    def work() -> None:
        counted = watched(folder / "undisturbed", None)
        run(folder, "undisturbed")
        os.write(writer, str(counted()).encode())

    if child(work):
        raise SystemExit("the undisturbed run failed")
    return int(os.read(reader, 100))


def main(folder: Path, count: int) -> None:
    total = operations(folder)
    for n, at in enumerate(sorted(random.Random(7).sample(range(1, total + 1), count))):
        place = f"killed-{n}"

        def killed(place: str = place, at: int = at) -> None:
            watched(folder / place, at)
            run(folder, place)

        status = child(killed)
        said = folder / place / "run.json"
        stages = json.loads(said.read_text(encoding="utf-8"))["stages"] if said.exists() else {}
        if child(lambda place=place: run(folder, place)):
            raise SystemExit(f"the run after operation {at} of {total} failed")
        print(json.dumps({"workspace": place, "at": at, "of": total, "killed": status == -signal.SIGKILL,
                          "stage": list(stages)[-1] if stages else ""}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
