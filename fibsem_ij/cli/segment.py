"""fibsem-ij segment: a handful of drawn slices -> a network -> classes in every slice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from fibsem_ij.cli.segment_scores import score
from fibsem_ij.cli.terminal import Json, Progress, progress_to, say, show, slices_of
from fibsem_ij.verbs.followed import Followed

app = typer.Typer(help="Classes from a few drawn slices: train, apply, score; which slices to draw.", no_args_is_help=True)
app.command()(score)

Source = Annotated[Path, typer.Argument(help="Grey stack: .tif, folder or glob of slices, .zarr, .mrc, .npy, .nrrd.")]
Device = Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")]
How = Annotated[Literal["auto", "argmax", "threshold", "priority"], typer.Option(
    help="argmax: the likeliest, background included; threshold: the likeliest class over it; priority: the first class over it; auto: "
         "threshold where each class is for itself (per class, sigmoid), else argmax.")]
Threshold = Annotated[float, typer.Option(help="Probability a class needs, up to 1.", min=0.001, max=1)]
Priority = Annotated[list[str] | None, typer.Option(help="Classes, the strongest first: give it for each.")]
Crumbs = Annotated[bool, typer.Option("--crumbs", help="Leave pieces in that are smaller, in a slice, than what was drawn.")]
LeastVoxels = Annotated[list[str] | None, typer.Option(help="CLASS=N: its 3D pieces of fewer voxels go; 1000 to 3000 for organelles.")]


@app.command()
def fit(
    src: Source,
    drawn: Annotated[Path, typer.Argument(help="Drawn classes: folder of label slices with names.json, label stack, or ROI set.")],
    net: Annotated[Path, typer.Argument(help="Network folder to write.")],
    preset: Annotated[str, typer.Option(help="quick, organelles, sparse, nuclei; cells: inside and boundary of drawn objects.")] = "quick",
    network: Annotated[str | None, typer.Option(help="resunet, unet, efficientunet, transunet, setr, msdnet; else the preset's.")] = None,
    base: Annotated[int | None, typer.Option(help="Maps of the network's first level; 32 and more pay on a GPU.", min=1)] = None,
    minutes: Annotated[float | None, typer.Option(help="Training time of each network; else the preset's.")] = None,
    updates: Annotated[int | None, typer.Option(help="Or this many updates, whichever comes first.")] = None,
    rate: Annotated[float | None, typer.Option(help="Learning rate; else the preset's. A tenth where the loss is NaN.")] = None,
    neighbours: Annotated[int | None, typer.Option(help="Slices to each side that the network sees too.", min=0)] = None,
    context: Annotated[int | None, typer.Option(help="It sees the slices so many times smaller: 4 for nuclei.", min=1)] = None,
    patch: Annotated[int | None, typer.Option(help="Pixels a side of a training patch; smaller ones take less memory.", min=16)] = None,
    grain: Annotated[bool, typer.Option("--grain", help="It also sees the slice with its grains taken out.")] = False,
    encoder: Annotated[Path | None, typer.Option(help="efficientunet: timm's weights of its encoder, a .safetensors file that you have.",
                                                 exists=True, dir_okay=False)] = None,
    start: Annotated[Path | None, typer.Option(help="Start from this network, of the same options and classes, not afresh.")] = None,
    boundary_px: Annotated[int | None, typer.Option(help="Of drawn objects: how wide their boundary is.", min=1)] = None,
    per_class: Annotated[bool, typer.Option("--per-class", help="A network of its own for each class.")] = False,
    trainings: Annotated[int | None, typer.Option(help="Train so many times, with other seeds.", min=1)] = None,
    keep: Annotated[int | None, typer.Option(help="Of several trainings the best so many, averaged when applied.", min=1)] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="A drawn class that is kept out of it; may be given again.")] = None,
    unlabelled_is_ignored: Annotated[bool, typer.Option("--unlabelled-is-ignored", help="Slices are drawn in part: 0 is unknown.")] = False,
    seed: Annotated[int, typer.Option(help="The same seed and updates give the same network.")] = 1,
    device: Device = "auto",
    log: Annotated[Path | None, typer.Option(help="Folder for history.csv and curve.png.")] = None,
    progress: Progress = "bar",
    json_: Json = False,
) -> None:
    """Train on the drawn slices. Stopped (Ctrl-C, a power cut) and started again, it goes on where it stopped.

    fibsem-ij segment fit aligned.zarr drawn/classes net/ --minutes 10
    """
    import shutil

    from fibsem_ij import files, segment
    from fibsem_ij.cli.training import state_of
    from fibsem_ij.files import drawn as layers
    from fibsem_ij.files import networks
    from fibsem_ij.verbs import segment as verbs

    options = _options(preset, base, network=network, minutes=minutes, updates=updates, rate=rate, neighbours=neighbours, context=context,
                       patch=patch, grain=segment.options.GRAIN if grain else None, boundary_px=boundary_px, per_class=per_class,
                       trainings=trainings, keep=keep, ignore=tuple(ignore or ()), unlabelled_is_ignored=unlabelled_is_ignored, seed=seed,
                       device=device)
    networks.check_target(net)
    stack = files.read(src)
    layer = layers.read(drawn, stack, classes=options.boundary_px is None)
    _warn(layer.warnings)
    state = state_of(net, options, src, drawn, start or encoder)
    with progress_to(progress, "segment fit") as step:
        trained = verbs.fit(stack, layer, net, options=options, encoder=encoder, start=start, state=state, log=log, progress=step)
    shutil.rmtree(state, ignore_errors=True)
    _warn(note for one in trained for note in (*one.record["warnings"], *one.record["history"]["notes"]))
    told = [{"seed": one.record["seed"], "f1": one.record["f1"], **one.record["history"]["rows"][-1]} for one in trained]
    lines = [f"{one['update']} updates, {one['seconds'] / 60:.1f} minutes, F1 on what was held back: "
             + ", ".join(f"{name} {f1:.3f}" for name, f1 in one["f1"].items()) for one in told]
    lines.append(f"{options.network} in {net}: {_named(segment.classes(trained))}")
    show({"networks": told, "classes": segment.classes(trained), "path": str(net)}, json_, "\n".join(lines))


@app.command()
def apply(
    src: Source,
    net: Annotated[Path, typer.Argument(help="Network folder.")],
    out: Annotated[Path, typer.Argument(help="Class image to write; it carries the names of the classes.")],
    probabilities: Annotated[Path | None, typer.Option(help="Keep the probabilities too, a .zarr with a channel for each class.")] = None,
    slices: Annotated[str, typer.Option(help="These slices alone, from 0: 5,9.")] = "",
    how: How = "auto",
    threshold: Threshold = 0.5,
    priority: Priority = None,
    crumbs: Crumbs = False,
    least_voxels: LeastVoxels = None,
    flips: Annotated[bool | None, typer.Option(help="The mean over mirrored tiles, in four times the time; else as the preset.")] = None,
    tile: Annotated[int, typer.Option(help="Pixels a side that the network sees at once, in multiples of 32.")] = 512,
    device: Device = "auto",
    progress: Progress = "bar",
    json_: Json = False,
) -> None:
    """Segment a stack, slice by slice.

    fibsem-ij segment apply aligned.zarr net/ classes.tif --probabilities probabilities.zarr
    """
    from fibsem_ij import files, segment
    from fibsem_ij.cli import networks
    from fibsem_ij.files import probabilities as stores
    from fibsem_ij.verbs import segment as verbs

    stack, trained = files.read(src), networks.opened(net)
    names = segment.classes(trained)
    way = _way(names, how, threshold, priority, {} if crumbs else segment.least_drawn(trained), least_voxels)
    chosen = sorted({*slices_of(slices, "--slices", len(stack))}) or list(range(len(stack)))
    shape = (len(chosen), *stack.shape[1:])
    with verbs.class_image(out, stack, names, slices=chosen) as sink, _kept(probabilities, out) as kept:
        with progress_to(progress, "segment apply") as step:
            verbs.apply(stack, trained, kept, slices=chosen, tile=tile, flips=flips, device=device, progress=step)
        segment.labels(stores.read(kept), sink, ids=names, exclusive=segment.exclusive(trained), **way)
    show({"shape": list(shape), "classes": names, "path": str(out)}, json_, f"{len(chosen)} slices in {out}: {_named(names)}")


@app.command()
def label(
    probabilities: Annotated[Path, typer.Argument(help="Class probabilities, as apply --probabilities keeps them.")],
    out: Annotated[Path, typer.Argument(help="Class image to write.")],
    how: How = "auto",
    threshold: Threshold = 0.5,
    priority: Priority = None,
    crumbs: Crumbs = False,
    least_voxels: LeastVoxels = None,
    progress: Progress = "bar",
    json_: Json = False,
) -> None:
    """Make the class image from kept probabilities again, another way.

    fibsem-ij segment label probabilities.zarr classes.tif --how threshold --threshold .7 --least-voxels mitochondrion=1000
    """
    from fibsem_ij import segment
    from fibsem_ij.files import probabilities as stores
    from fibsem_ij.verbs import segment as verbs

    store = stores.read(probabilities)
    way = _way(store.names, how, threshold, priority, {} if crumbs else store.least_px, least_voxels)
    with verbs.class_image(out, store[0], store.names) as sink, progress_to(progress, "label") as step:
        segment.labels(store, Followed(sink, step), ids=store.names, exclusive=store.exclusive, **way)
    show({"classes": dict(store.names), "path": str(out)}, json_, f"{store.shape[1]} slices in {out}: {_named(store.names)}")


@app.command()
def choose(
    src: Source,
    count: Annotated[int, typer.Argument(help="How many slices to draw: 7 at least, 50 is much.", min=1)],
    how: Annotated[Literal["even", "diverse"], typer.Option(help="Evenly through z, or those that differ most.")] = "even",
    copies: Annotated[Path | None, typer.Option(help="Folder to copy them to, each under its name, to draw on.")] = None,
    json_: Json = False,
) -> None:
    """Say which slices to draw.

    fibsem-ij segment choose aligned.zarr 10 --how diverse --copies to_draw/
    """
    import numpy as np

    from fibsem_ij import files, segment
    from fibsem_ij.volume import Volume

    if copies and copies.exists():
        raise ValueError(f"expected a new folder for the copies, {copies} is there already and may be drawn on; choose another name")
    stack = files.read(src)
    chosen = segment.choose(stack, count, how=how)
    names = [stack.names[z] for z in chosen]
    if copies:
        files.write(copies, Volume(np.stack([stack[z] for z in chosen]), stack.voxel_nm, tuple(names)))
    lines = [f"{name}   (slice {z + 1} in Fiji)" for z, name in zip(chosen, names, strict=True)]
    show({"z": chosen, "names": names}, json_, "\n".join(lines))


def _options(preset: str, base: int | None, **given: Any) -> Any:
    """Those of the preset, but for what was given."""
    from dataclasses import replace

    from fibsem_ij.segment.presets import PRESETS, based

    if preset not in PRESETS:
        raise ValueError(f"expected a preset of {', '.join(PRESETS)}, got {preset!r}; leave it out for quick")
    options = replace(PRESETS[preset], **{key: value for key, value in given.items()
                                          if value is not None and value is not False and value != ()})
    return options if base is None else based(options, base)


def _warn(lines: Iterable[str]) -> None:
    for line in lines:
        say(f"fibsem-ij: {line}")


@contextmanager
def _kept(wanted: Path | None, out: Path) -> Iterator[Path]:
    """Where probabilities go: the store that is wanted, or one beside the result for as long as it takes."""
    from tempfile import TemporaryDirectory

    if wanted:
        yield wanted
        return
    with TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        yield Path(folder) / "probabilities.zarr"


def _way(names: Mapping[int, str], how: str, threshold: float, priority: list[str] | None, least_px: Mapping[str, int],
         least_voxels: list[str] | None) -> dict[str, Any]:
    """What `segment.labels` is asked for, checked before a network runs for hours."""
    least = {}
    for text in least_voxels or []:
        name, _, number = text.rpartition("=")
        if name not in names.values() or not number.isdecimal():
            raise ValueError(f"expected --least-voxels as CLASS=N of {_named(names)}, got {text!r}; write for instance mitochondrion=1000")
        least[name] = int(number)
    if unknown := [name for name in priority or [] if name not in names.values()]:
        raise ValueError(f"expected --priority of {_named(names)}, got {unknown[0]!r}; name those")
    return {"how": how, "threshold": threshold, "priority": tuple(priority or ()), "least_px": least_px, "least_voxels": least}


def _named(names: Mapping[int, str]) -> str:
    return ", ".join(names.values())
