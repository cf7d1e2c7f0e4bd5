"""Fibres: how objects lie to a direction, and how much alike a population of them lies.

An object's axis is the longest of its moments, a line without a head: u and -u are the same, so angles run from 0 to 90
degrees. A population is told by its orientation tensor, the weighted mean of u u^T (Advani and Tucker 1987). Its
eigenvalues add up to 1: (1, 0, 0) is all one way, (1/2, 1/2, 0) any way in a plane, (1/3, 1/3, 1/3) any way at all. One
number of them is the fractional anisotropy of diffusion imaging (Basser and Pierpaoli 1996), 0 to 1.

Vectors are (z, y, x), in nm, so that a coarse z does not bend them. An object nearly as thick as long has an axis by
chance: those below `least_elongation` (longest over second axis) say nothing about the population.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.measure.columns import Definition

Floats = npt.NDArray[np.float64]

DEFINITIONS: Mapping[str, Definition] = MappingProxyType({
    "axis_angle_deg": (0, "The angle between the longest axis and the direction asked for, 0 to 90 degrees."),
})


def angles(axes: npt.ArrayLike, direction: tuple[float, float, float]) -> Floats:
    """Degrees between each axis (n, 3) and `direction`, NaN where an axis is."""
    wanted = np.asarray(direction, np.float64)
    if wanted.shape != (3,) or not np.isfinite(wanted).all() or not wanted.any():
        raise ValueError(f"expected a direction z, y, x other than 0, 0, 0, got {direction}; the x axis is 0, 0, 1")
    u = np.asarray(axes, np.float64).reshape(-1, 3)
    along, across = u @ wanted, np.linalg.norm(np.cross(u, wanted), axis=1)  # exact near 0 and near 90, as arccos is not
    return np.asarray(np.degrees(np.arctan2(across, np.abs(along))), np.float64)


def population(axes: npt.ArrayLike, *, lengths: npt.ArrayLike | None = None, weights: npt.ArrayLike | None = None,
               least_elongation: float = 2) -> dict[str, Any]:
    """Of axes (n, 3), with `lengths` (n, 2 or more; longest first) only of the elongated: tensor, eigenvalues, anisotropy, main axis."""
    u = np.asarray(axes, np.float64).reshape(-1, 3)
    w = np.ones(len(u)) if weights is None else np.asarray(weights, np.float64)
    kept = np.isfinite(u).all(1) & (w > 0)
    if lengths is not None:
        long, second = np.asarray(lengths, np.float64)[:, :2].T
        kept &= long >= least_elongation * second
    u, w = u[kept], w[kept]
    if not len(u):
        return {"fibres": 0, "tensor": None, "eigenvalues": None, "fractional_anisotropy": None, "main_axis": None}
    u = u / np.linalg.norm(u, axis=1, keepdims=True)
    tensor = np.einsum("n,ni,nj->ij", w, u, u) / w.sum()
    values, vectors = np.linalg.eigh(tensor)
    values, main = np.maximum(values[::-1], 0), vectors[:, -1]
    spread = values - values.mean()
    anisotropy = np.sqrt(1.5 * (spread @ spread) / (values @ values))
    main = main * (np.sign(main[np.argmax(np.abs(main))]) or 1)  # a line has no head: its largest part is positive
    return {"fibres": len(u), "tensor": tensor.tolist(), "eigenvalues": values.tolist(),
            "fractional_anisotropy": float(anisotropy), "main_axis": main.tolist()}
