"""ImageJ ROI sets without Java: label stack <-> ROIs <-> .zip or .roi, pixel for pixel.

`to_rois` makes one ROI for each object and slice; it carries the slice (position, from 1), the object's number (in its
name, after the L) and the object's colour (arrays/colours.py).

`from_rois` puts an ROI in the slice of its position; where it has none, in the slice that its name begins with; a stack of
one slice needs neither. Its object number is what follows the L in its name; else its group; else the next number
that no ROI of the set has. Where ROIs overlap the later one wins; what sticks out over the edge is cut off.

ROIs cross to Java as (name, bytes): `to_bytes`, `from_bytes`.
"""

from __future__ import annotations

import re
import struct
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from roifile import ROI_TYPE, ImagejRoi

from fibsem_ij.arrays.colours import colours_of
from fibsem_ij.arrays.outlines import Outline, fill, outlines
from fibsem_ij.files.roi_shapes import LARGEST_FLOAT, moved_roi, rings_of, to_roi
from fibsem_ij.files.roi_zip import LIMITS, Limits, read_members, write_members
from fibsem_ij.files.whole import whole
from fibsem_ij.volume import ArrayLike, Labels, WritableArray

__all__ = ["Limits", "covered", "each_roi", "from_bytes", "from_rois", "ids", "moved", "outline_of", "points_of", "read",
           "says_its_number", "slice_of", "to_bytes", "to_rois", "write"]

_ID = re.compile(r"(?:^|-)L(\d+)(?:-\d+)?$")  # ImageJ adds "-1" to a name that it has already
_SLICE = re.compile(r"^(\d{4,6})-\d{4,6}-\d{4,6}")
_UNREADABLE = (ValueError, TypeError, IndexError, OverflowError, AssertionError, struct.error)


def each_roi(labels: ArrayLike, *, progress: Callable[[int, int], None] | None = None) -> Iterator[Any]:
    """The ROIs of a label stack (z, y, x) or slice (y, x), one slice in memory at a time; `progress(done, depth)` after each."""
    if len(labels.shape) not in (2, 3) or max(labels.shape) > LARGEST_FLOAT:
        raise ValueError(f"expected labels (z, y, x) or (y, x) of up to {LARGEST_FLOAT} pixels a side, got shape {tuple(labels.shape)}")
    depth = labels.shape[0] if len(labels.shape) == 3 else 1
    for z in range(depth):
        found = outlines(np.asarray(labels[z] if len(labels.shape) == 3 else labels))
        colours = colours_of(np.array([outline.label for outline in found], np.uint64))
        for outline, colour in zip(found, colours, strict=True):
            yield to_roi(outline, z=z, colour=colour)
        if progress:
            progress(z + 1, depth)


def to_rois(labels: ArrayLike, *, progress: Callable[[int, int], None] | None = None) -> list[Any]:
    """`each_roi` in a list."""
    return list(each_roi(labels, progress=progress))


def from_rois(rois: Iterable[Any], *, shape: Sequence[int], dtype: npt.DTypeLike = np.uint32, out: WritableArray | None = None,
              voxel_nm: tuple[float, float, float] | None = None, names: Sequence[str] = ()) -> Labels:
    """The label stack of this shape (z, y, x) that the ROIs cover; `out`, if given, is filled slice by slice."""
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(f"expected the shape (z, y, x) of the stack, got {tuple(shape)}; one slice is (1, y, x)")
    depth, height, width = (int(n) for n in shape)
    rois = list(rois)
    by_slice: defaultdict[int, list[tuple[int, Any]]] = defaultdict(list)
    for label, roi in zip(ids(rois, most=int(np.iinfo(np.dtype(dtype)).max)), rois, strict=True):
        by_slice[slice_of(roi, depth)].append((label, roi))
    if out is None:
        out = np.zeros((depth, height, width), dtype)
    for z in range(depth):
        out[z] = fill([_outline(roi, label) for label, roi in by_slice[z]], (height, width), dtype)
    return Labels(out, voxel_nm, tuple(names))


def _outline(roi: Any, label: int) -> Outline:
    try:
        return Outline(label, rings_of(roi))
    except ValueError as error:
        raise ValueError(f"ROI {roi.name!r}: {error}") from error


def covered(roi: Any, shape: tuple[int, int]) -> tuple[tuple[slice, slice], npt.NDArray[np.bool_]]:
    """A box in a slice of `shape`, and which pixels in it the ROI covers; what sticks out over the edge is cut off."""
    rings = outline_of(roi)
    corners = np.concatenate([ring for ring in rings if len(ring)] or [np.zeros((1, 2))])
    low, high = (np.clip(edge, 0, shape[::-1]).astype(np.int64) for edge in (np.floor(corners.min(0)), np.ceil(corners.max(0))))
    box = slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))
    size = box[0].stop - box[0].start, box[1].stop - box[1].start
    if 0 in size:
        return box, np.zeros(size, np.bool_)
    return box, fill([Outline(1, tuple(ring - low for ring in rings))], size, np.uint8).astype(np.bool_)


