"""The corridor: a recipe over a workspace. Rooms do not know each other; here their verbs follow one another, from file to file.

    recipe.toml -> stages (what reads and writes what) -> decide (does it run, and why) -> work -> run.json

Every stage reads files of the workspace and writes files of the workspace, so it can be stopped anywhere, looked at, corrected by hand
and gone on with. Slices that are finished are not done again. The same recipe gives the same bytes, on any number of workers;
only where it asks for a training that goes on from the last one, what was there before has a say, and run.json tells.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fibsem_ij.files import journal
from fibsem_ij.files.whole import write_text
from fibsem_ij.pipeline import checking, deciding, fingerprints, growing, lock, source
from fibsem_ij.pipeline.deciding import Step, decide, step
from fibsem_ij.pipeline.job import Job
from fibsem_ij.pipeline.record import Record
from fibsem_ij.pipeline.settling import settle
from fibsem_ij.pipeline.stages import Stage, stages
from fibsem_ij.pipeline.stopping import Stopped, stoppable
from fibsem_ij.recipe import Recipe
from fibsem_ij.recipe.values import unknown
from fibsem_ij.workspace import Workspace

if TYPE_CHECKING:
    from fibsem_ij.learn.workers import Workers

__all__ = ["Step", "Stopped", "plan", "run"]

Say = Callable[[str], None]
Progress = Callable[[str, int, int], None]  # stage, done, of


def plan(recipe: Recipe, workspace: Workspace, *, first: str | None = None, last: str | None = None,
         any_code: bool = False) -> tuple[Step, ...]:
    """What a run would do. Reads no pixel; a result that was touched is taken for changed."""
    record = Record.read(workspace)
    recipe = _based(recipe, record)
    record.source = source.listed(recipe)
    found = _stages(recipe, workspace, record)
    chosen, makers = _chosen(found, first, last), _makers(found)
    new: dict[Path, bool] = {}
    missing: set[Path] = set()
    steps = []
    for stage in found:
        now = decide(stage, record, makers=makers, new=new, missing=missing, quick=True, any_code=any_code) if stage in chosen \
            else step(stage, "left out", "--from, --to")
        new |= dict.fromkeys(stage.writes, now.grown) if now.runs else {}
        missing |= set(stage.writes) if now.does == "waits" else set()
        steps.append(now)
    return tuple(steps)


def run(recipe: Recipe, workspace: Workspace, *, first: str | None = None, last: str | None = None, executor: Executor | None = None,
        networks: Workers | None = None, say: Say = lambda _: None, progress: Progress | None = None,
        any_code: bool = False) -> tuple[Step, ...]:
    """Bring the workspace to what the recipe asks for; what each stage did, and why.

    `executor` computes slices and `networks` apply networks, each on a GPU of its own (`workers`); without them it is done here.
    `first`, `last`: stages, or tables, beyond which nothing is done. `any_code`: results of another version of fibsem_ij count too.
    """
    recipe = _based(recipe, Record.read(workspace))
    listing = source.listed(recipe, wait=source.WAIT)
    checking.check(recipe, workspace, listing)
    workspace.folder.mkdir(exist_ok=True)
    with lock.held(workspace.lock, say=say), stoppable():
        settle(workspace)
        record = Record.read(workspace)
        record.source = listing
        found = _stages(recipe, workspace, record)
        chosen, makers = _chosen(found, first, last), _makers(found)
        _keep_recipe(recipe, workspace, record.about.get("text"))
        record.tell(recipe)
        checking.bring_drawn(recipe, workspace)
        missing: set[Path] = set()
        steps = []
        for stage in found:
            if stage not in chosen:
                steps.append(step(stage, "left out", "--from, --to"))
                continue
            now = decide(stage, record, makers=makers, missing=missing, any_code=any_code)
            say(str(now))
            missing |= set(stage.writes) if now.does == "waits" else set()
            if now.runs and now.grown and stage.name == "input":
                _tell_numbers(recipe, record, say)
            if now.runs:
                job = Job(workspace, recipe, stage.reads, stage.writes, "", Path(), executor, networks, _of(stage, progress), say, listing)
                _do(stage, job, record, grown=now.grown)
            elif now.does == "up to date" and any_code:
                record.stages[stage.name]["code"] = fingerprints.code(*stage.code)
            steps.append(now)
        record.write()
    return tuple(steps)


def _do(stage: Stage, job: Job, record: Record, *, grown: bool) -> None:
    """NB: written down first, so that whoever finds a result knows whether it is this one's."""
    if absent := next((path for path in stage.reads if not fingerprints.look(path)), None):
        raise FileNotFoundError(f"{stage.name}: expected {record.name(absent)}, it is not there and no table of the recipe makes it; add "
                                "the table, or put it there")
    reads = deciding.contents(stage, record)
    key, began = deciding.key_of(stage, reads), time.monotonic()
    before, start = growing.Before.of(stage, record, key), _start(stage, record, key)
    record.stages[stage.name] = {**before.running(key), "start": "", **start}
    record.write()
    state = job.ws.folder / f".{stage.name.replace(' ', '-')}.{key}.state"
    for other in job.ws.folder.glob(f".{stage.name.replace(' ', '-')}.*.state"):
        if other != state:
            shutil.rmtree(other, ignore_errors=True)
    for path in stage.writes:
        path.parent.mkdir(parents=True, exist_ok=True)
    if not all(journal.read(path)[0] == key for path in stage.writes):  # else it was stopped when it had just become whole
        try:
            stage.work(replace(job, key=key, state=state, base=deciding.base_of(stage, record, reads), sums=record.sums(stage.reads[0]),
                               placed=before.placed if grown else (), hold=before.by_hand,
                               start=stage.start if start.get("start") else None))
        except ValueError as error:
            raise ValueError(f"{stage.name}: {error}") from error
        except OSError as error:
            what = f"{stage.name}: {error.strerror or error}; then run it again, it goes on where it was"
            raise type(error)(error.errno, what) from error
    writes = {record.name(path): record.made(path) for path in stage.writes}
    record.stages[stage.name] = {"key": key, "options": stage.options, "code": fingerprints.code(*stage.code), "reads": reads,
                                 "writes": writes, **start, "at": datetime.now().astimezone().isoformat(timespec="seconds"),
                                 "seconds": round(time.monotonic() - began, 1), **before.compared(record, grown=grown)}
    record.write()
    shutil.rmtree(state, ignore_errors=True)


