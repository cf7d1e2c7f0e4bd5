"""Whether a stage runs, and why, in words.

It runs where its result is not there, where it was stopped, and where an option, the code or what it reads is not what its result was
made of. A result that is not what the stage left was changed by hand: it is kept, and what reads it runs. A result that no stage here
made is kept too: somebody put it there. A network is kept when slices came since it learned.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fibsem_ij.pipeline import fingerprints, growing
from fibsem_ij.pipeline.record import Record
from fibsem_ij.pipeline.stages import Stage

_CAME = "slices came"
Does = Literal["runs", "up to date", "kept", "waits", "left out"]


@dataclass(frozen=True)
class Step:
    """A stage of a plan, or of a run that is done."""

    name: str
    does: Does
    why: str
    reads: tuple[Path, ...]
    writes: tuple[Path, ...]
    grown: bool = False  # it runs because slices came, and for nothing else

    @property
    def runs(self) -> bool:
        return self.does == "runs"

    def __str__(self) -> str:
        said = self.does if self.runs or self.does == "waits" else f"is {self.does}"
        colon = ":" if self.why and self.does != "waits" else ""
        return f"{self.name} {said}{colon} {self.why}".rstrip()


def step(stage: Stage, does: Does, why: str = "", *, grown: bool = False) -> Step:
    return Step(stage.name, does, why, stage.reads, stage.writes, grown)


def decide(stage: Stage, record: Record, *, makers: Mapping[Path, str], new: Mapping[Path, bool] | None = None,
           missing: Collection[Path] = (), quick: bool = False, any_code: bool = False) -> Step:
    """`makers`: which stage writes a path. `new`: what stages before it will write, and whether only because slices came. `missing`: what
    those that wait will not."""
    if stage.drawn and not stage.drawn.exists():
        return step(stage, "waits", f"for something drawn in {record.name(stage.drawn)}")
    if waits := next((path for path in stage.reads if path in missing), None):
        return step(stage, "waits", f"for {makers[waits]}")
    known = record.stages.get(stage.name)
    gone = next((path for path in stage.writes if not path.exists()), None)
    if known is None:
        return step(stage, "runs") if gone else step(stage, "kept", f"{record.name(stage.writes[0])} was there already")
    if gone:
        return step(stage, "runs", "it was stopped, and goes on" if "running" in known else f"{record.name(gone)} is not there")
    if stage.name == "input" and record.source.slices:
        growing.check_none_gone(record.before("input"), record.source.slices)
    changed, grown = _changed(stage, known, record, makers=makers, new=new or {}, quick=quick, any_code=any_code)
    if "running" in known:
        return step(stage, "runs", "it was stopped, and goes on", grown=grown)
    if grown and stage.learns:
        return step(stage, "kept", f"{changed} since it learned; move {record.name(stage.writes[0])} away to have it learn anew")
    by_hand = next((path for path in stage.writes if record.content(path, quick=quick) != known["writes"].get(record.name(path))), None)
    if by_hand and grown and stage.name == "register fit":
        return step(stage, "runs", f"{changed}; {record.name(by_hand)} was changed by hand: what it says of the others stays", grown=True)
    if by_hand and changed and stage.name != "input" and len(record.sums(by_hand) or range(record.depth)) != record.depth:
        return step(stage, "waits", f"for {record.name(by_hand)} to be moved away, or to get the slices that came: it was changed by hand")
    if by_hand and stage.name != "output report":
        note = f"; NB: {changed} since; move it away to have it made anew" if changed else ""
        return step(stage, "kept", f"{record.name(by_hand)} was changed by hand{note}")
    return step(stage, "runs", changed, grown=grown) if changed else step(stage, "up to date")


def _changed(stage: Stage, known: Mapping[str, Any], record: Record, *, makers: Mapping[Path, str], new: Mapping[Path, bool], quick: bool,
             any_code: bool) -> tuple[str, bool]:
    """What its result was made of and is now another, "" where all is the same; and whether that is slices that came, and nothing else."""
    options, before = stage.options, known.get("options", {})
    # NB: an option that is newer than the result, and not used, is no other option.
    differ = [key for key in {**before, **options} if before.get(key) != options.get(key) and (key in before or options.get(key))]
    if differ:
        return "; ".join(f"{key} is {_short(options.get(key))}, was {_short(before.get(key))}" for key in differ), False
    if known.get("code") != fingerprints.code(*stage.code) and not any_code:
        return f"the code of {stage.table} changed", False
    found = [why for path in stage.reads if (why := _other(stage, known, path, record, makers=makers, new=new, quick=quick))[0]]
    others = [why for why in found if not why[1]]
    gone = known.get("reads", {}).keys() - {record.name(path) for path in stage.reads}
    return (others or found or [(f"{min(gone)} is not read any more" if gone else "", False)])[0]


def _other(stage: Stage, known: Mapping[str, Any], path: Path, record: Record, *, makers: Mapping[Path, str], new: Mapping[Path, bool],
           quick: bool) -> tuple[str, bool]:
    """The same of one of the files that it reads."""
    if path in new:
        return (_CAME, True) if new[path] else (f"{makers[path]} runs before it", False)
    was = known.get("reads", {}).get(record.name(path))
    if _content(stage, path, record, quick=quick) == was or _left(stage, path):
        return "", False
    if stage.name == "input" and (there := record.before("input")) and (came := growing.came(there, record.source.slices)):
        return came, growing.only_came(there, record.source.slices)
    if path in makers and was in record.stages.get(makers[path], {}).get("grew", ()):
        return _CAME, True
    return f"{makers[path]}'s result changed" if path in makers else f"{record.name(path)} changed", False


def contents(stage: Stage, record: Record) -> dict[str, str]:
    return {record.name(path): _content(stage, path, record, quick=False) for path in stage.reads}


def base_of(stage: Stage, record: Record, reads: Mapping[str, str]) -> str:
    """Of what decides about every slice of a result: not the stack itself, nor where its slices lie."""
    apart = {record.name(path) for path in (stage.reads[0], record.workspace.transforms)}
    return fingerprints.of([stage.name, stage.options, fingerprints.code(*stage.code), {k: v for k, v in reads.items() if k not in apart}])


def key_of(stage: Stage, reads: Mapping[str, str]) -> str:
    """Of all that decides about a result."""
    return fingerprints.of([stage.name, stage.options, fingerprints.code(*stage.code), dict(reads)])


def _content(stage: Stage, path: Path, record: Record, *, quick: bool) -> str:
    """NB: a source outside is looked at, not read: it is read when it is copied."""
    if stage.name == "input" and record.source.slices:
        return fingerprints.of(dict(record.source.slices))
    if stage.name in ("input", "output report"):
        return fingerprints.look(path)
    return record.content(path, quick=quick)


def _left(stage: Stage, path: Path) -> bool:
    """A source that is not there any more: the disk of the microscope was taken away."""
    return stage.name == "input" and not fingerprints.look(path)


def _short(value: Any) -> str:
    text = "left out" if value in (None, "") else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
