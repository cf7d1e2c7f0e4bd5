"""fibsem-ij review: the slices worth a look, out to ImageJ or Fiji, and the corrections back."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from fibsem_ij.cli.terminal import Home, Json, Progress, Workers, progress_to, say, show, workers_of

app = typer.Typer(help="Which slices to look at, out to ImageJ or Fiji, and the corrections back.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="Workspace: the folder with raw.zarr, labels.zarr, ...")]
Who = Annotated[str, typer.Option(help="Who corrects, for the log; else the user of this computer.")]
NoRun = Annotated[bool, typer.Option("--no-run", help="Only change the workspace; do not run again what depends on it.")]


@app.command()
def queue(
    workspace: Folder,
    count: Annotated[int, typer.Option(help="List so many.", min=1)] = 50,
    stage: Annotated[list[str] | None, typer.Option(help="registration, denoising, segmentation or objects; may be given again.")] = None,
    workers: Workers = 0,
    progress: Progress = "bar",
    json_: Json = False,
) -> None:
    """List the slices worth a look, the worst first, in review.csv.

    fibsem-ij review queue workspace/
    """
    from dataclasses import asdict

    from fibsem_ij import review
    from fibsem_ij.review.listing import STAGES

    place = review.Workspace(workspace)
    with workers_of(workers) as pool, _stages(progress) as step:
        listed = review.queue(place, count=count, stages=stage or STAGES, executor=pool, progress=step)
    lines = [f"{entry.score:.2f}  {entry.name}  {entry.stage}: {entry.reason}" for entry in listed]
    show({"entries": [asdict(entry) for entry in listed], "path": str(place.queue)}, json_,
         "\n".join([*lines, f"{len(listed)} in {place.queue}"]))


@app.command("open")
def open_(
    workspace: Folder,
    slices: Annotated[int, typer.Option(help="The first so many of the queue.", min=1)] = 20,
    context: Annotated[int, typer.Option(help="Slices beside each.", min=0)] = 1,
    layer: Annotated[str | None, typer.Option(help="Whose outlines become ROIs: labels, cells, classes; else the first there.")] = None,
    gigabytes: Annotated[float, typer.Option(help="Never write more; fewer slices then.", min=0.001)] = 2.0,
    anew: Annotated[bool, typer.Option("--anew", help="Give up corrections that were not collected.")] = False,
    show_: Annotated[bool, typer.Option("--show", help="Also open it in ImageJ, wait, and keep what you did.")] = False,
    home: Home = None,
    json_: Json = False,
) -> None:
    """Write a small stack of just those slices into WORKSPACE/review, for ImageJ or Fiji.

    fibsem-ij review open workspace/ --slices 20
    """
    from dataclasses import asdict

    from fibsem_ij import review

    place = review.Workspace(workspace)
    opened = review.open_(place, slices=slices, context=context, most_bytes=gigabytes * 1e9, layer=layer, anew=anew)
    kept = _shown(place, home) if show_ else []
    paths = {name: str(place.review / name) for name in opened.written}
    asked = [position for position in opened.positions if position.told]
    text = [f"{len(opened.positions)} slices in {place.review}, {len(asked)} of them to look at; correct them in ImageJ or Fiji, save, "
            f"then fibsem-ij review collect {workspace}"]
    show({"positions": [asdict(position) for position in opened.positions], "files": paths, "rois": opened.rois, "kept": kept}, json_,
         "\n".join(text + [f"kept what you did in {', '.join(kept)}"] * bool(kept)))


@app.command()
def collect(workspace: Folder, who: Who = "", no_run: NoRun = False, json_: Json = False) -> None:
    """Read back what was corrected in WORKSPACE/review, and run again what depends on it.

    fibsem-ij review collect workspace/
    """
    from fibsem_ij import review

    place = review.Workspace(workspace)
    done = review.collect(place, who=who)
    _told(place, done, no_run=no_run, json_=json_)


@app.command(context_settings={"ignore_unknown_options": True})
def nudge(
    workspace: Folder,
    name: Annotated[str, typer.Argument(metavar="SLICE", help="Name of the slice, 0045.")],
    dx: Annotated[float, typer.Option(help="Pixels to the right.")] = 0.0,
    dy: Annotated[float, typer.Option(help="Pixels down.")] = 0.0,
    angle: Annotated[float, typer.Option(help="Degrees, clockwise on the screen, about the middle.")] = 0.0,
    who: Who = "",
    no_run: NoRun = False,
    json_: Json = False,
) -> None:
    """Put one slice elsewhere; all others stay where they are.

    fibsem-ij review nudge workspace/ 0045 --dx 3.5 --dy -1
    """
    from fibsem_ij import review

    if not (dx or dy or angle):
        raise ValueError("expected --dx, --dy or --angle, got none; say where the slice shall go")
    place = review.Workspace(workspace)
    _told(place, review.nudge(place, name, dx=dx, dy=dy, angle=angle, who=who), no_run=no_run, json_=json_)


def _told(place: Any, done: Any, *, no_run: bool, json_: bool) -> None:
    from fibsem_ij.review import collecting, running

    for line in done.warnings:
        say(f"fibsem-ij: {line}")
    runs = done.asks_for_a_run and place.recipe.exists() and not no_run
    ran = []
    if runs:
        with workers_of(0) as pool:
            ran = [str(step) for step in running.rerun(place, executor=pool, say=say)]
    if runs and (place.review / "review.json").exists():
        collecting.show_again(place)
    left = running.commands(place, done) if done.asks_for_a_run and not runs else []
    lines = [*(f"{name} was changed" for name in done.drawn), *(f"{n} voxels of {layer} were changed" for layer, n in done.voxels.items()),
             *(f"slice {name} was put elsewhere" for name in done.placed), *([f"{done.good} slices are marked good"] if done.good else [])]
    show({"drawn": list(done.drawn), "voxels": dict(done.voxels), "placed": list(done.placed), "good": done.good, "ran": ran, "next": left},
         json_, "\n".join([*(lines or ["nothing was corrected, nothing was changed"]), *(["Now run:", *left] if left else [])]))


def _shown(place: Any, home: Path | None) -> list[str]:
    """In front of the person until the stack's window is closed, or Enter is pressed. Java is in this process, which has nothing else to
    lose, and whose images and windows are objects of it."""
    from fibsem_ij import fiji, review
    from fibsem_ij.review import live

    entered = threading.Event()
    with fiji.start(home, mode="interactive") as session:
        imp = review.show(place, session)
        if sys.stdin.isatty():
            say("Correct what is wrong; press Enter here, or close the window of the stack, when you are done.")
            threading.Thread(target=_once_entered, args=(entered,), daemon=True).start()
        live.wait(imp, asked=entered.is_set)
        return review.keep(place, session)


def _once_entered(entered: threading.Event) -> None:
    sys.stdin.readline()
    entered.set()


@contextmanager
def _stages(mode: str) -> Iterator[Callable[[str, int, int], None] | None]:
    """Progress of one stage after the other."""
    with progress_to(mode, "review") as step:
        def tell(stage: str, done: int, of: int) -> None:
            if step:
                step(done, of)

        yield tell if step else None
