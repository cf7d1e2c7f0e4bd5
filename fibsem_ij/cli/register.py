"""fibsem-ij register: slices that wander -> slices that sit still."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from fibsem_ij.cli.terminal import Heap, Home, Json, Progress, VoxelNm, Workers, progress_to, show, slices_of, voxel_of, workers_of

app = typer.Typer(help="Align a stack: find the transforms, apply them, score them.", no_args_is_help=True)

Source = Annotated[Path, typer.Argument(help="Grey stack: .tif, folder or glob of slices, .zarr, .mrc, .npy, .nrrd.")]
Fitted = Annotated[Path, typer.Argument(help="Transforms: .json.")]


@app.command()
def fit(
    src: Source,
    transforms: Annotated[Path, typer.Argument(help="Transforms to write: .json.")],
    aligner: Annotated[str, typer.Option(help="How a pair of slices is fitted: turboreg, sift; fiji-turboreg, fiji-sift: by the plugins "
                                              "of your Fiji; or what another package plugs in.")] = "turboreg",
    model: Annotated[Literal["translation", "rigid", "similarity", "affine"], typer.Option(help="What a slice may do.")] = "affine",
    runs: Annotated[int, typer.Option(help="Stochastic runs a pair; their median is the fit.", min=1)] = 25,
    reach: Annotated[int, typer.Option(help="Fit pairs at distance 1 to this.", min=1)] = 2,
    canvas: Annotated[Literal["same", "pad", "crop"], typer.Option(help="pad: nothing is lost; crop: what all slices share.")] = "same",
    contrast: Annotated[Literal["none", "equalise", "match"],
                        typer.Option(help="Done to slices before the estimate; match: to the neighbours' histogram.")] = "none",
    reference: Annotated[int | None, typer.Option(help="The slice that stays where it is; else the first good one.")] = None,
    keep_trend: Annotated[bool, typer.Option("--keep-trend", help="Leave slow drift in: it is the specimen's own.")] = False,
    anchors: Annotated[Path | None, typer.Option(help="Known matrices of some slices: transforms .json, or .csv with z,tx,ty.")] = None,
    bad: Annotated[str, typer.Option(help="Slices known to be bad, beside those that are found: 3,17.")] = "",
    seed: Annotated[int, typer.Option(help="The same seed gives the same transforms.")] = 1,
    device: Annotated[str, typer.Option(help="Where turboreg sums its pixels: cpu, cuda, mps, or auto for the best.")] = "cpu",
    voxel_nm: VoxelNm = "",
    home: Home = None,
    heap: Heap = "",
    workers: Workers = 0,
    progress: Progress = "bar",
    json_: Json = False,
) -> None:
    """Find where every slice belongs, and which slices to doubt.

    fibsem-ij register fit slices/ transforms.json --canvas pad
    """
    from dataclasses import replace

    from fibsem_ij import files, register
    from fibsem_ij.files import transforms as door
    from fibsem_ij.verbs.register import aligning

    options = register.Options(model=model, runs=runs, seed=seed, reach=reach, contrast=contrast, reference=reference,
                               keep_trend=keep_trend, canvas=canvas, bad=slices_of(bad, "--bad"),
                               anchors=door.read_anchors(anchors) if anchors else {})
    stack = files.read(src, voxel_nm=voxel_of(voxel_nm))
    with (workers_of(workers) as pool, progress_to(progress, "register") as step,
          aligning(options, aligner, home=home, heap=heap or None) as options):
        fitted = register.fit(stack, options=replace(options, device=device), executor=pool, progress=step)
    door.write(transforms, fitted)
    doubtful = ", ".join(f"{stack.names[z]} ({fitted.why[z]})" for z in fitted.bad) or "none"
    show({"slices": len(fitted), "bad": list(fitted.bad), "why": [fitted.why[z] for z in fitted.bad], "canvas": list(fitted.canvas),
          "path": str(transforms)}, json_,
         f"{len(fitted)} slices in {transforms}, canvas {fitted.canvas[0]} x {fitted.canvas[1]}, bad slices: {doubtful}")


@app.command()
def apply(
    src: Annotated[Path, typer.Argument(help="Stack, label stack (with --labels), or ROI set (.zip) of the slices that were fitted.")],
    transforms: Fitted,
    out: Annotated[Path, typer.Argument(help="What to write, of the same kind.")],
    labels: Annotated[bool, typer.Option("--labels", help="SRC is a label stack: numbers are moved, never mixed.")] = False,
    interpolation: Annotated[Literal["nearest", "linear", "cubic"] | None, typer.Option(help="linear, and nearest for labels.")] = None,
    contrast: Annotated[Literal["none", "equalise", "match"], typer.Option(help="match: to the neighbours' histogram.")] = "none",
    workers: Workers = 0,
    progress: Progress = "bar",
    json_: Json = False,
) -> None:
    """Resample a stack once, from the raw, onto the canvas of the transforms; or move a label stack or ROI set alike.

    fibsem-ij register apply slices/ transforms.json aligned.zarr
    """
    from fibsem_ij import files, register
    from fibsem_ij.files import transforms as door
    from fibsem_ij.verbs import register as verbs

    fitted = door.read(transforms)
    if src.suffix.lower() in (".zip", ".roi"):
        from fibsem_ij.files import rois

        count = rois.write(out, rois.moved(rois.read(src), lambda z, points: register.move(points, fitted, z), depth=len(fitted)))
        show({"rois": count, "path": str(out)}, json_, f"{count} ROIs in {out}")
        return
    stack = files.read_labels(src) if labels else files.read(src)
    with workers_of(workers) as pool, progress_to(progress, "apply") as step:
        shape = verbs.apply(stack, fitted, out, interpolation=interpolation, contrast=contrast, executor=pool, progress=step)
    show({"shape": list(shape), "path": str(out)}, json_, f"{shape[0]} slices of {shape[1]} x {shape[2]} in {out}")


@app.command()
def invert(
    transforms: Fitted,
    out: Annotated[Path, typer.Argument(help="Transforms to write: .json.")],
    like: Annotated[Path, typer.Option(help="The raw stack: lends the size of its slices.")],
    json_: Json = False,
) -> None:
    """Write the transforms that undo these: applied to the aligned stack, or to labels drawn on it, they lead back to the raw slices.

    fibsem-ij register invert transforms.json back.json --like slices/
    """
    from fibsem_ij import files
    from fibsem_ij.files import transforms as door

    fitted, stack = door.read(transforms), files.read(like)
    if len(stack) != len(fitted):
        raise ValueError(f"expected a stack of {len(fitted)} slices, one a matrix, got {len(stack)}; these transforms are of another stack")
    inverted = fitted.inverse(stack.shape[1:])
    door.write(out, inverted)
    show({"slices": len(inverted), "canvas": list(inverted.canvas), "path": str(out)}, json_,
         f"{len(inverted)} slices in {out}, canvas {inverted.canvas[0]} x {inverted.canvas[1]}")


@app.command()
def score(
    transforms: Fitted,
    truth: Annotated[Path, typer.Argument(help="The true transforms: .json.")],
    json_: Json = False,
) -> None:
    """How far from known transforms: mean error a pair, the worst, and the drift from end to end, in px.

    fibsem-ij register score transforms.json truth.json
    """
    from fibsem_ij import register
    from fibsem_ij.files import transforms as door

    told = register.score(door.read(transforms), door.read(truth))
    show(dict(told), json_, "\n".join(f"{name:14} {value:.3f}" for name, value in told.items()))


@app.command()
def qc(
    src: Source,
    transforms: Fitted,
    folder: Annotated[Path, typer.Argument(help="Folder for quality.csv and quality.png; made if need be.")],
    workers: Workers = 0,
    json_: Json = False,
) -> None:
    """Say and show how well each slice sits: a table, and a picture with the worst slices and the stack from the side.

    fibsem-ij register qc slices/ transforms.json qc/
    """
    from fibsem_ij import files, render
    from fibsem_ij.files import tables
    from fibsem_ij.files import transforms as door
    from fibsem_ij.register.quality import quality
    from fibsem_ij.render.registration import registration_sheet

    stack, fitted = files.read(src), door.read(transforms)
    with workers_of(workers) as pool:
        table = quality(stack, fitted, executor=pool)
    folder.mkdir(parents=True, exist_ok=True)
    tables.write(folder / "quality.csv", table)
    picture = render.save(folder / "quality.png", registration_sheet(stack, fitted, table))
    worst = [str(table["name"][z]) for z in table["worst"].argsort()[:5]]
    show({"picture": str(picture), "table": str(folder / "quality.csv"), "worst": worst}, json_,
         f"Look at {picture}; the worst slices are {', '.join(worst)}")


@app.command("to-fiji")
def to_fiji(
    transforms: Fitted,
    folder: Annotated[Path, typer.Argument(help="Folder to write: one XML a slice.")],
    like: Annotated[Path, typer.Option(help="The stack that was fitted: lends the slice names.")],
    json_: Json = False,
) -> None:
    """Write the transforms as Fiji's Transform Virtual Stack Slices and TrakEM2 read them.

    fibsem-ij register to-fiji transforms.json xml/ --like slices/
    """
    from fibsem_ij import files
    from fibsem_ij.files import fiji_transforms
    from fibsem_ij.files import transforms as door

    fitted = door.read(transforms)
    fiji_transforms.write(folder, fitted, names=files.read(like).names)
    show({"slices": len(fitted), "path": str(folder)}, json_, f"{len(fitted)} transforms in {folder}")


@app.command("from-fiji")
def from_fiji(
    folder: Annotated[Path, typer.Argument(help="Folder of XML files, as Register Virtual Stack Slices writes them.")],
    transforms: Annotated[Path, typer.Argument(help="Transforms to write: .json.")],
    like: Annotated[Path, typer.Option(help="The stack they belong to: lends canvas, names and voxel size.")],
    json_: Json = False,
) -> None:
    """Read transforms that Fiji's Register Virtual Stack Slices has saved.

    fibsem-ij register from-fiji xml/ transforms.json --like slices/
    """
    from fibsem_ij import files
    from fibsem_ij.files import fiji_transforms
    from fibsem_ij.files import transforms as door

    stack = files.read(like)
    fitted = fiji_transforms.read(folder, canvas=stack.shape[1:], names=stack.names, voxel_nm=stack.voxel_nm)
    door.write(transforms, fitted)
    show({"slices": len(fitted), "path": str(transforms)}, json_, f"{len(fitted)} slices in {transforms}")
