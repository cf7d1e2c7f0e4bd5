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
from typing import IO, Annotated, Any, Literal

import typer

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Progress = Annotated[Literal["bar", "json", "none"], typer.Option(help="A bar, one JSON object a line (on stderr), or nothing.")]
VoxelNm = Annotated[str, typer.Option(help="Voxel size z,y,x in nm, where the file does not say it: 4,4,4.")]
Home = Annotated[Path | None, typer.Option(help="Your Fiji.app; else FIBSEM_IJ_FIJI, else the embedded ImageJ.")]
Heap = Annotated[str, typer.Option(help="The most that Java may take: 4g; a quarter of the memory where nothing is said.")]
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


def apart(src: Path, *written: Path | None) -> None:
    """No result takes the place of the stack it is made from, or of another."""
    paths = [path.resolve() for path in (src, *written) if path]
    for path in paths:
        if paths.count(path) > 1:
            raise ValueError(f"expected a name of its own for each stack, got {path.name} twice; write the result beside {src.name}")


def slices_of(text: str, option: str, depth: int | None = None) -> tuple[int, ...]:
    """3,17 -> (3, 17), within a stack of that depth."""
    try:
        found = tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise ValueError(f"expected {option} as slice numbers from 0, got {text!r}; write for instance 3,17") from None
    if depth is not None and found and not 0 <= min(found) <= max(found) < depth:
        raise ValueError(f"expected {option} within 0..{depth - 1}, got {text}; count from 0")
    return found


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def show(result: dict[str, Any], as_json: bool, text: str) -> None:
    print(json.dumps(result) if as_json else text)


@contextlib.contextmanager
def progress_lines(mode: str) -> Iterator[Callable[[str], None]]:
    """Where the lines go that a command inside this process says for machines: on as they are, or into bars; warnings always on."""
    stderr = sys.stderr  # NB: while that command runs, sys.stderr is what catches its lines
    with contextlib.ExitStack() as open_:
        bar = open_.enter_context(_bars(stderr)) if mode == "bar" and stderr.isatty() else None
        tasks: dict[str, Any] = {}

        def tell(line: str) -> None:
            told = json.loads(line) if line.startswith("{") else None
            if told is None or mode == "json":
                print(line, file=stderr, flush=True)
            elif bar:
                stage = str(told["stage"])
                if stage not in tasks:
                    tasks[stage] = bar.add_task(stage, total=None)
                bar.update(tasks[stage], completed=told["done"], total=told["total"])

        yield tell


@contextlib.contextmanager
def progress_to(mode: str, what: str) -> Iterator[Callable[[int, int], None] | None]:
    """A callback (done, total) that draws a bar, prints JSON lines, or None."""
    if mode == "json":
        yield lambda done, total: print(json.dumps({"stage": what, "done": done, "total": total}), file=sys.stderr, flush=True)
    elif mode == "bar" and sys.stderr.isatty():
        with _bars(sys.stderr) as bar:
            task = bar.add_task(what, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
    else:
        yield None


def _bars(stream: IO[str]) -> Any:
    from rich.console import Console
    from rich.progress import Progress as Bar

    return Bar(console=Console(file=stream), transient=True)