def ids(rois: Sequence[Any], *, most: int = 2**32 - 1) -> list[int]:
    """The object number of each ROI: from its name, else its group, else fresh."""
    given = [_given_id(roi) for roi in rois]
    fresh = count(max([0, *given]) + 1)
    numbers = [i if i >= 0 else next(fresh) for i in given]
    for i, roi in zip(numbers, rois, strict=True):
        if not 0 < i <= most:
            raise ValueError(f"ROI {roi.name!r}: expected an object number of 1 to {most}, got {i}; rename it, or ask for a wider dtype")
    return numbers


def outline_of(roi: Any) -> tuple[npt.NDArray[Any], ...]:
    """The rings, each (n, 2) of x, y, that enclose what the ROI covers."""
    return _outline(roi, 1).rings


def says_its_number(roi: Any) -> bool:
    return _given_id(roi) >= 0


def points_of(roi: Any) -> list[list[float]]:
    """The points (x, y) of a point or multi-point ROI, in their order."""
    if roi.roitype is not ROI_TYPE.POINT:
        raise ValueError(f"ROI {roi.name!r}: expected points, got an area or a line; take the point tool, or rename it")
    found: list[list[float]] = np.asarray(roi.coordinates(), np.float64).reshape(-1, 2).tolist()
    return found


def _given_id(roi: Any) -> int:
    named = _ID.search(roi.name)
    return int(named[1]) if named else roi.group or -1


def slice_of(roi: Any, depth: int) -> int:
    # NB: a hyperstack's ROI has z and t instead of a position; a stack may run along either.
    number = roi.position or (max(roi.z_position, roi.t_position) if min(roi.z_position, roi.t_position) < 2 else 0)
    match = _SLICE.match(roi.name)
    if number == 0 and match:
        number = int(match[1])
    if number == 0 and depth == 1:
        number = 1
    if number == 0:
        raise ValueError(f"ROI {roi.name!r}: expected a slice position, got none; set it in ImageJ (ROI Manager > More > Properties)")
    if not 0 < number <= depth:
        raise ValueError(f"ROI {roi.name!r}: expected a slice of 1 to {depth}, got {number}; give the shape of the stack it was drawn in")
    return number - 1


def moved(rois: Iterable[Any], move: Callable[[int, npt.NDArray[Any]], npt.NDArray[Any]], *, depth: int) -> list[Any]:
    """The ROIs where `move(z, points)` puts their outlines, points (n, 2) of x, y; names, slices and colours stay."""
    return [_moved(roi, move, slice_of(roi, depth)) for roi in rois]


def _moved(roi: Any, move: Callable[[int, npt.NDArray[Any]], npt.NDArray[Any]], z: int) -> Any:
    try:
        return moved_roi(roi, lambda points: move(z, points))
    except ValueError as error:
        raise ValueError(f"ROI {roi.name!r}: {error}") from error


def to_bytes(rois: Iterable[Any]) -> list[tuple[str, bytes]]:
    """The name of each ROI, and the ROI as ImageJ writes it."""
    return list(_encoded(rois))


def _encoded(rois: Iterable[Any]) -> Iterator[tuple[str, bytes]]:
    for roi in rois:
        # NB: roifile counts characters where ImageJ counts UTF-16 units, and would cut off the end of such a name.
        if not roi.name.isascii() and max(roi.name) > "\uffff":
            raise ValueError(f"ROI {roi.name!r}: expected a name without emoji and the like; rename it")
        yield roi.name or roi.autoname, roi.tobytes()


def from_bytes(members: Iterable[tuple[str, bytes]]) -> list[Any]:
    """The ROIs again. A name is for those that carry none, and for errors."""
    return [_decoded(name, data, where=f"ROI {name!r}") for name, data in members]


def _decoded(name: str, data: bytes, *, where: str) -> Any:
    try:
        roi = ImagejRoi.frombytes(data)
    except _UNREADABLE as error:
        raise ValueError(f"{where}: expected an ImageJ ROI, got damaged bytes ({error}); save it in ImageJ again") from error
    roi.name = roi.name or name
    return roi


def write(path: Path | str, rois: Iterable[Any]) -> int:
    """A set to .zip, or one ROI to .roi; an older file is replaced once the new one is whole. Returns how many ROIs."""
    path = Path(path)
    if path.suffix.lower() == ".zip":
        return write_members(path, _encoded(rois))
    one = to_bytes(rois)
    if path.suffix.lower() != ".roi" or len(one) != 1:
        raise ValueError(f"expected a .zip, or a .roi for exactly one ROI, got {path.name} for {len(one)}; name it .zip")
    with whole(path) as part:
        part.write_bytes(one[0][1])
    return 1


def read(path: Path | str, *, limits: Limits = LIMITS) -> list[Any]:
    """The ROIs of a .zip or .roi, in the order of the file."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"expected a ROI set, found no file {path}")
    if path.suffix.lower() == ".zip":
        members: Iterable[tuple[str, bytes]] = read_members(path, limits=limits)
    elif path.suffix.lower() == ".roi":
        members = [(path.stem, _one_member(path, limits))]
    else:
        raise ValueError(f"expected a ROI set .zip or a .roi, got {path}")
    return [_decoded(name, data, where=f"{path}, member {name!r}") for name, data in members]


def _one_member(path: Path, limits: Limits) -> bytes:
    if path.stat().st_size > limits.member_bytes:
        raise ValueError(f"{path}: expected at most {limits.member_bytes} bytes, got {path.stat().st_size}; this is not a ROI")
    return path.read_bytes()
