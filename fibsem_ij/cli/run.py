"""fibsem-ij run: a recipe over a workspace; fibsem-ij recipes: ready ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from fibsem_ij.cli.terminal import Json, Progress, Workers, progress_to, say, show


def run(
    recipe: Annotated[Path, typer.Argument(help="What to do: a .toml, as `fibsem-ij recipes` writes them.")],
    workspace: Annotated[Path, typer.Argument(help="Folder of all that is made; a new one is made.")],
    src: Annotated[Path | None, typer.Option(help="The stack, instead of the recipe's.")] = None,
    first: Annotated[str, typer.Option("--from", help="Leave alone what comes before this stage: register, \"segment apply\", ...")] = "",
    last: Annotated[str, typer.Option("--to", help="Stop after this stage.")] = "",
    workers: Workers = 0,
    executor: Annotated[str, typer.Option(help="threads, processes, or dask://HOST:PORT.")] = "threads",
    dry: Annotated[bool, typer.Option("--dry", help="Say what would run, how large, how long; do nothing.")] = False,
    any_version: Annotated[bool, typer.Option("--any-version", help="Results of another version of fibsem-ij are up to date too.")] = False,
    progress: Progress = "bar",
    json_: Json = False,
) -> None:
    """Carry a stack through a recipe. Stopped anywhere and run again, it goes on where it stopped; what is up to date is left.

    fibsem-ij run recipe.toml workspace/
    """
    from dataclasses import replace

    from fibsem_ij import pipeline
    from fibsem_ij import recipe as recipes
    from fibsem_ij.pipeline import stopping
    from fibsem_ij.pipeline import workers as pools
    from fibsem_ij.workspace import Workspace

    said, place = recipes.read(recipe), Workspace(workspace)
    if src:
        said = replace(said, input=replace(said.input, src=str(src.resolve())))
    chosen: dict[str, Any] = {"first": first or None, "last": last or None, "any_code": any_version}
    if dry:
        _dry(said, place, chosen, json_)
        return
    try:
        with pools.pool(executor, workers) as pool, _told(progress) as step:
            steps = pipeline.run(said, place, executor=pool.slices, networks=pool.networks, say=_said if progress == "json" else say,
                                 progress=step, **chosen)
    except pipeline.Stopped as stop:
        say("fibsem-ij: stopped; run it again to go on")
        stopping.leave(stop.code)
    waits = [step for step in steps if step.does == "waits"]
    show({"path": str(workspace), "steps": [_plain(step) for step in steps]}, json_, _last_line(place, waits))


def recipes(
    name: Annotated[str, typer.Argument(help="Of a ready recipe; none: a list of them.")] = "",
    out: Annotated[Path | None, typer.Argument(help="File to write it to; none: print it.")] = None,
    json_: Json = False,
) -> None:
    """List the ready recipes, print one, or write one to start from.

    fibsem-ij recipes organelles recipe.toml
    """
    from fibsem_ij import recipe as ready

    if not name:
        show(ready.ready(), json_, "\n".join(f"{name:<12} {what}" for name, what in ready.ready().items()))
        return
    text = ready.ready_text(name)
    if out is None:
        show({"name": name, "text": text}, json_, text.rstrip())
        return
    if out.exists():
        raise ValueError(f"expected a new file for the recipe, {out} is there already; name another one")
    from fibsem_ij.files.whole import write_text

    write_text(out, text)
    show({"name": name, "path": str(out)}, json_, f"Edit {out}, then: fibsem-ij run {out} workspace/")


def _said(line: str) -> None:
    """Among the lines of progress."""
    import json

    say(json.dumps({"said": line}))


@contextmanager
def _told(mode: str) -> Iterator[Callable[[str, int, int], None] | None]:
    """Progress of one stage after the other."""
    from contextlib import ExitStack

    with ExitStack() as bars:
        now: dict[str, Any] = {}

        def tell(stage: str, done: int, total: int) -> None:
            if now.get("stage") != stage:
                bars.close()
                now.update(stage=stage, step=bars.enter_context(progress_to(mode, stage)))
            if now["step"]:
                now["step"](done, total)

        yield None if mode == "none" else tell


def _dry(recipe: Any, workspace: Any, chosen: dict[str, Any], as_json: bool) -> None:
    from fibsem_ij import pipeline
    from fibsem_ij.pipeline import checking, estimate

    checking.check(recipe, workspace, room=False)
    told = estimate.estimate(recipe, workspace, pipeline.plan(recipe, workspace, **chosen))
    show({"steps": [{**_plain(one.step), **one.plain()} for one in told]}, as_json, estimate.as_text(told))


def _plain(step: Any) -> dict[str, Any]:
    return {"stage": step.name, "does": step.does, "why": step.why, "reads": [str(path) for path in step.reads],
            "writes": [str(path) for path in step.writes]}


def _last_line(place: Any, waits: list[Any]) -> str:
    if waits and " drawn in " not in waits[0].why:
        return f"{waits[0]}; then run it again"
    if waits:
        return f"{waits[0]}. Draw on slices of {place.grey} (fibsem-ij segment choose says which), put them there, and run it again"
    return f"Look at {place.report}" if place.report.exists() else f"Done: {place.folder}"
