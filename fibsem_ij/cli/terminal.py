"""What every command shares: the options that mean the same everywhere, and how a result and its progress are told.

`--json` prints the result for machines; `--progress json` prints progress as one JSON object a line on stderr, so that
stdout stays the result's.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Progress = Annotated[Literal["bar", "json", "none"], typer.Option(help="A bar, one JSON object a line (on stderr), or nothing.")]
VoxelNm = Annotated[str, typer.Option(help="Voxel size z,y,x in nm, where the file does not say it: 4,4,4.")]
Home = Annotated[Path | None, typer.Option(help="Your Fiji.app; else FIBSEM_IJ_FIJI, else the embedded ImageJ.")]
Workers = Annotated[int, typer.Option(help="Threads; 0 is one a core. The result is the same for any number.", min=0)]


def workers_of(count: int) -> Executor:
    return ThreadPoolExecutor(count or os.cpu_count() or 1)


def voxel_of(text: str) -> tuple[float, float, float] | None:
    if not text:
        return None
    try:
        z, y, x = (float(part) for part in text.split(","))
        return (z, y, x)
    except ValueError:
        raise ValueError(f"expected --voxel-nm as three numbers z,y,x, got {text!r}; write for instance 4,4,4") from None


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def show(result: dict[str, Any], as_json: bool, text: str) -> None:
    print(json.dumps(result) if as_json else text)


@contextlib.contextmanager
def progress_to(mode: str, what: str) -> Iterator[Callable[[int, int], None] | None]:
    """A callback (done, total) that draws a bar, prints JSON lines, or None."""
    if mode == "json":
        yield lambda done, total: print(json.dumps({"stage": what, "done": done, "total": total}), file=sys.stderr, flush=True)
    elif mode == "bar" and sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import Progress as Bar

        with Bar(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(what, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
    else:
        yield None
