"""One job at a time in ImageJ, on a thread of its own, so that Ctrl-C gets through.

A Java call cannot be interrupted by Python: its thread sees KeyboardInterrupt only when it returns. So the caller waits in
Python while the job runs beside it; on Ctrl-C ImageJ is told to stop (abort the macro, press Escape, interrupt the thread)
and the caller gets its KeyboardInterrupt at once. A job belongs to one thread from start to end, because ImageJ ties
macro options and the current image to the thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from fibsem_ij.fiji.errors import FijiError

T = TypeVar("T")
_POLL_S = 0.1  # how long Python waits without looking for Ctrl-C; Windows needs the look
_GRACE_S = 5.0  # how long a job may take to stop


class Job(Generic[T]):
    """A call on its own thread. NB: after Ctrl-C it may go on; `ended` tells."""

    def __init__(self, call: Callable[[], T], name: str) -> None:
        from jpype import JClass

        self.name = name
        # NB: looked up now, because JPype interrupts the caller's Java thread too, and an interrupted thread cannot load classes.
        self._threads, self._ij = JClass("java.lang.Thread"), JClass("ij.IJ")
        self._interpreter, self._escape = JClass("ij.macro.Interpreter"), JClass("java.awt.event.KeyEvent").VK_ESCAPE
        self._call = call
        self._value: list[T] = []
        self._error: BaseException | None = None
        self._java_thread: Any = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def result(self) -> T:
        self._thread.start()
        try:
            while not self._ended.wait(_POLL_S):
                pass
        except KeyboardInterrupt:
            self._stop()
            raise
        if self._error is not None:
            raise self._error
        return self._value[0]

    def _work(self) -> None:
        try:
            self._java_thread = self._threads.currentThread()
            # NB: ImageJ gives macro options only to threads with such a name.
            self._java_thread.setName("Run$_fibsem_ij")
            # NB: a thread from Python has none, and the macro function `call` would find no class.
            self._java_thread.setContextClassLoader(self._ij.class_.getClassLoader())
            self._value.append(self._call())
        except BaseException as error:  # handed to the caller, whatever it is
            self._error = error
        finally:
            self._java_thread = None
            self._ended.set()
            self._threads.detach()

    def _stop(self) -> None:
        self._threads.interrupted()  # clears the caller's flag
        self._ij.setKeyDown(self._escape)
        if (thread := self._java_thread) is not None:
            thread.interrupt()
        macro, until = self._interpreter.getInstance(), time.monotonic() + _GRACE_S
        while not self.ended and time.monotonic() < until:
            if macro is not None:
                macro.abortMacro()  # again and again: a busy interpreter can overwrite the flag that this sets
            self._ended.wait(_POLL_S)
        self._ij.setKeyUp(self._escape)


class Jobs:
    """Runs jobs one after the other, whichever thread asks."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._last: Job[Any] | None = None

    def run(self, call: Callable[[], T], *, name: str) -> T:
        with self.lock:
            if self._last is not None and not self._last.ended:
                raise FijiError(f"expected ImageJ to be free, got it still at work on {self._last.name!r}, which did not stop at Ctrl-C; "
                                "wait, or use a new process")
            job = Job(call, name)
            self._last = job
            return job.result()
