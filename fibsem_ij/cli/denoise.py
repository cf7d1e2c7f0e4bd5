"""fibsem-ij denoise: noisy -> clean."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from fibsem_ij.cli.terminal import Json, Progress, apart, progress_to, show
from fibsem_ij.cli.training import state_of

app = typer.Typer(help="Denoise a stack: train a network, apply it, score what came out.", no_args_is_help=True)

Noisy = Annotated[Path, typer.Argument(help="Noisy stack: .tif, folder or glob of slices, .zarr, .mrc, .npy, .nrrd.")]
Net = Annotated[Path, typer.Argument(help="Network folder.")]
Device = Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")]
Registered = Annotated[Path | None, typer.Option("--transforms", help="What `register fit` wrote: its bad slices teach nothing and are no "
                                                                     "one's neighbours.")]
Aligned = Annotated[bool, typer.Option("--aligned", help="Scans of a field, or noisy stack and truth, lie on one another already; else "
                                                         "they are registered.")]


@app.command()
def fit(
    noisy: Noisy,
    net: Annotated[Path, typer.Argument(help="Network folder to write.")],
    clean: Annotated[Path | None, typer.Option(help="Truth, a stack: a slow scan of the same slices, or what `truth` wrote.")] = None,
    scans: Annotated[Path | None, typer.Option(help="Repeated scans: a folder with one folder, or one stack, a field; or one field "
                                                    "alone.")] = None,
    method: Annotated[Literal["supervised", "vae", "blindspot"] | None,
                      typer.Option(help="supervised where there is --clean or --scans, else blindspot.")] = None,
    neighbours: Annotated[int, typer.Option(help="Slices to each side that the network sees too; 1 or 2 for an aligned stack.", min=0)] = 0,
    minutes: Annotated[float, typer.Option(help="Training time.")] = 10.0,
    updates: Annotated[int | None, typer.Option(help="Or this many updates, whichever comes first.")] = None,
    base: Annotated[int, typer.Option(help="Maps of the network's first level; 32 and more pay on a GPU.", min=1)] = 16,
    trim: Annotated[float | None, typer.Option(help="Of --scans: the mean without this share at either end, not the median.")] = None,
    zoom: Annotated[float, typer.Option(help="Patches larger or smaller by up to this share.", min=0, max=0.9)] = 0.0,
    blur: Annotated[float, typer.Option(help="Blur of up to this many px on noisy patches.", min=0)] = 0.0,
    noise: Annotated[float, typer.Option(help="More noise on noisy patches, up to this many deviations of the stack.", min=0)] = 0.0,
    seed: Annotated[int, typer.Option(help="The same seed and updates give the same network.")] = 1,
    aligned: Aligned = False,
    transforms: Registered = None,
    device: Device = "auto",
    log: Annotated[Path | None, typer.Option(help="Folder for history.csv and curve.png.")] = None,
    progress: Progress = "bar",
    json_: Json = False,
) -> None:
    """Train a network. Stopped (Ctrl-C, a power cut) and started again, it goes on where it stopped.

    fibsem-ij denoise fit noisy.tif net/ --scans scans/
    """
    import shutil

    from fibsem_ij import denoise, files
    from fibsem_ij.files import networks
    from fibsem_ij.learn.augment import Augment
    from fibsem_ij.verbs import denoise as verbs

    options = denoise.Options(method=method or ("supervised" if clean or scans else "blindspot"), neighbours=neighbours, minutes=minutes,
                              updates=updates, base=base, trim=trim, seed=seed, device=device,
                              augment=Augment(zoom=zoom, blur_px=blur, noise=noise))
    networks.check_target(net)
    bad = _bad(transforms)
    state = state_of(net, options, noisy, clean, scans, aligned, bad)
    with progress_to(progress, "denoise fit") as step:
        network = verbs.fit(files.read(noisy), net, clean=clean, scans=scans, aligned=aligned, bad=bad, options=options, state=state,
                            log=log, progress=step)
    shutil.rmtree(state, ignore_errors=True)
    last = network.record["history"]["rows"][-1]
    show({"method": options.method, "updates": last["update"], "seconds": last["seconds"], "score": last["score"], "path": str(net)}, json_,
         f"{options.method} network in {net} after {last['update']} updates and {last['seconds'] / 60:.1f} minutes")


@app.command()
def apply(
    noisy: Noisy,
    net: Net,
    out: Annotated[Path, typer.Argument(help="Clean stack to write, of the same kind.")],
    uncertainty: Annotated[Path | None, typer.Option(help="Stack to write: how unsure a vae is of each pixel, in grey values.")] = None,
    residual: Annotated[Path | None, typer.Option(help="Stack to write: what was taken away. It should look like noise.")] = None,
    transforms: Registered = None,
    draws: Annotated[int, typer.Option(help="Of a vae: the mean of so many decoded draws; 0: the decoded middle.", min=0)] = 0,
    leave: Annotated[float, typer.Option(help="Share of the noise to leave in, for who misses some grain: 0.3.", min=0, max=0.99)] = 0.0,
    flips: Annotated[bool, typer.Option("--flips", help="The mean over mirrored tiles, in four times the time.")] = False,
    device: Device = "auto",
    progress: Progress = "bar",
    json_: Json = False,
) -> None:
    """Denoise a stack, slice by slice.

    fibsem-ij denoise apply noisy.tif net/ clean.tif --residual residual.tif
    """
    from fibsem_ij import files
    from fibsem_ij.files import networks
    from fibsem_ij.verbs import denoise as verbs

    apart(noisy, out, uncertainty, residual)
    stack = files.read(noisy)
    with progress_to(progress, "denoise apply") as step:
        verbs.apply(stack, networks.read(net), out, uncertainty=uncertainty, residual=residual, bad=_bad(transforms), draws=draws,
                    leave=leave, flips=flips, device=device, progress=step)
    show({"shape": list(stack.shape), "path": str(out)}, json_, f"{len(stack)} clean slices in {out}")


@app.command()
def score(
    out: Annotated[Path, typer.Argument(help="Denoised stack.")],
    clean: Annotated[Path, typer.Argument(help="Truth.")],
    pictures: Annotated[Path | None, typer.Option(help="Folder for a picture of some slices side by side.")] = None,
    noisy: Annotated[Path | None, typer.Option(help="The noisy stack, for the pictures.")] = None,
    json_: Json = False,
) -> None:
    """How far from the truth, in its grey values: MAE, MSE, PSNR, SSIM, and the error of the gradient at membranes.

    fibsem-ij denoise score clean.tif truth.tif --pictures pictures/ --noisy noisy.tif
    """
    from fibsem_ij import denoise, files

    result, truth = files.read(out), files.read(clean)
    told: dict[str, Any] = dict(denoise.score(result, truth))
    lines = [f"{name:10} {value:.4g}" for name, value in told.items()]
    if pictures:
        from fibsem_ij import render
        from fibsem_ij.render.denoise import denoising_sheet

        pictures.mkdir(parents=True, exist_ok=True)
        sheet = denoising_sheet(result, truth, noisy=files.read(noisy) if noisy else None)
        told["picture"] = str(render.save(pictures / "denoising.png", sheet))
        lines.append(f"Look at {told['picture']}")
    show(told, json_, "\n".join(lines))


@app.command()
def truth(
    scans: Annotated[Path, typer.Argument(help="Repeated scans: a folder with one folder, or one stack, a field; or one field alone.")],
    out: Annotated[Path, typer.Argument(help="Stack to write: one slice a field.")],
    trim: Annotated[float | None, typer.Option(help="The mean without this share at either end, instead of the median.")] = None,
    aligned: Aligned = False,
    progress: Progress = "bar",
    json_: Json = False,
) -> None:
    """Make truth from repeated scans: registered to one another, then the median of each pixel.

    fibsem-ij denoise truth scans/ truth.tif
    """
    import numpy as np

    from fibsem_ij import files
    from fibsem_ij.denoise import truth as of_scans
    from fibsem_ij.verbs import denoise as verbs

    fields = verbs.fields(scans)
    of_scans.checked(fields)
    dtype = np.dtype(fields[0].dtype)
    shape = (len(fields), *fields[0].shape[1:])
    with files.create(out, shape=shape, dtype=dtype, voxel_nm=fields[0].voxel_nm) as sink, progress_to(progress, "denoise truth") as step:
        for z, field in enumerate(fields):
            middle = of_scans.truth(field, trim=trim, align=None if aligned else verbs.registered)
            sink[z] = middle.astype(dtype) if dtype.kind == "f" else np.rint(middle).astype(dtype)
            if step:
                step(z + 1, len(fields))
    show({"fields": len(fields), "scans": fields[0].shape[0], "path": str(out)}, json_,
         f"Truth of {len(fields)} fields, {fields[0].shape[0]} scans each, in {out}")


def _bad(transforms: Path | None) -> tuple[int, ...]:
    from fibsem_ij.files import transforms as door

    return door.read(transforms).bad if transforms else ()
