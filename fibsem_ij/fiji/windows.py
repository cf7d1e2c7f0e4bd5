"""The images ImageJ has open, and closing what a macro, command or script left behind.

Headless they have no window, but are in ImageJ's list all the same ("batch mode") and are kept alive by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def open_images() -> list[Any]:
    """In the order in which they were opened."""
    from jpype import JClass

    manager = JClass("ij.WindowManager")
    ids = sorted((int(i) for i in manager.getIDList() or ()), reverse=True)  # ImageJ counts down: -1, -2, ...
    return [imp for imp in map(manager.getImage, ids) if imp is not None]


def close(imp: Any) -> None:
    imp.changes = False  # NB: otherwise ImageJ asks whether to save
    imp.close()


class Opened:
    """`new()` are the images that were not open before."""

    def __init__(self) -> None:
        self._before = {int(imp.getID()) for imp in open_images()}

    def new(self) -> list[Any]:
        return [imp for imp in open_images() if int(imp.getID()) not in self._before]


@contextmanager
def tidied(*, leave_open: bool) -> Iterator[Opened]:
    """Afterwards, also after an error, what was opened meanwhile is closed again, unless `leave_open`."""
    from jpype import JClass

    opened = Opened()
    # NB: asked of Java, not of ImageJ: headless, a Fiji may have an ImageJ instance too, and show() needs its batch mode left alone.
    with_windows = not JClass("java.awt.GraphicsEnvironment").isHeadless()
    if with_windows and not leave_open:
        _batch_mode(True)  # no window comes up only to go again
    try:
        yield opened
    finally:
        if not leave_open:
            for imp in opened.new():
                close(imp)
        JClass("ij.WindowManager").setTempCurrentImage(None)
        if with_windows:
            _batch_mode(False)  # NB: left on, later images would be invisible


def _batch_mode(on: bool) -> None:
    from jpype import JClass

    JClass("ij.macro.Interpreter").batchMode = on
