"""What lies inside cells. Each thing takes the room that is left and tells the next how much that is.

All are solid in z: nuclei, mitochondria, lysosomes and endosomes are implicit shapes painted in their own box;
the ER is the zero surface of one field cut into ribbons by another; synaptic vesicles are stamped spheres.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fibsem_ij.phantom.cells import FAR, Tissue, slabs, workers
from fibsem_ij.phantom.fields import F32, ripple, smooth
from fibsem_ij.phantom.options import Material as M
from fibsem_ij.phantom.options import Options
from fibsem_ij.phantom.shapes import F64, Box, Ellipsoid, Tube, blend, direction, grid, turn

Bool = npt.NDArray[np.bool_]
Point = tuple[int, int, int]
CLUSTER = 60  # vesicles that lie together


def furnish(tissue: Tissue, options: Options, rng: np.random.Generator) -> None:
    million = np.count_nonzero(tissue.cells) / 1e6
    mitochondria(tissue, rng.poisson(options.mitochondria * million), rng)
    lysosomes(tissue, rng.poisson(options.lysosomes * million), rng)
    endosomes(tissue, rng.poisson(options.endosomes * million), rng)
    reticulum(tissue, rng)
    vesicles(tissue, rng.poisson(options.vesicles * million / CLUSTER), rng)


def free(tissue: Tissue, box: Box, f: F32, owner: int, *, gap_px: float) -> F32:
    """The shape, as far as there is free cytosol of its cell, `gap_px` away from everything."""
    f = -blend(-f, tissue.room[box].astype(np.float32) - np.float32(gap_px), width_px=8)
    return np.where((tissue.cells[box] == owner) & (tissue.material[box] == M.CYTOSOL), f, FAR)


def put(tissue: Tissue, box: Box, f: F32, layers: list[tuple[float, M]]) -> None:
    """Fill from outside in: each layer begins at its depth in px; what is around has less room."""
    material = tissue.material[box]
    for depth, name in layers:
        material[f < -depth] = name
    tissue.room[box] = np.where(f < 0, 0, np.minimum(tissue.room[box], f))


def places(tissue: Tissue, count: int, *, room_px: float, rng: np.random.Generator) -> list[Point]:
    """Random points of free cytosol with room around them; as many as are found in 40 tries each."""
    tries = rng.integers(0, tissue.shape, (count * 40, 3))
    at = tuple(tries.T)
    good = (tissue.material[at] == M.CYTOSOL) & (tissue.room[at] >= room_px)
    return [(int(z), int(y), int(x)) for z, y, x in tries[good][:count]]


def mitochondria(tissue: Tissue, count: int, rng: np.random.Generator) -> None:
    number = 0
    for start in places(tissue, count, room_px=7, rng=rng):
        if tissue.material[start] == M.CYTOSOL and tissue.room[start] >= 10:
            number += _mitochondrion(tissue, start, number + 1, rng)


def _mitochondrion(tissue: Tissue, start: Point, number: int, rng: np.random.Generator) -> bool:
    owner = int(tissue.cells[start])
    line = _through_room(tissue, start, steps=int(rng.integers(4, 20)), rng=rng)
    radii = rng.uniform(9, 16) * (1 + 0.12 * np.sin(np.arange(len(line)) * rng.uniform(0.4, 1) + rng.uniform(0, 6.3)))
    shape = Tube(line, radii)
    box = shape.box(tissue.shape, margin_px=3)
    if box is None:
        return False
    z, y, x = grid(box)
    f = shape.distance(z, y, x) + 0.7 * ripple(z, y, x, wavelength_px=22, rng=rng)
    f = free(tissue, box, f, owner, gap_px=2.5)
    if np.count_nonzero(f < 0) < 800:
        return False
    put(tissue, box, f, [(0, M.MITO_MEMBRANE), (1.7, M.MITO_MATRIX), (2.3, M.MITO_MEMBRANE), (3.2, M.MITO_MATRIX)])
    tissue.material[box][_cristae(z, y, x, f, line, rng)] = M.CRISTA
    tissue.mitochondria[box][f < 0] = number
    return True


def _cristae(z: F32, y: F32, x: F32, f: F32, line: F64, rng: np.random.Generator) -> Bool:
    """Wavy sheets across (or, in some, along) the organelle, each missing here and there."""
    way = line[-1] - line[0] + rng.standard_normal(3) if len(line) > 1 and rng.random() < 0.7 else rng.standard_normal(3)
    a, b, c = (np.float32(v) for v in way / np.linalg.norm(way))
    period = np.float32(rng.uniform(6.5, 9))
    bend = 1.6 * ripple(z, y, x, wavelength_px=26, rng=rng)
    phase = (a * z + b * y + c * x + bend) / period % 1
    return np.asarray((f < -2.8) & (phase < 2.3 / period) & (ripple(z, y, x, wavelength_px=20, rng=rng) < 0.7), bool)


def _through_room(tissue: Tissue, start: Point, *, steps: int, rng: np.random.Generator) -> F64:
    """A curve that stays in one cell, turning towards where there is room."""
    points, heading, owner = [np.array(start, float)], direction(rng), tissue.cells[start]
    for _ in range(steps):
        ways = heading + 0.35 * rng.standard_normal((6, 3))
        ways /= np.linalg.norm(ways, axis=1, keepdims=True)
        ahead = np.round(points[-1] + 7 * ways).astype(int)
        ahead = np.clip(ahead, 0, np.array(tissue.shape) - 1)
        at = tuple(ahead.T)
        room = np.where((tissue.cells[at] == owner) & (tissue.material[at] == M.CYTOSOL), tissue.room[at], 0)
        best = int(room.argmax())
        if room[best] < 5:
            break
        heading = ways[best]
        points.append(points[-1] + 7 * heading)
    return np.asarray(points if len(points) > 1 else points * 2, np.float64)


def _blob(tissue: Tissue, at: Point, radius: float, rng: np.random.Generator) -> tuple[Box, tuple[F32, F32, F32], F32] | None:
    shape = Ellipsoid(np.array(at, float), radius * rng.uniform(0.75, 1.3, 3), turn(rng))
    box = shape.box(tissue.shape, margin_px=3)
    if box is None:
        return None
    z, y, x = grid(box)
    f = shape.distance(z, y, x) + 0.09 * radius * ripple(z, y, x, wavelength_px=2.2 * radius, rng=rng)
    return box, (z, y, x), free(tissue, box, f, int(tissue.cells[at]), gap_px=2)


def lysosomes(tissue: Tissue, count: int, rng: np.random.Generator) -> None:
    """Dense bodies with pale inclusions: up to the size of nucleoli, of their grey, and mottled like them."""
    for at in places(tissue, count, room_px=5, rng=rng):
        found = _blob(tissue, at, rng.uniform(6, 17), rng)
        if found:
            box, (z, y, x), f = found
            put(tissue, box, f, [(0, M.LYSOSOME_MEMBRANE), (1.5, M.LYSOSOME)])
            pale = (f < -2.5) & (ripple(z, y, x, wavelength_px=15, rng=rng) > rng.uniform(0.5, 1.4))
            tissue.material[box][pale] = M.LYSOSOME_PALE


def endosomes(tissue: Tissue, count: int, rng: np.random.Generator) -> None:
    """Pale vacuoles; some hold vesicles of their own."""
    for at in places(tissue, count, room_px=4, rng=rng):
        found = _blob(tissue, at, rng.uniform(4, 11), rng)
        if found:
            box, (z, y, x), f = found
            put(tissue, box, f, [(0, M.ENDOSOME_MEMBRANE), (1.8, M.ENDOSOME_LUMEN)])
            if rng.random() < 0.4:
                tissue.material[box][(f < -2.5) & (np.abs(ripple(z, y, x, wavelength_px=9, rng=rng) - 1.2) < 0.35)] = M.ENDOSOME_MEMBRANE


def reticulum(tissue: Tissue, rng: np.random.Generator) -> None:
    sheet, ribbon, dense = smooth(tissue.shape, 14, rng), smooth(tissue.shape, 11, rng), smooth(tissue.shape, 40, rng)

    def work(span: tuple[int, int]) -> None:
        start, stop = span
        f, g = np.abs(sheet.slab(start, stop)), np.abs(ribbon.slab(start, stop))
        width = np.clip(0.34 + 0.2 * dense.slab(start, stop), 0, 0.7)
        here = np.s_[start:stop]
        inside = (tissue.material[here] == M.CYTOSOL) & (tissue.room[here] > 3) & (g < width) & (f < 0.24)
        tissue.material[here][inside] = M.ER_MEMBRANE
        tissue.material[here][inside & (f < 0.09) & (g < width - 0.15)] = M.ER_LUMEN
        tissue.room[here][inside] = 0

    with workers() as pool:
        list(pool.map(work, slabs(tissue.shape[0])))


def vesicles(tissue: Tissue, clusters: int, rng: np.random.Generator) -> None:
    """Clusters of spheres some 45 nm across, as at synapses. They stay within free cytosol."""
    centres = np.array(places(tissue, clusters, room_px=6, rng=rng), float).reshape(-1, 1, 3)
    at = np.round(centres + rng.normal(0, 11, (len(centres), CLUSTER, 3))).astype(int).reshape(-1, 3)
    at = at[((at >= 0) & (at < tissue.shape)).all(1)]
    where = tuple(at.T)
    at = at[(tissue.material[where] == M.CYTOSOL) & (tissue.room[where] > 3)]
    ball = np.stack(np.meshgrid(*[np.arange(-3, 4)] * 3, indexing="ij"), -1).reshape(-1, 3)
    far = np.linalg.norm(ball, axis=1)
    for reach, inner, name in ((2.7, 1.2, M.VESICLE_MEMBRANE), (1.2, -1, M.VESICLE_LUMEN)):
        shell = ball[(far <= reach) & (far > inner)]
        voxels = (at[:, None] + shell).reshape(-1, 3)
        voxels = voxels[((voxels >= 0) & (voxels < tissue.shape)).all(1)]
        target = tuple(voxels.T)
        fits = np.isin(tissue.material[target], (M.CYTOSOL, M.VESICLE_MEMBRANE))
        tissue.material[tuple(axis[fits] for axis in target)] = name
