"""Nuclei the classical way: outlines in each slice that look like ellipses, gathered through z.

Gaussian blur, adaptive Gaussian threshold, morphological gradient with an elliptic element, contours with their hierarchy
(Suzuki and Abe 1985); of nested outlines that fit, the outer one is kept. An outline counts where it is about an ellipse
of the size asked for. Centroids of neighbouring slices that lie close are one nucleus. Sizes are nm (diameters of a
circle of the same area), px where no voxel size is known; the filter sizes are those of the published protocol, in px.

Slices are looked at one by one, and only outlines are kept. `crops` cuts every nucleus out at a constant size, with the
offset that `put_back` needs to put a result into the full volume again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
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


@dataclass(frozen=True)
class Options:
    least: float = 3000.0  # diameter in nm, or in px where no voxel size is known
    most: float = 15000.0
    blur_px: int = 11
    block_px: int = 101  # of the adaptive threshold
    offset: float = 2.0  # grey levels below the local mean that count as dark
    gradient_px: int = 7
    round: float = 0.8  # share of the outline's area and its fitted ellipse's that both have
    move: float = 0.25  # of the diameter, that a centroid may move from slice to slice
    gap: int = 2  # slices that may miss an outline
    slices: int = 3  # a nucleus is seen in so many

    def __post_init__(self) -> None:
        odd = (self.blur_px, self.block_px, self.gradient_px)
        if any(n < 3 or n % 2 == 0 for n in odd):
            raise ValueError(f"expected odd sizes of 3 or more for blur_px, block_px and gradient_px, got {odd}")
        if not 0 < self.least < self.most or not 0 < self.round <= 1:
            raise ValueError(f"expected 0 < least < most and a share round, got {self}")


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
    voxel = getattr(src, "voxel_nm", None)
    pixel = (voxel[1] * voxel[2]) ** 0.5 if voxel else 1.0
    found: dict[int, list[Outline]] = {}
    work = partial(outlines, options=options, least_px=options.least / pixel, most_px=options.most / pixel)
    map_slices(work, src, found, executor=executor, progress=progress)
    return _gathered(found, options)


def outlines(grey: npt.NDArray[Any], z: int = 0, *, options: Options, least_px: float, most_px: float) -> list[Outline]:
    """The outlines of a slice that may be nuclei; of nested ones the outer."""
    import cv2

    grey8 = grey if grey.dtype == np.uint8 else cv2.normalize(grey.astype(np.float32), None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    blurred = cv2.GaussianBlur(grey8, (options.blur_px, options.blur_px), 0)
    dark = cv2.adaptiveThreshold(blurred, 255, cv2.ADAPTIVE_THRESH_GAUSSIAN_C, cv2.THRESH_BINARY_INV, options.block_px, options.offset)
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (options.gradient_px, options.gradient_px))
    edges = cv2.morphologyEx(dark, cv2.MORPH_GRADIENT, element)
    contours, hierarchy = cv2.findContours(edges, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    fits = [_is_elliptic(c, options.round, least_px, most_px) for c in contours]
    kept = []
    for n, contour in enumerate(contours):
        above = hierarchy[0][n][3]
        while above >= 0 and not fits[above]:
            above = hierarchy[0][above][3]
        if fits[n] and above < 0:
            kept.append(_shrunk(contour, element))
    return kept


def _shrunk(contour: npt.NDArray[np.int32], element: npt.NDArray[np.uint8]) -> Outline:
    """The gradient's rim lies half its element outside of the edge."""
    import cv2

    inside, low = _filled(contour)
    smaller, _ = cv2.findContours(cv2.erode(inside, element), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return np.asarray(max(smaller, key=cv2.contourArea)[:, 0] + low, np.int32) if smaller else contour[:, 0]


def _is_elliptic(contour: npt.NDArray[np.int32], share: float, least_px: float, most_px: float) -> bool:
    import cv2

    area = cv2.contourArea(contour)
    if len(contour) < 5 or not least_px <= (4 * area / pi) ** 0.5 <= most_px:
        return False
    (x, y), axes, angle = cv2.fitEllipse(contour)
    inside, low = _filled(contour)
    ellipse = cv2.ellipse(np.zeros_like(inside), ((x - low[0], y - low[1]), axes, angle), 1, cv2.FILLED)
    both = np.count_nonzero(inside & ellipse)
    return bool(both >= share * max(np.count_nonzero(inside), pi / 4 * axes[0] * axes[1]))


def _filled(contour: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """The contour drawn in its box with a margin of 1 px, and the box's corner (x, y)."""
    import cv2

    low = contour[:, 0].min(0) - 1
    width, height = (contour[:, 0].max(0) - low + 2).tolist()
    return cv2.drawContours(np.zeros((height, width), np.uint8), [contour - low], 0, 1, cv2.FILLED), low


def _gathered(found: dict[int, list[Outline]], options: Options) -> list[Nucleus]:
    """Outlines of neighbouring slices -> nuclei, the closest centroids first."""
    nuclei: list[dict[int, Outline]] = []
    for z in sorted(found):
        near = []
        for n, outline in enumerate(found[z]):
            for m, nucleus in enumerate(nuclei):
                last = max(nucleus)
                if z - last <= options.gap + 1:
                    far = float(np.linalg.norm(_middle(outline) - _middle(nucleus[last])))
                    if far <= options.move * _diameter(nucleus[last]) * (z - last):
                        near.append((far, n, m))
        taken: set[int] = set()
        grown: set[int] = set()
        for _, n, m in sorted(near):
            if n not in taken and m not in grown:
                nuclei[m][z] = found[z][n]
                taken.add(n)
                grown.add(m)
        nuclei += [{z: outline} for n, outline in enumerate(found[z]) if n not in taken]
    return [Nucleus(nucleus) for nucleus in nuclei if len(nucleus) >= options.slices]


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


def crops(src: ArrayLike, nuclei: list[Nucleus], *, size_px: int = 1700) -> Iterator[tuple[int, tuple[int, int, int], npt.NDArray[Any]]]:
    """Number, offset (z, y, x) and pixels of each nucleus, size_px x size_px; moved inwards at the border, smaller in a smaller stack."""
    if size_px < 1:
        raise ValueError(f"expected crops of 1 px or more, got {size_px}; leave it out for 1700")
    for number, nucleus in enumerate(nuclei, 1):
        first, last = min(nucleus.outlines), max(nucleus.outlines)
        y, x = (max(0, min(round(c - size_px / 2), n - size_px)) for c, n in zip(nucleus.centre[1:], src.shape[1:], strict=True))
        yield number, (first, y, x), np.stack([np.asarray(src[z])[y:y + size_px, x:x + size_px] for z in range(first, last + 1)])


def put_back(crop: npt.NDArray[Any], offset: tuple[int, int, int], out: WritableArray) -> None:
    """Write a result of `crops` where it was cut; its zeros leave what is there."""
    z0, y, x = offset
    for z, pixels in enumerate(crop, z0):
        whole = np.array(out[z])
        window = whole[y:y + pixels.shape[0], x:x + pixels.shape[1]]
        window[pixels != 0] = pixels[pixels != 0]
        out[z] = whole
