"""How far a class image is from the truth: pixels of each class and slice, and 2D components.

Slices are read one by one, and all that is kept of each are its counts. With tp, fp and fn the pixels that are rightly, wrongly and not
given a class: f1 = 2 tp / (2 tp + fp + fn), which is also its Dice; precision = tp / (tp + fp); recall = tp / (tp + fn);
iou = tp / (tp + fp + fn). They are of all slices together; f1_slices is the mean of the F1 of those slices that show the class in either.

Over classes, the background not among them: f1_micro pools their pixels; f1_weighted is the mean of their F1, each weighted by its share
of the true pixels (some papers call this one micro); f1_macro is the plain mean. accuracy is the share of right pixels, background too.

The component metric: a component of the truth (8-connected, in its slice) is found if the result covers more than .8 of it, missed
if less than .1, under-detected between. Likewise a component of the result is confirmed, false, or over-detected by what share of it is
true. It says nothing of thin sheets, where half a pixel more or less decides; those classes, `thin`, are left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.slices import within
from fibsem_ij.volume import ArrayLike

Pixels = npt.NDArray[Any]
Counts = npt.NDArray[np.int64]
Planes = ArrayLike | Mapping[int, Pixels]  # a stack, or some slices by z

THIN = "membrane"  # in the name of a class
BACKGROUND = "background"  # a class drawn under this name is 0 too
MEASURES = ("f1", "precision", "recall", "iou")
COMPONENTS = ("found", "under_detected", "missed", "confirmed", "over_detected", "false")
_MOST, _LEAST = 0.8, 0.1


@dataclass(frozen=True, eq=False)
class Tally:
    """The counts of each slice. Class n + 1 of the matrix is ids[n], 0 the background."""

    slices: tuple[int, ...]
    ids: tuple[int, ...]
    pixels: Counts  # (slices, true, found)
    components: Counts  # (slices, ids, COMPONENTS)


def score(result: Planes, truth: Planes, *, names: Mapping[int, str], slices: Iterable[int] | None = None,
          thin: Collection[str] | None = None, ignore: Collection[int] = ()) -> dict[str, Any]:
    """All scores as plain numbers, None where nothing can be said.

    `slices`: which, else all of the truth. `thin`: the classes that are, else those with membrane in their name. `ignore`: ids whose
    true pixels have no say, as 0 where slices are drawn in part.
    """
    thin = [name for name in names.values() if THIN in name.lower()] if thin is None else thin
    background = [i for i, name in names.items() if name == BACKGROUND]
    ids = tuple(i for i in sorted(names) if i not in (*ignore, *background))
    solid = [n for n, i in enumerate(ids) if names[i] not in thin]
    counted = tally(result, truth, ids=ids, slices=_slices(truth) if slices is None else slices, solid=solid, ignore=ignore,
                    background=background)
    return summary(counted, names, solid) | {"table": table(counted, names)}


def tally(result: Planes, truth: Planes, *, ids: tuple[int, ...], slices: Iterable[int], solid: Collection[int],
          ignore: Collection[int] = (), background: Collection[int] = ()) -> Tally:
    """`solid`: the classes, by their place in `ids`, whose components are counted."""
    slices = tuple(slices)
    if not slices or not ids:
        raise ValueError(f"expected slices and classes to score, got {len(slices)} slices and {len(ids)} classes; draw some")
    size = len(ids) + 1
    pixels, components = np.zeros((len(slices), size, size), np.int64), np.zeros((len(slices), len(ids), len(COMPONENTS)), np.int64)
    for n, z in enumerate(slices):
        with within("slice", z):
            found, true = (_placed(np.asarray(planes[z]), ids, background, ignore, at) for planes, at in ((result, 0), (truth, size)))
            pixels[n] = confusion(found, true, size)
            for k in solid:
                components[n, k] = component_counts(np.where(true < size, found, 0) == k + 1, true == k + 1)
    return Tally(slices, ids, pixels, components)


def confusion(found: Pixels, true: Pixels, size: int) -> Counts:
    """Pixels (true, found) of the classes below `size`."""
    if found.shape != true.shape:
        raise ValueError(f"expected a result of {true.shape} pixels like the truth, got {found.shape}; crop one")
    wide = size + 1  # the last: pixels without a say
    counts = np.bincount((true.astype(np.uint32) * wide + found).ravel(), minlength=wide * wide)
    return counts.reshape(wide, wide)[:size, :size].astype(np.int64)


def measures(pixels: Counts) -> dict[str, npt.NDArray[np.float64]]:
    """MEASURES of each class from confusion matrices (..., true, found); NaN where a class is in neither."""
    right = np.diagonal(pixels, axis1=-2, axis2=-1)[..., 1:].astype(np.float64)
    true, found = pixels.sum(-1)[..., 1:], pixels.sum(-2)[..., 1:]
    wholes = ((true + found) / 2, found, true, true + found - right)
    with np.errstate(invalid="ignore"):
        return {name: np.asarray(right / whole) for name, whole in zip(MEASURES, wholes, strict=True)}


def component_counts(found: npt.NDArray[np.bool_], true: npt.NDArray[np.bool_]) -> Counts:
    """COMPONENTS of one class in one slice."""
    return np.concatenate([_judged(_covered(true, found)), _judged(_covered(found, true))])


def summary(counted: Tally, names: Mapping[int, str], solid: Collection[int]) -> dict[str, Any]:
    pixels = counted.pixels.sum(0)
    total, true = measures(pixels), pixels.sum(1)[1:]
    share = true / max(int(true.sum()), 1)
    each = measures(counted.pixels)["f1"]
    components = counted.components.sum(0)
    classes: dict[str, dict[str, Any]] = {}
    for n, i in enumerate(counted.ids):
        classes[names[i]] = {name: _plain(total[name][n]) for name in MEASURES} | {"f1_slices": _plain(_mean(each[:, n])),
                                                                                  "share": float(share[n])}
        if n in solid:
            classes[names[i]]["components"] = dict(zip(COMPONENTS, components[n].tolist(), strict=True))
    right = int(np.trace(pixels[1:, 1:]))
    micro = 2 * right / named if (named := int(pixels[1:].sum() + pixels[:, 1:].sum())) else np.nan
    return {
        "slices": len(counted.slices), "classes": classes, "f1_micro": _plain(micro), "f1_macro": _plain(_mean(total["f1"])),
        "f1_weighted": _plain(np.nansum(total["f1"] * share) if true.any() else np.nan),
        "accuracy": _plain(np.trace(pixels) / pixels.sum() if pixels.any() else np.nan),
        "confusion": {"classes": ["background", *(names[i] for i in counted.ids)], "pixels": pixels.tolist()},
    }


def table(counted: Tally, names: Mapping[int, str]) -> dict[str, list[Any]]:
    """One row a slice and class, as columns."""
    rows = len(counted.slices), len(counted.ids)
    columns: dict[str, list[Any]] = {"z": np.repeat(counted.slices, rows[1]).tolist(),
                                     "class": [names[i] for i in counted.ids] * rows[0]}
    columns |= {name: [_plain(v) for v in values.ravel()] for name, values in measures(counted.pixels).items()}
    columns |= {"true_px": counted.pixels.sum(2)[:, 1:].ravel().tolist(), "found_px": counted.pixels.sum(1)[:, 1:].ravel().tolist()}
    return columns | {name: counted.components[..., n].ravel().tolist() for n, name in enumerate(COMPONENTS)}


def _slices(truth: Planes) -> Iterable[int]:
    return sorted(truth) if isinstance(truth, Mapping) else range(truth.shape[0])


def _placed(labels: Pixels, ids: tuple[int, ...], background: Collection[int], ignore: Collection[int], at: int) -> npt.NDArray[np.uint16]:
    """Ids as their place among the classes, 0 the background; what is ignored `at` a place of its own."""
    unknown, largest = len(ids) + 2, max((*ids, *background, *ignore))
    place = np.full(largest + 1, unknown, np.uint16)
    place[[0, *background]] = 0
    place[list(ids)] = range(1, len(ids) + 1)
    place[list(ignore)] = at
    inside = bool(labels.min() >= 0 and labels.max() <= largest)
    placed = place[labels if inside else np.clip(labels, 0, largest)]
    if not inside or placed.max() == unknown:
        odd = labels[(placed == unknown) | (labels < 0) | (labels > largest)][0]
        raise ValueError(f"expected class ids 0, {', '.join(map(str, ids))}, got {odd}; give every class its id in names.json")
    return placed


def _covered(mask: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """What share of each component of the mask the other covers."""
    import cv2

    count, component = cv2.connectedComponents(mask.view(np.uint8), connectivity=8)
    pixels, inside = (np.bincount(component[chosen], minlength=count)[1:] for chosen in (mask, mask & other))
    return np.asarray(inside / pixels, np.float64)


def _judged(share: npt.NDArray[np.float64]) -> Counts:
    well, hardly = int((share > _MOST).sum()), int((share < _LEAST).sum())
    return np.array([well, len(share) - well - hardly, hardly], np.int64)


def _mean(values: npt.NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
