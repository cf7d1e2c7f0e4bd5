"""Cells: bodies of several lobes, filopodia and processes, grown until they meet in warped space.

Every cell is an implicit function, and a voxel belongs to the cell whose function is lowest there, so bodies and processes
meet half way; filopodia press into their neighbours. Membranes then follow from the numbers: a membrane is where another
number (or resin) lies within a ball of `membrane_px`, so that an oblique contact looks as broad as it does in a real stack.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from os import cpu_count

import cc3d
import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

from fibsem_ij.phantom.contest import decide, parts_of
from fibsem_ij.phantom.fields import Field, smooth
from fibsem_ij.phantom.options import Material, Options
from fibsem_ij.phantom.plan import Cell, plan
from fibsem_ij.phantom.shapes import Ellipsoid

SLAB = 16  # slices worked on at once
CRUMB = 300  # voxels; a cut-off piece smaller than this is not kept as a cell
FAR = np.float32(1e3)



@dataclass(eq=False)
class Tissue:
    """What the anatomy is written into; all (z, y, x) of the canvas."""

    material: npt.NDArray[np.uint8]
    cells: npt.NDArray[np.uint16]
    room: npt.NDArray[np.float16]  # px to the nearest thing that is already there, within the cell
    nuclei: npt.NDArray[np.uint16]
    mitochondria: npt.NDArray[np.uint16]
    bodies: list[Ellipsoid]  # the main lobe of each cell body, where the warp has put it

    @property
    def shape(self) -> tuple[int, int, int]:
        z, y, x = self.material.shape
        return z, y, x


def slabs(depth: int) -> list[tuple[int, int]]:
    return [(z, min(z + SLAB, depth)) for z in range(0, depth, SLAB)]


def workers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(4, cpu_count() or 1))


def grow(shape: tuple[int, int, int], options: Options, rng: np.random.Generator) -> Tissue:
    cells = plan(shape, options, rng)
    parts = parts_of(cells)
    coarse, fine = ([smooth(shape, step, rng) for _ in range(3)] for step in (26, 9))
    hidden = smooth(shape, 11, rng)
    owner = np.zeros(shape, np.uint16)

    def work(span: tuple[int, int]) -> None:
        axes = np.ogrid[span[0]:span[1], :shape[1], :shape[2]]
        where = np.stack([axis + options.warp_px * (0.8 * big.slab(*span) + 0.13 * small.slab(*span))
                          for axis, big, small in zip(axes, coarse, fine, strict=True)], dtype=np.float32)
        decide(owner[span[0]:span[1]], where, parts, options)

    with workers() as pool:
        list(pool.map(work, slabs(shape[0])))
        numbers = told_apart(owner, least=CRUMB)
        material = np.zeros(shape, np.uint8)
        list(pool.map(lambda z: _skin(material, numbers, z, hidden, options), range(shape[0])))
    room = _room(material)
    return Tissue(material, numbers, room, np.zeros(shape, np.uint16), np.zeros(shape, np.uint16), _moved(cells, coarse, options))


def told_apart(owner: npt.NDArray[np.uint16], *, least: int) -> npt.NDArray[np.uint16]:
    """One number a piece that hangs together (26 neighbours), from 1; pieces of fewer than `least` voxels become 0."""
    pieces, count = cc3d.connected_components(owner, connectivity=26, return_N=True)
    kept = np.bincount(pieces.ravel(), minlength=count + 1) >= least
    kept[0] = False
    if kept.sum() > np.iinfo(np.uint16).max:
        raise ValueError(f"expected at most 65535 cells, got {int(kept.sum())}; make a smaller phantom or raise spacing_px")
    number = np.zeros(count + 1, np.uint16)
    number[kept] = np.arange(1, kept.sum() + 1)
    return np.asarray(number[pieces], np.uint16)


def _skin(material: npt.NDArray[np.uint8], numbers: npt.NDArray[np.uint16], z: int, hidden: Field, options: Options) -> None:
    """Slice z: resin, cytosol, and a membrane where another number lies within the ball; some contacts show none."""
    mine, r = numbers[z], options.membrane_px
    low, high = mine.copy(), mine.copy()
    for dz in range(-int(r), int(r) + 1):
        other = numbers[min(max(z + dz, 0), len(numbers) - 1)]
        disc = _disc((r * r - dz * dz) ** 0.5)
        low, high = np.minimum(low, cv2.erode(other, disc)), np.maximum(high, cv2.dilate(other, disc))
    edge = (mine > 0) & (low != high)
    unseen = (low > 0) & (hidden.slice(z) < _quantile(options.unseen))
    material[z] = np.where(edge & ~unseen, Material.MEMBRANE, np.where(mine > 0, Material.CYTOSOL, Material.RESIN))


def _disc(radius: float) -> npt.NDArray[np.uint8]:
    y, x = np.ogrid[-int(radius):int(radius) + 1, -int(radius):int(radius) + 1]
    return np.asarray(x * x + y * y <= radius * radius, np.uint8)


def _quantile(fraction: float) -> float:
    """Below this, a smooth field spends about that fraction (logistic fit to the normal distribution)."""
    if fraction <= 0:
        return -np.inf
    return float(np.log(fraction / (1 - fraction)) / 1.702) if fraction < 1 else np.inf


def _room(material: npt.NDArray[np.uint8]) -> npt.NDArray[np.float16]:
    """Distance to the nearest membrane or resin, from every second voxel, filled in linearly."""
    half = 2 * distance_transform_edt(material[::2, ::2, ::2] == Material.CYTOSOL).astype(np.float32)
    _, height, width = material.shape
    room = np.empty(material.shape, np.float16)
    for z in range(len(room)):
        near, far = half[z // 2], half[min((z + 1) // 2, len(half) - 1)]
        fine = cv2.resize((near + far) / 2, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
        room[z] = np.where(material[z] == Material.CYTOSOL, fine[:height, :width], 0)
    return room


def _moved(cells: list[Cell], warp: list[Field], options: Options) -> list[Ellipsoid]:
    moved = []
    for lobe in (cell.lobes[0] for cell in cells if cell.lobes):
        z, y, x = (int(v) for v in np.clip(np.round(lobe.centre), 0, np.array(warp[0].shape) - 1))
        shift = np.array([float(field.slice(z)[y, x]) for field in warp])
        moved.append(replace(lobe, centre=lobe.centre - 0.8 * options.warp_px * shift))
    return moved
