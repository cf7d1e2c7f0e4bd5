"""What a person left in review/: corrected slices, slices marked good, and slices to be put elsewhere; read and checked, nothing is
changed here.

Only files whose fingerprint is not the one that `open` or the last `collect` wrote down are looked at.

    rois.zip      areas: objects (`painting`). A ROI called `good`: nothing is wrong in its slice. Points called `src` and `dst`, or with
                  the name of a slice before them, `0045-src`: where something lies and where it belongs (`placing`).
    labels.tif, cells.tif, classes.tif    painted pixels
    stack.tif     a slice whose name begins with `good` is good; its pixels are never read
    nudges.csv    slice, dx, dy, angle
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij import files
from fibsem_ij.files import drawn as drawn_layers
from fibsem_ij.files import rois, tables, tiff
from fibsem_ij.review import opened as record
from fibsem_ij.review.layers import Layer
from fibsem_ij.review.opened import NUDGES, ROIS, STACK, Opened
from fibsem_ij.review.painting import repainted
from fibsem_ij.volume import Labels

Pixels = npt.NDArray[Any]
_PAIR = re.compile(r"^(?:(?P<slice>.+?)[-_ ])?(?P<end>src|dst)(?:[-_ ]?\d+)?$", re.IGNORECASE)
_GOOD = re.compile(r"^good(?:[-_ ].*)?$", re.IGNORECASE)  # ImageJ adds -1


@dataclass(eq=False)
class Corrections:
    slices: dict[str, dict[int, Pixels]] = field(default_factory=dict)  # layer -> z -> what it is now
    sources: dict[str, set[str]] = field(default_factory=dict)  # layer -> the files that said so
    pairs: dict[int, tuple[Pixels, Pixels]] = field(default_factory=dict)  # z -> src, dst, each (n, 2) of x, y
    nudges: dict[int, tuple[float, float, float]] = field(default_factory=dict)  # z -> dx, dy, angle
    good: set[int] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(any(self.slices.values()) or self.pairs or self.nudges or self.good)


def corrections(folder: Path, opened: Opened, there: Mapping[str, Layer]) -> Corrections:
    found = Corrections()
    changed = opened.changed(folder)
    _check_sources(folder, opened, there, changed)
    if ROIS in changed:
        _read_rois(folder / ROIS, opened, there[opened.rois] if opened.rois else None, found)
    for name in opened.slices:
        if f"{name}.tif" in changed:
            _read_painted(folder / f"{name}.tif", opened, there[name], found)
    if STACK in changed:
        labels = tiff.slice_labels(folder / STACK)
        found.good |= {place.z for place, label in zip(opened.positions, labels, strict=False) if _GOOD.match(label)}
    if NUDGES in changed:
        _read_nudges(folder / NUDGES, opened, found)
    if both := found.nudges.keys() & found.pairs.keys():
        raise ValueError(f"expected points or a nudge for slice {_named(opened, min(both))}, got both; keep one of them")
    return found


def _check_sources(folder: Path, opened: Opened, there: Mapping[str, Layer], changed: Sequence[str]) -> None:
    """Corrections belong to what was shown: refuse them where it has been made anew since."""
    touched = {Path(name).stem for name in changed} & opened.slices.keys()
    touched |= {opened.rois} if ROIS in changed and opened.rois else set()
    for name in sorted(touched):
        if name not in there:
            raise FileNotFoundError(f"expected the {name} that {folder} was opened with, they are gone; run their stage, or open again "
                                    "with --anew")
        stale = [place.name for place, known in zip(opened.positions, opened.slices[name], strict=True)
                 if record.of_slice(there[name][place.z]) != known]
        if stale:
            raise ValueError(f"expected {there[name].path} as review open saw it, slice {stale[0]} has changed since; the corrections in "
                             f"{folder} belong to the older one: move their files away, open again with --anew, and correct what is still "
                             "wrong")


def _read_rois(path: Path, opened: Opened, layer: Layer | None, found: Corrections) -> None:
    by_place: dict[int, list[Any]] = {}
    points: dict[tuple[int, str], list[Any]] = {}
    for roi in rois.read(path):
        with _in(path):
            place = rois.slice_of(roi, len(opened.positions))
        pair = _PAIR.match(roi.name)
        if _GOOD.match(roi.name):
            found.good.add(opened.positions[place].z)
        elif pair:
            z = _slice_named(opened, pair["slice"], path) if pair["slice"] else opened.positions[place].z
            with _in(path):
                points.setdefault((z, pair["end"].lower()), []).extend(rois.points_of(roi))
        else:
            by_place.setdefault(place, []).append(roi)
    if by_place and layer is None:
        raise ValueError(f"{path}: expected points called src and dst, got the ROI {next(iter(by_place.values()))[0].name!r}; there are "
                         "no outlines to correct here: paint the label image, or take it out")
    if by_place and layer:
        _read_outlines(path, opened, layer, by_place, found)
    for z in {z for z, _ in points}:
        src, dst = (np.array(points.get((z, end), []), np.float64).reshape(-1, 2) for end in ("src", "dst"))
        if len(src) != len(dst):
            raise ValueError(f"{path}, slice {_named(opened, z)}: expected as many points called src as dst, got {len(src)} and {len(dst)}")
        found.pairs[z] = src, dst


def _read_outlines(path: Path, opened: Opened, layer: Layer, by_place: Mapping[int, list[Any]], found: Corrections) -> None:
    emptied = [place.name for n, place in enumerate(opened.positions) if n not in by_place and layer[place.z].any()]
    if emptied:
        raise ValueError(f"{path}: expected outlines in every slice that had some, got none in {', '.join(emptied[:3])}; save all ROIs, "
                         f"with none selected (a slice that shall be empty is emptied in {layer.name}.tif)")
    numbers = _numbers(path, layer, by_place)
    for n, drawn in by_place.items():
        z = opened.positions[n].z
        with _in(f"{path}, slice {opened.positions[n].name}"):
            _correct(found, layer, z, repainted(layer[z], list(zip(numbers[n], drawn, strict=True))), path.name)


def _numbers(path: Path, layer: Layer, by_place: Mapping[int, list[Any]]) -> dict[int, list[int]]:
    """The object or class of each ROI; a new object gets a number that no object of the whole stack has."""
    all_ = [roi for drawn in by_place.values() for roi in drawn]
    with _in(path):
        if layer.is_classes:
            drawn_layers.classified(all_, dict(layer.classes))
            if unknown := [roi.name for roi, number in zip(all_, rois.ids(all_, most=255), strict=True) if number not in layer.classes]:
                raise ValueError(f"ROI {unknown[0]!r}: expected a class ({', '.join(layer.classes.values())}); rename it to its class")
        elif any(not rois.says_its_number(roi) for roi in all_):
            _number_new(all_, layer.src)
        return {n: rois.ids(drawn) for n, drawn in by_place.items()}


def _number_new(all_: Sequence[Any], labels: Labels) -> None:
    largest = max(int(labels[z].max()) for z in range(len(labels)))
    largest = max([largest, *rois.ids([roi for roi in all_ if rois.says_its_number(roi)])])
    for number, roi in enumerate((roi for roi in all_ if not rois.says_its_number(roi)), largest + 1):
        roi.name = f"{roi.name}-L{number:04d}"


def _read_painted(path: Path, opened: Opened, layer: Layer, found: Corrections) -> None:
    now = files.read_labels(path)
    wanted = (len(opened.positions), *layer.src.shape[1:])
    if now.shape != wanted:
        raise ValueError(f"{path}: expected {wanted} (z, y, x) as review open wrote it, got {now.shape}; save the whole stack under that "
                         "name")
    for n, place in enumerate(opened.positions):
        pixels = now[n]
        if pixels.min() < 0:
            raise ValueError(f"{path}, slice {place.name}: expected label numbers from 0, got {pixels.min()}; correct it")
        if layer.is_classes and (unknown := sorted(set(np.unique(pixels).tolist()) - {0, *layer.classes})):
            raise ValueError(f"{path}, slice {place.name}: expected classes "
                             f"{', '.join(f'{i} ({name})' for i, name in layer.classes.items())}, "
                             f"got {unknown[0]}; paint with these numbers")
        _correct(found, layer, place.z, pixels, path.name)


def _correct(found: Corrections, layer: Layer, z: int, now: Pixels, file: str) -> None:
    if np.array_equal(now, layer[z]):
        return
    slices = found.slices.setdefault(layer.name, {})
    if z in slices and not np.array_equal(slices[z], now):
        others = ", ".join(sorted(found.sources[layer.name]))
        raise ValueError(f"expected slice {layer.src.names[z]} corrected in one place, got it in {others} and in {file}, each in its own "
                         "way; keep one of the files as review open wrote it")
    slices[z] = now
    found.sources.setdefault(layer.name, set()).add(file)


def _read_nudges(path: Path, opened: Opened, found: Corrections) -> None:
    table = tables.read(path)
    if missing := {"slice", "dx", "dy"} - table.keys():
        raise ValueError(f"{path}: expected columns slice, dx, dy and angle, got none called {min(missing)}")
    rows = len(table["slice"])
    angle = table.get("angle", np.zeros(rows))
    for name, *motion in zip(table["slice"].tolist(), *(column.tolist() for column in (table["dx"], table["dy"], angle)), strict=True):
        z = _slice_named(opened, str(name), path)
        if any(isinstance(number, str) for number in motion) or z in found.nudges:
            raise ValueError(f"{path}, slice {name}: expected one row of numbers for a slice, got {motion}; correct it")
        dx, dy, turn = (0.0 if number != number else float(number) for number in motion)  # an empty cell is NaN
        if (dx, dy, turn) != (0, 0, 0):
            found.nudges[z] = dx, dy, turn


def _slice_named(opened: Opened, name: str, path: Path) -> int:
    """Of the small stack."""
    for place in opened.positions:
        if record.is_called(place.name, name):
            return place.z
    raise ValueError(f"{path}: expected the name of a slice of the review, such as {opened.positions[0].name}, got {name!r}; correct it")


def _named(opened: Opened, z: int) -> str:
    return next(place.name for place in opened.positions if place.z == z)


@contextmanager
def _in(where: object) -> Iterator[None]:
    """An error says in which file it happened."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
