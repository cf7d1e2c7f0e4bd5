"""The small stack of a review: the slices worth a look with their neighbours, as a person corrects them in ImageJ or Fiji.

    review/stack.tif      the grey slices; each is called by its name, stage and reason
    review/labels.tif     what is numbered in them, coloured; cells.tif and classes.tif likewise
    review/rois.zip       the outlines of one of these as a ROI set, positions in the small stack
    review/nudges.csv     an empty table: slice, dx, dy, angle (`placing`)
    review/review.json    which slice each position is (`opened`)

Slices of one neighbourhood stand together in the order of z, neighbourhoods in that of the queue; a slice stands there once. One slice is
in memory at a time, and never more is written than `most_bytes`, whatever the volume: the first entries of the queue that fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cc3d
import numpy as np

from fibsem_ij import files
from fibsem_ij.arrays.colours import colours_of
from fibsem_ij.files import rois, tables
from fibsem_ij.files.roi_zip import LIMITS
from fibsem_ij.review import listing
from fibsem_ij.review import opened as record
from fibsem_ij.review.layers import Layer, layers
from fibsem_ij.review.listing import Entry
from fibsem_ij.review.opened import NUDGES, ROIS, STACK, Opened, Position
from fibsem_ij.volume import Labels, Volume
from fibsem_ij.workspace import Workspace

SLICES, CONTEXT, MOST_BYTES = 20, 1, 2 * 10**9


def open_(workspace: Workspace, *, slices: int = SLICES, context: int = CONTEXT, most_bytes: float = MOST_BYTES, layer: str | None = None,
          anew: bool = False) -> Opened:
    """Write review/ for the first `slices` of the queue, with `context` slices to each side.

    `layer`: whose outlines become ROIs; else labels, cells or classes, the first there is. Corrections in an older review/ that nobody
    collected are not written over, unless `anew`.
    """
    if slices < 1 or context < 0:
        raise ValueError(f"expected one slice or more, and context of 0 or more, got {slices} and {context}; leave them out for the "
                         "default")
    stack = listing.stack_of(workspace)
    _nothing_lost(workspace, anew=anew)
    there = layers(workspace, stack)
    if layer is not None and layer not in there:
        raise ValueError(f"expected a layer that is there ({', '.join(there) or 'none is'}), got {layer!r}; run its stage, or name another")
    if not workspace.queue.exists():
        listing.queue(workspace)
    listed = [entry for entry in listing.read(workspace.queue) if not entry.good]
    if not listed:
        raise ValueError(f"expected slices to look at in {workspace.queue}, it lists none; the review is done, or run review queue again")
    each = stack.shape[1] * stack.shape[2] * (stack.dtype.itemsize + sum(4 if name != "classes" else 1 for name in there))
    places = placed(listed[:slices], stack, context=context, most=int(most_bytes // each))
    return write(workspace, places, stack, there, layer or next(iter(there), None))


def placed(listed: Sequence[Entry], stack: Volume, *, context: int, most: int) -> list[Position]:
    """The positions, `most` of them; the first entry is always there, with less context if need be."""
    told: dict[int, str] = {}
    groups: list[set[int]] = []
    for entry in listed:
        if not 0 <= entry.z < len(stack) or stack.names[entry.z] != entry.name.zfill(len(stack.names[entry.z])):
            raise ValueError(f"expected the queue to name slices of the stack, got {entry.name} as slice {entry.z}; run review queue again")
        window = set(range(max(0, entry.z - context), min(len(stack), entry.z + context + 1)))
        if groups and len(window.union(*groups)) > most:
            break
        told[entry.z] = "; ".join([*([told[entry.z]] if entry.z in told else []), f"{entry.stage}: {entry.reason}"])
        meeting = [group for group in groups if group & window]
        if meeting:
            meeting[0].update(window, *meeting[1:])
            groups = [group for group in groups if group not in meeting[1:]]
        else:
            groups.append(window if len(window) <= most else {entry.z})
    return [Position(z, stack.names[z], told.get(z, "")) for group in groups for z in sorted(group)]


def write(workspace: Workspace, places: Sequence[Position], stack: Volume, there: Mapping[str, Layer], layer: str | None) -> Opened:
    """All files of review/; the record is taken away first and written last, so that it never speaks for half of them."""
    folder = workspace.review
    folder.mkdir(exist_ok=True)
    for name in (record.RECORD, ROIS):
        (folder / name).unlink(missing_ok=True)
    names = tuple(place.label for place in places)
    shape = (len(places), *stack.shape[1:])
    with files.create(folder / STACK, shape=shape, dtype=stack.dtype, voxel_nm=stack.voxel_nm, names=names) as out:
        for n, place in enumerate(places):
            out[n] = stack[place.z]
    slices = {name: _painted(folder / f"{name}.tif", one, places, stack) for name, one in there.items()}
    with_rois = layer is not None and _outlined(folder, there[layer], places)
    tables.write(folder / NUDGES, {"slice": np.array([], np.str_), "dx": [], "dy": [], "angle": []})
    return remember(workspace, Opened(datetime.now(UTC).isoformat(timespec="seconds"), workspace.grey.name, tuple(places),
                                      layer if with_rois else None, slices, {}))


def remember(workspace: Workspace, opened: Opened) -> Opened:
    """The record of the files as they are now."""
    folder = workspace.review
    names = [STACK, NUDGES, *(f"{name}.tif" for name in opened.slices), *([ROIS] if opened.rois else [])]
    now = replace(opened, written={name: record.of_file(folder / name) for name in names if (folder / name).exists()})
    record.write(folder, now)
    return now


def _nothing_lost(workspace: Workspace, *, anew: bool) -> None:
    folder = workspace.review
    if anew or not (folder / record.RECORD).exists():
        return
    if changed := record.read(folder).changed(folder):
        raise ValueError(f"expected all corrections in {folder} to be collected, got changes in {', '.join(changed)}; run review collect "
                         "first, "
                         "or say --anew to give them up")


def _painted(path: Path, layer: Layer, places: Sequence[Position], stack: Volume) -> list[str]:
    """The label image of the positions; fingerprints of its slices."""
    known, largest = [], 0
    for place in places:
        pixels = layer[place.z]
        known.append(record.of_slice(pixels))
        largest = max(largest, int(pixels.max()))
    dtype = np.uint8 if layer.is_classes else np.uint16 if largest < 2**16 else np.uint32
    with files.create(path, shape=(len(places), *stack.shape[1:]), dtype=dtype, voxel_nm=stack.voxel_nm, labels=True,
                      names=[place.label for place in places], classes=layer.classes) as out:
        for n, place in enumerate(places):
            out[n] = layer[place.z].astype(dtype)
    return known


def _outlined(folder: Path, layer: Layer, places: Sequence[Position]) -> bool:
    """Whether the ROI set was written: one that ImageJ could not hold is not, and labels are corrected by painting."""
    pieces = 0
    for place in places:
        pieces += len(np.unique(_pieces(layer[place.z]) if layer.is_classes else layer[place.z])) - 1
        if pieces > LIMITS.members:
            return False
    rois.write(folder / ROIS, outlines_of(layer, places))
    return True


def outlines_of(layer: Layer, places: Sequence[Position]) -> Iterator[Any]:
    """One ROI an object and position; of classes one a piece, with the name of its class."""
    for n, place in enumerate(places, 1):
        pixels = layer[place.z]
        pieces = _pieces(pixels) if layer.is_classes else pixels
        classes = dict(zip(*(found.tolist() for found in _classes_of(pieces, pixels)), strict=True)) if layer.is_classes else {}
        for roi in rois.each_roi(pieces):
            first, y, x, number = roi.name.split("-")
            roi.position = n
            if classes:
                kind = classes[int(number[1:])]
                number, roi.stroke_color = layer.classes[kind], b"\xff" + colours_of(kind).tobytes()
            roi.name = f"{n:0{len(first)}d}-{y}-{x}-{number}"
            yield roi


def _classes_of(pieces: Any, pixels: Any) -> tuple[Any, Any]:
    numbers, first = np.unique(pieces, return_index=True)
    return numbers, pixels.ravel()[first]


def _pieces(pixels: Any) -> Any:
    """Pieces that hang together within a slice and are of one class."""
    return cc3d.connected_components(pixels[None], connectivity=26)[0]


def small(workspace: Workspace) -> tuple[Volume, Labels | None]:
    """The stack and the label image that belongs to the ROIs, as they were written."""
    opened = record.read(workspace.review)
    layer = opened.rois or next(iter(opened.slices), None)
    return files.read(workspace.review / STACK), files.read_labels(workspace.review / f"{layer}.tif") if layer else None
