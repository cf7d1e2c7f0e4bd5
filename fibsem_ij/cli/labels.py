"""fibsem-ij labels: label images and ROI sets, each into the other. No Java."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fibsem_ij.cli import edits
from fibsem_ij.cli.terminal import Json, Progress, VoxelNm, progress_to, show, voxel_of
from fibsem_ij.verbs.followed import Followed

app = typer.Typer(help="Label images and ROI sets, each into the other. No Java needed.", no_args_is_help=True)
app.add_typer(edits.app, name="edit")


@app.command("to-rois")
def labels_to_rois(
    labels: Annotated[Path, typer.Argument(help="Label image: .tif, folder or glob, .zarr, .mrc, .npy, .nrrd.")],
    rois: Annotated[Path, typer.Argument(help="ROI set to write: .zip.")],
    progress: Progress = "bar",
    json_: Json = False,
) -> None:
    """Write one ROI for each object and slice; from-rois gives the label image back pixel for pixel.

    fibsem-ij labels to-rois labels.tif rois.zip
    """
    from fibsem_ij import files
    from fibsem_ij.files import rois as roi_set

    src = files.read_labels(labels)
    with progress_to(progress, "to-rois") as step:
        count = roi_set.write(rois, roi_set.to_rois(src, progress=step))
    show({"rois": count, "slices": len(src), "path": str(rois)}, json_, f"{count} ROIs of {len(src)} slices in {rois}")


@app.command("from-rois")
def labels_from_rois(
    rois: Annotated[Path, typer.Argument(help="ROI set: .zip or .roi.")],
    out: Annotated[Path, typer.Argument(help="Label image to write.")],
    like: Annotated[Path, typer.Option(help="An image of the same stack: lends shape, voxel size and slice names.")],
    progress: Progress = "bar",
    json_: Json = False,
) -> None:
    """Draw a ROI set as a label image.

    fibsem-ij labels from-rois rois.zip labels.tif --like raw.tif
    """
    import numpy as np

    from fibsem_ij import files
    from fibsem_ij.files import rois as roi_set

    frame = files.read(like)
    drawn = roi_set.read(rois)
    dtype = np.uint16 if max(roi_set.ids(drawn), default=0) < 2**16 else np.uint32
    with (files.create(out, shape=frame.shape, dtype=dtype, voxel_nm=frame.voxel_nm, names=frame.names, labels=True) as sink,
          progress_to(progress, "from-rois") as step):
        roi_set.from_rois(drawn, shape=frame.shape, dtype=dtype, out=Followed(sink, step))
    show({"rois": len(drawn), "slices": len(frame), "path": str(out)}, json_, f"{len(drawn)} ROIs in {len(frame)} slices of {out}")


@app.command("to-imagej")
def labels_to_imagej(
    labels: Annotated[Path, typer.Argument(help="Label image: .tif, folder or glob, .zarr, .mrc, .npy, .nrrd.")],
    out: Annotated[Path, typer.Argument(help="ImageJ stack to write: .tif.")],
    voxel_nm: VoxelNm = "",
    progress: Progress = "bar",
    json_: Json = False,
) -> None:
    """Write a label image as ImageJ opens it: coloured, calibrated, slices named.

    fibsem-ij labels to-imagej labels.zarr labels.tif
    """
    from fibsem_ij import files

    if out.suffix.lower() not in (".tif", ".tiff"):
        raise ValueError(f"expected a name that ends in .tif, got {out}; ImageJ opens TIFF stacks")
    src = files.read_labels(labels, voxel_nm=voxel_of(voxel_nm))
    with (files.create(out, shape=src.shape, dtype=src.dtype, voxel_nm=src.voxel_nm, names=src.names, labels=True,
                       classes=src.classes) as sink, progress_to(progress, "to-imagej") as step):
        followed = Followed(sink, step)
        for z in range(len(src)):
            followed[z] = src[z]
    show({"slices": len(src), "path": str(out)}, json_, f"{len(src)} slices in {out}")
