"""Nuclei: an envelope of two membranes with deep folds, chromatin that clumps along it, and nucleoli with holes.

Clumps of heterochromatin are made as dark as nucleoli on purpose: what tells them apart is where they are and how they are built.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fibsem_ij.phantom.cells import Tissue
from fibsem_ij.phantom.fields import F32, ripple
from fibsem_ij.phantom.options import Material as M
from fibsem_ij.phantom.options import Options
from fibsem_ij.phantom.organelles import free, put
from fibsem_ij.phantom.shapes import Ellipsoid, Tube, blend, direction, grid, turn, wander

ENVELOPE_PX = 4.4


def nuclei(tissue: Tissue, bodies: list[Ellipsoid], options: Options, rng: np.random.Generator) -> None:
    for body in bodies:
        r = float(body.radii.mean()) * rng.uniform(0.66, 0.76)
        shape = Ellipsoid(body.centre, r * rng.uniform(0.9, 1.25, 3), body.axes)
        box = shape.box(tissue.shape, margin_px=12)
        if box is None:
            continue
        z, y, x = grid(box)
        f = shape.distance(z, y, x) + 0.07 * r * ripple(z, y, x, wavelength_px=1.3 * r, rng=rng)
        f = _folded(f, (z, y, x), shape, r, rng)
        owners = np.bincount(tissue.cells[box][f < 0], minlength=2)
        owners[0] = 0
        f = free(tissue, box, f, int(owners.argmax()), gap_px=7)
        if np.count_nonzero(f < -ENVELOPE_PX) < 50:
            continue
        put(tissue, box, f, [(0, M.ENVELOPE), (1.5, M.ENVELOPE_LUMEN), (2.9, M.ENVELOPE), (ENVELOPE_PX, M.CHROMATIN)])
        tissue.nuclei[box][f < 0] = owners.argmax()
        material = tissue.material[box]
        pores = (f < 0) & (f >= -ENVELOPE_PX) & (ripple(z, y, x, wavelength_px=14, rng=rng) > 1.9)
        material[pores] = M.ENVELOPE_LUMEN
        clumps = ripple(z, y, x, wavelength_px=26, rng=rng, waves=7) + 1.5 * np.exp(np.minimum(f + ENVELOPE_PX, 0) / 5)
        material[(f < -ENVELOPE_PX) & (clumps > 1.9)] = M.HETEROCHROMATIN
        _nucleoli(material, f, (z, y, x), shape, r * options.nucleolus, rng)


def _folded(f: F32, where: tuple[F32, F32, F32], shape: Ellipsoid, r: float, rng: np.random.Generator) -> F32:
    """Invaginations: the cytoplasm reaches in along clefts (flat) and channels (round)."""
    for _ in range(int(rng.integers(1, 4))):
        way = direction(rng)
        rim = shape.centre + way * r * 1.05
        if rng.random() < 0.6:
            across = np.cross(way, direction(rng))
            across /= np.linalg.norm(across)
            axes = np.stack([way, across, np.cross(way, across)])
            cleft = Ellipsoid(rim, np.array([r * rng.uniform(0.35, 0.7), r * rng.uniform(0.4, 0.8), rng.uniform(3.5, 6)]), axes)
            cut = cleft.distance(*where)
        else:
            line = wander(rim, -way, steps=5, step_px=r * 0.15, bend=0.3, rng=rng)
            cut = Tube(line, np.linspace(rng.uniform(5, 9), 3, len(line))).distance(*where)
        f = -blend(-f, cut, width_px=5)
    return f


def _nucleoli(material: npt.NDArray[np.uint8], f: F32, where: tuple[F32, F32, F32], shape: Ellipsoid, r: float,
              rng: np.random.Generator) -> None:
    """One or two, each a lump of dark threads with pale holes (fenestrae), away from the envelope."""
    for i in range(int(rng.choice([1, 1, 2]))):
        size = r * (rng.uniform(0.85, 1.15) if i == 0 else rng.uniform(0.5, 0.75))
        centre = shape.centre + direction(rng) * rng.uniform(0.1, 0.8) * max(float(shape.radii.min()) - size - 4, 1)
        lump = Ellipsoid(centre, size * rng.uniform(0.85, 1.2, 3), turn(rng)).distance(*where)
        lump = np.maximum(lump + 0.08 * size * ripple(*where, wavelength_px=1.4 * size, rng=rng), f + ENVELOPE_PX + 5)
        holes = (lump < -2.5) & (ripple(*where, wavelength_px=15, rng=rng, waves=7) > 1.25)
        material[lump < 0] = M.NUCLEOLUS
        material[holes] = M.CHROMATIN
