"""The pieces that a slice of a mask falls into, and how narrow the necks between them are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.volume import ArrayLike

Mask = npt.NDArray[np.bool_]
Links = npt.NDArray[np.float64]  # (n, 3): piece, piece, strength from 0 to 1

BUMP_PX = 0.75  # what stands out less is no piece of its own
FINE = (0.002, 0.002, 0.012)  # of the outline's pixels: a cross of 3 px, a square of 3 and a disc of 5 add more to a drawn mask
LOOK_AT = 16  # slices


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

    Closing twice is closing once, so a mask that was closed by a larger cross, disc or square does not change under the
    small one; smoothing leaves little for any of them.
    """
    import cv2

    disc = np.array([[abs(x) + abs(y) <= 2 for x in range(-2, 3)] for y in range(-2, 3)], np.uint8)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    added, outline = np.zeros(3, np.int64), 0
    down = np.linspace(0, src.shape[0] - 1, LOOK_AT // 2).astype(int)
    for z in np.union1d(down, src.shape[0] - 1 - down).tolist():  # the same slices from either end
        mask: Any = np.pad((np.asarray(src[z]) != 0).view(np.uint8), 4, mode="edge")
        closed = [cv2.morphologyEx(mask, cv2.MORPH_CLOSE, element) for element in (cross, np.ones((3, 3), np.uint8), disc)]
        added += [int((more - mask)[4:-4, 4:-4].sum()) for more in closed]
        outline += int((mask - cv2.erode(mask, cross))[4:-4, 4:-4].sum())
    return bool((added > np.array(FINE) * outline).all())
