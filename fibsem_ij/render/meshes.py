"""Labels -> surfaces: what the 3D pictures show and what Fiji's 3D Viewer and Blender open.

The surface of all labels together is a surface net (Frisken 2022, "SurfaceNets for multi-label segmentations with
preservation of sharp boundaries", JCGT 11(1)), made smooth by a low-pass filter that keeps sizes (Taubin 1995, "A signal
processing approach to fair surface design", SIGGRAPH; as a windowed sinc, Taubin 1996); both are VTK's. Points are (x, y, z)
in nm, or in px where no voxel size is known, the first voxel's centre at 0.

A stack of more than VOXELS voxels is shown on a coarser grid: a level of its own pyramid where the .zarr has one that fits,
else every n-th voxel, n the larger the finer the axis. Whoever draws it says so.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij import files
from fibsem_ij.arrays.boxes import boxes
from fibsem_ij.arrays.colours import colours_of
from fibsem_ij.files.meshes import Mesh
from fibsem_ij.volume import Labels, checked_voxel

VOXELS = 2**25
_ROUNDS, _BAND = 40, 0.03  # of the filter: what varies faster than some 8 voxels goes
_THIN = 0.25  # voxels: no farther does a point move on an object too thin for that
Steps = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Thin:
    """A label stack in memory that stands for a larger one, of which it has every n-th voxel."""

    labels: Labels
    steps: Steps  # z, y, x
    shape: tuple[int, int, int]  # of the larger one

    @property
    def caption(self) -> str:
        """How many objects, how large the stack is, and the grid where it is not the stack's own."""
        found, sides, unit = len(ids_of(self.labels)), [float(n) for n in self.shape], "px"
        if self.labels.voxel_nm:
            fine = (size / step for size, step in zip(self.labels.voxel_nm, self.steps, strict=True))
            sides, unit = [n * size / 1000 for n, size in zip(sides, fine, strict=True)], "µm"
        z, y, x = (f"{side:.4g}" for side in sides)
        text = f"{found} object{'s' * (found != 1)}; x {x}, y {y}, z {z} {unit}"
        grid = " x ".join(str(step) for step in reversed(self.steps))
        return text + (f"; drawn from 1 voxel in {grid}, so the smallest may be missing" if max(self.steps) > 1 else "")


def opened(path: Path, *, voxels: int = VOXELS, voxel_nm: tuple[float, float, float] | None = None) -> Thin:
    """A label stack with no more than `voxels`; of a pyramid no more is read than that."""
    labels = files.read_labels(path, voxel_nm=voxel_nm)
    coarse, steps = _level(path, labels, voxels) if any(part.lower().endswith(".zarr") for part in path.parts) else (labels, (1, 1, 1))
    rest = thinned(coarse, voxels=voxels)
    z, y, x = (a * b for a, b in zip(steps, rest.steps, strict=True))
    return Thin(rest.labels, (z, y, x), labels.shape)


