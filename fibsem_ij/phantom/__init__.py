"""A synthetic FIB-SEM stack with its whole truth: what the benchmarks of all rooms stand on.

    phantom = make((64, 256, 256), seed=0)
    phantom.raw            what the microscope gives: noisy, drifting, with bad slices
    phantom.clean          the same tissue without noise, drift and faults, on the grid of the truth
    phantom.classes        what each voxel is (names in `.classes`), a nuclear fold or a fenestra counted where it belongs
    phantom.cells          instance numbers, one a piece that hangs together within the field
    phantom.nuclei         the number of the cell, within the outer envelope; `mitochondria` have numbers of their own
    phantom.drift          applying it to `raw` gives the aligned stack on the clean grid
    phantom.bad            slice -> blank, half_blank, defocused or duplicate

One seed gives the same bytes whatever the number of threads. Where a contact shows no membrane (`unseen`) the class is
cytoplasm on both sides, and only `cells` knows the border. A duplicate slice shows its predecessor, and moves with it.
Vesicles count as cytoplasm. `scans` gives repeated scans of a slice on the clean grid, so that their median tends to `clean`.

options -> cells (who is where) -> nuclei, organelles (materials) -> texture (clean) -> microscope (raw).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from fibsem_ij.phantom import cells, microscope, nuclei, organelles, texture
from fibsem_ij.phantom.options import CLASSES, REGIMES, Options
from fibsem_ij.volume import Labels, Transforms, Volume

__all__ = ["CLASSES", "REGIMES", "Options", "Phantom", "make", "scans"]


@dataclass(frozen=True, eq=False)
class Phantom:
    raw: Volume
    clean: Volume
    classes: Labels
    cells: Labels
    nuclei: Labels
    mitochondria: Labels
    drift: Transforms
    bad: Mapping[int, str]
    options: Options


def make(shape: tuple[int, int, int] = (64, 256, 256), *, seed: int = 0, options: Options = REGIMES["touching"]) -> Phantom:
    """A stack of any size; `REGIMES["touching"]` is `Options()`."""
    depth, height, width = shape
    if depth < 1 or min(height, width) < 16:
        raise ValueError(f"expected a shape (z, y, x) of at least 1 x 16 x 16, got {shape}; ask for a larger phantom")
    m = options.margin_px
    anatomy, grey, stage, camera = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(4))
    tissue = cells.grow((depth, height + 2 * m, width + 2 * m), options, anatomy)
    nuclei.nuclei(tissue, tissue.bodies, options, anatomy)
    organelles.furnish(tissue, options, anatomy)
    canvas = texture.paint(tissue, options, grey)
    bad = microscope.bad_slices(depth, options, stage)
    matrices = microscope.drift((depth, height, width), bad, options, stage)
    raw = microscope.record(canvas, matrices, bad, options, camera)

    field = np.s_[:, m:m + height, m:m + width]
    numbers = cells.told_apart(tissue.cells[field], least=1)
    nuclear = np.where(tissue.nuclei[field], numbers, np.uint16(0))
    kinds = texture.TABLE[:, 0].astype(np.uint8)[tissue.material[field]]
    voxel = options.voxel_nm
    return Phantom(Volume(raw, voxel), Volume(canvas[field].copy(), voxel), Labels(kinds, voxel, classes=CLASSES),
                   Labels(numbers, voxel), Labels(nuclear, voxel), Labels(tissue.mitochondria[field].copy(), voxel),
                   Transforms(matrices, (height, width), voxel_nm=voxel, bad=tuple(bad)), MappingProxyType(bad), options)


def scans(phantom: Phantom, z: int, n: int, *, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """`n` scans (n, y, x) of slice z that differ in noise alone."""
    return np.stack([microscope.noisy(phantom.clean[z].astype(np.float32), phantom.options, rng) for _ in range(n)])
