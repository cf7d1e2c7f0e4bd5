"""The pieces that a slice of a mask falls into, and how narrow the necks between them are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.volume import ArrayLike

Mask = npt.NDArray[np.bool_]
Links = npt.NDArray[np.float64]  # (n, 3): piece, piece, strength from 0 to 1

BUMP_PX = 0.75  # what stands out less is no piece of its own
FINE = 0.0002  # of the outline's pixels, which closing adds at least to a mask that was not closed
LOOK_AT = 32  # slices
# Rows of half widths. What larger crosses, squares, discs and ellipses close, one of these leaves as it is.
CLOSINGS = ((0, 1, 0), (1, 1, 1), (0, 1, 2, 1, 0), (0, 2, 2, 2, 0), (0, 2, 2, 3, 2, 2, 0))
MARGIN = 4


def in_slice(mask: Mask, *, cut: bool) -> tuple[npt.NDArray[np.uint32], Links]:
    """Regions, or with `cut` the parts of them between necks; the strength of a link is neck / narrower part."""
    import cv2

    if not cut:
        return cv2.connectedComponents(mask.view(np.uint8), connectivity=4, ltype=cv2.CV_32S)[1].astype(np.uint32), np.empty((0, 3))
    from skimage.morphology import local_maxima, reconstruction
    from skimage.segmentation import watershed

    depth = cv2.distanceTransform(np.pad(mask, 1).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    depth = np.sqrt(np.rint(depth * depth))  # NB: OpenCV's differ in the last bit from call to call; squares are whole
    flat = reconstruction(np.maximum(depth - np.float32(BUMP_PX), 0), depth)
    seeds = cv2.connectedComponents((local_maxima(flat, connectivity=2) & mask).view(np.uint8), connectivity=8)[1]
    labels = watershed(-depth, seeds, mask=mask, connectivity=1).astype(np.uint32)
    return labels, _necks(labels, depth)


def _necks(labels: npt.NDArray[np.uint32], depth: npt.NDArray[np.float32]) -> Links:
    """A neck is as wide as the deepest point of the contact."""
    width = np.zeros(int(labels.max()) + 1)
    np.maximum.at(width, labels.ravel(), depth.ravel())
    pairs, necks = [], []
    for a, b, da, db in ((labels[:-1], labels[1:], depth[:-1], depth[1:]), (labels[:, :-1], labels[:, 1:], depth[:, :-1], depth[:, 1:])):
        touch = (a != b) & (a > 0) & (b > 0)
        pairs.append(np.sort(np.stack([a[touch], b[touch]], 1), 1))
        necks.append(np.minimum(da[touch], db[touch]))
    both, at = np.unique(np.concatenate(pairs), axis=0, return_inverse=True)
    neck = np.zeros(len(both))
    np.maximum.at(neck, at.ravel(), np.concatenate(necks))
    narrower = np.minimum(*width[both].T)
    return np.column_stack([both, neck / narrower]) if len(both) else np.empty((0, 3))


def is_fine(src: ArrayLike) -> bool:
    """Whether closing would change the outlines, so that contacts are the mask's own.

    Closing twice is closing once, and closing by a disc is closing by all smaller ones that make it up: so a mask that was
    closed does not change under one of them, to the pixel, however smooth or ragged it was, and any other changes under all.
    """
    import cv2

    elements = [np.array([[abs(x) <= half for x in range(-(len(rows) // 2), len(rows) // 2 + 1)] for half in rows], np.uint8)
                for rows in CLOSINGS]
    added, outline = np.zeros(len(elements), np.int64), 0
    down = np.linspace(0, src.shape[0] - 1, LOOK_AT // 2).astype(int)
    for z in np.union1d(down, src.shape[0] - 1 - down).tolist():  # the same slices from either end
        mask: Any = (np.asarray(src[z]) != 0).view(np.uint8)
        inside = tuple(slice(MARGIN, n - MARGIN) for n in mask.shape)  # NB: programs differ in what they think lies beyond the border
        added += [int((cv2.morphologyEx(mask, cv2.MORPH_CLOSE, element) - mask)[inside].sum()) for element in elements]
        outline += int((mask - cv2.erode(mask, elements[0]))[inside].sum())
    return bool((added > FINE * outline).all())
