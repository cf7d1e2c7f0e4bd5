"""From drawn slices to trained networks: one as a rule, one a class, or the best of several trainings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.learn import train as loop
from fibsem_ij.learn.network import Network, build
from fibsem_ij.learn.scale import Scale
from fibsem_ij.segment.crumbs import least_drawn
from fibsem_ij.segment.holding import held_back
from fibsem_ij.segment.options import Options, Prepare
from fibsem_ij.segment.presets import SMALL
from fibsem_ij.segment.seen import Seen
from fibsem_ij.segment.targets import Targets, targets
from fibsem_ij.segment.task import Segmentation, output_names
from fibsem_ij.volume import ArrayLike

Progress = Callable[[dict[str, Any]], None]


def fit_networks(src: ArrayLike, drawn: Mapping[int, npt.NDArray[Any]], names: Mapping[int, str], *, options: Options,
                 prepare: Prepare | None, state: Path | None, log: Path | None,
                 progress: Progress | None) -> list[Network]:
    _check(src, drawn)
    found = targets(drawn, names, options)
    seen = Seen(src, context=options.context, grain_px=options.grain_px, kept=found.planes)
    scale = Scale.of(src, "mean-std")
    wanted = [found.of(name) for name in found.names] if options.per_class else [found]
    count = len(wanted) * options.trainings
    networks = []
    for n, one in enumerate(wanted):
        trained = []
        for k in range(options.trainings):
            number = n * options.trainings + k + 1
            at = [folder / f"{number:02d}" if folder and count > 1 else folder for folder in (state, log)]
            told = progress and _numbered(progress, number, count)
            trained.append(_trained(seen, one, scale, options, options.seed + k, prepare, state=at[0], log=at[1], progress=told))
        networks += _best(trained, options.keep)
    return networks


def _trained(seen: Seen, found: Targets, scale: Scale, options: Options, seed: int, prepare: Prepare | None, *,
             state: Path | None, log: Path | None, progress: Progress | None) -> Network:
    held = held_back(found, options.held)
    outputs = output_names(found, options)
    given = SMALL.get(options.network, {}) if options.config is None else options.config
    inputs = 2 * options.neighbours + seen.shape[1]
    config, module = build(options.network, seed=seed, **{**given, "inputs": inputs, "outputs": len(outputs)})
    told = prepare(module, outputs) if prepare else None
    task = Segmentation(seen, found, held, config=config, scale=scale, options=options)
    history = loop.train(module, task, options=_training(options, seed), state=state, log=log, progress=progress)
    notes = (told, None if held else "nothing was held back: the F1 is that of slices trained on")
    warnings = [*found.warnings, *filter(None, notes)]
    record = {"options": asdict(options), "ids": dict(found.ids), "seed": seed, "warnings": warnings, "f1": task.f1(module),
              "least_px": _least_px(found, options), "trained": sorted(found.without(held)),
              "held": {str(z): [[n.start, n.stop] for n in box] for z, box in held.items()}, "history": history.plain()}
    return Network(options.network, config, module, scale, "segment", dict(enumerate(outputs)), options.activation,
                   getattr(seen.src, "voxel_nm", None), record)


def _least_px(found: Targets, options: Options) -> dict[str, int]:
    """Of classes that are drawn whole."""
    if options.boundary_px is not None or options.unlabelled_is_ignored:
        return {}
    return {name: least_drawn(found.planes.values(), number) for number, name in enumerate(found.names, 1)}


def _best(trained: list[Network], keep: int) -> list[Network]:
    """Those of the highest mean F1; each remembers what all of them reached."""
    order = sorted(trained, key=lambda network: -float(np.mean(list(network.record["f1"].values()))))
    reached = [{"seed": network.record["seed"], "f1": network.record["f1"]} for network in order]
    return [replace(network, record={**network.record, "trainings": reached}) for network in order[:keep]]


def _numbered(progress: Progress, number: int, count: int) -> Progress:
    return lambda told: progress(told | {"training": number, "trainings": count})


def _training(options: Options, seed: int) -> loop.Options:
    same = {name: getattr(options, name) for name in ("minutes", "updates", "batch", "rate", "schedule", "eps", "weight_decay", "warmup",
                                                      "average", "every", "patience", "slack", "device")}
    return loop.Options(seed=seed, **same)


def _check(src: ArrayLike, drawn: Mapping[int, npt.NDArray[Any]]) -> None:
    if len(src.shape) != 3 or 0 in src.shape:
        raise ValueError(f"expected a stack (z, y, x), got shape {tuple(src.shape)}; one slice: array[None]")
    for z, labels in drawn.items():
        if not 0 <= z < src.shape[0] or labels.shape != tuple(src.shape[1:]):
            raise ValueError(f"slice {z}: expected a drawn slice of {src.shape[1]} x {src.shape[2]} within 0..{src.shape[0] - 1}, got "
                             f"{' x '.join(map(str, labels.shape))}; draw on the stack itself, count from 0")
