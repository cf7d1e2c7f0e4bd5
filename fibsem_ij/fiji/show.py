"""The live session: put a volume, labels and ROIs in front of a person, and see what the person has in front."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from fibsem_ij.fiji import rois as roi_door
from fibsem_ij.fiji.errors import FijiError, translated
from fibsem_ij.fiji.rois import RoiBytes
from fibsem_ij.volume import Volume

_LOOK_S, _HOLDS, _LOOKS = 0.05, 6, 60  # the choice of a window holds when it stands for .3 s; after 3 s it is left as it is


@dataclass(frozen=True)
class Active:
    """What the person looks at: the image, its window's title, the slice (from 0), and the selection on it."""

    image: Volume
    title: str
    z: int
    selection: RoiBytes | None


class DrawnRois(NamedTuple):
    """The RoiManager's list, and the overlay of the image in front."""

    manager: list[RoiBytes]
    overlay: list[RoiBytes]


def show_toolbar(ij: Any) -> None:
    """ImageJ's main window: without it a person has no tools to draw with."""
    from jpype import JClass

    with translated("show ImageJ's main window"):
        window = JClass("ij.IJ").getInstance()
        if ij is not None:
            ij.ui().showUI()
        elif not window.isVisible():
            # Made without being shown, it has no size yet.
            window.setResizable(False)
            window.pack()
            window.setLocation(window.getPreferredLocation())
            window.setVisible(True)


def show_images(volume: Any, labels: Any | None, rois: Iterable[RoiBytes] | None) -> None:
    """ImagePlus windows; the volume is in front. ROIs go to the RoiManager, where a person edits them, all shown on the volume."""
    from jpype import JClass

    with translated("show images"):
        for imp in (labels, volume):
            if imp is not None:
                imp.show()
    if rois is not None:
        roi_door.to_manager(rois)
        with translated("show the ROIs"):
            JClass("ij.plugin.frame.RoiManager").getInstance2().runCommand(volume, "Show All")
    with translated("bring the image to the front"):
        _bring_to_front(volume)


def current_image() -> Any:
    """The ImagePlus in front, or None."""
    from jpype import JClass

    with translated("look at the image in front"):
        return JClass("ij.WindowManager").getCurrentImage()


def selection_of(imp: Any) -> RoiBytes | None:
    with translated("read the selection"):
        roi = imp.getRoi()
    return None if roi is None else roi_door.from_roi(roi)


def drawn_rois() -> DrawnRois:
    imp = current_image()
    return DrawnRois(roi_door.from_manager(), roi_door.from_overlay(imp.getOverlay()) if imp is not None else [])


def need_windows(mode: str, task: str) -> None:
    if mode != "interactive":
        raise FijiError(f'expected an interactive session to {task}, got {mode}; use fiji.start(mode="interactive") in a new process')


def _bring_to_front(imp: Any) -> None:
    """NB: a window that opened a moment ago may still report its focus and become the current one: choose until the choice holds."""
    from jpype import JClass

    manager, window = JClass("ij.WindowManager"), imp.getWindow()
    if window is None:
        raise FijiError(f"expected a window for {imp.getTitle()}, got none; close ImageJ's dialogs and try again")
    held = 0
    for _ in range(_LOOKS):
        if window.equals(manager.getCurrentWindow()):
            held += 1
        else:
            held = 0
            manager.setCurrentWindow(window)
        if held == _HOLDS:
            return
        time.sleep(_LOOK_S)
