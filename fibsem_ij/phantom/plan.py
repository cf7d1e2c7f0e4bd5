"""Where cells are and what they are made of, before anything is drawn: a list of implicit shapes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fibsem_ij.phantom.options import Options
from fibsem_ij.phantom.shapes import F64, Ellipsoid, Tube, direction, turn, wander


@dataclass(frozen=True, eq=False)
class Cell:
    lobes: tuple[Ellipsoid, ...]  # the first holds the nucleus; none for a process
    process: Tube | None
    filopodia: tuple[Tube, ...]


def plan(shape: tuple[int, int, int], options: Options, rng: np.random.Generator) -> list[Cell]:
    bodies = [_body(p, options, rng) for p in _seeds(shape, options, rng)]
    starts = rng.uniform(-0.1, 1.1, (round(options.fibres * len(bodies)), 3)) * shape
    return bodies + [_process(p, bodies, options, rng) for p in starts]


def _seeds(shape: tuple[int, int, int], options: Options, rng: np.random.Generator) -> list[F64]:
    """Points at least a spacing apart, the first near the middle so that every phantom has a nucleus."""
    size = np.array(shape, float)
    reach = options.spacing_px * 0.6
    tries = int(60 * np.prod((size + 2 * reach) / options.spacing_px)) + 60
    points = [size / 2 + rng.uniform(-0.08, 0.08, 3) * size]
    for p in rng.uniform(-reach, size + reach, (tries, 3)):
        if min(float(np.linalg.norm(p - q)) for q in points) > options.spacing_px * 0.92:
            points.append(p)
    keep = rng.random(len(points)) < options.kept
    keep[0] = True
    return [p for p, k in zip(points, keep, strict=True) if k]


def _body(centre: F64, options: Options, rng: np.random.Generator) -> Cell:
    r = options.spacing_px * rng.uniform(0.38, 0.48)
    lobes = [Ellipsoid(centre, r * rng.uniform(0.85, 1.15, 3), turn(rng))]
    for _ in range(int(rng.integers(1, 4))):
        way, size = direction(rng), r * rng.uniform(0.3, 0.55)
        lobes.append(Ellipsoid(centre + way * (r + size * rng.uniform(0.2, 0.8)), size * rng.uniform(0.7, 1.6, 3), turn(rng)))
    filopodia = []
    for _ in range(options.filopodia):
        way = direction(rng)
        line = wander(centre + way * r * 0.8, way + 0.9 * direction(rng), steps=int(rng.integers(8, 22)), step_px=8, bend=0.3, rng=rng)
        filopodia.append(Tube(line, rng.uniform(3.2, 4.6) * rng.uniform(0.9, 1.1, len(line))))
    return Cell(tuple(lobes), None, tuple(filopodia))


def _process(start: F64, bodies: list[Cell], options: Options, rng: np.random.Generator) -> Cell:
    """A neurite: it runs both ways from `start` and is pushed aside by cell bodies."""
    heading, centres = direction(rng), np.array([b.lobes[0].centre for b in bodies])
    line = np.concatenate([wander(start, -heading, steps=14, step_px=12, bend=0.22, rng=rng)[:0:-1],
                           wander(start, heading, steps=14, step_px=12, bend=0.22, rng=rng)])
    for _ in range(3):
        away = line[:, None] - centres
        far = np.linalg.norm(away, axis=2)
        push = np.clip(options.spacing_px * 0.55 - far, 0, None) / np.maximum(far, 1)
        line = line + (0.7 * push[:, :, None] * away).sum(1)
    swell = 1 + 0.35 * np.sin(np.arange(len(line)) * rng.uniform(0.3, 0.6) + rng.uniform(0, 6.3))
    return Cell((), Tube(line, rng.uniform(7, 24) * swell), ())
