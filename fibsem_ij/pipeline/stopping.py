"""Out within five seconds of Ctrl-C or SIGTERM, at a point from which a later run goes on.

SIGTERM is made a Ctrl-C, which a training holds back until its state is on disk. What has not ended after a grace is ended hard: no
result is under its name before it is whole, so nothing is lost but the slices under way.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

_GRACE = 3.0  # s
_WATCHED: list[socket.socket] = []
_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


class Stopped(KeyboardInterrupt):
    def __init__(self, code: int) -> None:
        super().__init__("stopped")
        self.code = code


@contextmanager
def stoppable() -> Iterator[None]:
    """Raises Stopped, which knows the exit code. Only in the main thread; elsewhere nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    told: list[int] = []

    def end(number: int, _frame: Any) -> None:
        told.append(number)
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell leaves it for what runs behind a script
            signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.raise_signal(signal.SIGINT)

    here, there = socket.socketpair()
    there.setblocking(False)
    before, woken = signal.signal(signal.SIGTERM, end), signal.set_wakeup_fd(there.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(here,), daemon=True).start()
    try:
        yield
    except KeyboardInterrupt:
        _WATCHED.append(there)  # until the process has ended
        raise Stopped(_CODES[signal.SIGTERM if told else signal.SIGINT]) from None
    finally:
        signal.set_wakeup_fd(woken)
        signal.signal(signal.SIGTERM, before)
        if there not in _WATCHED:
            there.close()  # and what watches ends


def leave(code: int) -> NoReturn:
    """Now: Python's own end waits for every thread, and takes seconds where torch is loaded."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _watch(here: socket.socket) -> None:
    """Every signal writes its number; the first one that ends us starts the clock."""
    with here:
        while number := here.recv(1):
            if code := _CODES.get(signal.Signals(number[0])):
                time.sleep(_GRACE)
                leave(code)
