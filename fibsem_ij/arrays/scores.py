"""How far a result is from the truth: masks, numbered objects, grey values.

Everything is summed slice by slice, so both stacks may lie on disk. `overlaps` counts which object lies on which, once;
the scores of numbered objects are read off that table. 0 is background.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, log10, prod
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.volume import ArrayLike

Pixels = npt.NDArray[Any]
Ids = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.int64]


def _pairs(result: ArrayLike, truth: ArrayLike) -> Iterator[tuple[Pixels, Pixels]]:
    if tuple(result.shape) != tuple(truth.shape) or len(truth.shape) not in (2, 3) or 0 in truth.shape:
        raise ValueError(f"expected two stacks or slices of one shape, got {tuple(result.shape)} and {tuple(truth.shape)}; crop one")
    if len(truth.shape) == 2:
        yield np.asarray(result[:]), np.asarray(truth[:])
    else:
        yield from ((np.asarray(result[z]), np.asarray(truth[z])) for z in range(truth.shape[0]))


def dice(result: ArrayLike, truth: ArrayLike) -> float:
    """2 |both| / (|result| + |truth|) of what is not 0; 1 where both are empty."""
    both, either = _both_and_either(result, truth)
    return _share(2 * both, both + either)


def iou(result: ArrayLike, truth: ArrayLike) -> float:
    """|both| / |either| of what is not 0; 1 where both are empty."""
    both, either = _both_and_either(result, truth)
    return _share(both, either)


def _both_and_either(result: ArrayLike, truth: ArrayLike) -> tuple[int, int]:
    both = either = 0
    for a, b in _pairs(result, truth):
        both += int(np.count_nonzero((a != 0) & (b != 0)))
        either += int(np.count_nonzero((a != 0) | (b != 0)))
    return both, either


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 1.0


@dataclass(frozen=True, eq=False)
class Overlaps:
    """How many voxels have this number in the result and that one in the truth; every pair once, sorted."""

    result: Ids
    truth: Ids
    voxels: Counts


def overlaps(result: ArrayLike, truth: ArrayLike) -> Overlaps:
    """The table of all pairs of numbers that lie on each other."""
    table = Overlaps(np.empty(0, np.uint64), np.empty(0, np.uint64), np.empty(0, np.int64))
    for a, b in _pairs(result, truth):
        found, true = a.reshape(-1), b.reshape(-1)
        starts = _changes(found, true)
        lengths = np.diff(starts, append=len(found))
        table = _summed(np.append(table.result, _numbers(found[starts])), np.append(table.truth, _numbers(true[starts])),
                        np.append(table.voxels, lengths))
    return table


def _numbers(ids: Pixels) -> Ids:
    if ids.dtype.kind not in "bui" or (ids.dtype.kind == "i" and ids.min() < 0):
        raise ValueError(f"expected object numbers of 0 or more, got {ids.dtype} from {ids.min()}; renumber the objects")
    return ids.astype(np.uint64)


def _summed(result: Ids, truth: Ids, voxels: Counts) -> Overlaps:
    """Each pair once, its voxels added up."""
    order = np.lexsort((truth, result))
    result, truth, voxels = result[order], truth[order], voxels[order]
    starts = _changes(result, truth)
    return Overlaps(result[starts], truth[starts], np.add.reduceat(voxels, starts))


def _changes(a: Pixels, b: Pixels) -> npt.NDArray[np.intp]:
    """Where a run of equal pairs begins."""
    return np.flatnonzero(np.append(True, (a[1:] != a[:-1]) | (b[1:] != b[:-1])))


def _totals(ids: Ids, voxels: Counts) -> tuple[Ids, npt.NDArray[np.intp], Counts]:
    """The numbers, which of them each row has, and the voxels of each."""
    numbers, row = np.unique(ids, return_inverse=True)
    total = np.zeros(len(numbers), np.int64)
    np.add.at(total, row, voxels)
    return numbers, row, total


def adapted_rand(table: Overlaps) -> tuple[float, float, float]:
    """Error, precision, recall over pairs of voxels inside true objects (Arganda-Carreras et al. 2015; 0 is perfect)."""
    kept = table.truth != 0
    voxels = table.voxels[kept]
    if not len(voxels):
        raise ValueError("expected objects in the truth, got background only; score a stack that has some")
    together = _pair_count(voxels)
    found, true = (_pair_count(_totals(ids[kept], voxels)[2]) for ids in (table.result, table.truth))
    return 1 - _share(2 * together, found + true), _share(together, found), _share(together, true)


def _pair_count(voxels: Counts) -> float:
    counts = voxels.astype(np.float64)
    return float((counts * (counts - 1)).sum())


def object_dice(table: Overlaps) -> tuple[Ids, npt.NDArray[np.float64]]:
    """The numbers of the true objects, and the Dice of each with the object of the result that fits it best; 0 for none."""
    _, found_row, found = _totals(table.result, table.voxels)
    numbers, true_row, true = _totals(table.truth, table.voxels)
    score = np.where(table.result != 0, 2 * table.voxels / (found[found_row] + true[true_row]), 0.0)
    best = np.zeros(len(numbers))
    np.maximum.at(best, true_row, score)
    return numbers[numbers != 0], best[numbers != 0]


def mae(result: ArrayLike, truth: ArrayLike) -> float:
    """Mean absolute error."""
    return sum(float(np.abs(difference).sum()) for difference in _differences(result, truth)) / prod(truth.shape)


def mse(result: ArrayLike, truth: ArrayLike) -> float:
    """Mean squared error."""
    return sum(float(np.square(difference).sum()) for difference in _differences(result, truth)) / prod(truth.shape)


def psnr(result: ArrayLike, truth: ArrayLike, *, data_range: float) -> float:
    """Peak signal-to-noise ratio in dB of grey values that span `data_range`; infinite where nothing differs."""
    if not data_range > 0:
        raise ValueError(f"expected a data_range above 0, got {data_range}; it is 255 for 8-bit pixels")
    error = mse(result, truth)
    return 10 * log10(data_range**2 / error) if error else inf


def ssim(result: ArrayLike, truth: ArrayLike, *, data_range: float) -> float:
    """Structural similarity (Wang et al. 2004) as scikit-image has it, slice by slice: windows of 7 x 7, sample covariance."""
    from skimage.metrics import structural_similarity

    if min(truth.shape[-2:]) < 7 or not data_range > 0:
        raise ValueError(f"expected slices of at least 7 x 7 and a data_range above 0, got {tuple(truth.shape[-2:])} and {data_range}; "
                         "score larger slices")
    each = [structural_similarity(a.astype(np.float64), b.astype(np.float64), data_range=data_range) for a, b in _pairs(result, truth)]
    return float(np.mean(each))


def gradient_error(result: ArrayLike, truth: ArrayLike, *, share: float = 0.2) -> float:
    """What has become of the edges: mean |gradient of the result - gradient of the truth|, in grey values a pixel.

    Looked at where the truth is steepest, a `share` of each slice: membranes. Blur and noise both raise it; 0 is perfect. A truth
    that is flat all over has no edges and no say.
    """
    if not 0 < share <= 1:
        raise ValueError(f"expected a share of the pixels above 0, up to 1, got {share}; a fifth is usual")
    total, pixels = 0.0, 0
    for a, b in _pairs(result, truth):
        true = _gradient(b)
        steepness = np.hypot(*true)
        steep = (steepness >= np.quantile(steepness, 1 - share)) & (steepness > 0)
        off = np.hypot(*(mine - its for mine, its in zip(_gradient(a), true, strict=True)))
        total, pixels = total + float(off[steep].sum()), pixels + int(np.count_nonzero(steep))
    return total / pixels if pixels else 0.0


def _gradient(image: Pixels) -> list[npt.NDArray[np.float64]]:
    """Along y and x, by central differences."""
    return [np.asarray(along) for along in np.gradient(image.astype(np.float64))]


def _differences(result: ArrayLike, truth: ArrayLike) -> Iterator[npt.NDArray[np.float64]]:
    return (np.subtract(a, b, dtype=np.float64) for a, b in _pairs(result, truth))
