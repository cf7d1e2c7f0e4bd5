"""The process that has the JVM, as the process sees it that started it: it is asked, listened to, given up, ended."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from itertools import pairwise
from multiprocessing.util import Finalize
from pathlib import Path
from typing import IO, Any, NamedTuple

from fibsem_ij.fiji import jars
from fibsem_ij.fiji.errors import FijiError, JavaDied, JavaHung
from fibsem_ij.fiji.served import BEAT_S, GRACE_S, put, take

_POLL_S = 0.25
_PIPE_BYTES = 1 << 20  # of each pipe, where the system lets us: a slice crosses in fewer turns
_BUSY = 0.05  # of a core; Java's own threads take less where nothing is done
_SERVE = "import json, sys; home, heap, folder, parent, sys.path[:] = json.loads(sys.argv[1]); " \
         "from fibsem_ij.fiji.served import serve; serve(home, heap, folder, parent)"


class Limits(NamedTuple):
    """How long, in seconds, is too long; None is never."""

    silent_s: float | None = None  # without a word from the function
    idle_s: float | None = None  # without work for the processor


class Child:
    """A Python with a JVM. NB: on Linux it ends with the thread that started it, which is why that thread stays and listens."""

    def __init__(self, home: Path | None, heap: int | None) -> None:
        if home is None and jars.missing():
            jars.fetched()  # here, where it may take its time
        self._folder = tempfile.TemporaryDirectory(prefix="fibsem_ij-java-", ignore_cleanup_errors=True)
        self._answers: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._tail = b""  # of what it printed
        told = json.dumps([str(home) if home else None, heap, self._folder.name, os.getpid(), sys.path])
        threading.Thread(target=self._keep, args=([sys.executable, "-P", "-c", _SERVE, told],), daemon=True).start()
        word, started = self._answers.get()
        if word == "failed":
            raise started
        self._child: subprocess.Popen[bytes] = started
        self.pid = self._child.pid
        self._finalize = Finalize(self, _end, (self._child, self._folder), exitpriority=0)  # and atexit, in a pool's process too

    @property
    def living(self) -> bool:
        return self._child.poll() is None

    def end(self, *, at_once: bool) -> None:
        if not at_once and self._child.stdin:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                self._child.stdin.close()
                self._child.wait(GRACE_S)
        self._finalize()

    def ask(self, request: Any, limits: Limits, patience: int) -> Any:
        """The answer; JavaDied or JavaHung where there is none. None asks for the start. `patience`: the limits, so many times."""
        if request is not None:
            threading.Thread(target=self._send, args=(request,), daemon=True).start()  # a process that hangs does not read
        silent = idle = had = 0.0
        before = time.monotonic()
        while True:
            word, value = self._next()
            now = time.monotonic()
            step, before = min(now - before, 2 * _POLL_S), now  # no more, so that a laptop may sleep
            silent, idle = (0.0 if word == "alive" else silent) + step, idle + step
            if word == "done":
                return value
            if word == "failed":
                raise value
            if word == "ended":
                raise JavaDied(f"the end of its process {self._why(value)}")
            if word == "cpu":
                idle, had = 0.0 if value - had > _BUSY * BEAT_S else idle, value
            for what, waited, limit in (("no answer", silent, limits.silent_s), ("nothing done", idle, limits.idle_s)):
                if limit is not None and waited > limit * patience:
                    raise JavaHung(f"{what} for {waited:.0f} s")

    def _next(self) -> tuple[str, Any]:
        try:
            return self._answers.get(timeout=_POLL_S)
        except queue.Empty:
            return "", None

    def _send(self, request: Any) -> None:
        assert self._child.stdin
        try:
            put(self._child.stdin, request)
        except OSError:
            pass  # it has ended, which is told by itself
        except Exception as error:  # of pickle, of any kind
            self._answers.put(("failed", error))

    def _keep(self, command: list[str]) -> None:
        try:
            child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pipesize=_PIPE_BYTES)
        except OSError as error:
            self._answers.put(("failed", error))
            return
        assert child.stdout
        listener = threading.Thread(target=self._listen, args=(child.stderr,), daemon=True)
        listener.start()
        self._answers.put(("started", child))
        with child.stdout, contextlib.suppress(EOFError):
            while True:
                self._answers.put(_answer(take(child.stdout)))
        code = child.wait()
        listener.join(timeout=1)
        self._answers.put(("ended", code))

    def _listen(self, said: IO[bytes]) -> None:
        with said:
            while some := os.read(said.fileno(), 1 << 16):
                self._tail = (self._tail + some)[-(1 << 14):]

    def _why(self, code: int) -> str:
        """By signal or exit code, and what was printed of it."""
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        lines = [line.strip("# ") for line in self._tail.decode(errors="replace").splitlines() if line.strip("# ")]
        crash = [line for line in lines if re.match(r"(SIG|EXCEPTION_|Internal Error|Out of Memory|There is insufficient)", line)]
        place = [after for line, after in pairwise(lines) if line == "Problematic frame:"]
        told = [*crash[:1], *place[:1]] or lines[-1:]
        return f"{how} ({'; '.join(told)})" if told else how


def _answer(told: bytes) -> tuple[str, Any]:
    try:
        word, value = pickle.loads(told)
    except Exception as error:  # of a class that cannot be had here
        return "failed", FijiError(f"expected an answer that can be read, got {type(error).__name__}: {error}; return plain values")
    return word, value


def _end(child: subprocess.Popen[bytes], folder: tempfile.TemporaryDirectory[str]) -> None:
    child.kill()
    child.wait()
    if child.stdin:
        with contextlib.suppress(OSError):  # what was not read is lost
            child.stdin.close()
    folder.cleanup()
