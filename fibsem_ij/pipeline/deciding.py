"""Whether a stage runs, and why, in words.

It runs where its result is not there, where it was stopped, and where an option, the code or what it reads is not what its result was
made of. A result that is not what the stage left was changed by hand: it is kept, and what reads it runs. A result that no stage here
made is kept too: somebody put it there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fibsem_ij.pipeline import fingerprints
from fibsem_ij.pipeline.record import Record
from fibsem_ij.pipeline.stages import Stage

Does = Literal["runs", "up to date", "kept", "waits", "left out"]


@dataclass(frozen=True)
class Step:
    """A stage of a plan, or of a run that is done."""

    name: str
    does: Does
    why: str
    reads: tuple[Path, ...]
    writes: tuple[Path, ...]

    @property
    def runs(self) -> bool:
        return self.does == "runs"

    def __str__(self) -> str:
        said = self.does if self.runs or self.does == "waits" else f"is {self.does}"
        colon = ":" if self.why and self.does != "waits" else ""
        return f"{self.name} {said}{colon} {self.why}".rstrip()


def step(stage: Stage, does: Does, why: str = "") -> Step:
    return Step(stage.name, does, why, stage.reads, stage.writes)


def decide(stage: Stage, record: Record, *, makers: Mapping[Path, str], new: Collection[Path] = (), missing: Collection[Path] = (),
           quick: bool = False, any_code: bool = False) -> Step:
    """`makers`: which stage writes a path. `new`: what stages before it will write. `missing`: what those that wait will not."""
    if stage.drawn and not stage.drawn.exists():
        return step(stage, "waits", f"for something drawn in {record.name(stage.drawn)}")
    if waits := next((path for path in stage.reads if path in missing), None):
        return step(stage, "waits", f"for {makers[waits]}")
    known = record.stages.get(stage.name)
    gone = next((path for path in stage.writes if not path.exists()), None)
    if known is None:
        return step(stage, "runs") if gone else step(stage, "kept", f"{record.name(stage.writes[0])} was there already")
    if "running" in known:
        return step(stage, "runs", "it was stopped, and goes on")
    if gone:
        return step(stage, "runs", f"{record.name(gone)} is not there")
    changed = _changed(stage, known, record, makers=makers, new=new, quick=quick, any_code=any_code)
    by_hand = next((path for path in stage.writes if record.content(path, quick=quick) != known["writes"].get(record.name(path))), None)
    if by_hand and stage.name != "output report":
        note = f"; NB: {changed} since; move it away to have it made anew" if changed else ""
        return step(stage, "kept", f"{record.name(by_hand)} was changed by hand{note}")
    return step(stage, "runs", changed) if changed else step(stage, "up to date")


def _changed(stage: Stage, known: Mapping[str, Any], record: Record, *, makers: Mapping[Path, str], new: Collection[Path], quick: bool,
             any_code: bool) -> str:
    """What its result was made of and is now another; "" where all is the same."""
    options = stage.options
    differ = [key for key in {**known["options"], **options} if known["options"].get(key) != options.get(key)]
    if differ:
        return "; ".join(f"{key} is {_short(options.get(key))}, was {_short(known['options'].get(key))}" for key in differ)
    if known["code"] != fingerprints.code(*stage.code) and not any_code:
        return f"the code of {stage.table} changed"
    for path in stage.reads:
        if path in new:
            return f"{makers[path]} runs before it"
        if _content(stage, path, record, quick=quick) != known["reads"].get(record.name(path)) and not _left(stage, path):
            return f"{makers[path]}'s result changed" if path in makers else f"{record.name(path)} changed"
    gone = known["reads"].keys() - {record.name(path) for path in stage.reads}
    return f"{min(gone)} is not read any more" if gone else ""


def contents(stage: Stage, record: Record) -> dict[str, str]:
    return {record.name(path): _content(stage, path, record, quick=False) for path in stage.reads}


def key_of(stage: Stage, reads: Mapping[str, str]) -> str:
    """Of all that decides about a result."""
    return fingerprints.of([stage.name, stage.options, fingerprints.code(*stage.code), dict(reads)])


def _content(stage: Stage, path: Path, record: Record, *, quick: bool) -> str:
    """NB: a source outside is looked at, not read: it is read when it is copied."""
    if stage.name in ("input", "output report"):
        return fingerprints.look(path)
    return record.content(path, quick=quick)


def _left(stage: Stage, path: Path) -> bool:
    """A source that is not there any more: the disk of the microscope was taken away."""
    return stage.name == "input" and not fingerprints.look(path)


def _short(value: Any) -> str:
    text = "left out" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
