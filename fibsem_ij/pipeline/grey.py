"""What the stages of grey values do, up to classes: files of the workspace in, a file of the workspace out, by the rooms' verbs as the
command line does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from fibsem_ij import files, register
from fibsem_ij.arrays.slices import map_slices
from fibsem_ij.files import chunks, rounds, transforms
from fibsem_ij.files import drawn as layers
from fibsem_ij.pipeline import slicewise, source
from fibsem_ij.pipeline.job import Job
from fibsem_ij.pipeline.pairs import Kept
from fibsem_ij.recipe.tables import LAST
from fibsem_ij.volume import Transforms, Volume


def read_input(job: Job) -> None:
    src, found = job.reads[0], source.read(job.recipe, job.listing)
    source.tell(found, job.listing, job.ws.slices, job.say)
    if not job.recipe.input.copy:
        part = job.out.with_name(f".{job.out.name}.link")
        part.unlink(missing_ok=True)
        part.symlink_to(src.resolve(), target_is_directory=src.is_dir())
        part.replace(job.out)
        return
    stack = found.stack
    if src.suffix.lower() == ".zarr" and (lost := chunks.absent(src)):
        told = ", ".join((*map(str, lost[:5]), *(("...",) if lost[5:] else ())))
        job.say(f"NB: {src.name} has no chunks for a part of slices {told}: Zarr reads them as its fill value, which is right where black "
                "is left out; else copy it again")
    with files.create(job.out, shape=stack.shape, dtype=stack.dtype, voxel_nm=stack.voxel_nm, names=stack.names, resume=job.key,
                      of=slicewise.copied(job, stack, job.listing.slices)) as out:
        map_slices(_as_it_is, stack, out, done=out.done, progress=job.progress)


def _as_it_is(pixels: Any, _: int) -> Any:
    return pixels


def register_fit(job: Job) -> None:
    from fibsem_ij.register.warp import MATCHED
    from fibsem_ij.verbs.register import aligning

    table = job.recipe.register
    assert table
    known = transforms.read_anchors(job.recipe.path(table.anchors)) if table.anchors else table.options.anchors
    stack = job.stack(gaps=True)
    kept = Kept(job.ws.pairs, partial(slicewise.pair, job, stack, window=MATCHED if table.options.contrast == "match" else 0))

    def fit(options: register.Options) -> Transforms:
        return register.fit(stack, options=options, executor=job.executor, kept=kept, progress=job.progress)

    with aligning(replace(table.options, anchors=known), table.aligner, home=table.home or None, heap=table.heap or None) as options:
        fitted = _with_others(job, stack, fit, options) if job.placed else fit(options)
    transforms.write(job.out, fitted)
    if fitted.bad:
        job.say("slices to doubt: " + ", ".join(f"{z} ({fitted.why.get(z, 'given')})" for z in fitted.bad))


def _with_others(job: Job, stack: Volume, fit: Callable[[register.Options], Transforms], options: register.Options) -> Transforms:
    """Slices came: those that had a place keep it, or all are placed anew."""
    from fibsem_ij.verbs.register import extended, moved

    before, now = transforms.read(job.out), {z: stack.names.index(name) for z, name in enumerate(job.placed)}
    hold = job.hold or bool(job.recipe.register and job.recipe.register.hold)
    if len(before) == len(stack):  # a run that was killed just before it could say that this is its result
        return before if hold else fit(options)
    if len(before) != len(now):
        raise ValueError(f"expected transforms of the {len(now)} slices that were there, got {len(before)} in {job.out.name}; move it away")
    if hold:
        return extended(fit, options, before, now)
    fitted = fit(options)
    job.say(f"slices that were placed moved by up to {moved(before, fitted, now, stack.shape[1:]):.2f} px, now that there are more; "
            "hold = true below [register] keeps them where they are")
    return fitted


def register_apply(job: Job) -> None:
    from fibsem_ij.register.warp import MATCHED
    from fibsem_ij.verbs import register as verbs

    table = job.recipe.register
    assert table
    stack, fitted = job.stack(), transforms.read(job.ws.transforms)
    of = slicewise.resampled(job, stack, fitted, window=MATCHED if table.even_out == "match" else 0)
    verbs.apply(stack, fitted, job.out, interpolation=table.interpolation, contrast=table.even_out, executor=job.executor,
                progress=job.progress, resume=job.key, of=of)


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
    stack, network = job.stack(), networks.read(job.reads[-1])
    verbs.apply(stack, network, job.out, bad=job.bad(), draws=table.draws, leave=table.leave, flips=table.flips,
                device=table.options.device, workers=job.networks, progress=job.progress, resume=job.key,
                of=slicewise.networked(job, stack, neighbours=network.neighbours, bad=job.bad()))


def segment_fit(job: Job) -> None:
    from fibsem_ij.verbs import segment as verbs

    table = job.recipe.segment
    assert table
    stack = job.stack()
    layer = layers.read(job.reads[1], stack, classes=table.options.boundary_px is None)
    encoder, start = (job.recipe.path(said) if said not in ("", LAST) else None for said in (table.encoder, table.start))
    trained = verbs.fit(stack, layer, job.out, options=table.options, encoder=encoder, start=job.start or start, or_afresh=bool(job.start),
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
    stack, trained = job.stack(), networks.read_all(job.reads[1])
    verbs.apply(stack, trained, job.out, tile=table.tile, flips=table.options.flips, device=table.options.device, workers=job.networks,
                progress=job.progress, resume=job.key, of=slicewise.networked(job, stack, neighbours=trained[0].neighbours))


def segment_label(job: Job) -> None:
    from fibsem_ij import segment
    from fibsem_ij.files import probabilities
    from fibsem_ij.verbs import segment as verbs

    table = job.recipe.segment
    assert table
    store = probabilities.read(job.reads[0])
    with verbs.class_image(job.out, store[0], store.names) as sink:
        segment.labels(store, sink, ids=store.names, how=table.how, exclusive=store.exclusive, threshold=table.threshold,
                       priority=table.priority, least_px={} if table.crumbs else store.least_px, least_voxels=table.least_voxels)
