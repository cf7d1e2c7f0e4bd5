"""What the stages of grey values do, up to classes: files of the workspace in, a file of the workspace out, by the rooms' verbs as the
command line does it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from fibsem_ij import files
from fibsem_ij.arrays.slices import map_slices
from fibsem_ij.files import chunks, rounds, transforms
from fibsem_ij.files import drawn as layers
from fibsem_ij.pipeline.job import Job
from fibsem_ij.pipeline.pairs import Kept


def read_input(job: Job) -> None:
    src = job.reads[0]
    if not job.recipe.input.copy:
        part = job.out.with_name(f".{job.out.name}.link")
        part.unlink(missing_ok=True)
        part.symlink_to(src.resolve(), target_is_directory=src.is_dir())
        part.replace(job.out)
        return
    stack = files.read(src, voxel_nm=job.recipe.input.voxel_nm)
    if src.suffix.lower() == ".zarr" and (lost := chunks.absent(src)):
        told = ", ".join((*map(str, lost[:5]), *(("...",) if lost[5:] else ())))
        job.say(f"NB: {src.name} has no chunks for a part of slices {told}: Zarr reads them as its fill value, which is right where black "
                "is left out; else copy it again")
    with files.create(job.out, shape=stack.shape, dtype=stack.dtype, voxel_nm=stack.voxel_nm, names=stack.names, resume=job.key) as out:
        map_slices(_as_it_is, stack, out, done=out.done, progress=job.progress)


def _as_it_is(pixels: Any, _: int) -> Any:
    return pixels


def register_fit(job: Job) -> None:
    from fibsem_ij import register
    from fibsem_ij.verbs.register import with_aligner

    table = job.recipe.register
    assert table
    options = with_aligner(table.options, table.aligner, home=table.home or None)
    if table.anchors:
        options = replace(options, anchors=transforms.read_anchors(job.recipe.path(table.anchors)))
    fitted = register.fit(job.stack(gaps=True), options=options, executor=job.executor, kept=Kept(job.state / "pairs.jsonl"),
                          progress=job.progress)
    transforms.write(job.out, fitted)
    if fitted.bad:
        job.say("slices to doubt: " + ", ".join(f"{z} ({fitted.why.get(z, 'given')})" for z in fitted.bad))


def register_apply(job: Job) -> None:
    from fibsem_ij.verbs import register as verbs

    table = job.recipe.register
    assert table
    verbs.apply(job.stack(), transforms.read(job.ws.transforms), job.out, interpolation=table.interpolation, contrast=table.even_out,
                executor=job.executor, progress=job.progress, resume=job.key)


def denoise_fit(job: Job) -> None:
    from fibsem_ij.verbs import denoise as verbs

    table = job.recipe.denoise
    assert table
    clean, scans = (job.recipe.path(said) if said else None for said in (table.clean, table.scans))
    verbs.fit(job.stack(), job.out, clean=clean, scans=scans, bad=job.bad(), options=table.options, state=job.state, progress=job.progress)


def denoise_apply(job: Job) -> None:
    from fibsem_ij.files import networks
    from fibsem_ij.verbs import denoise as verbs

    table = job.recipe.denoise
    assert table
    verbs.apply(job.stack(), networks.read(job.reads[-1]), job.out, bad=job.bad(), draws=table.draws, flips=table.flips,
                device=table.options.device, progress=job.progress, resume=job.key)


def segment_fit(job: Job) -> None:
    from fibsem_ij.verbs import segment as verbs

    table = job.recipe.segment
    assert table
    stack = job.stack()
    layer = layers.read(job.reads[1], stack, classes=table.options.boundary_px is None)
    trained = verbs.fit(stack, layer, job.out, options=table.options, encoder=job.recipe.path(table.encoder) if table.encoder else None,
                        state=job.state, progress=job.progress)
    for note in (*layer.warnings, *(note for one in trained for note in (*one.record["warnings"], *one.record["history"]["notes"]))):
        job.say(note)
    score = float(np.mean([f1 for one in trained for f1 in one.record["f1"].values()]))
    told = rounds.append(job.ws.rounds, drawn=len(layer.slices), slices=len(stack), score=score)
    job.say(f"round {told['round'][-1]}: {len(layer.slices)} of {len(stack)} slices drawn, F1 on what was held back {score:.3f}"
            + ("" if rounds.still_rises(told) else "; it no longer rises, more drawing may not pay"))


def segment_apply(job: Job) -> None:
    from fibsem_ij.files import networks
    from fibsem_ij.verbs import segment as verbs

    table = job.recipe.segment
    assert table
    verbs.apply(job.stack(), networks.read_all(job.reads[1]), job.out, tile=table.tile, flips=table.options.flips,
                device=table.options.device, progress=job.progress, resume=job.key)


def segment_label(job: Job) -> None:
    from fibsem_ij import segment
    from fibsem_ij.files import probabilities
    from fibsem_ij.verbs import segment as verbs

    table = job.recipe.segment
    assert table
    store = probabilities.read(job.reads[0])
    with verbs.class_image(job.out, store[0], store.names) as sink:
        segment.labels(store, sink, ids=store.names, how=table.how, threshold=table.threshold, priority=table.priority,
                       least_px={} if table.crumbs else store.least_px, least_voxels=table.least_voxels)
