"""The grey-level size-zone matrix of each object (Thibault et al. 2009, 2014), in 3D.

A zone is a set of 26-neighbours inside one object with the same grey level. P(i, j) counts the zones of level i (here from 1) and j
voxels, Nz is their number. A matrix is never made: each zone adds to the sums of its object once it is over.

The stack is gone through slice by slice, with the zones that reach the last slice still open (union-find between two slices). So
memory is that of two slices, however many zones there are, and zones end in an order of their own: by the slice in which they were
last seen, there by their first voxel. Sums of fractions are the same to the bit however the stack is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.compiled import compiled
from fibsem_ij.arrays.slabs import SLAB_VOXELS, Slabs
from fibsem_ij.measure.columns import Definition, Table
from fibsem_ij.measure.objects import Counts, Objects
from fibsem_ij.measure.texture.levels import Coded, Codes, Span, steps_before
from fibsem_ij.volume import ArrayLike

_ZONES = "zones: 26-connected voxels of one grey level i = 1, 2, ... inside the object; P(i, j) of them have j voxels, Nz in all"
DEFINITIONS: MappingProxyType[str, Definition] = MappingProxyType({
    "zone_percentage": (0, f"Nz / N, N the voxels of the object: a share, 1 where every voxel is a zone; {_ZONES}."),
    "zone_small_high_grey": (0, f"Small-zone high-grey emphasis without the size, sum P(i, j) i^2 / Nz; {_ZONES}."),
    "zone_small_high_grey_by_size": (0, f"Small-zone high-grey emphasis, sum P(i, j) i^2 / j^2 / Nz; {_ZONES}."),
    "zone_size_centroid": (0, f"Centroid of the zone sizes in voxels, sum P(i, j) j / Nz = N / Nz; {_ZONES}."),
})

Ids = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def zones(labels: ArrayLike, objects: Objects, image: ArrayLike, *, levels: int = 32, span: Span | None = None,
          slab: int | None = None) -> Table:
    """Columns zone_percentage, zone_small_high_grey, zone_small_high_grey_by_size, zone_size_centroid."""
    coded = Coded.of(labels, objects, image, levels, span)
    found, by_size = np.zeros((2, len(objects.ids) + 1), np.int64), np.zeros(len(objects.ids) + 1)
    last_and_now = (2, *(n + 2 for n in labels.shape[1:]))  # with a frame of nothing, so that every pixel has neighbours
    codes, ids = np.zeros(last_and_now, np.uint32), np.zeros(last_and_now, np.int32)
    size, code = np.zeros(1, np.int64), np.zeros(1, np.uint32)  # of the open zones, which are numbered from 1
    for now in _slices(coded, slab):
        codes[0], codes[1] = codes[1], now
        ids[0], ids[1] = ids[1], 0
        up, sizes = _go_on(codes, ids, size, steps_before(last_and_now))
        more, more_code, over = _renumber(now, ids[1], up, sizes, len(size))
        _close(size, code, over, levels, found, by_size)
        size, code = more, more_code
    _close(size, code, np.ones(len(size), bool), levels, found, by_size)
    number, high = found[:, 1:]
    return {"zone_percentage": number / objects.voxels, "zone_small_high_grey": high / number,
            "zone_small_high_grey_by_size": by_size[1:] / number, "zone_size_centroid": objects.voxels / number}


def _slices(coded: Coded, slab: int | None) -> Iterator[Codes]:
    """Slices of codes in a frame of 0; a thread reads ahead."""
    shape = coded.labels.shape
    slabs = Slabs.of(shape, slab or max(1, SLAB_VOXELS // (shape[1] * shape[2])))

    def read(i: int) -> Codes:
        return np.pad(coded.codes(*coded.read(slabs.own(i))), ((0, 0), (1, 1), (1, 1)))

    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(read, 0)
        for i in range(len(slabs)):
            block = coming.result()
            if i + 1 < len(slabs):
                coming = reader.submit(read, i + 1)
            yield from block


@compiled
def _go_on(codes: Codes, ids: Ids, size: Counts, before: Counts) -> tuple[Ids, Counts]:
    """Give the pixels of a slice the numbers of their zones: which number leads to which lower one or to itself, sizes so far."""
    flat, flat_ids = codes.ravel(), ids.ravel()
    _, height, width = codes.shape
    most = size.size + np.count_nonzero(codes[1])
    up, sizes = np.arange(most, dtype=np.int32), np.zeros(most, np.int64)
    sizes[:size.size] = size
    count = size.size
    for y in range(height + 1, 2 * height - 1):
        for at in range(y * width + 1, (y + 1) * width - 1):
            if flat[at] == 0:
                continue
            root = np.int32(0)
            for step in before:
                if flat[at + step] == flat[at]:
                    other = flat_ids[at + step]
                    while up[other] != other:
                        up[other] = up[up[other]]
                        other = up[other]
                    if root == 0:
                        root = other
                    elif root != other:
                        root, other = min(root, other), max(root, other)
                        up[other] = root
                        sizes[root] += sizes[other]
            if root == 0:
                root = np.int32(count)
                count += 1
            flat_ids[at] = root
            sizes[root] += 1
    return up[:count], sizes[:count]


@compiled
def _renumber(now: Codes, ids: Ids, up: Ids, sizes: Counts, open_before: int) -> tuple[Counts, Codes, Bools]:
    """Number the zones of a slice from 1 by their first voxel, in place: their sizes, their codes; and which zones open before are over."""
    number = np.zeros(up.size, np.int32)
    size, code = np.zeros(up.size, np.int64), np.zeros(up.size, np.uint32)
    flat, flat_ids = now.ravel(), ids.ravel()
    count = 1
    for at in range(flat.size):
        if flat[at]:
            root = flat_ids[at]
            while up[root] != root:
                root = up[root]
            if number[root] == 0:
                number[root] = count
                size[count], code[count] = sizes[root], flat[at]
                count += 1
            flat_ids[at] = number[root]
    over = np.zeros(open_before, np.bool_)
    for zone in range(1, open_before):
        over[zone] = up[zone] == zone and number[zone] == 0
    return size[:count], code[:count], over


@compiled
def _close(size: Counts, code: Codes, over: Bools, levels: int, found: Counts, by_size: Floats) -> None:
    """Add the zones that are over to their objects: Nz, sum i^2, sum i^2 / j^2."""
    for zone in range(1, size.size):
        if over[zone]:
            row = code[zone] // levels
            level = code[zone] - row * levels + 1
            found[0, row] += 1
            found[1, row] += level * level
            by_size[row] += level * level / (float(size[zone]) * float(size[zone]))
