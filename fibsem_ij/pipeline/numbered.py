"""What the stages of numbered things do: objects, measures, and what is made of them for Fiji and for a browser."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from fibsem_ij import files
from fibsem_ij.files import drawn as layers
from fibsem_ij.files import rois as roi_sets
from fibsem_ij.pipeline.job import Job
from fibsem_ij.recipe import tables as told
from fibsem_ij.volume import Labels


def cells(job: Job) -> None:
    from fibsem_ij.verbs import objects as verbs

    table = job.recipe.objects
    assert isinstance(table, told.Cells)
    interior, boundary = verbs.interior_and_boundary(job.reads[0])
    drawn = layers.read(job.reads[1], interior, classes=False).slices
    verbs.cells(interior, boundary, drawn, job.out, options=table.options, executor=job.executor, progress=job.progress)


def components(job: Job) -> None:
    from fibsem_ij.objects.components import components as fill
    from fibsem_ij.verbs import objects as verbs

    table = job.recipe.objects
    assert isinstance(table, told.Components)
    src, ids = _of(job, table.of)
    least: Any = table.least_voxels
    if not isinstance(least, float | int):
        least = {_id(ids, name, "least_voxels"): voxels for name, voxels in least.items()}
    with verbs.labels(job.out, src) as sink:
        fill(src, sink, options=replace(table.options, least_voxels=least))


def link(job: Job) -> None:
    from fibsem_ij.objects import linking
    from fibsem_ij.verbs import objects as verbs

    table = job.recipe.objects
    assert isinstance(table, told.Link)
    src, _ = _of(job, table.of)
    drawn = layers.read(job.reads[1], src, classes=False).slices if table.layer else None
    with verbs.labels(job.out, src) as sink:
        linking.link(src, sink, drawn=drawn, options=table.options, executor=job.executor, progress=job.progress)


def nuclei(job: Job) -> None:
    from fibsem_ij.objects import nuclei as room
    from fibsem_ij.verbs import objects as verbs

    table = job.recipe.objects
    assert isinstance(table, told.Nuclei)
    stack = job.stack()
    found = room.find(stack, options=table.options, executor=job.executor, progress=job.progress)
    with verbs.labels(job.out, stack) as sink:
        room.draw(found, sink)


def _of(job: Job, name: str) -> tuple[Any, dict[int, str]]:
    """What objects are made of: one class, as a mask or as its probability; all classes; or the grey stack."""
    path = job.reads[0]
    if path == job.ws.probabilities:
        from fibsem_ij.files import probabilities

        return probabilities.read(path).of(name), {}
    if path != job.ws.classes:
        return job.stack(), {}
    stack = files.read_labels(path)
    ids = dict(stack.classes)
    if not name:
        return stack, ids
    from fibsem_ij.files.stack import Slices

    number = _id(ids, name, "of")
    return stack.with_data(Slices(stack.shape, stack.dtype, partial(_alone, stack.data, number))), ids


def _alone(data: Any, number: int, z: int, window: Any) -> Any:
    pixels = np.asarray(data[(z, *window)])
    return np.where(pixels == number, pixels, pixels.dtype.type(0))


def _id(ids: dict[int, str], name: str, key: str) -> int:
    found = {known: number for number, known in ids.items()}
    if name not in found:
        from fibsem_ij.recipe.values import unknown

        raise unknown(f"[objects] {key}", "class", name, found)
    return found[name]


def measure(job: Job) -> None:
    from fibsem_ij.measure import between
    from fibsem_ij.verbs import measure as verbs

    table = job.recipe.measure
    assert table
    stack = files.read_labels(job.ws.labels)
    others = [path for path in job.reads if path not in (job.ws.labels, job.ws.classes)]
    found = verbs.measured(stack, files.read(others[0]) if others else None, options=table.options, progress=job.progress)
    if table.nearest:
        found |= between.nearest(stack)
    if job.ws.classes in job.reads:
        found = {"label": found["label"], "class": _classes(stack, files.read_labels(job.ws.classes), found["label"]), **found}
    verbs.write(job.out, found, stack, labels=job.ws.labels.name)


def _classes(labels: Labels, classes: Labels, ids: Any) -> Any:
    """The class of each object; "" of one that somebody drew where there is none."""
    of = np.zeros(int(max(ids, default=0)) + 1, np.int64)
    for z in range(len(labels)):
        np.maximum.at(of, labels[z].ravel(), classes[z].ravel())
    return np.array([classes.classes.get(int(of[number]), "") for number in ids], np.str_)


def labels_tif(job: Job) -> None:
    files.write(job.out, files.read_labels(job.ws.labels))


def rois(job: Job) -> None:
    roi_sets.write(job.out, roi_sets.to_rois(files.read_labels(job.ws.labels), progress=job.progress))


def report(job: Job) -> None:
    from fibsem_ij import report as page

    page.write(job.ws.folder, job.out, progress=job.progress)
