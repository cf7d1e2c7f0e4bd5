"""Implicit shapes: functions of position that are negative inside and grow by about one a pixel.

Positions are three arrays (z, y, x) that broadcast: open grids for organelles, warped full grids for cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fibsem_ij.phantom.fields import F32

F64 = npt.NDArray[np.float64]
Box = tuple[slice, slice, slice]


def turn(rng: np.random.Generator) -> F64:
    """A random rotation, uniform over all."""
    q, r = np.linalg.qr(rng.standard_normal((3, 3)))
    return np.asarray(q * np.sign(np.diag(r)), np.float64)


def direction(rng: np.random.Generator) -> F64:
    v = rng.standard_normal(3)
    return np.asarray(v / np.linalg.norm(v), np.float64)


def clipped(lo: npt.ArrayLike, hi: npt.ArrayLike, shape: tuple[int, ...]) -> Box | None:
    """The box from `lo` to `hi` as slices within the volume, or None where it lies outside."""
    first = np.maximum(np.floor(lo), 0).astype(int)
    last = np.minimum(np.ceil(hi).astype(int) + 1, shape)
    if (first >= last).any():
        return None
    z, y, x = (slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
    return z, y, x


def grid(box: Box) -> tuple[F32, F32, F32]:
    z, y, x = np.ogrid[box]
    return z.astype(np.float32), y.astype(np.float32), x.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Ellipsoid:
    centre: F64  # (3,)
    radii: F64  # (3,)
    axes: F64  # (3, 3), one axis a row

    def box(self, shape: tuple[int, ...], *, margin_px: float) -> Box | None:
        reach = np.sqrt(((self.axes * self.radii[:, None]) ** 2).sum(0)) + margin_px
        return clipped(self.centre - reach, self.centre + reach, shape)

    def distance(self, z: F32, y: F32, x: F32) -> F32:
        size = np.broadcast_shapes(z.shape, y.shape, x.shape)
        found: F32 = Ellipsoids.of([(0, self)]).distances(spread(z, y, x))[0].reshape(size)
        return found


def spread(z: F32, y: F32, x: F32) -> F32:
    """Positions (3, n) of arrays that broadcast."""
    return np.stack(np.broadcast_arrays(z, y, x)).reshape(3, -1)


@dataclass(frozen=True, eq=False)
class Ellipsoids:
    """Many ellipsoids at once, each of a numbered cell."""

    numbers: npt.NDArray[np.int64]  # (n,)
    centre: F32  # (n, 3)
    shrink: F32  # (n, 3, 3), to the unit ball
    radii: F32  # (n, 3)

    @staticmethod
    def of(shapes: list[tuple[int, Ellipsoid]]) -> Ellipsoids:
        centre = np.array([e.centre for _, e in shapes], np.float32).reshape(-1, 3)
        shrink = np.array([e.axes / e.radii[:, None] for _, e in shapes], np.float32).reshape(-1, 3, 3)
        radii = np.array([e.radii for _, e in shapes], np.float32).reshape(-1, 3)
        return Ellipsoids(np.array([n for n, _ in shapes], np.int64), centre, shrink, radii)

    def some(self, which: npt.NDArray[np.bool_]) -> Ellipsoids:
        return Ellipsoids(self.numbers[which], self.centre[which], self.shrink[which], self.radii[which])

    def distances(self, position: F32) -> F32:
        """(n, m) from positions (3, m). NB: first order, k (k - 1) / |gradient|: exact at the surface, a few per cent off away from it."""
        q = np.einsum("nai,nim->nam", self.shrink, position[None] - self.centre[:, :, None])
        k = np.sqrt((q * q).sum(1) + np.float32(1e-6))
        q /= self.radii[:, :, None]
        return np.asarray(k * (k - 1) / np.sqrt((q * q).sum(1) + np.float32(1e-6)), np.float32)


@dataclass(frozen=True, eq=False)
class Tube:
    """Round cones strung along a curve."""

    points: F64  # (n, 3)
    radii: F64  # (n,)

    def box(self, shape: tuple[int, ...], *, margin_px: float) -> Box | None:
        reach = self.radii[:, None] + margin_px
        return clipped((self.points - reach).min(0), (self.points + reach).max(0), shape)

    def distance(self, z: F32, y: F32, x: F32) -> F32:
        size = np.broadcast_shapes(z.shape, y.shape, x.shape)
        cones, position = Cones.of([(0, self)]), spread(z, y, x)
        nearest = np.full(position.shape[1], np.inf, np.float32)
        for i in range(len(cones.numbers)):
            np.minimum(nearest, cones.some(np.arange(len(cones.numbers)) == i).distances(position)[0], out=nearest)
        return nearest.reshape(size)


@dataclass(frozen=True, eq=False)
class Cones:
    """The segments of many tubes at once, each a cone with round ends that belongs to a numbered cell."""

    numbers: npt.NDArray[np.int64]  # (n,)
    start: F32  # (3, n)
    way: F32  # (3, n), from start to end
    radius: F32  # (n,) at the start
    widen: F32  # (n,) from start to end

    @staticmethod
    def of(tubes: list[tuple[int, Tube]]) -> Cones:
        numbers = np.array([n for n, tube in tubes for _ in tube.radii[1:]], np.int64)
        start = np.concatenate([tube.points[:-1] for _, tube in tubes] or [np.zeros((0, 3))]).T
        way = np.concatenate([np.diff(tube.points, axis=0) for _, tube in tubes] or [np.zeros((0, 3))]).T
        radius = np.concatenate([tube.radii[:-1] for _, tube in tubes] or [np.zeros(0)])
        widen = np.concatenate([np.diff(tube.radii) for _, tube in tubes] or [np.zeros(0)])
        return Cones(numbers, start.astype(np.float32), way.astype(np.float32), radius.astype(np.float32), widen.astype(np.float32))

    def some(self, which: npt.NDArray[np.bool_]) -> Cones:
        return Cones(self.numbers[which], self.start[:, which], self.way[:, which], self.radius[which], self.widen[which])

    def distances(self, position: F32) -> F32:
        """(n, m) from positions (3, m)."""
        dz, dy, dx = (position[i][None] - self.start[i][:, None] for i in range(3))
        wz, wy, wx = (w[:, None] for w in self.way)
        along = (dz * wz + dy * wy + dx * wx) / np.maximum(wz * wz + wy * wy + wx * wx, np.float32(1e-6))
        t = np.clip(along, np.float32(0), np.float32(1))
        square = (dz - t * wz) ** 2 + (dy - t * wy) ** 2 + (dx - t * wx) ** 2
        return np.asarray(np.sqrt(square) - (self.radius[:, None] + t * self.widen[:, None]), np.float32)


def blend(a: F32, b: F32, *, width_px: float) -> F32:
    """The union of two shapes with a rounded seam (polynomial smooth minimum)."""
    h = np.maximum(np.float32(width_px) - np.abs(a - b), 0) / np.float32(width_px)
    return np.asarray(np.minimum(a, b) - h * h * np.float32(width_px / 4), np.float32)


def wander(start: F64, heading: F64, *, steps: int, step_px: float, bend: float, rng: np.random.Generator) -> F64:
    """A curve (steps + 1, 3) whose direction turns a little at every step."""
    points = [start]
    for _ in range(steps):
        heading = heading + bend * rng.standard_normal(3)
        heading = heading / np.linalg.norm(heading)
        points.append(points[-1] + step_px * heading)
    return np.asarray(points, np.float64)
