"""Grain filter: a slice without its small grains, bright or dark, every edge of the others where it was.

A grain is a connected set of pixels brighter, or darker, than a grey value, with its holes filled. Of two grains one lies in the
other, or they lie apart: they are a tree, the tree of shapes (Monasse and Guichard 2000). The filter takes out those of fewer than
`area_px` pixels; a pixel becomes as grey as the smallest grain around it that stays. Bright pixels are connected by 8 neighbours and
dark ones by 4, for two lines must not cross (Caselles and Monasse 2010). The outside is as grey as the median of the border.

The tree is found as a contour tree (Carr, Snoeyink and Axen 2003): with the diagonal through the brightest drawn in each square of
four pixels, the level lines of this triangulation are the borders of the grains. One sweep from dark to bright joins what lies
below each grey value, one back what lies above; leaves of the two trees are then peeled off, from the outermost twigs to the
outside. Its cells are the pixels alone, where a front that floods the slice from outside (Géraud et al. 2013) needs four a pixel,
and sixteen to tell 8 neighbours from 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.compiled import compiled

Pixels = npt.NDArray[Any]
Ids = npt.NDArray[np.int32]  # of pixels in the padded slice; 0, in its wall, is none

_EDGE = 2  # px about the slice: a frame that is the outside, and a wall that is never reached and spares the sweeps a look at the ends


def areas(shares: Sequence[float] = (0.01, 0.05), *, patch_px: int = 256) -> tuple[int, ...]:
    """Pixels of these shares of a square patch: of 256 x 256, 655 and 3277."""
    return tuple(max(1, round(share * patch_px**2)) for share in shares)


def grain(image: Pixels, *, area_px: int) -> Pixels:
    """A slice (y, x) whose grains all have at least `area_px` pixels."""
    return np.asarray(grains(image, (area_px,))[0])


def grains(image: Pixels, areas_px: Sequence[int]) -> Pixels:
    """The same for several areas, from one tree: (n, y, x)."""
    if image.ndim != 2 or not image.size or image.dtype.kind not in "ui":
        raise ValueError(f"expected a slice (y, x) of whole grey values, got {image.dtype} of {image.shape}; convert it to uint8 or uint16")
    if not areas_px or min(areas_px) < 1:
        raise ValueError(f"expected areas of 1 px or more, got {tuple(areas_px)}; 1 leaves the slice as it is")
    grey = np.pad(image, _EDGE, constant_values=_outside(image))
    grey = grey.astype(grey.dtype.newbyteorder("="), copy=False)
    pixels = np.arange(grey.size, dtype=np.int32).reshape(grey.shape)[1:-1, 1:-1].ravel()
    order = pixels[np.argsort(grey[1:-1, 1:-1], axis=None, kind="stable")]
    above, below = _sweep(grey, order), _sweep(grey, np.ascontiguousarray(order[::-1]))
    peeled, parent, area = _peel(grey, order, *above, *below)
    inside = np.s_[_EDGE:-_EDGE, _EDGE:-_EDGE]
    return np.stack([_prune(grey, peeled, parent, area, least)[inside] for least in areas_px])


def _outside(image: Pixels) -> Any:
    """The median of the border. One corner counts twice: of an odd number it is a value of the slice, and of the negative the negative."""
    border = np.concatenate([image[0], image[-1], image[1:, 0], image[1:-1, -1]])
    return np.partition(border, len(border) // 2)[len(border) // 2]


@compiled
def _sweep(grey: Pixels, order: Ids) -> tuple[Ids, npt.NDArray[np.int8]]:
    """Pixels join what is there already, in this order: to which pixel each set ends, and how many sets each pixel joins.

    Sets are found by union-find: by rank, with path halving.
    """
    width, flat = grey.shape[1], grey.ravel()
    ring = np.array([-width, 1 - width, 1, 1 + width, width, width - 1, -1, -1 - width])
    up, last, end = np.zeros(flat.size, np.int32), np.zeros(flat.size, np.int32), np.zeros(flat.size, np.int32)
    rank, joined = np.zeros(flat.size, np.int8), np.zeros(flat.size, np.int8)
    for pixel in order:
        up[pixel] = last[pixel] = root = pixel
        for k in range(8):
            at = pixel + ring[k]
            if up[at] == 0:
                continue
            if k % 2 and max(flat[pixel], flat[at]) < max(flat[pixel + ring[k - 1]], flat[pixel + ring[(k + 1) % 8]]):
                continue  # the other diagonal is drawn
            while up[at] != at:
                up[at] = up[up[at]]
                at = up[at]
            if at != root:
                end[last[at]] = pixel
                joined[pixel] += 1
                if rank[at] > rank[root]:
                    at, root = root, at
                elif rank[at] == rank[root]:
                    rank[root] += 1
                up[at] = root
                last[root] = pixel
    return end, joined


@compiled
def _peel(grey: Pixels, order: Ids, above: Ids, sets_below: npt.NDArray[np.int8], below: Ids,
          sets_above: npt.NDArray[np.int8]) -> tuple[Ids, Ids, Ids]:
    """The contour tree: its pixels from the twigs to the frame, the parent of each, the area of all that hangs on it.

    A pixel that joins one set in both sweeps together is a leaf: what is left around it has but one pixel to go to. It is taken
    off, and with it a pixel of each sweep's tree: as a leaf of the one, and as a mere stop on the way in the other. Such stops
    lie on the way of one leaf only, so all of them are passed once.
    """
    root = grey.shape[1] + 1  # of the frame
    parent = np.zeros(grey.size, np.int32)
    inside = np.zeros(grey.shape, np.int32)
    inside[2:-2, 2:-2] = 1
    area = inside.ravel()
    peeled = np.empty(order.size - 1, np.int32)
    count = 0
    for start in order:
        pixel = start
        while pixel != root and sets_below[pixel] + sets_above[pixel] == 1:
            top = sets_above[pixel] == 0
            way, sets = (below, sets_above) if top else (above, sets_below)
            to = way[pixel]
            while parent[to] != 0:
                to = way[to]
            sets[to] -= 1
            sets_below[pixel] = sets_above[pixel] = 0
            parent[pixel] = to
            area[to] += area[pixel]
            peeled[count] = pixel
            count += 1
            pixel = to
    return peeled, parent, area


@compiled
def _prune(grey: Pixels, peeled: Ids, parent: Ids, area: Ids, least: int) -> Pixels:
    """From the frame to the twigs: a pixel that begins no grain of the least area is as its parent has become."""
    out = grey.copy()
    flat, pruned = grey.ravel(), out.ravel()
    for pixel in peeled[::-1]:
        if area[pixel] < least or flat[pixel] == flat[parent[pixel]]:
            pruned[pixel] = pruned[parent[pixel]]
    return out
