"""A command line of ours run inside this process: what `fibsem-ij fiji job` and `fibsem-ij worker` are made of.

It is the command itself, from its first word to its last line, with `--json` and `--progress json`; only what it prints is caught.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Say = Callable[[str], None]  # progress as a line of JSON, at once; a warning as it is, at the end


@dataclass(frozen=True)
class Answer:
    """`result` is what the command prints with --json; `error` its one line, where it failed."""

    code: int
    result: Any = None
    error: str = ""


def ask(words: Sequence[str], say: Say) -> Answer:
    """Run `fibsem-ij WORDS`; its progress and warnings go to `say`. NB: sys.stdout and sys.stderr are caught meanwhile."""
    from fibsem_ij.cli import main

    lines = _Lines(say)
    out = io.StringIO()
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(lines):
        try:
            main(for_machines(words))
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        lines.write("\n")
    if code:
        return Answer(code, error=" ".join(lines.kept[-1:] or [f"fibsem-ij ended with code {code}"]).removeprefix("fibsem-ij: "))
    for line in lines.kept:
        say(line)
    text = out.getvalue().strip()
    return Answer(0, json.loads(text) if text else None)


def commands() -> Any:
    """The whole command line, as Typer has it."""
    from fibsem_ij.cli import commands as made

    return made()


def command(words: Sequence[str]) -> tuple[Any, list[str]]:
    """The command that the first of `words` name, as Typer has it, and those words; a ValueError where they name none."""
    found, named = commands(), list[str]()
    for word in words:
        if not hasattr(found, "commands"):
            break
        if word not in found.commands:
            raise ValueError(f"expected a command of fibsem-ij {' '.join(named)}".rstrip() + f", got {word!r}; see fibsem-ij --help")
        found = found.commands[word]
        named.append(word)
    if hasattr(found, "commands"):
        raise ValueError(f"expected a whole command, got fibsem-ij {' '.join(named)}".rstrip() + "; name one of its commands")
    return found, named


def for_machines(words: Sequence[str]) -> list[str]:
    """WORDS with the options for machines that the command has. NB: they go in front, since after `--` all are names."""
    found, named = command(words)
    known = {param.name for param in found.params}
    return [*named, *["--json"] * ("json_" in known), *["--progress", "json"] * ("progress" in known), *words[len(named) :]]


class _Lines(io.TextIOBase):
    """A stderr that hands on lines of progress and keeps the others, the last of which is the error where there is one."""

    def __init__(self, say: Say) -> None:
        self.say, self.kept, self._rest = say, list[str](), ""

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in filter(str.strip, lines):
            if line.startswith("{"):
                self.say(line)
            else:
                self.kept = [*self.kept[-99:], line]
        return len(text)
