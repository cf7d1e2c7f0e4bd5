"""ROIs <-> ij.gui.Roi, Overlay and RoiManager. A ROI is (name, bytes), the bytes of one .roi file, so that this door needs none of
the other's. ImageJ itself encodes and decodes them.

NB: RoiManager needs a display; headless, an Overlay holds ROIs as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fibsem_ij.fiji.errors import FijiError, translated
from fibsem_ij.fiji.words import one_line

RoiBytes = tuple[str, bytes]


def to_roi(name: str, content: bytes) -> Any:
    """An ij.gui.Roi. An empty name leaves the one in the bytes."""
    from jpype import JArray, JByte, JClass

    one_line(name, "a ROI name")
    with translated(f"decode ROI {name!r}"):
        roi = JClass("ij.io.RoiDecoder").openFromByteArray(JArray(JByte)(content)) if content else None
        if roi is None:
            raise FijiError(f"expected the bytes of an ImageJ ROI for {name!r}, got {len(content)} bytes that are none; export it again")
        if name:
            roi.setName(name)
    return roi


def from_roi(roi: Any) -> RoiBytes:
    from jpype import JClass

    with translated("encode a ROI"):
        content = JClass("ij.io.RoiEncoder").saveAsByteArray(roi)
        name = str(roi.getName() or "")
        if content is None:
            raise FijiError(f"expected a ROI that ImageJ can save, got {name!r} of type {roi.getTypeAsString()}; convert it to a polygon")
    return name, bytes(content)


def to_overlay(rois: Iterable[RoiBytes]) -> Any:
    """An ij.gui.Overlay, in the same order."""
    from jpype import JClass

    overlay = JClass("ij.gui.Overlay")()
    for name, content in rois:
        overlay.add(to_roi(name, content))
    return overlay


def from_overlay(overlay: Any) -> list[RoiBytes]:
    return [from_roi(roi) for roi in overlay.toArray()] if overlay is not None else []


def to_manager(rois: Iterable[RoiBytes], *, replace: bool = True) -> None:
    """Put the ROIs into the RoiManager's list, instead of what is there or behind it."""
    from jpype import JClass

    decoded = [to_roi(name, content) for name, content in rois]
    with translated("fill the RoiManager"):
        manager = JClass("ij.plugin.frame.RoiManager").getRoiManager()
        if replace:
            manager.reset()
        before = int(manager.getCount())
        for roi in decoded:
            # NB: not addRoi, which rewrites a name that begins as ssss-yyyy-xxxx (dropping the object's id behind it)
            # and gives a ROI without a position the slice that happens to be in front.
            manager.add(roi, -1)
        if (got := int(manager.getCount()) - before) != len(decoded):
            raise FijiError(f"expected {len(decoded)} ROIs in the RoiManager, got {got}; close the RoiManager and try again")


def from_manager() -> list[RoiBytes]:
    """What is in the RoiManager; nothing where there is none."""
    from jpype import JClass

    with translated("read the RoiManager"):
        manager = JClass("ij.plugin.frame.RoiManager").getInstance2()
        listed = manager.getRoisAsArray() if manager is not None else []
        return [(str(manager.getName(index)), from_roi(roi)[1]) for index, roi in enumerate(listed)]
