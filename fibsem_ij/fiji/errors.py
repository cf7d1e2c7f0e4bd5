"""FijiError, and the one place where a Java exception becomes one.

No Java exception leaves the door: every call into Java from a public function runs inside `translated`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class FijiError(RuntimeError):
    """Something at the Java door is not as it must be: "expected X, got Y; do Z"."""


class JavaLost(FijiError):
    """Java did not come to the end of a call. In a fresh process the same call may."""

    remedy = ""


class JavaDied(JavaLost):
    remedy = "ask for less heap (--heap) if the machine is short of memory, else update the plugin, or set JAVA_HOME to another Java"


class JavaHung(JavaLost):
    remedy = "if the machine was overloaded run it again, else update the plugin"


class OutOfHeap(JavaLost):
    remedy = 'ask for a larger heap: --heap 8g, or heap = "8g" in the recipe\'s [register]'


@contextmanager
def translated(task: str) -> Iterator[None]:
    """Run `task` ("open the image"); a Java exception inside becomes a FijiError that says what Java said."""
    import jpype

    try:
        yield
    except jpype.JException as thrown:
        # NB: Java's OutOfMemoryError is no Python MemoryError, and the JVM is still usable after it.
        if isinstance(thrown, jpype.JClass("java.lang.OutOfMemoryError")):
            raise OutOfHeap(f"expected Java to have room to {task}, got OutOfMemoryError with a heap of {heap_mib()} MiB; close images, "
                            "or start a new Python process with fiji.start(heap=...)") from None
        raise FijiError(f"expected to {task}, got {said(thrown)}") from thrown


def said(thrown: Any) -> str:
    """A Java exception in one line: its class, its message and the first frame that is not Java's own."""
    name = str(thrown.getClass().getName())
    message = thrown.getMessage()
    frames = [str(frame) for frame in thrown.getStackTrace()]
    place = next((frame for frame in frames if not frame.startswith(("java.", "jdk.", "sun.", "org.jpype."))), "")
    return " ".join(part for part in (f"{name}:" if message else name, str(message or ""), f"at {place}" if place else "") if part)


def heap_mib() -> int:
    """The most that Java may take."""
    import jpype

    return int(jpype.JClass("java.lang.Runtime").getRuntime().maxMemory()) >> 20
