"""python kill_trials.py FOLDER COUNT: an undisturbed run of FOLDER/recipe.toml; COUNT that are killed at a file operation and run again.

The operations are drawn stage by stage, so that each stage has its turn. One JSON line a trial: {"workspace": ..., "at": operation,
"of": operations, "killed": true, "stage": where it was}.
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
_BEGINNING = "the beginning"


def run(folder: Path, place: str, say: Callable[[str], None] = lambda _: None) -> None:
    pipeline.run(recipe.read(folder / "recipe.toml"), Workspace(folder / place), say=say)


def watched(place: Path, act: Callable[[int], None]) -> None:
    """`act(n)` at the n-th time that something happens to files of `place`."""
    count = 0

    def hook(event: str, args: tuple[Any, ...]) -> None:
        nonlocal count
        writes = event in _EVENTS or (event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"))
        if writes and str(place) in str(args[0]):
            count += 1
            act(count)

    sys.addaudithook(hook)


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


def operations(folder: Path) -> list[str]:
    """Of a run that nobody disturbs: the stage of each."""
    told = folder / "operations.json"

    def work() -> None:
        stages, seen = [_BEGINNING], list[str]()
        watched(folder / "undisturbed", lambda _: seen.append(stages[-1]))
        run(folder, "undisturbed", lambda line: stages.append(line.partition(" runs")[0]) if " runs" in line else None)
        told.write_text(json.dumps(seen), encoding="utf-8")

    if child(work):
        raise SystemExit("the undisturbed run failed")
    return list(json.loads(told.read_text(encoding="utf-8")))


def places(seen: list[str], count: int) -> list[int]:
    """One of each stage after the other, in random order, until there are as many."""
    rng = random.Random(7)
    left = {stage: [n for n, here in enumerate(seen, 1) if here == stage] for stage in dict.fromkeys(seen)}
    for numbers in left.values():
        rng.shuffle(numbers)
    chosen: list[int] = []
    while len(chosen) < min(count, len(seen)):
        order = [stage for stage, numbers in left.items() if numbers]
        rng.shuffle(order)
        chosen += [left[stage].pop() for stage in order]
    return chosen[:count]


def main(folder: Path, count: int) -> None:
    seen = operations(folder)
    for n, at in enumerate(places(seen, count)):
        place = f"killed-{n}"

        def killed(place: str = place, at: int = at) -> None:
            watched(folder / place, lambda now: os.kill(os.getpid(), signal.SIGKILL) if now == at else None)
            run(folder, place)

        status = child(killed)
        if child(lambda place=place: run(folder, place)):
            raise SystemExit(f"the run after operation {at} of {len(seen)}, in {seen[at - 1]}, failed")
        print(json.dumps({"workspace": place, "at": at, "of": len(seen), "killed": status == -signal.SIGKILL, "stage": seen[at - 1]}),
              flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
