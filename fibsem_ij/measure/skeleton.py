"""The longest path through every object, for filaments: how long is it from tip to tip, along its bends?

The object is thinned to a skeleton (Lee, Kashyap, Chu 1994), whose voxels are a graph with lengths in nm; of the shortest ways
between any two voxels the longest is the path, found from an end of an end (exact where the skeleton is a tree). A chain of
voxels is up to a tenth longer than the line it follows, so the path is smoothed over `_WINDOW` voxels; and thinning stops
short of the tips, so it goes on straight from both ends until it leaves the object.

Thinning has no form that streams: an object is read by its box. One whose box is too large is measured on a grid so many
times as coarse, where a voxel is the object's when any of its voxels is, and `skeleton_step` says which.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.boxes import Box
from fibsem_ij.measure.columns import Definition, Table, Voxel, sides
from fibsem_ij.measure.objects import Objects
from fibsem_ij.volume import ArrayLike

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
_WINDOW = 5  # voxels of the path that are averaged
_STRIDE = 0.25  # of the shortest side, when looking for the tip
_THIN = 2  # times as long as a cube of as many voxels
_EATEN = 0.9  # of the box: no path is that short

DEFINITIONS: Mapping[str, Definition] = {
    "longest_path": (1, "Longest of the shortest ways between two points of the skeleton, smoothed, and on to the surface at both ends; "
                        "empty where the skeleton is a point."),
    "skeleton_step": (0, "Voxels along each side of a voxel of the grid that the skeleton was measured on; 1: the image's own."),
}


def skeleton(labels: ArrayLike, objects: Objects, *, voxel_nm: Voxel, crop_voxels: int) -> Table:
    """As many objects in memory at a time as have `crop_voxels` together, on all cores; one alone is on a grid of as many at most."""
    found, steps, held = [], np.empty(len(objects), np.int64), 0
    waiting: deque[tuple[Future[float], int]] = deque()
    with ThreadPoolExecutor() as pool:
        for row, (number, box) in enumerate(zip(objects.ids, objects.boxes, strict=True)):
            mask, steps[row] = _cropped(labels, int(number), box, crop_voxels)
            while waiting and held + mask.size > crop_voxels:
                path, voxels = waiting.popleft()
                found.append(path.result())
                held -= voxels
            waiting.append((pool.submit(_longest, mask, sides(voxel_nm) * steps[row]), mask.size))
            held += mask.size
        found += [path.result() for path, _ in waiting]
    return {"longest_path": np.array(found, np.float64), "skeleton_step": steps}


def _cropped(labels: ArrayLike, number: int, box: Box, crop_voxels: int) -> tuple[Mask, int]:
    size, step = np.array([s.stop - s.start for s in box]), 1
    while np.prod(-(-size // step)) > crop_voxels:
        step *= 2
    mask = np.zeros(-(-size // step), bool)
    rows, columns = (np.arange(0, n, step) for n in size[1:])
    for z in range(size[0]):
        found = np.asarray(labels[(box[0].start + z, *box[1:])]) == number
        mask[z // step] |= np.logical_or.reduceat(np.logical_or.reduceat(found, rows, 0), columns, 1)
    return mask, step


def _longest(mask: Mask, side: Floats) -> float:
    """NB: thinning eats straight bars of an even number of voxels across from their ends. So what is thin, and has a path shorter than its
    box, is thinned again on a grid of twice as many lines and one, where no number across is even."""
    from skimage.morphology import skeletonize

    found = _along(_path(np.argwhere(skeletonize(mask)), side), mask, side)
    if max(mask.shape) > _THIN * np.cbrt(mask.sum()) and not found > _EATEN * (side * mask.shape).max():
        finer = _path(np.argwhere(skeletonize(_doubled(mask))), side / 2) - side / 2
        found = float(np.fmax(found, _along(finer, mask, side)))
    return found


def _doubled(mask: Mask) -> Mask:
    """The corners, edges, faces and insides of voxels, each a voxel."""
    for axis in range(3):
        ends = [np.zeros((*mask.shape[:axis], 1, *mask.shape[axis + 1:]), bool)]
        twice = mask.repeat(2, axis)
        mask = np.concatenate([twice, *ends], axis) | np.concatenate([*ends, twice], axis)
    return mask


def _along(path: Floats, mask: Mask, side: Floats) -> float:
    if len(path) < 2:
        return np.nan
    beyond = min(_WINDOW // 2, len(path) - 1)
    ends = np.pad(path, ((beyond, beyond), (0, 0)), "reflect", reflect_type="odd")  # so that the ends stay
    smooth = np.lib.stride_tricks.sliding_window_view(ends, 2 * beyond + 1, 0).mean(-1)
    tips = sum(_to_surface(mask, way[0], way[0] - way[min(_WINDOW, len(way) - 1)], side) for way in (smooth, smooth[::-1]))
    return float(np.linalg.norm(np.diff(smooth, axis=0), axis=1).sum() + tips)


def _path(voxels: npt.NDArray[np.int64], side: Floats) -> Floats:
    """Points in nm along the longest path of a skeleton."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components, dijkstra
    from scipy.spatial import KDTree

    one, two = KDTree(voxels).query_pairs(1.8, output_type="ndarray").T  # 26 neighbours: sqrt(3) apart at most
    points = voxels * side
    lengths = np.linalg.norm(points[one] - points[two], axis=1)
    graph = coo_array((lengths, (one, two)), shape=(len(voxels),) * 2).tocsr()
    best, longest = points[:1], 0.0
    _, starts = np.unique(connected_components(graph, directed=False)[1], return_index=True)
    for start in starts:
        far = _reached(dijkstra(graph, directed=False, indices=start)).argmax()
        away, before = dijkstra(graph, directed=False, indices=far, return_predecessors=True)
        end = int(_reached(away).argmax())
        if away[end] > longest:
            longest, way = away[end], [end]
            while way[-1] != far:
                way.append(int(before[way[-1]]))
            best = points[way]
    return best


def _reached(away: Floats) -> Floats:
    return np.where(np.isfinite(away), away, -1)


def _to_surface(mask: Mask, tip: Floats, direction: Floats, side: Floats) -> float:
    """From a point inside, straight on to where the mask ends."""
    stride = _STRIDE * side.min()
    step, count = direction / np.linalg.norm(direction) * stride, 0
    while True:
        voxel = np.rint((tip + count * step) / side).astype(int)
        if (voxel < 0).any() or (voxel >= mask.shape).any() or not mask[tuple(voxel)]:
            return float(max(count - 0.5, 0) * stride)
        count += 1
