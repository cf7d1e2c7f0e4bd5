"""What the process does that has the JVM: it is sent calls, does one after the other, and ends with who started it.

Requests come through stdin, answers go through a copy of stdout, both as pickles between two processes of one person; Java gets
neither. Each is its length, then its bytes, so that one that cannot be read harms no other. An answer is (word, value): "done" and
"failed" end a call; meanwhile "alive" says that the function got on, and "cpu", each second, how much processor time was had.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import queue
import signal
import struct
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from functools import partial
from typing import IO, Any

from fibsem_ij.fiji.errors import FijiError, heap_mib, translated

BEAT_S = 1.0
GRACE_S = 3.0  # for Java's own end
_PR_SET_PDEATHSIG = 1  # of Linux's prctl
_LENGTH = struct.Struct("<Q")


def put(stream: IO[bytes], what: Any) -> None:
    told = pickle.dumps(what, pickle.HIGHEST_PROTOCOL)
    stream.write(_LENGTH.pack(len(told)))
    stream.write(told)
    stream.flush()


def take(stream: IO[bytes]) -> bytes:
    """What was put there, still a pickle; EOFError where the other side ended, in the middle of it or not."""
    head = stream.read(_LENGTH.size)
    told = stream.read(_LENGTH.unpack(head)[0]) if len(head) == _LENGTH.size else b""
    if not told or len(told) < _LENGTH.unpack(head)[0]:
        raise EOFError
    return told


def serve(home: str | None, heap: int | None, folder: str, parent: int) -> None:
    """Until stdin ends. `folder` takes Python's temporary files and Java's words on a crash; `parent` is who started this."""
    _end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, who ends us
    tempfile.tempdir = folder
    requests, answers = _pipes()
    calls: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(requests, calls), daemon=True).start()
    server = _Server(answers)
    session = server.answer(lambda: _started(home, heap, server), tell=lambda _: heap_mib())
    while session is not None and (call := calls.get()) is not None:
        server.answer(partial(_done, session, call))


class _Server:
    def __init__(self, answers: IO[bytes]) -> None:
        self._answers, self._writing, self._at_work = answers, threading.Lock(), threading.Event()
        threading.Thread(target=self._beat, daemon=True).start()

    def say(self, word: str, value: Any = None) -> None:
        with self._writing:
            put(self._answers, (word, value))

    def answer(self, call: Callable[[], Any], tell: Callable[[Any], Any] = lambda value: value) -> Any:
        """The call's value here, None where it failed; what `tell` makes of it goes to the other side."""
        self._at_work.set()
        value = None
        try:
            value = call()
            self.say("done", tell(value))
        except Exception as error:
            if not isinstance(error, (FijiError, ValueError, OSError)):
                error.add_note(traceback.format_exc())  # NB: a traceback does not travel
            self._say_failed(error)
        finally:
            self._at_work.clear()
        return value

    def _say_failed(self, error: Exception) -> None:
        try:
            self.say("failed", error)
        except Exception:
            self.say("failed", FijiError(f"expected something that can be sent, got {type(error).__name__}: {error}; return plain values"))

    def _beat(self) -> None:
        while self._at_work.wait():
            self.say("cpu", time.process_time())
            time.sleep(BEAT_S)


def _started(home: str | None, heap: int | None, server: _Server) -> Any:
    from fibsem_ij import fiji

    session = fiji.start(home, heap=heap)
    session.alive = lambda: server.say("alive")
    return session


def _done(session: Any, call: bytes) -> Any:
    function, args, task = pickle.loads(call)
    with translated(task):
        return function(session, *args)


def _pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Ours alone: what Java or a library reads is empty, and what it prints is the parent's to show."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    return requests, answers


def _read(requests: IO[bytes], calls: queue.SimpleQueue[bytes | None]) -> None:
    """On a thread of its own, so that the end of the parent is heard while Java is at work."""
    try:
        while True:
            calls.put(take(requests))
    except (EOFError, OSError):
        calls.put(None)
        time.sleep(GRACE_S)
        os._exit(1)


def _end_with(parent: int) -> None:
    """The end of stdin says that the parent is gone; on Linux the kernel ends this process even where it cannot hear."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
