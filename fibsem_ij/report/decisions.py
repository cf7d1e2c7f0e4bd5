"""The part of a report on what was decided while objects were followed (OUT.events.csv): how often what, and what to look at first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from fibsem_ij.report import page

_ENDING = ".events.csv"
_SHOWN = 12
_SAYS = {"new": "a track began", "joined": "it met a cell", "other side": "the pass from the other drawn slice knew it",
         "own": "nobody knew it", "bridged": "a bad slice"}  # docs/objects.md
_CLOSE = ("joined", "other side")  # the events that something in common decided


def is_log(name: str, table: Mapping[str, Any]) -> bool:
    return name.endswith(_ENDING) and {"z", "track", "event", "iou", "into", "y", "x"} <= table.keys()


def part(name: str, table: Mapping[str, Any]) -> str:
    events = [str(event) for event in table["event"]]
    counted = page.table(("decision", "what it means", "how often"),
                         [(event, _SAYS.get(event, ""), count) for event, count in Counter(events).most_common()])
    close = np.flatnonzero(np.isin(events, _CLOSE))
    first = close[np.argsort(np.asarray(table["iou"], float)[close], kind="stable")][:_SHOWN]
    rows = [(int(n) + 1, *(int(table[axis][n]) for axis in "zyx"), events[n], float(table["iou"][n]), int(table["into"][n]))
            for n in first]
    doubted = page.text(f"The {len(rows)} that least in common decided; labels edit undo-event takes one back by its row.") + page.table(
        ("row", "z", "y", "x", "decision", "in common", "became"), rows) if rows else ""
    return page.heading(f"Decisions ({name})") + counted + doubted
