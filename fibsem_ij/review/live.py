"""The review in a running ImageJ or Fiji: the small stack, its label image and its ROI set in front of a person, and back into the files
of review/.

What comes back is written over a file only where it says something else than the file does, so that looking changes nothing. An empty
RoiManager is one that was closed, not a stack without objects: then the overlay is asked, and where that is empty too, rois.zip stays.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from fibsem_ij import files
from fibsem_ij.files import rois
from fibsem_ij.review import opened as record
from fibsem_ij.review import opening
from fibsem_ij.review.opened import ROIS
from fibsem_ij.volume import Labels
from fibsem_ij.workspace import Workspace

if TYPE_CHECKING:
    from fibsem_ij.fiji import Session

_LOOK_S = 0.5


def show(workspace: Workspace, session: Session) -> Any:
    """Open the windows; gives the stack's ij.ImagePlus."""
    stack, labels = opening.small(workspace)
    path = workspace.review / ROIS
    outlines = rois.to_bytes(rois.read(path)) if path.exists() else []
    return session.show(stack, labels, outlines)


def wait(imp: Any, *, asked: Callable[[], bool]) -> None:
    """Until the person closes the stack's window, or `asked` to end."""
    while imp.isVisible() and not asked():
        time.sleep(_LOOK_S)


def keep(workspace: Workspace, session: Session) -> list[str]:
    """Save what the person did over the files of review/; their names. `collect` takes it from there."""
    opened = record.read(workspace.review)
    kept = []
    found = session.rois()
    outlines = rois.from_bytes(found.manager or found.overlay)
    path = workspace.review / ROIS
    if outlines and not (path.exists() and _alike(outlines, rois.read(path))):
        rois.write(path, outlines)
        kept.append(ROIS)
    layer = opened.rois or next(iter(opened.slices), None)
    if layer and (painted := session.image("labels")) is not None:
        path = workspace.review / f"{layer}.tif"
        before = files.read_labels(path)
        if painted.shape != before.shape:
            raise ValueError(f"expected the window labels with {before.shape} (z, y, x), got {painted.shape}; close it, or undo what "
                             "changed its size")
        now = np.asarray(painted)
        if any(not np.array_equal(now[n], before[n]) for n in range(len(before))):
            files.write(path, Labels(_whole(now), before.voxel_nm, before.names, before.classes))
            kept.append(path.name)
    return kept


def _whole(pixels: Any) -> Any:
    """Label numbers as integers, also those that ImageJ holds as float32."""
    if pixels.dtype.kind in "ui":
        return pixels
    whole = pixels.astype(np.uint32)
    if not np.array_equal(whole, pixels):
        raise ValueError("expected whole numbers in the window labels, got others; undo the filter that made them")
    return whole


def _alike(some: list[Any], others: list[Any]) -> bool:
    """Whether two ROI sets say the same, whoever wrote their bytes."""
    return len(some) == len(others) and all(map(_says_the_same, some, others))


def _says_the_same(a: Any, b: Any) -> bool:
    if (a.name, a.roitype, a.position, a.group) != (b.name, b.roitype, b.position, b.group):
        return False
    with contextlib.suppress(ValueError):  # points and lines have no outline
        return all(np.array_equal(one, other) for one, other in zip(rois.outline_of(a), rois.outline_of(b), strict=True))
    return bool(np.array_equal(a.coordinates(), b.coordinates()))
