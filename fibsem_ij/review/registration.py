"""Doubts about the registration: runs that disagree, a slice that lies beside the one before it or resembles it too little, bad slices.

All is measured by `register.quality` on the raw stack; here it becomes evidence. Of bad slices that follow each other with the same fault
the first stands for all: a person decides about them once.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor

import numpy as np

from fibsem_ij.register.quality import quality
from fibsem_ij.review.ranking import Evidence, Floats
from fibsem_ij.volume import ArrayLike, Transforms

STAGE = "registration"
_LOW = 0.05  # px and correlation: differences below are nothing unusual
_BAD = 0.1  # a bad slice is ten of these from a good one


def evidence(src: ArrayLike, fitted: Transforms, *, executor: Executor | None = None) -> list[Evidence]:
    table = quality(src, fitted, executor=executor)
    spread, residual, unlike = (np.where(table["bad"], np.nan, column) for column in
                                (table["spread_px"], table["residual_px"], 1 - table["similarity_after"]))
    return [
        Evidence(STAGE, "spread", spread, _LOW, lambda z, usual: f"the runs disagree by {spread[z]:.2f} px, usually by {usual:.2f}"),
        Evidence(STAGE, "residual", residual, 2 * _LOW,
                 lambda z, usual: f"lies {residual[z]:.1f} px beside the slice before, usually {usual:.1f}"),
        Evidence(STAGE, "unlike", unlike, _LOW / 5,
                 lambda z, usual: f"resembles the slice before by {1 - unlike[z]:.3f}, usually by {1 - usual:.3f}"),
        known_bad(len(fitted), {z: fitted.why.get(z, "bad") for z in fitted.bad}),
    ]


def known_bad(depth: int, why: Mapping[int, str]) -> Evidence:
    values: Floats = np.full(depth, np.nan)
    counts: dict[int, int] = {}
    for z in sorted(why):
        if why.get(z - 1) == why[z]:
            counts[next(reversed(counts))] += 1
        else:
            values[z], counts[z] = 1, 0

    def says(z: int, _: float) -> str:
        return why[z] + (f", and so are the {counts[z]} after it" if counts[z] else "") + "; left out and bridged"

    return Evidence(STAGE, "bad", values, _BAD, says, usual=0.0)
