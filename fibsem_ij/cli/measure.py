"""fibsem-ij measure: labels -> one row per object, with what each column means beside it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from fibsem_ij.cli.terminal import Json, Progress, VoxelNm, progress_to, say, show, voxel_of

Table = dict[str, Any]


def measure(
    labels: Annotated[Path, typer.Argument(help="Label image: .tif, folder of slices, .zarr, .mrc, .npy, .nrrd.")],
    table: Annotated[Path, typer.Argument(help="Table to write, .csv or .parquet; units and definitions go into .json beside it.")],
    image: Annotated[Path | None, typer.Option(help="Grey stack: adds grey values and texture.")] = None,
    parent: Annotated[Path | None, typer.Option(help="Labels of cells or nuclei: in which one, how near to its membrane.")] = None,
    parents_table: Annotated[Path | None, typer.Option(help="One row a parent: count, number density, volume fraction.")] = None,
    fill_parents: Annotated[bool, typer.Option("--fill-parents", help="Where the objects were cut out of their parents.")] = False,
    against: Annotated[Path | None, typer.Option(help="Labels of another class: the nearest of its objects.")] = None,
    nearest: Annotated[bool, typer.Option("--nearest", help="The nearest object of the same labels.")] = False,
    contacts_table: Annotated[Path | None, typer.Option(help="One row a pair that touches, with the area.")] = None,
    axis: Annotated[str, typer.Option(help="Direction z,y,x: the angle of each object to it, and how alike all lie.")] = "",
    later: Annotated[Path | None, typer.Option(help="Labels of a later time, or of another stack: where each object went.")] = None,
    match: Annotated[Literal["id", "nearest"], typer.Option(help="How objects are found again: by number or by place.")] = "id",
    farthest: Annotated[float, typer.Option(help="No object goes farther, in nm (px where no voxel size is known).", min=0)] = float("inf"),
    groups: Annotated[str, typer.Option(help="Of size,surface,hull,topology,skeleton,grey,texture,spectrum.")] = "",
    skeleton: Annotated[bool, typer.Option("--skeleton", help="Adds the longest path through a filament.")] = False,
    levels: Annotated[int, typer.Option(help="Grey levels of texture.")] = 32,
    span: Annotated[str, typer.Option(help="Grey range low,high of the levels; else 1st to 99th percentile of all objects.")] = "",
    voxel_nm: VoxelNm = "",
    progress: Progress = "bar",
    json_: Json = False,
) -> None:
    """Measure every object of a label image.

    fibsem-ij measure mitochondria.zarr measures.csv --image aligned.zarr --parent cells.zarr --parents-table cells.csv
    """
    from fibsem_ij import files
    from fibsem_ij.verbs import measure as verbs

    _may_write([path for path in (table, parents_table, contacts_table) if path])
    if against and nearest:
        raise ValueError("expected --against or --nearest, got both; measure twice, into two tables")
    if parents_table and not parent:
        raise ValueError("expected --parent with --parents-table, got none; give the labels of the parents")
    options, direction = _options(groups, skeleton, image, levels, span), _three(axis)
    if direction and "size" not in options.groups:
        raise ValueError("expected the group size with --axis, got other groups only; add size to --groups")
    stack = files.read_labels(labels, voxel_nm=voxel_of(voxel_nm))
    others = {"parent": parent, "against": against, "later": later}
    found = {name: _like(stack, path, voxel_nm, elsewhere=name == "later") for name, path in others.items() if path}
    about: Table = {}
    with progress_to(progress, "measure") as told_to, _doubts_said():
        step = _steps(told_to, len(options.groups) + len(found) + nearest + bool(contacts_table))
        columns = verbs.measured(stack, files.read(image) if image else None, options=options, progress=step)
        if direction:
            about["fibres"] = _fibres(columns, stack, direction)
        extra = _relations(columns, about, stack, found, step, fill=fill_parents, nearest=nearest, match=match, farthest=farthest)
        if contacts_table:
            extra["contacts"] = _contacts(stack)
            step()
    verbs.write(table, columns, stack, labels=labels.name, **about)
    for path, name in ((parents_table, "parent"), (contacts_table, "contacts")):
        if path:
            verbs.write(path, extra[name], stack, labels=labels.name)
    told = {"objects": len(columns["label"]), "columns": len(columns), "path": str(table), **about}
    show(told, json_, _line(told))


def _steps(told_to: Callable[[int, int], None] | None, total: int) -> Callable[..., None]:
    """A count of what is done, of groups of measures and of relations alike."""
    done = count(1)
    return lambda *_: told_to(next(done), total) if told_to else None


@contextmanager
def _doubts_said() -> Iterator[None]:
    """What the room warns of, as a line at once."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *_, **__: say(f"fibsem-ij: {message}")
        yield


