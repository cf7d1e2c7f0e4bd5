"""The pairs that a registration has fitted, on disk as they come: one JSON object a line, exact, so that a stopped run goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator, MutableMapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from fibsem_ij.files.whole import append_line, write_text
from fibsem_ij.register.pairs import Pair, Step


class Kept(MutableMapping[Step, Pair]):
    def __init__(self, path: Path) -> None:
        self.path, self.pairs = path, dict[Step, Pair]()
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text(encoding="ascii").splitlines(keepends=True) if path.exists() else []
        whole = [line for line in lines if line.endswith("\n")]  # NB: the last one may have been cut by a kill
        if len(whole) < len(lines):
            write_text(path, "".join(whole))
        for pair in map(_pair, whole):
            self.pairs[pair.fixed, pair.moving] = pair

    def __setitem__(self, step: Step, pair: Pair) -> None:
        self.pairs[step] = pair
        told = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in asdict(pair).items()}
        append_line(self.path, json.dumps(told, default=float))

    def __getitem__(self, step: Step) -> Pair:
        return self.pairs[step]

    def __delitem__(self, step: Step) -> None:
        raise ValueError("expected pairs to be kept, got one to take out; remove the folder to start afresh")

    def __iter__(self) -> Iterator[Step]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)


def _pair(line: str) -> Pair:
    said: dict[str, Any] = json.loads(line)
    exact = (("matrix", np.float64), ("covariance", np.float64), ("likeness", np.float32), ("smooth", np.float32))
    return Pair(**{**said, **{name: np.array(said[name], dtype) for name, dtype in exact}})
