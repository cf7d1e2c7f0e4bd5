"""fibsem-ij labels edit: corrections to a label stack on disk, logged beside it, each to be undone. How is said in verbs/edits.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from fibsem_ij.cli.terminal import Json, Progress, progress_to, show

app = typer.Typer(help="Correct a label image: merge, split, delete, reassign, renumber, undo. Every edit is logged.", no_args_is_help=True)

Stack = Annotated[Path, typer.Argument(help="Label image to correct: .tif, folder, .zarr, .mrc, .npy, .nrrd.")]
Number = Annotated[int, typer.Argument(help="Number of the object.", min=1)]


@app.command()
def merge(labels: Stack, keep: Number, gone: Annotated[list[int], typer.Argument(help="Objects that become part of it.")],
          progress: Progress = "bar", json_: Json = False) -> None:
    """Objects become one.

    fibsem-ij labels edit merge labels.zarr 3 7
    """
    from fibsem_ij.objects import edits

    _edit(labels, f"merge {keep} {' '.join(map(str, gone))}", lambda _: edits.merge(keep, gone), progress, json_)


@app.command()
def split(labels: Stack, number: Number, seeds: Annotated[list[str], typer.Argument(help="Points z,y,x, one in each part.")],
          progress: Progress = "bar", json_: Json = False) -> None:
    """One object becomes several, cut where it is narrow between the seeds; the first part keeps the number.

    fibsem-ij labels edit split labels.zarr 3 10,40,40 10,80,90
    """
    from fibsem_ij.objects import edits

    points = [_point(seed) for seed in seeds]
    _edit(labels, f"split {number} {' '.join(seeds)}", lambda src: edits.split(src, number, points, voxel_nm=src.voxel_nm), progress, json_)


@app.command()
def delete(labels: Stack, numbers: Annotated[list[int], typer.Argument(help="Objects to remove.")],
           progress: Progress = "bar", json_: Json = False) -> None:
    """Objects become background.

    fibsem-ij labels edit delete labels.zarr 7 9
    """
    from fibsem_ij.objects import edits

    _edit(labels, f"delete {' '.join(map(str, numbers))}", lambda _: edits.delete(numbers), progress, json_)


@app.command()
def reassign(labels: Stack, number: Number, to: Annotated[int, typer.Argument(help="The number it gets.", min=1)],
             first: Annotated[int, typer.Option(help="From this slice, from 0.", min=0)],
             last: Annotated[int, typer.Option(help="To this slice, included.", min=0)],
             progress: Progress = "bar", json_: Json = False) -> None:
    """An object gets another number in some slices.

    fibsem-ij labels edit reassign labels.zarr 3 7 --first 40 --last 52
    """
    from fibsem_ij.objects import edits

    _edit(labels, f"reassign {number} {to} --first {first} --last {last}",
          lambda _: edits.reassign(number, to, first=first, last=last), progress, json_)


@app.command()
def renumber(labels: Stack, progress: Progress = "bar", json_: Json = False) -> None:
    """Number the objects 1, 2, ... without gaps.

    fibsem-ij labels edit renumber labels.zarr
    """
    from fibsem_ij.objects import edits

    _edit(labels, "renumber", edits.renumber, progress, json_)


@app.command("undo-event")
def undo_event(labels: Stack, row: Annotated[int, typer.Argument(help="Row of the event in the table, the first is 1.", min=1)],
               events: Annotated[Path | None, typer.Option(help="The log of `objects cells`; LABELS.events.csv if left out.")] = None,
               progress: Progress = "bar", json_: Json = False) -> None:
    """Take back a decision of `objects cells`: an island that joined a cell gets a number of its own.

    fibsem-ij labels edit undo-event cells.zarr 12
    """
    from fibsem_ij.files import tables
    from fibsem_ij.objects import edits

    table = tables.read(events or labels.parent / f"{labels.name}.events.csv")
    if missing := {"z", "track", "event", "into", "y", "x"} - set(table):
        raise ValueError(f"expected a log of objects cells, got a table without {', '.join(sorted(missing))}; run objects cells again")
    _edit(labels, f"undo-event {row}", lambda src: edits.undo_event(src, table, row), progress, json_)


@app.command()
def undo(labels: Stack, progress: Progress = "bar", json_: Json = False) -> None:
    """Undo the last edit that stands; again undoes the one before it.

    fibsem-ij labels edit undo labels.zarr
    """
    from fibsem_ij.objects import edits
    from fibsem_ij.verbs.edits import settled

    entries = settled(labels)
    undone = {entry["undoes"] for entry in entries}
    standing = [e for e in entries if e["undoes"] is None and e["edit"] not in undone]
    if not standing:
        raise ValueError(f"expected an edit of {labels} to undo, got none; there is nothing to do")
    last = standing[-1]
    _edit(labels, f"undo {last['do']}", lambda src: edits.undo(last["runs"], shape=src.shape), progress, json_, undoes=last["edit"],
          entries=entries)


def _edit(path: Path, do: str, change_of: Callable[[Any], Any], progress: str, json_: bool, *, undoes: int | None = None,
          entries: list[dict[str, Any]] | None = None) -> None:
    from fibsem_ij.verbs.edits import edit

    with progress_to(progress, "edit") as step:
        voxels = edit(path, do, change_of, undoes=undoes, entries=entries, progress=step)
    show({"do": do, "voxels": voxels, "path": str(path)}, json_, f"{do}: {voxels} voxels of {path}")


def _point(text: str) -> tuple[int, int, int]:
    try:
        z, y, x = (int(part) for part in text.split(","))
        return (z, y, x)
    except ValueError:
        raise ValueError(f"expected a seed z,y,x, got {text!r}; write for instance 10,40,40") from None
