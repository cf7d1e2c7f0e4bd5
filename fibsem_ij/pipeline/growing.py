"""Slices that come later: what is said of them, and which results differ from what they were by nothing else.

A stage whose result changed because slices came, and for no other reason, remembers what its result was before ("grew"). Whoever read
one of those knows that what it learned is not wrong, only from fewer slices: a network is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from fibsem_ij import files
from fibsem_ij.pipeline.record import Record
from fibsem_ij.pipeline.stages import Stage
from fibsem_ij.workspace import Workspace

_LISTED = 6


@dataclass(frozen=True)
class Before:
    """A stage and its result, before it runs again."""

    stage: Stage
    known: Mapping[str, Any]
    content: str  # of its result
    sums: tuple[str, ...]  # of the slices of its result

    @classmethod
    def of(cls, stage: Stage, record: Record, key: str) -> Before:
        """NB: a run that was killed when its result had just got its name has noted what was there before."""
        out, known = stage.writes[0], record.stages.get(stage.name, {})
        if known.get("running") == key and "was" in known:
            return cls(stage, known, known["was"], tuple(known["sums"].split()))
        return cls(stage, known, record.content(out), record.sums(out))

    def running(self, key: str) -> dict[str, Any]:
        """What is noted while it runs."""
        sums = " ".join(self.sums) if self.stage.name == "input" else ""
        return {**self.known, "running": key, "was": self.content, "sums": sums}

    @property
    def placed(self) -> tuple[str, ...]:
        """Of a registration: the slices that it placed."""
        return tuple(self.known.get("slices", ())) if self.stage.name == "register fit" and self.content else ()

    @property
    def by_hand(self) -> bool:
        return self.content not in self.known.get("writes", {}).values()

    def compared(self, record: Record, *, grown: bool) -> dict[str, Any]:
        """What is noted of a result that was just made."""
        now = record.content(out := self.stage.writes[0])
        slices = self._slices(record)
        if self.stage.name == "input":
            old = self.known.get("slices", {})
            by_sums = self.sums and only_came(dict(zip(old, self.sums, strict=False)), dict(zip(slices, record.sums(out), strict=False)))
            grown = bool(by_sums) if self.sums else only_came(old, slices)
        grew = [*self.known.get("grew", ()), *self.known.get("writes", {}).values(), self.content] if grown else []
        return {"grew": [content for content in dict.fromkeys(grew) if content not in ("", now)], **({"slices": slices} if slices else {})}

    def _slices(self, record: Record) -> dict[str, str]:
        if self.stage.name == "register fit":
            return dict(record.before("input"))
        if self.stage.name != "input":
            return {}
        return dict(record.source.slices) or dict.fromkeys(files.read(self.stage.writes[0]).names, "")


def came(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """What differs between two listings, in words; "" where nothing does."""
    new, changed = ([name for name in now if name not in before], [name for name in now if before.get(name, now[name]) != now[name]])
    words = [f"{_count(new)} came: {_ranges(new, list(now))}" if new else "", f"{_ranges(changed, list(now))} changed" if changed else ""]
    return "; ".join(word for word in words if word)


def only_came(before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    return bool(before) and before.items() <= now.items()


def check_none_gone(before: Mapping[str, str], now: Mapping[str, str]) -> None:
    if gone := [name for name in before if name not in now]:
        raise ValueError(f"input: expected {_ranges(gone, list(before))} in the source as before, got no such file; put it back, or move "
                         "raw.zarr away to go on without")


def check_numbered(before: Mapping[str, str], now: Mapping[str, str], ws: Workspace, numbers: Sequence[int]) -> str:
    """A ROI set says its slices by number: it would be of others when slices come in before them. What should be told of `numbers` in the
    recipe, which count slices too."""
    first = next((z for z, name in enumerate(before) if list(now)[z] != name), len(before))
    if first == len(before):
        return ""
    if sets := sorted(ws.drawn.glob("[!.]*.zip")):
        raise ValueError(f"input: expected slices to come at the end, since {sets[0].name} in drawn counts them, got {list(now)[first]} "
                         f"before {list(before)[first]}; make a label stack of it, which has names (fibsem-ij labels from-rois "
                         f"{sets[0].name} {sets[0].stem}.tif --like raw.zarr), and take the set away")
    later = [str(z) for z in numbers if z >= first]
    return f"slices came in before others: look whether {', '.join(later)} in [register] are still those you mean" if later else ""


def _count(names: Sequence[str]) -> str:
    return f"{len(names)} slice{'s' * (len(names) > 1)}"


def _ranges(names: Sequence[str], order: Sequence[str]) -> str:
    """0003, 0200 to 0211: what follows one another in `order` is told by its ends."""
    at = {name: z for z, name in enumerate(order)}
    runs = [[name for _, name in run] for _, run in groupby(enumerate(names), lambda nz: at[nz[1]] - nz[0])]
    told = [f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(run) for run in runs]
    return ", ".join(told[:_LISTED]) + (f" and {len(names) - sum(map(len, runs[:_LISTED]))} more" if len(told) > _LISTED else "")
