"""What learns from drawn slices in review.py: a small network, or a random forest on pixels. Each answers learn, shares and score, and
keeps what it learned."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from segmentation import features

from fibsem_ij import segment
from fibsem_ij.segment.starting import from_networks


@dataclass(frozen=True)
class Case:
    """A stack (z, y, x) and its truth, the z of each slice, which of them are tested and which may be drawn."""

    src: Any
    truth: Any
    z: Any
    tested: Any  # bool
    names: dict[int, str]
    apart: int  # slices between one that is drawn and one that is tested

    @property
    def open(self) -> list[int]:
        near = np.abs(self.z[:, None] - self.z[self.tested]).min(1)
        return [int(k) for k in np.flatnonzero(near >= self.apart)]

    @property
    def is_whole(self) -> bool:
        """Slice after slice, so that neighbours say something."""
        return bool((np.diff(self.z) == 1).all())


class Network:
    """The small network of `segment fit`, trained on from round to round."""

    def __init__(self, case: Case, seed: int, args: argparse.Namespace) -> None:
        self.case, self.args = case, args
        self.learned: Any = None
        self.options = segment.Options(config={"base": args.base, "fold": 2}, patch=args.patch, minutes=None, held=0.0, warmup=10,
                                       average=0.95, seed=seed + 1, device="cpu")

    def learn(self, drawn: list[int]) -> None:
        on = self.learned and not self.args.afresh
        count = self.args.updates if on else self.args.begin
        prepare = from_networks(self.learned) if on else None
        self.learned = segment.fit(self.case.src, {k: self.case.truth[k] for k in drawn}, names=self.case.names, prepare=prepare,
                                    options=replace(self.options, updates=count, every=count))

    def shares(self) -> Any:
        return segment.apply(self.case.src, self.learned, device="cpu")

    def score(self) -> float:
        case = self.case
        found = segment.labels(segment.apply(case.src[case.tested], self.learned, device="cpu"), ids=segment.classes(self.learned))
        return scored(found, case.truth[case.tested], case.names)


class Forest:
    """A random forest on pixels, as Labkit, ilastik and Weka have it: learned anew each round, in seconds, as far as it can.
    It sees every second pixel along y and x."""

    def __init__(self, case: Case, seed: int, args: argparse.Namespace) -> None:
        self.case, self.seed, self.pixels = case, seed, args.pixels
        self.ids = np.array([0, *case.names])
        self.truth, self.tested = case.truth[:, ::2, ::2], np.flatnonzero(case.tested)
        self.seen = [seen_by(grey) for grey in case.src]

    def learn(self, drawn: list[int]) -> None:
        from sklearn.ensemble import RandomForestClassifier

        rows, kinds = [], []
        for k in drawn:
            flat, rng = self.truth[k].ravel(), np.random.default_rng([self.seed, k])
            for kind in np.unique(flat):
                at = np.flatnonzero(flat == kind)
                at = rng.choice(at, min(len(at), self.pixels // len(self.ids)), replace=False)
                rows.append(self.seen[k][at])
                kinds.append(flat[at])
        self.learned = RandomForestClassifier(60, min_samples_leaf=4, n_jobs=1, random_state=self.seed)
        self.learned.fit(np.concatenate(rows), np.concatenate(kinds))

    def shares(self) -> Any:
        """Of all classes but the background; one that nobody drew has none."""
        found = np.zeros((len(self.ids), *self.truth.shape), np.uint8)
        for k, seen in enumerate(self.seen):
            told = np.rint(255 * self.learned.predict_proba(seen)).astype(np.uint8).T.reshape(-1, *self.truth.shape[1:])
            found[np.searchsorted(self.ids, self.learned.classes_), k] = told
        return found[1:]

    def score(self) -> float:
        found = np.stack([self.learned.predict(self.seen[k]).reshape(self.truth.shape[1:]) for k in self.tested])
        return scored(found.astype(np.uint8), self.truth[self.tested], self.case.names)


def seen_by(grey: Any) -> Any:
    seen = features(grey).reshape(*grey.shape, -1)[::2, ::2].astype(np.float32)
    return seen.reshape(-1, seen.shape[2])


LEARNERS = {"forest": Forest, "network": Network}


def scored(found: Any, truth: Any, names: Mapping[int, str]) -> float:
    """The mean F1 of all classes; 0 for one that nobody drew."""
    told = segment.score(found, truth, names=names)["classes"]
    return float(np.mean([told.get(name, {}).get("f1") or 0 for i, name in names.items() if (truth == i).any()]))
