"""A drawn layer: what a person drew in some slices of a stack, as classes or as objects.

Kept in one of three ways. A folder of label slices, each named like the slice it was drawn in (0042.tif): there an empty slice was
drawn empty. A label stack, whose empty slices are "not drawn": slice for slice where it is as deep as the stack, else by slice names.
An ImageJ ROI set with slice positions, where later ROIs lie on top.

A layer of classes is named by names.json, {"1": "mitochondrion", ...}: in the folder, beside a ROI set, and beside a label stack that
does not carry names itself. A ROI is of the class whose name it has (mitochondrion, mitochondrion-1, ...; without names.json the names
of the ROIs are the classes, numbered by the alphabet), else of the number after the L in its name, else of its group.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fibsem_ij.files import read_labels, rois
from fibsem_ij.files.folder import CLASSES
from fibsem_ij.files.json_files import read_json
from fibsem_ij.files.stack import Pixels
from fibsem_ij.files.stored import checked_record
from fibsem_ij.volume import Volume, slice_names

_LARGEST = 255  # of class ids: class images are 8 bit
_NOT_CLASS = re.compile(r"^\d{4,6}-\d{4,6}(-\d{4,6})?(-\d+$|-|$)|-\d+$")  # of a ROI's name: where it lies, and -1 where it was taken
_NUMBER = re.compile(r"(?:^|-)L(\d+)$")


@dataclass(frozen=True, eq=False)
class Drawn:
    slices: Mapping[int, Pixels]  # z of the stack -> label slice (y, x)
    names: Mapping[int, str]  # id -> class, of the classes that are drawn somewhere; none for objects
    undrawn: Mapping[int, str] = field(default_factory=dict)  # of those that only have a name
    warnings: tuple[str, ...] = ()


def read(path: Path, like: Volume, *, classes: bool) -> Drawn:
    """The layer at `path` of the stack `like`; `classes` are uint8 and have names, objects are as they were numbered."""
    path = Path(path)
    if path.suffix.lower() in (".zip", ".roi"):
        slices, names = _of_rois(path, like, classes=classes)
    else:
        slices, names = _of_labels(path, like)
    if not any(labels.any() for labels in slices.values()):
        raise ValueError(f"{path}: expected something drawn, got {len(slices)} slices of nothing but 0; draw, or name the right layer")
    if classes:
        return _named(path, slices, names, like)
    doubt = (f"{path} is a layer of classes ({CLASSES}): each class is taken for one object",) if names and path.is_dir() else ()
    return Drawn(slices, {}, warnings=doubt)


def _of_labels(path: Path, like: Volume) -> tuple[dict[int, Pixels], dict[int, str]]:
    layer = read_labels(path)
    if layer.shape[1:] != like.shape[1:]:
        wanted, got = (f"{height} x {width}" for height, width in (like.shape[1:], layer.shape[1:]))
        raise ValueError(f"{path}, slice {layer.names[0]}: expected {wanted} pixels like the stack, got {got}; draw on the stack itself, "
                         "or scale it there without interpolation")
    stack = path.is_file() or any(part.lower().endswith(".zarr") for part in path.parts)
    slices = ((z, layer[n]) for n, z in enumerate(_places(path, layer, like, stack=stack)))
    return {z: labels for z, labels in slices if not stack or labels.any()}, dict(layer.classes) or (_beside(path) if stack else {})


def _places(path: Path, layer: Volume, like: Volume, *, stack: bool) -> list[int]:
    """Where in the stack each slice of the layer belongs."""
    at = {name: z for z, name in enumerate(like.names)}
    unnamed = stack and layer.names == slice_names(len(layer))
    if unnamed and len(layer) == len(like):
        return list(range(len(like)))
    if unnamed and len(layer) == 1 and path.stem in at:
        return [at[path.stem]]
    strangers = [name for name in layer.names if name not in at]
    if strangers or unnamed:
        got = "without names" if unnamed else f"with {', '.join(strangers[:3])}"
        raise ValueError(f"{path}: expected slices named like those of the stack, {like.names[0]} to {like.names[-1]}, or a label stack of "
                         f"{len(like)} slices, got {len(layer)} {got}; rename them")
    return [at[name] for name in layer.names]


def _of_rois(path: Path, like: Volume, *, classes: bool) -> tuple[dict[int, Pixels], dict[int, str]]:
    found, names = rois.read(path), _beside(path) if classes else {}
    kept = _Kept(like.shape, np.dtype(np.uint8 if classes else np.uint32))
    try:
        if classes:
            names = classified(found, names)
        rois.from_rois(found, shape=like.shape, dtype=kept.dtype, out=kept)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return dict(kept), names


class _Kept(dict[int, Pixels]):
    """A label stack that is filled slice by slice and keeps those with something in them."""

    def __init__(self, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> None:
        super().__init__()
        self.shape, self.dtype = shape, dtype

    def __setitem__(self, z: int, labels: Pixels) -> None:
        if labels.any():
            super().__setitem__(z, labels)


def classified(found: list[Any], names: dict[int, str]) -> dict[int, str]:
    """Put the class of each ROI where `rois.ids` looks for it; the names."""
    words = [_NOT_CLASS.sub("", roi.name) for roi in found]
    own = {word.casefold(): word for word in words if word and not _NUMBER.search(word)}
    names = names or {i: own[word] for i, word in enumerate(sorted(own), 1)}
    known = {name.casefold(): i for i, name in names.items()}
    for roi, word in zip(found, words, strict=True):
        if word.casefold() in known:
            roi.group = known[word.casefold()]
        elif not _NUMBER.search(word) and not roi.group:
            raise ValueError(f"ROI {roi.name!r}: expected a class ({', '.join(names.values()) or 'none is named'}); rename it in the ROI "
                             "Manager to its class, as mitochondrion, or give it the class's number as its group")
    return names


def _beside(path: Path) -> dict[int, str]:
    """The names of a layer that is one file."""
    file = path.parent / CLASSES
    said = checked_record({"classes": read_json(file)}, str(file))["classes"] if file.exists() else {}
    return {int(i): str(name) for i, name in said.items()}


def _named(path: Path, slices: Mapping[int, Pixels], names: Mapping[int, str], like: Volume) -> Drawn:
    names = {i: name for i, name in names.items() if i}  # 0 may be named too, it is the background
    if len(set(names.values())) < len(names) or max(names, default=0) > _LARGEST:
        raise ValueError(f"{path}: expected classes of different names with ids up to {_LARGEST}, got {names}; correct {CLASSES}")
    seen: set[int] = set()
    for z, labels in slices.items():
        ids = _ids(labels, f"{path}, slice {like.names[z]}")
        if unknown := ids - names.keys():
            raise ValueError(f"{path}, slice {like.names[z]}: expected ids with a name in {CLASSES}, got {_listed(unknown)} without one; "
                             f'write {{"{min(unknown)}": "its class", ...}} there, or draw with its ids')
        seen |= ids
    empty = [like.names[z] for z, labels in slices.items() if not labels.any()]
    warnings = [f"slice {name} is drawn empty: all of it counts as background" for name in empty]
    undrawn = {i: name for i, name in names.items() if i not in seen}
    warnings += [f"{name} ({i}) has a name and is drawn nowhere: it is left out" for i, name in undrawn.items()]
    whole = {z: labels.astype(np.uint8, copy=False) for z, labels in slices.items()}
    return Drawn(whole, {i: names[i] for i in sorted(seen)}, undrawn, tuple(warnings))


def _ids(labels: Pixels, where: str) -> set[int]:
    if labels.min() < 0 or labels.max() > _LARGEST:
        raise ValueError(f"{where}: expected class ids up to {_LARGEST}, got {labels.min()} to {labels.max()}; number the classes from 1 "
                         "(objects, each with its own number, are another kind of layer)")
    return set(np.flatnonzero(np.bincount(labels.ravel())).tolist()) - {0}


def _listed(ids: set[int]) -> str:
    first = sorted(ids)[:5]
    return ", ".join(map(str, first)) + (", ..." if len(ids) > len(first) else "")
