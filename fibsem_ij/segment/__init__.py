"""Room 3: grey -> class probabilities -> classes, from a handful of drawn slices.

In come a stack (z, y, x), anything with `.shape`, `.dtype` and `[]`, and the slices of it that somebody drew, 7 to 50 of thousands;
`fit` gives networks that know this stack, `apply` the probabilities of all of it, streamed, uint8 (c, z, y, x), `labels` one class a
voxel. Nothing is carried over from other stacks, so nothing needs to resemble them.

    choose     which slices to draw
    preset     where to start: published ways to train, and quick ones, by name
    fit        learns from the drawn slices
    apply      channels are the classes without the background, in the order of `classes`; 255 is certain
    labels     the most probable class, or a threshold; without crumbs and small objects
    score      F1 and its kin, of slices that were NOT trained on: a slice ten away at least, as neighbours are nearly copies

Drawn objects instead of classes give, with `boundary_px`, the probabilities of interior and boundary that room 4 follows cells by.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.segment.options import Options, Prepare
from fibsem_ij.segment.presets import PRESETS, preset
from fibsem_ij.volume import ArrayLike, WritableArray

if TYPE_CHECKING:
    from fibsem_ij.learn.network import Network
    from fibsem_ij.learn.workers import Workers

__all__ = ["PRESETS", "Options", "apply", "choose", "classes", "exclusive", "fit", "labels", "least_drawn", "preset", "score"]

Drawn = Mapping[int, npt.NDArray[Any]]  # z -> the slice that was drawn; 0 is background


def fit(src: ArrayLike, drawn: Drawn, *, names: Mapping[int, str] | None = None, options: Options | None = None,
        prepare: Prepare | None = None, state: Path | None = None, log: Path | None = None,
        progress: Callable[[dict[str, Any]], None] | None = None) -> list[Network]:
    """Networks that segment `src`: one; with `per_class` one a class; of several `trainings` the best.

    `names`: id -> class; none for drawn objects. A class without a drawing is left out, which the network's record tells in its
    warnings. `prepare` is called with each module before its training, to load weights that it shall start from (`starting`). `state`,
    `log` and `progress` are those of learn.train: with a state folder a training that was stopped goes on; progress also tells which
    `training` of how many `trainings` is under way.
    """
    from fibsem_ij.segment.fitting import fit_networks  # brings torch

    return fit_networks(src, drawn, names or {}, options=options or Options(), prepare=prepare, state=state, log=log, progress=progress)


def classes(networks: Sequence[Network]) -> dict[int, str]:
    """id -> class of each channel that `apply` fills, in their order."""
    from fibsem_ij.segment.applying import classes_of

    return classes_of(networks)


def exclusive(networks: Sequence[Network]) -> bool:
    """Whether the channels and the background share 1 between them, as of one softmax; else each is for itself."""
    from fibsem_ij.segment.applying import exclusive_of

    return exclusive_of(networks)


def least_drawn(networks: Sequence[Network]) -> dict[str, int]:
    """Class -> the area in pixels, in a slice, of the smallest pieces that were drawn of it; none where only parts were drawn."""
    return {str(name): int(px) for network in networks for name, px in network.record.get("least_px", {}).items()}


def apply(src: ArrayLike, networks: Sequence[Network], out: WritableArray | None = None, *, slices: Sequence[int] | None = None,
          tile: int = 512, flips: bool | None = None, device: str = "auto", done: Collection[int] = (),
          workers: Workers | None = None, progress: Callable[[int, int], None] | None = None) -> Any:
    """The probabilities (c, z, y, x), slice by slice; with `slices` of those alone, in growing order, which see their neighbours all the
    same. `flips`: the mean over mirrored tiles, better in four times the time; None: as the networks' preset has it. `done`: slices that
    `out` has already, counted as in `out`. `workers`: those of a cluster that do it; none: this machine, with all of its GPUs."""
    from fibsem_ij.segment.applying import How, apply_networks, classes_of

    wanted = range(src.shape[0]) if slices is None else slices
    if out is None:
        out = np.empty((len(classes_of(networks)), len(wanted), *src.shape[1:]), np.uint8)
    apply_networks(src, networks, out, How(tile, flips, device), slices=wanted, done=done, workers=workers, progress=progress)
    return out


def labels(probabilities: ArrayLike, out: WritableArray | None = None, *, ids: Mapping[int, str], how: str = "auto",
           exclusive: bool = True, threshold: float = 0.5, priority: Sequence[str] = (), least_px: Mapping[str, int] | None = None,
           least_voxels: Mapping[str, int] | None = None) -> Any:
    """The class of each voxel, (z, y, x), by its id: `ids` are id -> class of each channel, as `classes` gives them.

    `how`: argmax, threshold or priority, see `labelling`; auto: as the channels are `exclusive` or not. `least_px`: class -> area of its
    smallest pieces in a slice, as `least_drawn` gives them; smaller ones become what is next likely. `least_voxels`: class -> voxels;
    smaller objects become background.
    """
    from fibsem_ij.segment.labelling import label

    if out is None:
        out = np.empty(probabilities.shape[1:], np.uint8)
    label(probabilities, out, ids=ids, how=how, exclusive=exclusive, threshold=threshold, priority=priority, least_px=least_px or {},
          least_voxels=least_voxels or {})
    return out


def choose(src: ArrayLike, count: int, *, how: str = "even") -> list[int]:
    """Slices to draw: spread evenly, or `diverse`, those that look least like one another."""
    from fibsem_ij.segment.choosing import chosen

    return chosen(src, count, how)


def score(result: ArrayLike | Drawn, truth: ArrayLike | Drawn, *, names: Mapping[int, str], slices: Iterable[int] | None = None,
          **more: Any) -> dict[str, Any]:
    """Of class numbers: F1, precision, recall, IoU, components and confusion; all is said in arrays.class_scores."""
    from fibsem_ij.arrays import class_scores

    return class_scores.score(result, truth, names=names, slices=slices, **more)
