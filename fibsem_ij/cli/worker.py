"""fibsem-ij worker: a process that stays alive between calls, so that Fiji does not wait for Python and torch to start.

One request a line on stdin, JSON:  {"id": 1, "args": ["segment", "apply", "raw.tif", "net", "classes.tif", "--slices", "5"]}
Answers a line each on stdout:      {"id": 1, "stage": "segment apply", "done": 1, "total": 1}      as often as it has something to tell
                                    {"id": 1, "says": "a warning"}
                                    {"id": 1, "ok": true, "result": {...}}  or  {"id": 1, "ok": false, "error": "expected ..., got ..."}
{"cancel": 1} stops that request, as Ctrl-C does on the command line.

`args` are the words after `fibsem-ij`: a request can do what the command line can, and gives the same bytes. It is no code, and the
commands that run code in files (`fiji macro`, `fiji script`) are refused. A bad request is answered and the next one read. The worker
ends at the end of stdin, after what was asked; where nobody listens any more it stops at once.

Why not Appose, which is made for this: its worker runs what it is sent as Python code, and it would be one more jar and one more
package, for a protocol of two kinds of lines.
"""

from __future__ import annotations

import _thread
import json
import os
import queue
import sys
import threading
import traceback
from typing import IO, Any

_REFUSED = {"worker": "", "demo": "", "fiji": "job jobs"}  # command -> those of its own that are allowed
_LONGEST = 1 << 20  # characters of a request


def worker() -> None:
    """Read requests on stdin and answer on stdout, one JSON object a line, until stdin ends. For Fiji's scripts.

    echo '{"id": 1, "args": ["objects", "components", "mask.tif", "labels.tif"]}' | fibsem-ij worker
    """
    # NB: a library that prints to the real stdout must not break a line of ours: ours is a copy, the real one becomes stderr.
    with os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n") as out:
        os.dup2(2, 1)
        _Worker(out).serve(sys.stdin.buffer)


class _Worker:
    def __init__(self, out: IO[str]) -> None:
        self.out, self._writing = out, threading.Lock()
        self.waiting: queue.Queue[bytes | None] = queue.Queue()
        self.at: list[Any] = []  # the id of the request at work
        self.cancelled: set[str] = set()  # ids, as JSON

    def serve(self, stdin: IO[bytes]) -> None:
        threading.Thread(target=self._read, args=(stdin,), daemon=True).start()
        while (line := self._next()) is not None:
            request = _parsed(line)
            self.at = [request.get("id") if isinstance(request, dict) else None]
            told: dict[str, Any] = {}
            while self.at:
                try:
                    told = told or self._answer(request)
                    self._tell(told, last=True)
                except KeyboardInterrupt:  # a cancel; it may come as late as it likes
                    told = told or {"ok": False, "error": "stopped"}
                except BrokenPipeError:
                    return

    def _next(self) -> bytes | None:
        while True:
            try:
                return self.waiting.get()
            except KeyboardInterrupt:
                continue  # a cancel that came just after the answer

    def _read(self, stdin: IO[bytes]) -> None:
        """On a thread of its own, so that a cancel is heard while a request is at work."""
        for line in stdin:
            request = _parsed(line)
            if isinstance(request, dict) and "cancel" in request:
                self._cancel(request["cancel"])
            elif line.strip():
                self.waiting.put(line)
        self.waiting.put(None)

    def _cancel(self, which: Any) -> None:
        with self._writing:  # so that the request cannot be answered in between
            self.cancelled.add(json.dumps(which))
            if self.at == [which]:
                _thread.interrupt_main()

    def _answer(self, request: Any) -> dict[str, Any]:
        from fibsem_ij.cli import here

        name = json.dumps(self.at[0])
        try:
            if name in self.cancelled:
                raise KeyboardInterrupt
            answer = here.ask(_checked(request), lambda line: self._tell(json.loads(line) if line.startswith("{") else {"says": line}))
        except (ValueError, OSError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            return {"ok": False, "error": " ".join(str(error).split())}
        except Exception as error:  # whatever it is, it is this request's, and the next may be sound
            traceback.print_exc()
            return {"ok": False, "error": f"{type(error).__name__}: {' '.join(str(error).split())}"}
        if answer.code:
            return {"ok": False, "error": "stopped" if name in self.cancelled else answer.error}
        return {"ok": True, "result": answer.result}

    def _tell(self, told: dict[str, Any], *, last: bool = False) -> None:
        line = json.dumps({"id": self.at[0], **told}, default=str)
        with self._writing:
            print(line, file=self.out, flush=True)
            if last:
                self.at = []


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line) if len(line) <= _LONGEST else None
    except (ValueError, RecursionError):
        return None


def _checked(request: Any) -> list[str]:
    words = request.get("args") if isinstance(request, dict) else None
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise ValueError('expected a line {"id": ..., "args": [words of a fibsem-ij command]}, got something else')
    if words[0] in _REFUSED and words[1:2] != [] and words[1] in _REFUSED[words[0]].split():
        return words
    if words[0] in _REFUSED:
        raise ValueError(f"expected a command that works on files, got {words[0]}; run it on the command line")
    return words
