"""What the probabilities of a slice show: where cells are, and the parts of them that no boundary covers.

A pixel is a cell's where interior and boundary together reach the threshold: at a membrane's rim each is about a half.
It is inner where interior outweighs boundary, so that their noise is averaged; the slices on either side count a little.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from fibsem_ij.objects.cells.options import Options

Grey = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Seen = tuple[Mask, Mask]  # cells, inner

SMOOTH_PX = 0.5
HERE = 4  # how much a slice weighs beside each neighbour


def look(around: list[tuple[Grey, Grey]], options: Options) -> Seen:
    """Cells and inner parts in the middle of three slices, each given by interior and boundary."""
    above, here, below = (cv2.subtract(interior, boundary, dtype=cv2.CV_16S) for interior, boundary in around)
    cells = cv2.add(*around[1]) >= options.inside * 255
    inner = cv2.GaussianBlur(above + HERE * here + below, (3, 3), SMOOTH_PX) > 0
    return np.asarray(cells), np.asarray(cells & inner)
