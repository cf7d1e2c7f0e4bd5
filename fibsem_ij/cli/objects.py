"""fibsem-ij objects: probabilities, masks or grey values -> numbered things."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from fibsem_ij.cli.terminal import Json, Progress, VoxelNm, Workers, apart, progress_to, show, voxel_of, workers_of
from fibsem_ij.verbs.followed import Followed

app = typer.Typer(help="Numbered things: cells, nuclei, components; scores of them.", no_args_is_help=True)

Source = Annotated[Path, typer.Argument(help="Stack: .tif, folder or glob of slices, .zarr, .mrc, .npy, .nrrd.")]
Out = Annotated[Path, typer.Argument(help="Label image to write.")]


@app.command()
def cells(
    src: Annotated[Path, typer.Argument(help="Probabilities (8 bit) of interior and boundary; of interior, with --boundary; or a mask.")],
    out: Out,
    drawn: Annotated[Path, typer.Option(help="Drawn cells: folder of label slices, label stack with empty slices, or ROI set.")],
    boundary: Annotated[Path | None, typer.Option(help="Probability (8 bit) of cell boundary.")] = None,
    way: Annotated[Literal["frame", "selective", "everywhere"], typer.Option(help="Carried outlines cut the mask everywhere, "
                        "only where cells would merge (selective), or slice by slice with the boundaries seen (frame).")] = "frame",
    workers: Workers = 0,
    progress: Progress = "bar",
    json_: Json = False,
) -> None:
    """Give every slice the numbers of a few drawn ones, and log every decision in OUT.events.csv.

    fibsem-ij objects cells probabilities.zarr cells.zarr --drawn drawn/cells
    """
    from fibsem_ij import files, objects
    from fibsem_ij.files import drawn as layers
    from fibsem_ij.verbs import objects as verbs

    apart(src, out, drawn, boundary)
    stack, edges = (files.read(src), files.read(boundary)) if boundary else verbs.interior_and_boundary(src)
    fitted = objects.fit(layers.read(drawn, stack, classes=False).slices)
    with workers_of(workers) as pool, progress_to(progress, "cells") as step:
        told = verbs.cells(stack, edges, fitted, out, options=objects.Options(way=way), executor=pool, progress=step)
    show({"slices": len(stack), "drawn": len(fitted), "events": dict(told), "path": str(out)}, json_,
         f"{len(stack)} slices in {out} from {len(fitted)} drawn; " + (", ".join(f"{n} {e}" for e, n in told.items()) or "no events"))


@app.command()
def link(
    src: Source,
    out: Out,
    numbered: Annotated[bool, typer.Option("--numbered", help="The slices hold regions with numbers of their own.")] = False,
    workers: Workers = 0,
    progress: Progress = "bar",
    json_: Json = False,
) -> None:
    """Link a stack that was segmented slice by slice.

    fibsem-ij objects link masks/ labels.zarr
    """
    from fibsem_ij import files
    from fibsem_ij.objects import linking
    from fibsem_ij.verbs import objects as verbs

    apart(src, out)
    stack, counted = files.read(src), list[int]()
    with (verbs.labels(out, stack) as sink, workers_of(workers) as pool, progress_to(progress, "link") as step):
        linking.link(stack, sink, options=linking.Options(numbered=numbered), executor=pool, progress=step, count=counted.append)
    show({"objects": counted[0], "path": str(out)}, json_, f"{counted[0]} objects in {out}")


@app.command()
def components(
    src: Source,
    out: Out,
    preset: Annotated[Literal["none", "chromosomes"], typer.Option(help="chromosomes: 26, delta 10, the 12 largest.")] = "none",
    threshold: Annotated[float | None, typer.Option(help="Grey value or probability from which a voxel counts.")] = None,
    connectivity: Annotated[int | None, typer.Option(help="6, 18 or 26 neighbours.")] = None,
    delta: Annotated[float | None, typer.Option(help="Grey neighbours that differ by no more hang together.")] = None,
    fill_holes: Annotated[bool, typer.Option("--fill-holes", help="Fill what one class alone surrounds.")] = False,
    least_voxels: Annotated[str, typer.Option(help="Smaller pieces go: 500, or for classes apart 1:500,2:80.")] = "0",
    least_nm3: Annotated[str, typer.Option(help="The same by volume.")] = "0",
    largest: Annotated[int | None, typer.Option(help="Keep so many.")] = None,
    split_px: Annotated[float | None, typer.Option(help="Cut pieces at necks narrower by this in radius.")] = None,
    voxel_nm: VoxelNm = "",
    progress: Progress = "bar",
    json_: Json = False,
) -> None:
    """Number the pieces that hang together, in a stack of any size.

    fibsem-ij objects components mitochondria.zarr labels.zarr --threshold 128 --least-voxels 500
    """
    from dataclasses import replace

    from fibsem_ij import files
    from fibsem_ij.objects.components import PRESETS, Options
    from fibsem_ij.objects.components import components as fill
    from fibsem_ij.verbs import objects as verbs

    apart(src, out)
    options = replace(PRESETS.get(preset, Options()), threshold=threshold, fill_holes=fill_holes, split_px=split_px,
                      least_voxels=_least(least_voxels), least_nm3=_least(least_nm3))
    given: dict[str, Any] = {"connectivity": connectivity, "delta": delta, "largest": largest}
    options = replace(options, **{name: value for name, value in given.items() if value is not None})
    stack, counted = files.read(src, voxel_nm=voxel_of(voxel_nm)), list[int]()
    with verbs.labels(out, stack) as sink, progress_to(progress, "components") as step:
        fill(stack, Followed(sink, step, times=2), options=options, count=counted.append)
    show({"objects": counted[0], "path": str(out)}, json_, f"{counted[0]} objects in {out}")


@app.command()
def nuclei(
    src: Source,
    out: Out,
    least: Annotated[float, typer.Option(help="Smallest diameter in nm (px where no voxel size is known).")] = 3000,
    most: Annotated[float, typer.Option(help="Largest diameter.")] = 15000,
    crops: Annotated[Path | None, typer.Option(help="Folder for one crop a nucleus, and crops.csv with their offsets.")] = None,
    crop_px: Annotated[int, typer.Option(help="Size of the crops.", min=1)] = 1700,
    voxel_nm: VoxelNm = "",
    workers: Workers = 0,
    progress: Progress = "bar",
    json_: Json = False,
) -> None:
    """Find nuclei by their outlines, number them, and cut each out.

    fibsem-ij objects nuclei clean.zarr nuclei.zarr --voxel-nm 8,8,8 --crops crops/
    """
    import numpy as np

    from fibsem_ij import files
    from fibsem_ij.files import tables
    from fibsem_ij.objects import nuclei as room
    from fibsem_ij.objects.crops import crops as cut_out
    from fibsem_ij.verbs import objects as verbs
    from fibsem_ij.volume import Volume

    apart(src, out, crops)
    if crops and crops.exists() and not crops.is_dir():
        raise ValueError(f"expected a folder for the crops, got the file {crops}; name another")
    stack = files.read(src, voxel_nm=voxel_of(voxel_nm))
    with workers_of(workers) as pool, progress_to(progress, "nuclei") as step:
        found = room.find(stack, options=room.Options(least=least, most=most), executor=pool, progress=step)
    with verbs.labels(out, stack) as sink:
        room.draw(found, sink)
    if crops:
        crops.mkdir(parents=True, exist_ok=True)
        offsets = []
        for number, offset, pixels in cut_out(stack, found, size_px=crop_px):
            files.write(crops / f"{number:04d}.tif", Volume(pixels, stack.voxel_nm))
            offsets.append((number, *offset))
        rows = np.array(offsets, np.int64).reshape(-1, 4).T
        tables.write(crops / "crops.csv", dict(zip(("label", "z", "y", "x"), rows, strict=True)))
    show({"nuclei": len(found), "path": str(out)}, json_, f"{len(found)} nuclei in {out}")


@app.command()
def score(
    labels: Annotated[Path, typer.Argument(help="Label image to judge.")],
    truth: Annotated[Path, typer.Argument(help="The true label image.")],
    json_: Json = False,
) -> None:
    """How far from the truth: foreground, objects, partitions, tracks.

    fibsem-ij objects score cells.zarr truth.zarr
    """
    from fibsem_ij import files, objects

    told = objects.score(files.read_labels(labels), files.read_labels(truth))
    show(told, json_, "\n".join(f"{name:14} {value:.4g}" for name, value in told.items()))


def _least(text: str) -> float | dict[int, float]:
    """One number, or one for each class: "500", "1:500,2:80"."""
    try:
        return {int(k): float(v) for k, v in (part.split(":") for part in text.split(","))} if ":" in text else float(text)
    except ValueError:
        raise ValueError(f"expected a size, or one for each class, got {text!r}; write 500, or 1:500,2:80") from None
