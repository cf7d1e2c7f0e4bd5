"""Ways to train, by name: published protocols, and what does well in minutes. A preset is where to start; any option may differ.

    quick        a few minutes on a CPU; weights averaged over the last updates, Dice and cross-entropy together
    cells        the same for drawn objects: the probabilities of their interior and of their boundary
    organelles   weighted Dice, 100 epochs of 256 batches; published with 15 trainings, the 10 best by validation F1 reported as mean
                 and deviation: `trainings=15, keep=10` does that, and uses them together
    sparse       7 to 50 drawn slices of a stack of thousands, after Machireddy et al. (2021): residual U-Net, Dice, 5,000 updates;
                 for nuclei with `context=4`, 2048 px seen as 512
    nuclei       cross-entropy with what lies outside of the specimen ignored (`ignore=("outside",)`), the rate a tenth from midway

Where a protocol validates on random batches, here the whole of the slices held back is judged, so that a score repeats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from fibsem_ij.learn.augment import Augment
from fibsem_ij.segment.options import Options

# Full networks, and none of what came later: decoupled decay, averaged weights, a rate that rises and falls, mirrored tiles.
_PUBLISHED = Options(config={}, minutes=None, weight_decay=0.0, warmup=0, average=0.0, schedule="constant", augment=Augment(), common=0.0,
                     slack=0.0, every=250, held=0.1, flips=False)

PRESETS: Mapping[str, Options] = MappingProxyType({
    "quick": Options(),
    "cells": Options(activation="sigmoid", boundary_px=6),
    "organelles": replace(
        _PUBLISHED, network="unet", loss="dice", patch=256, share=0.8, batch=4, rate=1e-3, eps=1e-7, updates=100 * 256, every=256,
        weights={"background": 0.1, "mitochondria": 0.7, "mitochondrion": 0.7, "membrane": 1.0, "ER": 0.9}),
    "sparse": replace(
        _PUBLISHED, network="resunet", loss="dice", activation="sigmoid", patch=512, share=0.8, least_px=100, batch=5, rate=1e-4,
        updates=5000),
    # 200 epochs of 50 slices. NB: published with a rate of 1e-1, which does not diverge with Adam but learns worse: on a phantom after
    # 300 updates F1 of nuclei .63 (1e-1), .77 (1e-2), .78 (1e-3), of nucleoli .54, .75, .83.
    "nuclei": replace(
        _PUBLISHED, network="unet", loss="cross-entropy", patch=512, batch=1, rate=1e-3, schedule="steps", updates=200 * 50),
})

# What a CPU trains in minutes; of networks that are not named the defaults. Folded, a residual U-Net learns sooner: after equal time
# (a third of ten minutes) F1 of mitochondria, membrane and vesicles .87, .84 and .64, where unfolded with base 16 it was .75, .75 and .23.
SMALL: Mapping[str, Mapping[str, Any]] = MappingProxyType({"resunet": {"base": 24, "fold": 2}, "unet": {"base": 16}})


def preset(name: str) -> Options:
    if name not in PRESETS:
        raise ValueError(f"expected a preset of {', '.join(PRESETS)}, got {name!r}; choose one of them")
    return PRESETS[name]


def based(options: Options, base: int) -> Options:
    """The same with so many maps in the first level of the network."""
    config = SMALL.get(options.network, {}) if options.config is None else options.config
    return replace(options, config={**config, "base": base})
