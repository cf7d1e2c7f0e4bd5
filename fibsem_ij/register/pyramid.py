"""A slice made ready for many fits: levels of half the size each, and on each the pixels worth looking at.

Everything here depends on one slice only, so it is computed once and serves every pair the slice is in: the smoothed
levels (read when the slice moves), the gradients at the chosen pixels (read when it is the fixed one, made when it first is;
Baker and Matthews 2004, "Lucas-Kanade 20 years on", inverse compositional), and the spectrum for the coarse start.

Pixels are chosen where the gradient is strong, the same number in each tile, so that one busy corner does not outvote
the rest of the slice. Level n holds every 2**n-th pixel: its pixel x lies at 2**n x.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import cv2
import numpy as np
import numpy.typing as npt
import scipy.fft

from fibsem_ij.register import sums
from fibsem_ij.register.models import Frame, Index, Matrix
from fibsem_ij.register.sums import SENTINEL, Float, Grid

COARSEST = 96  # px, the least shorter side of the last level of a large slice
_SLOW = (41, 41)  # px
TILES = 16  # along the shorter side; even, see Pyramid.block


Where = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Sampling:
    """How much of a slice a fit looks at."""

    blur_px: float = 0.7  # keeps noise and the interpolation's own blur out of the estimate
    wide_px: float = 2.5  # what is coarser than this ...
    wide_share: float = 0.9  # ... is damped: walls lean through z for many slices, grain does not
    share: float = 1.0  # of a tile's pixels: a half is a quarter faster and drifts a little more ...
    least: int = 64  # ... but at least so many
    most: int = 4096  # ... and at most: beyond it, time grows faster than the error falls


@dataclass(frozen=True, eq=False)
class Still:
    """A level as the fixed slice: its pixels as `sums` reads them, and their sums with weight 1, gain and offset eliminated."""

    where: Where | None  # (rows, cols n) flat index of the chosen pixels; None for all there are
    gx: Float  # of these pixels, as is grey: (rows, cols n), or the level as it lies
    gy: Float
    grey: Float
    pixels: int  # a tile
    squares: Matrix  # (tiles, 2, 2), of the tile's shift
    lift: Matrix  # (tiles, 2, 2): what gain and offset take off the motion's products
    light: Matrix  # (tiles, 2, 2): products of grey and 1 -> step of gain and offset

    def seen(self, image: Float) -> Float:
        """The same pixels of another picture of the level."""
        return _taken(image, self.where)


@dataclass(frozen=True, eq=False)
class Level:
    """One size of a slice."""

    moving: Float  # (y, x), SENTINEL where there is no picture
    grey: Float  # the same where nothing is empty; else what the filter made of the border
    empty: Mask | None
    scale: float  # pixels of level 0 a pixel
    grid: Grid
    sampling: Sampling

    @cached_property
    def still(self) -> Still:
        gx, gy = (cv2.Sobel(self.grey, cv2.CV_32F, *axis, scale=0.125 / self.scale) for axis in ((1, 0), (0, 1)))  # a pixel of level 0
        if self.empty is not None:
            gx[self.empty] = gy[self.empty] = 0
        where = _choose(gx, gy, self.grid, self.sampling)
        gx, gy, grey = (_taken(image, where) for image in (gx, gy, self.moving))
        pixels = (grey.shape[0] // self.grid[0]) * (grey.shape[1] // self.grid[1])
        return Still(where, gx, gy, grey, pixels, *_eliminated(sums.products(gx, gy, grey, self.grid).astype(np.float64)))


@dataclass(frozen=True, eq=False)
class Pyramid:
    frame: Frame
    levels: tuple[Level, ...]  # finest first
    spectrum: npt.NDArray[np.complex64]  # of the coarsest level
    grid: Grid
    lever: Matrix  # (tiles, 2, 6): six numbers of a motion -> what the tile moves
    block: Index  # (tiles,) the block of 2 x 2 tiles that a tile belongs to


def prepare(image: npt.NDArray[np.generic], *, sampling: Sampling) -> Pyramid:
    """A grey slice (y, x) -> its pyramid."""
    if image.ndim != 2 or min(image.shape) < 2 * TILES:
        raise ValueError(f"expected a slice (y, x) of at least {2 * TILES} x {2 * TILES} pixels, got shape {image.shape}; "
                         "nothing smaller can be aligned")
    frame = Frame((image.shape[0], image.shape[1]))
    empty = _empty_border(image)
    grey = _detail(image.astype(np.float32, copy=False), sampling)
    sizes = [grey]
    while min(sizes[-1].shape) >= 2 * COARSEST:
        sizes.append(cv2.pyrDown(sizes[-1]))
    middle, scale = _brightness(sizes[-1])
    grid = _grid(frame.shape)
    levels = []
    for n, level in enumerate(sizes):
        level -= middle
        level *= 1 / scale
        gone = None if empty is None else _at_level(empty, n, level.shape)
        levels.append(Level(level if gone is None else np.where(gone, np.float32(SENTINEL), level), level, gone, 2**n, grid, sampling))
    return Pyramid(frame, tuple(levels), _spectrum(levels[-1].moving), grid, _lever(grid, frame), _blocks(grid))


def _grid(shape: tuple[int, int]) -> Grid:
    side = min(shape) / TILES
    return round(shape[0] / side), round(shape[1] / side)


def _lever(grid: Grid, frame: Frame) -> Matrix:
    """A tile moves as its centre does."""
    y, x = ((np.arange(n) + 0.5) / n * length for n, length in zip(grid, frame.shape, strict=True))
    far_x = np.tile((x - 0.5 - frame.centre[0]) / frame.half, grid[0])
    far_y = np.repeat((y - 0.5 - frame.centre[1]) / frame.half, grid[1])
    lever = np.zeros((len(far_x), 2, 6))
    lever[:, 0, 0] = lever[:, 1, 1] = 1
    lever[:, 0, 2] = lever[:, 1, 4] = far_x
    lever[:, 0, 3] = lever[:, 1, 5] = far_y
    return lever


def _blocks(grid: Grid) -> Index:
    rows, cols = np.arange(grid[0]) // 2, np.arange(grid[1]) // 2
    block: Index = (rows[:, None] * (cols[-1] + 1) + cols).ravel()
    return block


def _detail(image: Float, sampling: Sampling) -> Float:
    half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    half = cv2.GaussianBlur(half, (0, 0), sampling.wide_px / 2)
    wide = cv2.resize(half, image.shape[::-1], interpolation=cv2.INTER_LINEAR)
    fine = cv2.GaussianBlur(image, (0, 0), sampling.blur_px)
    detail: Float = cv2.addWeighted(fine, 1.0, wide, -sampling.wide_share, 0.0, dst=fine)
    return detail


def _brightness(coarse: Float) -> tuple[float, float]:
    low, middle, high = np.percentile(coarse[::2, ::2], (2, 50, 98))
    return float(middle), float(max(high - low, 1e-6) / 4)


def _empty_border(image: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8] | None:
    """1 where the slice was filled up (a warp's border): constant and touching the edge. None where nothing is."""
    edge = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    values, counts = np.unique(edge, return_counts=True)
    fill = values[counts.argmax()]
    if counts.max() < 0.02 * len(edge):
        return None
    same = (image == fill).astype(np.uint8)
    flat = cv2.erode(same, np.ones((5, 5), np.uint8), borderType=cv2.BORDER_REPLICATE)
    if not flat.any():
        return None
    n, marks = cv2.connectedComponents(flat, connectivity=4)
    on_edge = np.unique(np.concatenate([marks[0], marks[-1], marks[:, 0], marks[:, -1]]))
    touching = np.zeros(n, np.uint8)
    touching[on_edge[on_edge > 0]] = 1
    empty = touching[marks]
    if not empty.any():
        return None
    grown: npt.NDArray[np.uint8] = cv2.dilate(empty, np.ones((11, 11), np.uint8))
    return grown


def _at_level(empty: npt.NDArray[np.uint8], n: int, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """The empty part at level n, with the filter's reach around it."""
    if n == 0:
        return empty.view(np.bool_)
    reach = np.ones((2 * 2**n + 1,) * 2, np.uint8)
    step = 2**n
    grown: npt.NDArray[np.uint8] = cv2.dilate(empty, reach)
    return grown.view(np.bool_)[::step, ::step][: shape[0], : shape[1]]


def _taken(image: Float, where: Where | None) -> Float:
    return image if where is None else image.ravel().take(where)


def _eliminated(full: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """Normal equations of each tile's shift with gain and offset eliminated (their Schur complement), from (tiles, 4, 4)."""
    light = np.asarray(np.linalg.inv(full[:, 2:, 2:] + (1e-3 * full[:, 3:, 3:] + 1e-6) * np.eye(2)), np.float64)
    lift = light @ full[:, 2:, :2]
    return full[:, :2, :2] - full[:, :2, 2:] @ lift, lift, light


def _choose(gx: Float, gy: Float, grid: Grid, sampling: Sampling) -> Where | None:
    """The pixels of strong gradient, the same number in each tile: flat indices (rows, cols n). None: all."""
    rows, cols = grid
    area = (gx.shape[0] // rows) * (gx.shape[1] // cols)
    n = min(area, max(sampling.least, min(sampling.most, int(sampling.share * area))))
    if n == area:
        return None
    every = every_pixel(gx.shape, grid)
    tiles = cv2.magnitude(gx, gy).take(every)
    some = tiles[:, ::-(-area // 256) | 1]
    rank = int(some.shape[1] * (1 - n / area))
    strong = tiles >= np.partition(some, rank, 1)[:, rank:rank + 1]
    count = np.count_nonzero(strong, 1)[:, None]
    # NB: about n pixels pass the threshold, so a few are left out or taken twice to make it n.
    nth = np.cumsum(count)[:, None] - count + np.arange(n) * count // n
    chosen: Where = every.ravel()[np.flatnonzero(strong)[nth]]
    return chosen.reshape(rows, cols * n)


@lru_cache(8)
def every_pixel(shape: tuple[int, int], grid: Grid) -> Where:
    """All pixels of each tile (tiles, n). What the tiles do not cover, less than a pixel a tile, is left out."""
    (rows, cols), height, width = grid, shape[0] // grid[0], shape[1] // grid[1]
    flat = np.arange(shape[0] * shape[1], dtype=np.int32).reshape(shape)[:rows * height, :cols * width]
    every: Where = np.ascontiguousarray(flat.reshape(rows, height, cols, width).swapaxes(1, 2)).reshape(rows * cols, -1)
    every.setflags(write=False)
    return every


def _spectrum(grey: Float) -> npt.NDArray[np.complex64]:
    """The spectrum of a small slice, its slow brightness removed and its edge faded out."""
    filled = np.where(grey > SENTINEL / 10, grey, np.float32(0))
    filled -= cv2.blur(filled, _SLOW)
    filled *= _fade(grey.shape)
    spectrum: npt.NDArray[np.complex64] = scipy.fft.rfft2(filled)
    return spectrum


@lru_cache(2)
def _fade(shape: tuple[int, int]) -> Float:
    fade = np.outer(np.hanning(shape[0]), np.hanning(shape[1])).astype(np.float32)
    fade.setflags(write=False)
    return fade
