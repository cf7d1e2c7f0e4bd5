"""2D to 3D: a stack that was segmented slice by slice -> objects, by how far their regions lie on each other.

Each slice falls into pieces: its regions (4 neighbours), cut where they are pinched (h-maxima of the distance to the
outline, watershed). Two pieces are linked

- between slices, where their overlap is `overlap` of the smaller piece or more (as IoU, but a branch, which is small
  beside its stem, links to it);
- within a slice, where the neck between them is `neck` of the narrower piece or more.

Every rule looks at one slice or at two neighbours, both alike, so neither the direction of z nor the number of workers
matters to which voxels belong together (with drawn slices: but for ties). With drawn slices, links are taken one by one,
by IoU, then necks, those that last for many slices first, and never join two drawn ids; where one slice is bad, its
neighbours are linked past it. What no drawn slice meets gets new numbers above the drawn ones. Where ids touch, the slices
between two drawn ones are flooded from these; they are in memory together. Else pieces are kept, not pixels: memory grows
with their number.

How far contacts in a slice can be trusted, the mask itself tells (`neck` None): closing a fine mask changes its outline,
closing one that was closed or smoothed does not, and there narrow necks are as likely to be made as found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.scores import overlaps
from fibsem_ij.arrays.slabs import label
from fibsem_ij.arrays.slices import map_slices
from fibsem_ij.objects.pieces import Links, in_slice, is_fine
from fibsem_ij.objects.splitting import parted
from fibsem_ij.volume import ArrayLike, WritableArray

NECK = 0.6
PAST = 0.5  # IoU of two pieces two slices apart, which is a link past the slice between them
Nodes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Options:
    overlap: float = 0.1  # of the smaller piece, between slices
    neck: float | None = None  # of the narrower piece, within a slice; 0 trusts every contact, None: 0 or .6 by the mask
    numbered: bool = False  # the slices hold regions with numbers of their own, which are not cut

    def __post_init__(self) -> None:
        if not 0 <= self.overlap <= 1 or (self.neck is not None and not 0 <= self.neck <= 1):
            raise ValueError(f"expected overlap and neck as shares from 0 to 1, got {self.overlap} and {self.neck}")


def link(src: ArrayLike, out: WritableArray | None = None, *, drawn: Mapping[int, npt.NDArray[Any]] | None = None,
         options: Options | None = None, executor: Executor | None = None, progress: Callable[[int, int], None] | None = None,
         count: Callable[[int], None] | None = None) -> Any:
    """Fill `out` (uint32) with the objects of a mask, or of numbered regions. `drawn`: z -> label slice; its ids are kept.

    `count` is told how many there are.
    """
    options, drawn = options or Options(), drawn or {}
    depth = src.shape[0]
    if np.dtype(src.dtype).kind not in "bui":
        raise ValueError(f"expected a mask of whole numbers, 0 where nothing is, got {src.dtype}; threshold it first")
    for z, labels in drawn.items():
        if not 0 <= z < depth or labels.shape != tuple(src.shape[1:]):
            raise ValueError(f"expected drawn slices of shape {tuple(src.shape[1:])} within 0..{depth - 1}, got {labels.shape} at {z}")
    if out is None:
        out = np.empty(src.shape, np.uint32)
    neck = options.neck if options.neck is not None else 0.0 if options.numbered or is_fine(src) else NECK
    cut = not options.numbered and bool(neck or drawn)
    pieces = _Pieces(out, depth)
    work = partial(_slice, drawn=dict(drawn), numbered=options.numbered, cut=cut)
    map_slices(work, src, pieces, executor=executor, progress=progress)
    first = np.concatenate([[0], np.cumsum([len(pieces.sizes[z]) - 1 for z in range(depth)])]).astype(np.int64)
    least = options.overlap if neck or options.numbered else 0.0
    between = _between(out, pieces, first, least, past=bool(drawn))
    within = np.concatenate([_shifted(pieces.links[z], first[z], first[z], neck) for z in range(depth)])
    ids = np.concatenate([pieces.ids[z][1:] for z in range(depth)])
    number = _numbered(ids, between, within)
    for z in range(depth):
        out[z] = np.append(0, number[first[z]:first[z + 1]]).astype(np.uint32)[np.asarray(out[z])]
    if not options.numbered:
        for above, below in pairwise(sorted({0, *drawn, depth - 1}) if drawn else ()):
            _flood(out, slice(above, below + 1), drawn)
    if count:
        count(len(np.unique(number)))
    return out


def _flood(out: WritableArray, section: slice, drawn: Mapping[int, npt.NDArray[Any]]) -> None:
    """Between two drawn slices, what touches with several drawn ids is cut anew, by watershed from the slices themselves."""
    from scipy.ndimage import find_objects

    found = np.array(out[section])
    seeds = np.zeros(found.shape, np.int32)
    for z in {section.start, section.stop - 1} & drawn.keys():
        seeds[z - section.start] = drawn[z]
    if not seeds.any():
        return
    parts, _ = label(np.isin(found, np.unique(seeds)[1:]) & (found > 0), connectivity=26)
    for n, box in enumerate(find_objects(parts.astype(np.int32)), 1):
        mask = parts[box] == n
        if len(np.unique(seeds[box][mask & (seeds[box] > 0)])) > 1:
            cut = parted(mask, seeds[box])
            found[box][cut > 0] = cut[cut > 0]
    out[section] = found


class _Pieces:
    """What each slice fell into, as it comes back: the pixels go to `out` under the slice's own numbers."""

    def __init__(self, out: WritableArray, depth: int) -> None:
        self.out = out
        self.sizes: dict[int, Nodes] = {}
        self.ids: dict[int, Nodes] = {}
        self.links: dict[int, Links] = {}

    def __setitem__(self, z: int, result: Any) -> None:
        labels, self.ids[z], self.links[z] = result
        self.sizes[z] = np.bincount(labels.ravel(), minlength=len(self.ids[z]))
        self.out[z] = labels


