"""fibsem-ij labels edit: corrections to a label stack on disk, logged beside it, each to be undone.

The corrected stack is written whole beside the old one and takes its name at the end, after the record is on disk. A
record whose edit a crash prevented shows in the pixels, and is dropped by the next edit.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from fibsem_ij.cli.terminal import Followed, Json, Progress, progress_to, show

app = typer.Typer(help="Correct a label image: merge, split, delete, reassign, undo. Every edit is logged beside it.", no_args_is_help=True)

Stack = Annotated[Path, typer.Argument(help="Label image to correct: .tif, folder, .zarr, .mrc, .npy.")]
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
def undo(labels: Stack, progress: Progress = "bar", json_: Json = False) -> None:
    """Undo the last edit that stands; again undoes the one before it.

    fibsem-ij labels edit undo labels.zarr
    """
    from fibsem_ij.objects import edits

    entries = _settled(labels)
    undone = {entry["undoes"] for entry in entries}
    standing = [e for e in entries if e["undoes"] is None and e["edit"] not in undone]
    if not standing:
        raise ValueError(f"expected an edit of {labels} to undo, got none; there is nothing to do")
    last = standing[-1]
    _edit(labels, f"undo {last['do']}", lambda src: edits.undo(last["runs"], shape=src.shape), progress, json_, undoes=last["edit"])


def _edit(path: Path, do: str, change_of: Callable[[Any], Any], progress: str, json_: bool, *, undoes: int | None = None) -> None:
    from fibsem_ij import files
    from fibsem_ij.files import edit_log
    from fibsem_ij.objects import edits

    entries = _settled(path)
    src = files.read_labels(path)
    with (files.create(path, shape=src.shape, dtype=src.dtype, voxel_nm=src.voxel_nm, names=src.names, labels=True,
                       classes=src.classes) as out, progress_to(progress, "edit") as step):
        runs = edits.apply(src, Followed(out, step), change_of(src))
        if not len(runs):
            raise ValueError(f"expected {do!r} to change something, it does not; look at the numbers in {path}")
        edit_log.append(path, do, runs, after=entries, undoes=undoes)
    show({"do": do, "voxels": int(runs[:, 1].sum()), "path": str(path)}, json_, f"{do}: {int(runs[:, 1].sum())} voxels of {path}")


def _settled(path: Path) -> list[dict[str, Any]]:
    """The log without a last record that the pixels do not show."""
    from fibsem_ij import files
    from fibsem_ij.files import edit_log
    from fibsem_ij.objects import edits

    entries = edit_log.read(path)
    return entries if not entries or edits.was_done(files.read_labels(path), entries[-1]["runs"]) else entries[:-1]


def _point(text: str) -> tuple[int, int, int]:
    try:
        z, y, x = (int(part) for part in text.split(","))
        return (z, y, x)
    except ValueError:
        raise ValueError(f"expected a seed z,y,x, got {text!r}; write for instance 10,40,40") from None
