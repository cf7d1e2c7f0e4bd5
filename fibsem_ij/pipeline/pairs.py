"""The pairs that a registration has fitted, on disk as they come: one JSON object a line, exact, so that a stopped run goes on, and one to
which slices came fits only theirs. Each says what it is a fit `of`; what is of something else now is left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from fibsem_ij.files.whole import append_line, write_text
from fibsem_ij.register.pairs import Pair, Step


class Kept(MutableMapping[Step, Pair]):
    def __init__(self, path: Path, of: Callable[[Step], str]) -> None:
        self.path, self.of, self.pairs = path, of, dict[Step, Pair]()
        lines = path.read_text(encoding="ascii").splitlines(keepends=True) if path.exists() else []
        kept = [(line, pair) for line in lines if line.endswith("\n") and (pair := self._pair(line))]  # NB: a kill may have cut the last
        if len(kept) < len(lines):
            write_text(path, "".join(line for line, _ in kept))
        self.pairs.update({(pair.fixed, pair.moving): pair for _, pair in kept})

    def __setitem__(self, step: Step, pair: Pair) -> None:
        self.pairs[step] = pair
        plain = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in asdict(pair).items()}
        append_line(self.path, json.dumps({"of": self.of(step), **plain}, default=float))

    def __getitem__(self, step: Step) -> Pair:
        return self.pairs[step]

    def __delitem__(self, step: Step) -> None:
        raise ValueError("expected pairs to be kept, got one to take out; remove the folder to start afresh")

    def __iter__(self) -> Iterator[Step]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)


    def _pair(self, line: str) -> Pair | None:
        said: dict[str, Any] = json.loads(line)
        if said.pop("of", "") != self.of((said["fixed"], said["moving"])):
            return None
        exact = (("matrix", np.float64), ("covariance", np.float64), ("likeness", np.float32), ("smooth", np.float32))
        return Pair(**{**said, **{name: np.array(said[name], dtype) for name, dtype in exact}})
