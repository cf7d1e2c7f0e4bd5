"""fibsem-ij render: pictures, films, meshes and figures of what there is, and one page that shows a workspace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fibsem_ij.cli.terminal import Json, Progress, VoxelNm, progress_to, show, voxel_of

if TYPE_CHECKING:
    from fibsem_ij.render.meshes import Thin

app = typer.Typer(help="Pictures, films, meshes and figures; one page that shows a workspace.", no_args_is_help=True)

Labels = Annotated[Path, typer.Argument(help="Label image: .tif, folder or glob, .zarr, .mrc, .npy, .nrrd.")]
Only = Annotated[str, typer.Option(help="These labels alone: 3,7,12.")]
Voxels = Annotated[int, typer.Option(help="A larger stack is drawn on a coarser grid.", min=1)]
Smoothing = Annotated[float, typer.Option(help="Of the surface: 0 leaves the stairs, 2 is smoother.", min=0.0, max=20.0)]


@app.command()
def report(
    workspace: Annotated[Path, typer.Argument(help="Folder with raw.zarr, transforms.json, labels.tif, measures.csv, ...: what there is.")],
    out: Annotated[Path | None, typer.Argument(help="Page to write; else report.html in the folder.")] = None,
    progress: Progress = "bar",
    json_: Json = False,
) -> None:
    """Write one page that shows a workspace, with everything in it.

    fibsem-ij render report workspace/
    """
    from fibsem_ij import report as page

    with progress_to(progress, "report") as step:
        path = page.write(workspace, out, progress=step)
    show({"path": str(path), "bytes": path.stat().st_size}, json_, f"Look at {path} ({path.stat().st_size / 1e6:.1f} MB)")


@app.command()
def objects(
    labels: Labels,
    out: Annotated[Path, typer.Argument(help="Picture (.png) or turntable film (.gif, .mp4) to write.")],
    ids: Only = "",
    azimuth: Annotated[float, typer.Option(help="Degrees that the eye goes to the left; 0 looks straight at slice 0.")] = 28.0,
    elevation: Annotated[float, typer.Option(help="Degrees that the eye rises.", min=-89.0, max=89.0)] = 24.0,
    size: Annotated[str, typer.Option(help="Width,height in pixels; else 1200,900, of a film 640,480.")] = "",
    paper: Annotated[Literal["dark", "white", "clear"], typer.Option(help="Background; clear is for pictures alone.")] = "dark",
    plain: Annotated[bool, typer.Option("--plain", help="Without the line below that says what is shown.")] = False,
    frames: Annotated[int, typer.Option(help="Of a film, once round.", min=2)] = 48,
    smoothing: Smoothing = 1.0,
    voxels: Voxels = 2**25,
    voxel_nm: VoxelNm = "",
    progress: Progress = "bar",
    json_: Json = False,
) -> None:
    """Draw labelled objects in 3D, in the colours of the label image.

    fibsem-ij render objects labels.zarr cells.png ; fibsem-ij render objects labels.zarr cells.gif
    """
    from fibsem_ij import render
    from fibsem_ij.render.objects import FILMS, View, picture, save_film, turntable

    film = out.suffix.lower() in FILMS
    if not film and out.suffix.lower() != ".png":
        raise ValueError(f"expected a name that ends in .png, .gif or .mp4, got {out}; choose one of them")
    if film and paper == "clear":
        raise ValueError("expected a film on dark or white paper, got clear; films have no clear background here")
    view = View(azimuth, elevation, _size(size) or ((640, 480) if film else (1200, 900)), paper, smoothing)
    thin = _shown(labels, ids, voxels, voxel_nm)
    note = "" if plain else thin.caption
    if film:
        with progress_to(progress, "frames") as step:
            turned = turntable(thin.labels, frames=frames, view=view, note=note, progress=step)
            save_film(out, turned, fps=frames / 4)
    else:
        render.save(out, picture(thin.labels, view=view, note=note))
    show({"path": str(out), "caption": thin.caption, "steps": thin.steps}, json_, f"{thin.caption}. Look at {out}")


@app.command()
def meshes(
    labels: Labels,
    folder: Annotated[Path, typer.Argument(help="Folder for label_0001.stl and so on.")],
    ending: Annotated[Literal["stl", "obj", "ply"], typer.Option("--format", help="OBJ and PLY carry the label colours.")] = "stl",
    unit: Annotated[Literal["", "nm", "um", "px"], typer.Option(help="Of lengths; else nm, or px where no voxel size is known.")] = "",
    ids: Only = "",
    smoothing: Smoothing = 1.0,
    voxels: Voxels = 2**25,
    voxel_nm: VoxelNm = "",
    json_: Json = False,
) -> None:
    """Write a closed surface for each object, for Fiji's 3D Viewer and Blender.

    fibsem-ij render meshes labels.zarr meshes/ --format ply --unit um
    """
    from fibsem_ij.files import meshes as door
    from fibsem_ij.render.meshes import meshes as surfaces

    thin = _shown(labels, ids, voxels, voxel_nm)
    unit = unit or ("nm" if thin.labels.voxel_nm else "px")
    count = door.write_all(folder, surfaces(thin.labels, unit=unit, smoothing=smoothing), ending=f".{ending}")
    show({"path": str(folder), "meshes": count, "unit": unit, "steps": thin.steps}, json_,
         f"{count} meshes in {folder}, lengths in {unit}; {thin.caption}")


@app.command()
def table(
    source: Annotated[Path, typer.Argument(metavar="TABLE", help="Table of measures: .csv or .parquet.")],
    folder: Annotated[Path, typer.Argument(help="Folder for distributions and scatter, each .png and .svg.")],
    by: Annotated[str, typer.Option(help="Column of groups: class, parent, ...")] = "",
    columns: Annotated[str, typer.Option(help="These columns alone: volume_nm3,sphericity.")] = "",
    x: Annotated[str, typer.Option(help="The column across in the scatter plots; else the first.")] = "",
    json_: Json = False,
) -> None:
    """Draw how measures are distributed, and how they go together.

    fibsem-ij render table measures.csv figures/ --by class
    """
    from fibsem_ij.files import tables
    from fibsem_ij.render.measures import draw

    chosen = [name.strip() for name in columns.split(",") if name.strip()]
    paths = draw(folder, tables.read(source), names=chosen, x=x, by=by)
    show({"paths": [str(path) for path in paths]}, json_, f"Look at {', '.join(map(str, paths))}")


@app.command()
def montage(
    src: Annotated[Path, typer.Argument(help="Grey stack: .tif, folder or glob, .zarr, .mrc, .npy, .nrrd.")],
    out: Annotated[Path, typer.Argument(help="Picture to write: .png.")],
    labels: Annotated[Path | None, typer.Option(help="Label image of the same stack, drawn over it.")] = None,
    count: Annotated[int, typer.Option(help="Slices, spread through the stack.", min=1, max=400)] = 10,
    columns: Annotated[int, typer.Option(help="Pictures in a row.", min=1, max=40)] = 4,
    size: Annotated[int, typer.Option(help="Longest side of each, in pixels.", min=16, max=4096)] = 360,
    json_: Json = False,
) -> None:
    """Draw slices spread through a stack, and cuts along z, with the labels over them.

    fibsem-ij render montage aligned.zarr montage.png --labels labels.zarr
    """
    from fibsem_ij import files, render

    if out.suffix.lower() != ".png":
        raise ValueError(f"expected a name that ends in .png, got {out}; choose one")
    stack = files.read(src)
    over = files.read_labels(labels) if labels else None
    picture = render.montage(stack, over, count=count, columns=columns, largest_px=size, names=stack.names, voxel_nm=stack.voxel_nm,
                             title=src.name + (f" and {labels.name}" if labels else ""))
    render.save(out, picture)
    show({"path": str(out), "slices": count}, json_, f"Look at {out}")


def _shown(path: Path, ids: str, voxels: int, voxel_nm: str) -> Thin:
    from dataclasses import replace

    from fibsem_ij.render.meshes import only, opened

    thin = opened(path, voxels=voxels, voxel_nm=voxel_of(voxel_nm))
    chosen = _numbers(ids, "--ids as labels", "3,7,12")
    return replace(thin, labels=only(thin.labels, chosen)) if chosen else thin


def _size(text: str) -> tuple[int, int] | None:
    numbers = _numbers(text, "--size as width,height", "1200,900")
    if len(numbers) not in (0, 2):
        raise ValueError(f"expected --size as width,height, got {text!r}; write for instance 1200,900")
    return (numbers[0], numbers[1]) if numbers else None


def _numbers(text: str, what: str, example: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise ValueError(f"expected {what}, got {text!r}; write for instance {example}") from None
