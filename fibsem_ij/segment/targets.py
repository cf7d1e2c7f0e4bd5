"""Drawn slices -> what the network is asked for.

A plane of targets is uint8: 0 the background, n the n-th class, IGNORED what has no say. A drawn class named "background" is 0 too.
Of drawn objects the classes are their interior, and their boundary: the pixels around their outlines, half of its width on each side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.slices import within
from fibsem_ij.segment.options import Options

Pixels = npt.NDArray[Any]
Plane = npt.NDArray[np.uint8]
Box = tuple[slice, slice]

BACKGROUND, IGNORED = "background", 255


@dataclass(frozen=True, eq=False)
class Targets:
    planes: Mapping[int, Plane]  # by z
    ids: Mapping[str, int]  # class -> the id that the user gave it; in the order of the numbers 1, 2, ...
    warnings: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.ids)

    def of(self, name: str) -> Targets:
        """One class alone; the others are background."""
        number = self.names.index(name) + 1
        table = np.zeros(256, np.uint8)
        table[[number, IGNORED]] = 1, IGNORED
        return Targets({z: table[plane] for z, plane in self.planes.items()}, {name: self.ids[name]}, self.warnings)

    def without(self, held: Mapping[int, Box]) -> dict[int, Plane]:
        """The planes to train on."""
        trained = {}
        for z, plane in self.planes.items():
            left = plane.copy()
            if z in held:
                left[held[z]] = IGNORED
            if (left != IGNORED).any():
                trained[z] = left
        return trained


def targets(drawn: Mapping[int, Pixels], names: Mapping[int, str], options: Options) -> Targets:
    if not drawn:
        raise ValueError("expected drawn slices, got none; draw some")
    for z, labels in drawn.items():
        if np.asarray(labels).dtype.kind not in "bui":
            raise ValueError(f"slice {z}: expected drawn class or object numbers, got {labels.dtype}; convert them to whole numbers")
    found = _of_objects(drawn, options) if options.boundary_px is not None else _of_classes(drawn, names, options)
    if not any(((plane > 0) & (plane != IGNORED)).any() for plane in found.planes.values()):
        raise ValueError(f"expected something drawn in the {len(drawn)} slices, got only background; draw some of each class")
    return found


def _of_objects(drawn: Mapping[int, Pixels], options: Options) -> Targets:
    rest = IGNORED if options.unlabelled_is_ignored else 0
    planes = {}
    for z, labels in drawn.items():
        plane = np.where(labels > 0, 1, rest).astype(np.uint8)
        plane[outlines(labels, options.boundary_px or 1)] = 2
        planes[z] = plane
    return Targets(planes, {"interior": 1, "boundary": 2})


def outlines(labels: Pixels, width_px: int) -> npt.NDArray[np.bool_]:
    """The pixels around which there is more than one number."""
    import cv2

    side = 2 * max(1, round(width_px / 2)) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    numbers = np.unique(labels, return_inverse=True)[1].reshape(labels.shape).astype(np.float32)
    return np.asarray(cv2.dilate(numbers, disc) != cv2.erode(numbers, disc))


def _of_classes(drawn: Mapping[int, Pixels], names: Mapping[int, str], options: Options) -> Targets:
    names = {int(i): name for i, name in sorted(names.items()) if i > 0}
    _check(names, options)
    seen: set[int] = set()
    for z, labels in drawn.items():
        with within("slice", z):
            seen |= _ids(np.asarray(labels), names)
    ids = {name: i for i, name in names.items() if i in seen and name != BACKGROUND and name not in options.ignore}
    table = np.zeros(256, np.uint8)
    table[0] = IGNORED if options.unlabelled_is_ignored else 0
    table[[i for i, name in names.items() if name in options.ignore]] = IGNORED
    table[list(ids.values())] = range(1, len(ids) + 1)
    missing = tuple(f"class {name!r} ({i}) is drawn nowhere and is left out; draw some of it" for i, name in names.items() if i not in seen)
    if options.unlabelled_is_ignored and not any(i in seen for i, name in names.items() if name == BACKGROUND):
        missing += (f"nothing is drawn as {BACKGROUND!r}, so all of the stack becomes one of {', '.join(ids)}; draw some of it",)
    return Targets({z: table[np.asarray(labels)] for z, labels in drawn.items()}, ids, missing)


def _check(names: Mapping[int, str], options: Options) -> None:
    if not names or max(names) > 255 or len(set(names.values())) < len(names):
        raise ValueError(f"expected classes of different names with ids from 1 to 255, got {dict(names)}; correct names.json")
    if unknown := sorted({*options.ignore, *options.of} - set(names.values())):
        raise ValueError(f"expected classes of {', '.join(names.values())}, got {', '.join(unknown)}; name those that are drawn")


def _ids(labels: Pixels, names: Mapping[int, str]) -> set[int]:
    found = {int(i) for i in np.unique(labels)} - {0}
    if unknown := sorted(found - names.keys()):
        raise ValueError(f"expected class ids of names.json ({', '.join(map(str, names))}), got {', '.join(map(str, unknown[:5]))}; "
                         "name them there, or draw with the right ids")
    return found
