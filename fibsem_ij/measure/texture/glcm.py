"""Grey-level co-occurrence inside each object (Haralick, Shanmugam and Dinstein 1973), in 3D.

P(i, j) counts the pairs of neighbours with levels i and j, both inside the object, over the 26 offsets of one voxel together: one
symmetric matrix an object, from which the features are taken ("3D, merged" in the Image Biomarker Standardisation Initiative). So
every pair weighs the same, an object one voxel thick has its features too, and a turn by 90 degrees changes nothing. Offsets are
counted in voxels, whatever the voxel size.

No matrix is kept: all four features follow from how often a level is in a pair, m(i) = sum_j p(i, j), and how often its two levels are
so far apart, d(k) = sum over |i - j| = k of p(i, j). With v the variance of m, correlation = 1 - contrast / (2 v).
"""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from fibsem_ij.arrays.compiled import compiled
from fibsem_ij.measure.columns import Definition, Table
from fibsem_ij.measure.objects import Counts, Objects
from fibsem_ij.measure.texture.levels import Coded, Codes, Span, steps_before, summed
from fibsem_ij.volume import ArrayLike

_PAIRS = "p(i, j): share of the pairs of 26-neighbours inside the object with grey levels i and j, all 26 offsets in one matrix"
DEFINITIONS: MappingProxyType[str, Definition] = MappingProxyType({
    "glcm_homogeneity": (0, f"Sum p(i, j) / (1 + (i - j)^2); {_PAIRS}."),
    "glcm_correlation": (0, f"Sum (i - m)(j - m) p(i, j) / v, m and v the mean and the variance of i, none where v is 0; {_PAIRS}."),
    "glcm_variance": (0, f"Sum (i - m)^2 p(i, j), m the mean of i; {_PAIRS}."),
    "glcm_contrast": (0, f"Sum (i - j)^2 p(i, j); {_PAIRS}."),
})


def glcm(labels: ArrayLike, objects: Objects, image: ArrayLike, *, levels: int = 32, span: Span | None = None,
         slab: int | None = None, workers: int | None = None) -> Table:
    """Columns glcm_homogeneity, glcm_correlation, glcm_variance, glcm_contrast; NaN for objects without a pair."""
    coded = Coded.of(labels, objects, image, levels, span)

    def work(block: Codes, sums: Counts) -> None:
        _count(block, steps_before(block.shape), levels, sums)

    counted = summed(work, coded, (2, len(objects.ids) + 1, levels), reach=1, slab=slab, workers=workers)[:, 1:]
    level = np.arange(levels, dtype=np.float64)
    with np.errstate(invalid="ignore"):  # nothing of nothing is NaN
        single, apart = counted / counted.sum(-1, keepdims=True)
        mean = single @ level
        variance = (single * (level - mean[:, None]) ** 2).sum(-1)
        contrast = apart @ level**2
        correlation = np.where(variance > 0, 1 - contrast / (2 * np.where(variance > 0, variance, 1)), np.nan)
    return {"glcm_homogeneity": apart @ (1 / (1 + level**2)), "glcm_correlation": correlation, "glcm_variance": variance,
            "glcm_contrast": contrast}


@compiled
def _count(block: Codes, before: Counts, levels: int, sums: Counts) -> None:
    """sums[0, row, i]: pairs a level is in, from either end; sums[1, row, k]: pairs with levels k apart."""
    depth, height, width = block.shape
    flat = block.ravel()
    for z in range(1, depth - 1):
        for y in range(1, height - 1):
            for at in range((z * height + y) * width + 1, (z * height + y + 1) * width - 1):
                row = flat[at] // np.uint32(levels)
                if row == 0:
                    continue
                lowest = row * np.uint32(levels)
                level, pairs = flat[at] - lowest, 0
                for step in before:
                    other = np.uint32(flat[at + step] - lowest)
                    if other < levels:
                        pairs += 1
                        sums[0, row, other] += 1
                        sums[1, row, abs(np.int64(other) - np.int64(level))] += 1
                sums[0, row, level] += pairs
