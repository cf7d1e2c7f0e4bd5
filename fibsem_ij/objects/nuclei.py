"""Nuclei the classical way: outlines in each slice that look like ellipses, gathered through z.

Gaussian blur, adaptive Gaussian threshold, morphological gradient with an elliptic element, contours with their hierarchy
(Suzuki and Abe 1985), outlines that are about an ellipse of the size asked for, centroids that lie close in z made one
nucleus, past slices that miss it. Sizes are nm (diameters of a circle of the same area), px where no voxel size is known;
the filter sizes are those of the published protocol, in px.

What a slice alone cannot tell from a nucleus is a cell around it, a nucleolus in it, a profile beside it. So the threshold
is taken at several levels, for an envelope is seldom closed at any one of them; an outline is the convex hull of its
contour, without the folds; the slice goes on beyond its sides as in a mirror, so that a nucleus that they cut is about an
ellipse too; and what is no nucleus is left to z: it has to last for `lasting` of its diameter, its profile along z (slices times
diameter) has to have the `profile` of the smallest nucleus, and of what lies in one another that which lasts longest stays.

Slices are looked at one by one, and only outlines are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from math import pi
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.slices import map_slices
from fibsem_ij.volume import ArrayLike, WritableArray

Outline = npt.NDArray[np.int32]  # (n, 2): x, y
ALIKE = 1.4  # times the diameter, outlines of one nucleus in neighbouring slices


@dataclass(frozen=True)
class Options:
    least: float = 3000.0  # diameter in nm, or in px where no voxel size is known
    most: float = 15000.0
    blur_px: int = 11
    block_px: int = 101  # of the adaptive threshold
    offsets: tuple[float, ...] = (6.0, 10.0, 14.0)  # grey levels below the local mean that count as dark
    gradient_px: int = 7
    round: float = 0.8  # share of the outline's area and its fitted ellipse's that both have
    move: float = 0.2  # of the diameter, that a centroid may move from slice to slice
    gap: float = 0.3  # of the diameter, through which slices may miss it
    lasting: float = 0.3  # of its median diameter, through which a nucleus is seen; half as much where the stack's end cuts it
    profile: float = 1.0  # slices that show it times their median diameter, in squares of `least`; half as much there too

    def __post_init__(self) -> None:
        odd = (self.blur_px, self.block_px, self.gradient_px)
        if any(n < 3 or n % 2 == 0 for n in odd):
            raise ValueError(f"expected odd sizes of 3 or more for blur_px, block_px and gradient_px, got {odd}")
        if not 0 < self.least < self.most:
            raise ValueError(f"expected 0 < least < most, got {self.least:g} and {self.most:g}; they are diameters")
        if not 0 < self.round <= 1 or not self.offsets or min(self.lasting, self.profile) < 0:
            raise ValueError(f"expected a share round, some offsets, lasting and profile of 0 or more, got {self}")


@dataclass(frozen=True, eq=False)
class Nucleus:
    outlines: dict[int, Outline]  # z -> outline

    @property
    def centre(self) -> tuple[float, float, float]:
        """(z, y, x)"""
        z = np.mean(list(self.outlines))
        x, y = np.mean([outline.mean(0) for outline in self.outlines.values()], 0)
        return (float(z), float(y), float(x))


def find(src: ArrayLike, *, options: Options | None = None, executor: Executor | None = None,
         progress: Callable[[int, int], None] | None = None) -> list[Nucleus]:
    """The nuclei of a grey stack, in the order in which z meets them."""
    options = options or Options()
    voxel = getattr(src, "voxel_nm", None) or (1.0, 1.0, 1.0)
    pixel = (voxel[1] * voxel[2]) ** 0.5
    if options.least / pixel > max(src.shape[1:]):
        raise ValueError(f"expected nuclei that a slice of {src.shape[1]} x {src.shape[2]} pixels can show, got a least diameter of "
                         f"{options.least / pixel:.0f} pixels; give the voxel size, or least and most in pixels")
    found: dict[int, list[Outline]] = {}
    work = partial(outlines, options=options, least_px=options.least / pixel, most_px=options.most / pixel)
    map_slices(work, src, found, executor=executor, progress=progress)
    flat = pixel / voxel[0]
    nuclei = _gathered(found, options.move, options.gap * flat)
    return _alone([n for n in nuclei if _lasts(n, src.shape[0], options.least / pixel, options, flat)])


def outlines(grey: npt.NDArray[Any], z: int = 0, *, options: Options, least_px: float, most_px: float) -> list[Outline]:
    """The outlines of a slice that may be nuclei, those that are most like ellipses first; each once."""
    import cv2

    grey8 = grey if grey.dtype == np.uint8 else cv2.normalize(grey.astype(np.float32), None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    beyond = min(round(most_px / 2), min(grey8.shape) - 1)
    grey8 = cv2.copyMakeBorder(grey8, beyond, beyond, beyond, beyond, cv2.BORDER_REFLECT_101)
    blurred = cv2.GaussianBlur(grey8, (options.blur_px, options.blur_px), 0)
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (options.gradient_px, options.gradient_px))
    fits: list[tuple[float, Outline]] = []
    for offset in options.offsets:
        dark = cv2.adaptiveThreshold(blurred, 255, cv2.ADAPTIVE_THRESH_GAUSSIAN_C, cv2.THRESH_BINARY_INV, options.block_px, offset)
        contours, hierarchy = cv2.findContours(cv2.morphologyEx(dark, cv2.MORPH_GRADIENT, element), cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
        for contour, is_hole in zip(contours, _holes(hierarchy), strict=True):
            outline = _edge(contour, element, is_hole, least_px, most_px)
            if len(outline) and (share := _roundness(outline)) >= options.round:
                here = _within(outline - beyond, grey.shape)
                fits += [(share, here)] if len(here) else []
    kept: list[Outline] = []
    for _, outline in sorted(fits, key=lambda fit: (-fit[0], fit[1].tolist())):
        if not any(_alike(outline, other, options.move) for other in kept):
            kept.append(outline)
    return kept


def _within(outline: Outline, shape: tuple[int, ...]) -> Outline:
    """What the field shows of an outline; nothing of one that has its middle beyond, in the mirror."""
    high = np.array(shape[::-1]) - 1
    middle = _middle(outline)
    seen = bool(((middle >= -1) & (middle <= high + 1)).all())  # NB: a pixel more, for what the side halves
    return np.clip(outline, 0, high).astype(np.int32) if seen else outline[:0]


def _holes(hierarchy: npt.NDArray[np.int32] | None) -> list[bool]:
    """Which contours are the inner rims of an edge: those inside of an outer rim."""
    parents = hierarchy[0][:, 3].tolist() if hierarchy is not None else []
    holes: list[bool] = []
    for n in range(len(parents)):
        depth, above = 0, parents[n]
        while above >= 0:
            depth, above = depth + 1, parents[above]
        holes.append(depth % 2 == 1)
    return holes


def _edge(contour: npt.NDArray[np.int32], element: npt.NDArray[np.uint8], is_hole: bool, least_px: float, most_px: float) -> Outline:
    """The convex hull of a contour, moved to the edge, which lies in the middle of the gradient's rim; empty if not of the size."""
    import cv2

    hull, nothing, wide = cv2.convexHull(contour), np.empty((0, 2), np.int32), len(element)
    if not least_px - 2 * wide <= _diameter(hull[:, 0]) <= most_px + 2 * wide:  # what moving cannot mend
        return nothing
    low = hull[:, 0].min(0) - wide
    width, height = (hull[:, 0].max(0) - low + 1 + wide).tolist()
    inside = cv2.drawContours(np.zeros((height, width), np.uint8), [hull - low], 0, 1, cv2.FILLED)
    moved, _ = cv2.findContours((cv2.dilate if is_hole else cv2.erode)(inside, element), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    edge = np.asarray(max(moved, key=cv2.contourArea)[:, 0] + low, np.int32) if moved else nothing
    return edge if len(edge) >= 5 and least_px <= _diameter(edge) <= most_px else nothing


def _roundness(outline: Outline) -> float:
    """Of the area that the outline or its fitted ellipse has, how much both have."""
    import cv2

    low = outline.min(0) - 1
    width, height = (outline.max(0) - low + 2).tolist()
    inside = cv2.drawContours(np.zeros((height, width), np.uint8), [(outline - low)[:, None]], 0, 1, cv2.FILLED)
    (x, y), axes, angle = cv2.fitEllipse(outline[:, None])
    ellipse = cv2.ellipse(np.zeros_like(inside), ((x - low[0], y - low[1]), axes, angle), 1, cv2.FILLED)
    return float(np.count_nonzero(inside & ellipse) / np.count_nonzero(inside | ellipse))


def _alike(a: Outline, b: Outline, move: float) -> bool:
    """Whether two outlines may be one: near and of about the same size."""
    small, large = sorted((_diameter(a), _diameter(b)))
    return large <= ALIKE * small and float(np.linalg.norm(_middle(a) - _middle(b))) <= move * small


def _gathered(found: dict[int, list[Outline]], move: float, gap: float) -> list[Nucleus]:
    """Outlines of neighbouring slices -> nuclei, the closest centroids first."""
    nuclei: list[dict[int, Outline]] = []
    for z in sorted(found):
        ends = {n: nucleus[max(nucleus)] for n, nucleus in enumerate(nuclei)}
        ends = {n: last for n, last in ends.items() if z - max(nuclei[n]) <= 1 + gap * _diameter(last)}
        near = [(float(np.linalg.norm(_middle(outline) - _middle(last))), n, m)
                for n, outline in enumerate(found[z]) for m, last in ends.items() if _alike(outline, last, move)]
        taken: set[int] = set()
        grown: set[int] = set()
        for _, n, m in sorted(near):
            if n not in taken and m not in grown:
                nuclei[m][z] = found[z][n]
                taken.add(n)
                grown.add(m)
        nuclei += [{z: outline} for n, outline in enumerate(found[z]) if n not in taken]
    return [Nucleus(nucleus) for nucleus in nuclei]


def _lasts(nucleus: Nucleus, depth: int, least_px: float, options: Options, flat: float) -> bool:
    """Whether what the field shows of it is large enough, and seen through enough slices, each `1 / flat` px thick."""
    cut = (min(nucleus.outlines) == 0) + (max(nucleus.outlines) == depth - 1)
    wide = [_diameter(outline) for outline in nucleus.outlines.values()]
    median, long = float(np.median(wide)), len(wide) / flat * 2**cut
    return max(wide) >= least_px and bool(long >= options.lasting * median and long * median >= options.profile * least_px**2)


def _alone(nuclei: list[Nucleus]) -> list[Nucleus]:
    """Of nuclei that lie in one another, the one that lasts longest."""
    kept: list[int] = []
    for n in sorted(range(len(nuclei)), key=lambda n: -len(nuclei[n].outlines)):
        if not any(_shared(nuclei[n], nuclei[m]) for m in kept):
            kept.append(n)
    return [nuclei[n] for n in sorted(kept)]


def _shared(small: Nucleus, large: Nucleus) -> bool:
    import cv2

    both = small.outlines.keys() & large.outlines.keys()
    inside = sum(cv2.pointPolygonTest(a[:, None], _middle(b).tolist(), False) >= 0 for z in both
                 for a, b in ((large.outlines[z], small.outlines[z]), (small.outlines[z], large.outlines[z])))
    return bool(inside >= len(small.outlines) / 2)


def _middle(outline: Outline) -> npt.NDArray[np.float64]:
    import cv2

    m = cv2.moments(outline[:, None])
    return np.asarray(np.array([m["m10"], m["m01"]]) / max(m["m00"], 1e-9))


def _diameter(outline: Outline) -> float:
    import cv2

    return float(2 * (cv2.contourArea(outline[:, None]) / pi) ** 0.5)


def draw(nuclei: list[Nucleus], out: WritableArray) -> None:
    """Fill `out` with the nuclei, numbered from 1; a slice that missed one shows the outline before it."""
    import cv2

    for z in range(out.shape[0]):
        labels = np.zeros(out.shape[1:], np.int32)
        for number, nucleus in enumerate(nuclei, 1):
            if min(nucleus.outlines) <= z <= max(nucleus.outlines):
                at = max(k for k in nucleus.outlines if k <= z)
                cv2.drawContours(labels, [nucleus.outlines[at][:, None]], 0, number, cv2.FILLED)
        out[z] = labels.astype(out.dtype)
