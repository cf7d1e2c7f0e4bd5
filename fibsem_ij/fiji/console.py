"""What ImageJ says while a job runs: its log, its errors, its message boxes.

ImageJ reports to whoever sits in front of it: headless it prints, with windows it opens modal dialogs that would block a
Python process for ever. `listening` collects both. A dialog that only tells something (a macro's error, IJ.error,
showMessage) is closed when it opens; one that asks (waitForUser, Dialog.create) is left to the person.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

_MACRO_ERRORS = ("Macro Error", "No Image")  # the titles of ij.macro.Interpreter.showError


@dataclass
class Heard:
    """`log` is what was printed and told; `macro_error` is ImageJ's own text: message, line, and the statement with <token>."""

    log: str = ""
    errors: str = ""
    macro_errors: list[str] = field(default_factory=list)

    @property
    def macro_error(self) -> str:
        return self.macro_errors[0] if self.macro_errors else ""


@contextmanager
def listening(*, windows: bool) -> Iterator[Heard]:
    """Collect what ImageJ says meanwhile; `windows` says whether dialogs can open at all."""
    from jpype import JClass

    heard = Heard()
    system = JClass("java.lang.System")
    before = system.out, system.err
    streams = [JClass("java.io.ByteArrayOutputStream")() for _ in before]
    out, err = (JClass("java.io.PrintStream")(stream, True, "UTF-8") for stream in streams)
    log_before = _log_window()
    closer = _close_messages(heard) if windows else None
    system.setOut(out)
    system.setErr(err)
    try:
        yield heard
    finally:
        system.setOut(before[0])
        system.setErr(before[1])
        if closer is not None:
            JClass("java.awt.Toolkit").getDefaultToolkit().removeAWTEventListener(closer)
        printed, complained = (str(stream.toString("UTF-8")) for stream in streams)
        heard.log = printed + _log_window().removeprefix(log_before) + heard.log
        heard.errors = complained
        heard.macro_errors += [text for title in _MACRO_ERRORS for text in complained.split(f"{title}: ")[1:]]


def _log_window() -> str:
    from jpype import JClass

    return str(JClass("ij.IJ").getLog() or "")


def _close_messages(heard: Heard) -> Any:
    from jpype import JClass, JImplements, JOverride

    event_class = JClass("java.awt.event.WindowEvent")

    @JImplements("java.awt.event.AWTEventListener")
    class Closer:
        @JOverride  # type: ignore[untyped-decorator]
        def eventDispatched(self, event: Any) -> None:
            if event.getID() != event_class.WINDOW_OPENED:
                return
            window = event.getWindow()
            kind = str(window.getClass().getName())
            title = str(window.getTitle() or "") if hasattr(window, "getTitle") else ""
            if kind == "ij.gui.GenericDialog" and title in _MACRO_ERRORS:
                heard.macro_errors.append(_text_of(window))
            elif kind == "ij.gui.MessageDialog":
                heard.log += _text_of(window) + "\n"
            else:
                return
            window.dispose()

    closer = Closer()
    JClass("java.awt.Toolkit").getDefaultToolkit().addAWTEventListener(closer, JClass("java.awt.AWTEvent").WINDOW_EVENT_MASK)
    return closer


def _text_of(component: Any) -> str:
    """The words on a dialog. NB: ImageJ's MultiLineLabel keeps its lines in a field without a getter."""
    from jpype import JClass

    if isinstance(component, JClass("ij.gui.MultiLineLabel")):
        lines = component.getClass().getDeclaredField("lines")
        lines.setAccessible(True)
        return "\n".join(str(line) for line in lines.get(component))
    if isinstance(component, JClass("java.awt.Label")):
        return str(component.getText())
    if isinstance(component, JClass("java.awt.Container")):
        return "\n".join(filter(None, (_text_of(child) for child in component.getComponents())))
    return ""
