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
    """What can be drawn and what is tested, (z, y, x), with the z of each slice that can be drawn."""

    src: Any
    truth: Any
    z: Any
    tested: Any
    tested_truth: Any
    names: dict[int, str]

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
        found = segment.labels(segment.apply(self.case.tested, self.learned, device="cpu"), ids=segment.classes(self.learned))
        return scored(found, self.case.tested_truth, self.case.names)


class Forest:
    """A random forest on pixels, as Labkit, ilastik and Weka have it: learned anew each round, in seconds, as far as it can.
    It sees every second pixel along y and x."""

    def __init__(self, case: Case, seed: int, args: argparse.Namespace) -> None:
        self.case, self.seed, self.pixels = case, seed, args.pixels
        self.ids = np.array([0, *case.names])
        thin = np.s_[:, ::2, ::2]
        self.truth, self.tested_truth = case.truth[thin], case.tested_truth[thin]
        self.seen, self.tested = ([seen_by(grey) for grey in stack] for stack in (case.src, case.tested))

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
        found = np.stack([self.learned.predict(seen).reshape(self.truth.shape[1:]) for seen in self.tested])
        return scored(found.astype(np.uint8), self.tested_truth, self.case.names)


def seen_by(grey: Any) -> Any:
    seen = features(grey).reshape(*grey.shape, -1)[::2, ::2].astype(np.float32)
    return seen.reshape(-1, seen.shape[2])


LEARNERS = {"forest": Forest, "network": Network}


def scored(found: Any, truth: Any, names: Mapping[int, str]) -> float:
    """The mean F1 of all classes; 0 for one that nobody drew."""
    told = segment.score(found, truth, names=names)["classes"]
    return float(np.mean([told.get(name, {}).get("f1") or 0 for i, name in names.items() if (truth == i).any()]))