def _slice(pixels: npt.NDArray[Any], z: int, *, drawn: Mapping[int, npt.NDArray[Any]], numbered: bool,
           cut: bool) -> tuple[npt.NDArray[np.uint32], Nodes, Links]:
    """The pieces of a slice from 1, the drawn id of each (0 for none, and for piece 0), and the links between them."""
    if z in drawn or numbered:
        found = drawn.get(z, pixels)
        numbers, labels = np.unique(np.append(0, found), return_inverse=True)
        ids = numbers.astype(np.int64) if z in drawn else np.zeros(len(numbers), np.int64)
        return labels[1:].reshape(found.shape).astype(np.uint32), ids, np.empty((0, 3))
    pieces, links = in_slice(pixels != 0, cut=cut)
    return pieces, np.zeros(int(pieces.max()) + 1, np.int64), links


def _between(out: WritableArray, pieces: _Pieces, first: Nodes, least: float, *, past: bool) -> Links:
    links, last = [np.empty((0, 3))], [np.asarray(out[0])]
    for z in range(1, len(first) - 1):
        last.append(np.asarray(out[z]))
        near = _overlap(last[-2], last[-1], pieces.sizes[z - 1], pieces.sizes[z])
        links.append(_shifted(near[near[:, 3] >= least, :3], first[z - 1], first[z], 0))
        if past and z > 1:
            far = _overlap(last[-3], last[-1], pieces.sizes[z - 2], pieces.sizes[z])
            links.append(_shifted(far[:, :3], first[z - 2], first[z], PAST))
        last = last[-2:]
    return np.concatenate(links)


def _overlap(above: npt.NDArray[Any], below: npt.NDArray[Any], sizes_above: Nodes, sizes_below: Nodes) -> npt.NDArray[np.float64]:
    """Rows of piece above, piece below, IoU, share of the smaller."""
    table = overlaps(above, below)
    both = np.flatnonzero((table.result > 0) & (table.truth > 0))
    a, b, voxels = table.result[both].astype(np.int64), table.truth[both].astype(np.int64), table.voxels[both]
    size_a, size_b = sizes_above[a], sizes_below[b]
    return np.column_stack([a, b, voxels / (size_a + size_b - voxels), voxels / np.minimum(size_a, size_b)])


def _shifted(links: Links, a: int, b: int, least: float) -> Links:
    """Links that are strong enough, between pieces as the stack counts them, from 0."""
    return links[links[:, 2] >= least] + [a - 1, b - 1, 0]


def _numbered(ids: Nodes, between: Links, within: Links) -> Nodes:
    """The object of each piece: its drawn id, or a number above all of them, in the order of the pieces."""
    track = _joined(ids, between)
    known = np.zeros(len(ids), np.int64)
    np.maximum.at(known, track, ids)
    tracks = _joined(known, _summed(track, within))
    np.maximum.at(known, tracks, known.copy())
    unknown = tracks[track][known[tracks[track]] == 0]
    _, where = np.unique(unknown, return_index=True)
    known[unknown[np.sort(where)]] = ids.max(initial=0) + 1 + np.arange(len(where))
    return np.asarray(known[tracks[track]])


def _summed(track: Nodes, within: Links) -> Links:
    """Necks between pieces -> contacts between tracks: what touches in many slices counts for more than what does in one."""
    pairs = np.sort(track[within[:, :2].astype(np.int64)], 1)
    both, at = np.unique(pairs, axis=0, return_inverse=True)
    return np.column_stack([both, np.bincount(at.ravel(), within[:, 2], len(both))])


def _joined(ids: Nodes, links: Links) -> Nodes:
    """The first piece that each piece is joined to, the strongest links first, never two ids (Kruskal 1956)."""
    root, known = np.arange(len(ids)).tolist(), ids.tolist()

    def find(i: int) -> int:
        while root[i] != i:
            root[i] = i = root[root[i]]
        return i

    for a, b in links[np.argsort(-links[:, 2], kind="stable"), :2].astype(np.int64).tolist():
        a, b = sorted((find(a), find(b)))
        if not (known[a] and known[b] and known[a] != known[b]):
            root[b] = a
            known[a] = known[a] or known[b]
    return np.array([find(i) for i in range(len(ids))], np.int64)