def thinned(labels: Labels, *, voxels: int = VOXELS) -> Thin:
    """Every n-th voxel, in memory; n grows along the axis whose voxels are finest until it fits."""
    size = np.array(labels.voxel_nm or (1.0, 1.0, 1.0))
    steps, shape = np.ones(3, int), np.array(labels.shape)
    while np.prod(-(-shape // steps)) > max(voxels, 1):
        steps[np.where(-(-shape // steps) > 1, size * steps, np.inf).argmin()] += 1
    z, y, x = (int(n) for n in steps)
    pixels = np.stack([labels[k, ::y, ::x] for k in range(0, len(labels), z)])
    return Thin(_with(labels, pixels, (z, y, x)), (z, y, x), labels.shape)


def surface(labels: Labels, *, smoothing: float = 1.0) -> Any:
    """The outer surface (pyvista.PolyData), closed at the border of the stack; `ids` is the label of each triangle.

    Where two labels touch there is no wall between them. `smoothing`: 0 leaves the stairs, 2 is smoother than 1.
    """
    import pyvista

    pixels, ids = np.asarray(labels), ids_of(labels)
    if not len(ids):
        raise ValueError("expected labels to show, got an empty stack; check that it is a label image")
    z, y, x = labels.voxel_nm or (1.0, 1.0, 1.0)
    row = np.pad(np.where(pixels == 0, 0, np.searchsorted(ids, pixels) + 1).astype(np.int32), 1)  # closed at the border, and never flat
    grid = pyvista.ImageData(dimensions=row.shape[::-1], spacing=(x, y, z), origin=(-x, -y, -z))
    grid.point_data["row"] = row.ravel()
    net = grid.contour_labels("all", smoothing=False, output_mesh_type="triangles", simplify_output=False, pad_background=False)
    sides = np.asarray(net.cell_data["boundary_labels"]).astype(np.int64)
    points = np.asarray(net.points)
    if smoothing > 0:
        # NB: not the smoothing of contour_labels itself, which makes a ball of radius 9 a tenth smaller. The walls between labels are
        # still there, so that where they meet the outside is smoothed too.
        smooth = net.smooth_taubin(n_iter=_ROUNDS, pass_band=_BAND / smoothing, normalize_coordinates=True, non_manifold_smoothing=True)
        size = np.array((x, y, z))
        corner = np.floor(points / size + 1).astype(np.int64)[:, ::-1]  # the first of the 8 voxels around a point, z, y, x in `row`
        farthest = np.where(_thin(row, corner), _THIN, np.inf)[:, None] * size
        points = points + np.clip(smooth.points - points, -farthest, farthest)
    outer = (sides == 0).any(1)
    triangles, row = net.faces.reshape(-1, 4)[outer], sides[outer].max(1)
    net = pyvista.PolyData(points, triangles.ravel()).clean(point_merging=False)
    net.cell_data["ids"] = ids[row - 1]
    return net


def _thin(row: npt.NDArray[np.int32], corner: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Of points, whether a voxel around them belongs to no cube of 3 x 3 x 3 within its object: what would shrink to a thread."""
    from scipy import ndimage

    alike = ndimage.minimum_filter(row, 3) == ndimage.maximum_filter(row, 3)
    thin = (row > 0) & ~ndimage.maximum_filter(alike, 3)
    found = np.zeros(len(corner), bool)
    for step in itertools.product((0, 1), repeat=3):
        found |= thin[tuple((corner + step).T)]
    return found


def ids_of(labels: Labels) -> npt.NDArray[Any]:
    found = np.unique(np.concatenate([np.unique(labels[z]) for z in range(len(labels))]))
    return np.setdiff1d(found, [0])


def only(labels: Labels, ids: Collection[int]) -> Labels:
    """The stack with these labels alone."""
    if missing := sorted(set(ids) - set(ids_of(labels).tolist())):
        raise ValueError(f"expected labels of the stack, got {', '.join(map(str, missing[:5]))}, not there; name others, or raise --voxels")
    return labels.with_data(np.where(np.isin(np.asarray(labels), list(ids)), np.asarray(labels), 0))


def meshes(labels: Labels, *, unit: str = "", smoothing: float = 1.0) -> Iterator[tuple[int, Mesh]]:
    """One closed mesh an object, in order of id. `unit`: nm (where a voxel size is known), um, or px."""
    unit = unit or ("nm" if labels.voxel_nm else "px")
    if unit != "px" and not labels.voxel_nm:
        raise ValueError(f"expected a voxel size for meshes in {unit}, got none; give --voxel-nm, or take px")
    size = {"nm": 1.0, "um": 1e-3, "px": 1.0}[unit] * np.array(labels.voxel_nm if labels.voxel_nm and unit != "px" else (1.0, 1.0, 1.0))
    for number, box in zip(*boxes(labels), strict=True):
        alone = Labels((labels[box] == number).astype(np.uint8), tuple(size))
        net = surface(alone, smoothing=smoothing)
        corner = np.array([part.start for part in box]) * size
        red, green, blue = (int(v) for v in colours_of(int(number)))
        yield int(number), Mesh(net.points + corner[::-1], net.faces.reshape(-1, 4)[:, 1:], unit, (red, green, blue))


def _level(path: Path, labels: Labels, voxels: int) -> tuple[Labels, Steps]:
    """The finest level of a pyramid that fits; its voxel i is voxel 2^k i of the stack, as ours are."""
    from fibsem_ij.files.zarr import labels_in

    store, shape = labels_in(path), np.array(labels.shape)
    for k in itertools.takewhile(lambda k: not k or (store / str(k)).is_dir(), itertools.count()):
        z, y, x = (int(n) for n in np.where(shape > 1, 2**k, 1))
        expected = tuple(-(-shape // (z, y, x)))
        if np.prod(expected) <= voxels:
            level = files.read_labels(store / str(k)) if k else labels
            return (_with(labels, level.data, (z, y, x)), (z, y, x)) if level.shape == expected else (labels, (1, 1, 1))
    return labels, (1, 1, 1)


def _with(labels: Labels, pixels: Any, steps: Steps) -> Labels:
    size = checked_voxel([n * step for n, step in zip(labels.voxel_nm, steps, strict=True)] if labels.voxel_nm else None)
    return Labels(pixels, size, labels.names[::steps[0]], labels.classes)
