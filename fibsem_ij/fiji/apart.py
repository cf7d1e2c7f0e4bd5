"""ImageJ in a process of its own: where Java dies, hangs or fills its heap, the call is tried again or named, and the run goes on.

    with Apart(home, heap="4g") as java:
        matrices = java.call(function, fixed, moving, task="fit a pair", tries=3)       # function(session, fixed, moving), over there

A function is sent by its name and called there with that process's Session; it and what it takes and gives are pickled. Slices travel
through pipes, since what is shared as memory would be left behind by a kill. The process starts at the first call, serves all others,
one at a time, whichever thread asks, and ends with this object, with this process, or when it is killed: nothing it held is left.
An Apart that is sent to another process (a pool's, dask's) is one there, with a JVM of that process.

Signs of life: the processor time that the process had, and `session.alive()` in the function. No multiprocessing here: it allows no
process to those of a dask worker, and imports a script that has no `if __name__ == "__main__"` over and over.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Self, TypeVar

from fibsem_ij.fiji import gateway
from fibsem_ij.fiji.child import Child, Limits
from fibsem_ij.fiji.errors import FijiError, JavaLost, OutOfHeap

__all__ = ["Apart", "Limits"]

log = logging.getLogger(__name__)
T = TypeVar("T")
_PATIENCE = 2  # times as much at each further try, since the machine may only be slow
_START = Limits(silent_s=300)
_NO_LIMITS = Limits()


class Apart:
    """`home`: a Fiji (else FIBSEM_IJ_FIJI, else the embedded ImageJ). `heap`: "4g" or bytes (None: Java's own choice)."""

    def __init__(self, home: str | Path | None = None, *, heap: str | int | None = None) -> None:
        self.home, self.heap = gateway.find_fiji(home), gateway.heap_bytes(heap)
        self._lock, self._closed = threading.Lock(), False
        self._child: Child | None = None
        self._heap = f"a heap of {self.heap >> 20} MiB" if self.heap else "a heap of its own choice"

    def __reduce__(self) -> tuple[Any, ...]:
        return _of_this_process, (self.home, self.heap)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(at_once=kind is not None)

    @property
    def pid(self) -> int | None:
        """Of the process that has the JVM."""
        return self._child.pid if self._child else None

    def close(self, *, at_once: bool = False) -> None:
        """End the process; a call under way in another thread fails."""
        self._closed = True
        if self._child:
            self._child.end(at_once=at_once)

    def call(self, function: Callable[..., T], *args: Any, task: str, limits: Limits = _NO_LIMITS, tries: int = 1) -> T:
        """`function(session, *args)` over there. `task` says what is done ("fit a pair"). `tries`: how often, where Java is lost each time
        and the function may be repeated."""
        with self._lock:
            for n in range(tries):
                try:
                    value: T = self._once((function, args, task), limits, _PATIENCE**n)
                    return value
                except JavaLost as lost:
                    self._end()
                    if n + 1 == tries or self._closed:
                        every = f", the last of {tries} times, each in a fresh process" if tries > 1 else ""
                        raise type(lost)(f"expected Java to {task} with {self._heap}, got {lost}{every}; {lost.remedy}") from None
                    log.warning("expected Java to %s, got %s; trying again in a fresh process", task, lost)
                except KeyboardInterrupt:
                    self._end()
                    raise
        raise ValueError(f"expected tries of 1 or more, got {tries}")

    def _once(self, request: tuple[Any, ...], limits: Limits, patience: int) -> Any:
        self._check_open()
        if self._child is None or not self._child.living:
            self._child = Child(self.home, self.heap)
            most_mib = self._child.ask(None, _START, patience)
            self._heap = self._heap if self.heap else f"a heap of {most_mib} MiB"
            self._check_open()
        try:
            return self._child.ask(request, limits, patience)
        except OutOfHeap:
            raise OutOfHeap("OutOfMemoryError") from None

    def _check_open(self) -> None:
        if self._closed:
            self._end()
            raise FijiError("expected an open Apart, got one that was closed; make a new one")

    def _end(self) -> None:
        if self._child:
            self._child.end(at_once=True)
            self._child = None


@cache
def _of_this_process(home: Path | None, heap: int | None) -> Apart:
    return Apart(home, heap=heap)