def _tell_numbers(recipe: Recipe, record: Record, say: Say) -> None:
    options = recipe.register.options if recipe.register else None
    numbers = sorted({*options.bad, *(() if options.reference is None else (options.reference,))}) if options else []
    if note := growing.check_numbered(record.before("input"), record.source.slices, record.workspace, numbers):
        say(note)


def _start(stage: Stage, record: Record, key: str) -> dict[str, str]:
    """What its last result holds that it goes on from, "" where there is none. NB: a run that was stopped may have replaced it already."""
    if stage.start is None:
        return {}
    known = record.stages.get(stage.name, {})
    return {"start": known["start"] if known.get("running") == key and "start" in known else record.content(stage.start)}


def _stages(recipe: Recipe, workspace: Workspace, record: Record) -> list[Stage]:
    made = [workspace.folder / name for known in record.stages.values() for name in known.get("writes", ())]
    return stages(recipe, workspace, made=made)


def _makers(found: Sequence[Stage]) -> dict[Path, str]:
    return {path: stage.name for stage in found for path in stage.writes}


def _chosen(found: Sequence[Stage], first: str | None, last: str | None) -> list[Stage]:
    """From the first stage of that name, or table, to the last."""
    known = list(dict.fromkeys(name for stage in found for name in (stage.table, stage.name)))
    for name in (first, last):
        if name and name not in known:
            raise unknown("--from, --to", "stage of this recipe", name, known)
    begin = next((n for n, stage in enumerate(found) if first in (None, stage.name, stage.table)), 0)
    end = max((n for n, stage in enumerate(found) if last in (None, stage.name, stage.table)), default=len(found))
    return list(found[begin:end + 1])


def _of(stage: Stage, progress: Progress | None) -> Callable[[int, int], None] | None:
    return (lambda done, total: progress(stage.name, done, total)) if progress else None


def _based(recipe: Recipe, record: Record) -> Recipe:
    """The copy in the workspace is relative to where the recipe lay."""
    folder = record.about.get("folder")
    return replace(recipe, folder=Path(folder)) if folder and recipe.folder == record.workspace.folder.resolve() else recipe


def _keep_recipe(recipe: Recipe, workspace: Workspace, copied: str | None) -> None:
    """A copy in the workspace; one there that was edited since it was copied is kept under another name."""
    path = workspace.recipe
    there = path.read_text(encoding="utf-8") if path.exists() else recipe.text
    if not recipe.text or (path.exists() and there == recipe.text):
        return
    if path.exists() and fingerprints.of(there) != copied:
        n = next(n for n in range(1, 10**6) if not path.with_name(f"recipe-{n}.toml").exists())
        path.rename(path.with_name(f"recipe-{n}.toml"))
    write_text(path, recipe.text)