def _may_write(paths: list[Path]) -> None:
    """Ask before the work."""
    from fibsem_ij.files import sidecar

    for path in paths:
        sidecar.may_write(path)
    if len({sidecar.beside(path) for path in paths}) < len(paths):
        raise ValueError(f"expected tables of different names, got {', '.join(path.name for path in paths)}; each has a .json of its name")


def _like(stack: Any, path: Path, voxel_nm: str, *, elsewhere: bool) -> Any:
    """Other labels; the voxel size given is theirs too, but not that of a stack elsewhere that has one of its own."""
    from dataclasses import replace

    from fibsem_ij import files
    from fibsem_ij.measure import between

    found = files.read_labels(path)
    if voxel_nm and not (elsewhere and found.voxel_nm):
        found = replace(found, voxel_nm=stack.voxel_nm)
    if not elsewhere:
        between.of_one_grid(stack, found, None)
    return found


def _options(groups: str, skeleton: bool, image: Path | None, levels: int, span: str) -> Any:
    from fibsem_ij.measure import Options

    chosen = tuple(name.strip() for name in groups.split(",")) if groups else (*Options().groups, *(("grey", "texture") if image else ()))
    if skeleton and "skeleton" not in chosen:
        chosen = (*chosen, "skeleton")
    try:
        low_high = tuple(float(part) for part in span.split(",")) if span else None
        if low_high is not None:
            low, high = low_high
    except ValueError:
        raise ValueError(f"expected --span as two grey values low,high, got {span!r}; write for instance 0,255") from None
    return Options(groups=chosen, levels=levels, span=None if low_high is None else (low, high))


def _three(text: str) -> tuple[float, float, float] | None:
    if not text:
        return None
    try:
        z, y, x = (float(part) for part in text.split(","))
        if not any((z, y, x)):
            raise ValueError
        return (z, y, x)
    except ValueError:
        raise ValueError(f"expected --axis as a direction z,y,x other than 0,0,0, got {text!r}; the x axis is 0,0,1") from None


def _fibres(columns: Table, stack: Any, direction: tuple[float, float, float]) -> Table:
    """The angle of each object; of all of them, how alike they lie."""
    import numpy as np

    from fibsem_ij.measure import fibres

    axes = np.stack([columns[f"axis_{name}"] for name in "zyx"], 1)
    columns["axis_angle_deg"] = fibres.angles(axes, direction)
    unit = "nm" if stack.voxel_nm else "px"
    return fibres.population(axes, lengths=np.stack([columns[f"axis_length_{i}_{unit}"] for i in (1, 2)], 1))


def _relations(columns: Table, about: Table, stack: Any, others: Table, step: Callable[[], None], *, fill: bool, nearest: bool, match: str,
               farthest: float) -> Table:
    """Adds columns, and what is to be said of them all; further tables are returned."""
    from fibsem_ij.measure import between, displacement

    extra: Table = {}
    if "parent" in others:
        more, extra["parent"] = between.within(stack, others["parent"], fill=fill)
        columns |= more
        about["with_parent"] = int((more["parent"] != 0).sum())
        step()
    if nearest or "against" in others:
        columns |= between.nearest(stack, others.get("against"))
        step()
    if "later" in others:
        columns |= (more := between.displaced(stack, others["later"], by=match, farthest=farthest))
        about["displacement"] = displacement.summary(more)
        step()
    return extra


def _contacts(stack: Any) -> Table:
    from fibsem_ij.measure import between

    return between.touching(stack)


def _line(told: Table) -> str:
    line = f"{told['objects']:,} objects in {told['path']}, {told['columns']} columns"
    if "with_parent" in told:
        line += f"; {told['with_parent']:,} have a parent"
    if "displacement" in told:
        line += f"; {told['displacement']['matched']:,} found again"
    if told.get("fibres", {}).get("fibres"):
        line += f"; {told['fibres']['fibres']:,} fibres, anisotropy {told['fibres']['fractional_anisotropy']:.2f}"
    return line
