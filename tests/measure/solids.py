"""Solids whose measures are known in closed form, in voxels of any size.

A solid is a function of points in nm from its centre and the numbers that are known of it. `drawn` makes the label stack: a
voxel belongs to the solid when its centre lies inside. `turn` turns the solid in space, `shift` moves it off the grid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ellipeinc, ellipkinc

Points = tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]


@dataclass(frozen=True)
class Solid:
    inside: Callable[..., npt.NDArray[np.bool_]]  # z, y, x in nm
    reach: tuple[float, float, float]  # half of its box
    volume: float
    surface: float
    hull: float  # volume of the convex hull
    euler: int
    filled: float | None = None


def ball(r: float) -> Solid:
    volume = 4 / 3 * np.pi * r**3
    return Solid(lambda z, y, x: z**2 + y**2 + x**2 <= r**2, (r, r, r), volume, 4 * np.pi * r**2, volume, 1)


def ellipsoid(a: float, b: float, c: float) -> Solid:
    """Half axes along z, y, x."""
    volume = 4 / 3 * np.pi * a * b * c
    return Solid(lambda z, y, x: (z / a)**2 + (y / b)**2 + (x / c)**2 <= 1, (a, b, c), volume, _ellipsoid_surface(a, b, c), volume, 1)


def _ellipsoid_surface(*axes: float) -> float:
    c, b, a = sorted(axes)
    if a == c:
        return 4 * np.pi * a**2
    angle = np.arccos(c / a)
    m = (a**2 * (b**2 - c**2)) / (b**2 * (a**2 - c**2))
    return float(2 * np.pi * c**2 + 2 * np.pi * a * b / np.sin(angle)
                 * (ellipeinc(angle, m) * np.sin(angle)**2 + ellipkinc(angle, m) * np.cos(angle)**2))


def box(a: float, b: float, c: float) -> Solid:
    """Sides along z, y, x."""
    volume = a * b * c
    return Solid(lambda z, y, x: (abs(z) < a / 2) & (abs(y) < b / 2) & (abs(x) < c / 2), (a / 2, b / 2, c / 2), volume,
                 2 * (a * b + b * c + c * a), volume, 1)


def torus(ring: float, tube: float) -> Solid:
    """Around z; its hull is a round slab with a rounded rim."""
    hull = np.pi * 2 * tube * ring**2 + np.pi**2 * tube**2 * ring + 4 / 3 * np.pi * tube**3
    return Solid(lambda z, y, x: (np.hypot(y, x) - ring)**2 + z**2 <= tube**2, (tube, ring + tube, ring + tube),
                 2 * np.pi**2 * ring * tube**2, 4 * np.pi**2 * ring * tube, hull, 0)


def shell(outer: float, inner: float) -> Solid:
    def inside(z: Any, y: Any, x: Any) -> Any:
        r = z**2 + y**2 + x**2
        return (r <= outer**2) & (r > inner**2)

    whole = 4 / 3 * np.pi * outer**3
    return Solid(inside, (outer,) * 3, whole - 4 / 3 * np.pi * inner**3, 4 * np.pi * (outer**2 + inner**2), whole, 2, whole)


def drawn(solid: Solid, *, voxel_nm: tuple[float, float, float] = (1, 1, 1), turn: npt.NDArray[Any] | None = None,
          shift: tuple[float, float, float] = (0, 0, 0), margin: int = 2) -> npt.NDArray[np.uint8]:
    """`shift` in voxels."""
    turn = np.eye(3) if turn is None else turn
    corner = np.abs(turn.T) @ np.array(solid.reach)
    grids = [(np.arange(n := 2 * (int(np.ceil(reach / side)) + margin) + 1) - n // 2 + off) * side
             for reach, side, off in zip(corner, voxel_nm, shift, strict=True)]
    points = np.stack(np.meshgrid(*grids, indexing="ij"))
    return solid.inside(*np.einsum("ij,j...->i...", turn, points)).astype(np.uint8)


def turned(seed: int) -> npt.NDArray[np.float64]:
    """A rotation like any other."""
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    return turn * np.sign(np.linalg.det(turn))
