"""Stochastic TurboReg: our own estimator of the motion between two slices.

Written from Thevenaz, Ruttimann and Unser 1998 ("A pyramid approach to subpixel registration based on intensity":
coarse to fine, damped Gauss-Newton on the grey values) and Baker and Matthews 2004 (inverse compositional: what depends
on the fixed slice alone is computed once; part 3: gain and offset as free parameters, removed by their Schur complement).

- Each tile has its own gain and offset: charging, fading and shading cost nothing.
- The gain doubles as trust: in resin the grey values of one slice do not foretell the other's, the gain falls to 0, and
  the tile has no say.
- Residuals are weighted (Cauchy), so that an organelle that moved or a scratch pulls little.
- What lives in a tile moves by itself from slice to slice, so no tile is believed beyond that (`belief`): many tiles
  outvote one strong wall that leans.
- The normal equations are sums over tiles. A stochastic run takes a random half of the tiles: once the tiles are summed,
  25 runs are 25 small solves. Halves are the right size: the s.d. of the mean of a random half about the mean of all is
  the standard error of the mean of all, so the spread of the runs is the uncertainty of the registration.
- Steps are damped (Levenberg) in units of what the shift is known to: a direction that the slices say little about
  (the stretch of a slice that is resin but for one corner) stays near its start instead of running away.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from fibsem_ij.register import sums
from fibsem_ij.register.belief import believed, relight
from fibsem_ij.register.models import Index, Matrix, basis, project
from fibsem_ij.register.phase import start
from fibsem_ij.register.pyramid import Pyramid, Sampling, prepare
from fibsem_ij.register.sums import SENTINEL

_CAUCHY = 2.385  # 95 % efficiency on Gaussian residuals
SAMPLED = 12  # residuals a tile that the typical one is read off
_INTERPOLATION = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


@dataclass(frozen=True)
class TurboReg:
    """An aligner: (fixed, moving, *, rng) -> matrices (runs, 3, 3), fixed pixel -> moving pixel."""

    model: str = "affine"
    runs: int = 25
    iterations: tuple[int, ...] = (1, 2, 3, 4)  # finest level first, where one step is left to do; the last serves all coarser levels
    settling: int = 3  # steps on the coarsest level at least: the start knows whole pixels of it
    damping: float = 0.02
    sampling: Sampling = field(default_factory=Sampling)

    def prepare(self, image: npt.NDArray[np.generic]) -> Pyramid:
        return prepare(image, sampling=self.sampling)

    def __call__(self, fixed: Pyramid | npt.NDArray[np.generic], moving: Pyramid | npt.NDArray[np.generic], *,
                 rng: np.random.Generator) -> Matrix:
        fit = self.begun(fixed if isinstance(fixed, Pyramid) else self.prepare(fixed),
                         moving if isinstance(moving, Pyramid) else self.prepare(moving))
        for n, steps in self.plan(fit.fixed):
            for _ in range(steps):
                fit.move(n, *_told(fit, n))
        return fit.runs(self.runs, rng)

    def begun(self, fixed: Pyramid, moving: Pyramid) -> Fit:
        matrix = np.eye(3)
        matrix[:2, 2] = start(fixed, moving)
        return Fit(fixed, moving, self.model, self.damping, matrix, np.tile([1.0, 0.0], (len(fixed.block), 1)))

    def plan(self, fixed: Pyramid) -> Iterator[tuple[int, int]]:
        """The levels, coarsest first, and how many steps are taken on each."""
        for n in reversed(range(len(fixed.levels))):
            steps = self.iterations[min(n, len(self.iterations) - 1)]
            yield n, max(steps, self.settling) if n == len(fixed.levels) - 1 else steps


@dataclass(eq=False)
class Fit:
    """One pair under way: where it stands, and what its tiles said last."""

    fixed: Pyramid
    moving: Pyramid
    model: str
    damping: float
    matrix: Matrix
    light: Matrix  # (tiles, 2): gain and offset of each tile
    squares: Matrix = field(init=False)  # normal equations of each tile's shift: (tiles, 2, 2) ...
    products: Matrix = field(init=False)  # ... and (tiles, 2)
    step: Matrix = field(init=False)  # the last: (1, 6)

    def at_level(self, n: int) -> Matrix:
        """The matrix (2, 3) between the pixels of level n."""
        matrix: Matrix = self.matrix[:2].copy()
        matrix[:, 2] /= 2**n
        return matrix

    def move(self, n: int, scale: float, told: Matrix) -> None:
        """A step, by what the pixels of level n sum to (`sums.weighed`) and their typical residual.

        Weights enter the products pixel by pixel and the squares as the tile's mean weight: the fixed point is the same,
        and all squares come ready with the slice.
        """
        still = self.fixed.levels[n].still
        trust = told[:, 0] / still.pixels + 1e-6
        shift = relight(self.light, told, trust, still.light, still.lift)
        squares = still.squares * (trust * self.light[:, 0] ** 2)[:, None, None]
        self.squares, self.products = believed(squares, shift, scale**2)
        lever = self.fixed.lever.reshape(-1, 6)
        self.step = self._solved((lever.T @ (self.squares @ self.fixed.lever).reshape(-1, 6))[None], (self.products.ravel() @ lever)[None])
        self.matrix = self._composed(self.step)[0]

    def runs(self, count: int, rng: np.random.Generator) -> Matrix:
        """The last step taken once more by random halves of the blocks: (runs, 3, 3)."""
        lever, votes = self.fixed.lever, _halves(self.fixed.block, count, rng)
        squares = votes @ (lever.transpose(0, 2, 1) @ self.squares @ lever).reshape(-1, 36)
        products = votes @ (self.products[:, None] @ lever)[:, 0]
        return self._composed(self._solved(squares.reshape(-1, 6, 6), products) - self.step)

    def _solved(self, squares: Matrix, products: Matrix) -> Matrix:
        """Normal equations of the slice (runs, 6, 6), (runs, 6) -> six numbers of the step (runs, 6)."""
        free = basis(self.model)
        squares, products = free.T @ squares @ free, products @ free
        size = self.damping * (squares[:, 0, 0] + squares[:, 1, 1]) / 2 + 1e-9
        squares[:, 2:, 2:] += size[:, None, None] * np.eye(squares.shape[1] - 2)
        squares[:, :2, :2] += 1e-4 * size[:, None, None] * np.eye(2)
        steps: Matrix = np.linalg.solve(squares, products[:, :, None])[:, :, 0] @ free.T
        return steps

    def _composed(self, steps: Matrix) -> Matrix:
        """Inverse compositional: matrix @ step**-1, kept in the model: (runs, 3, 3)."""
        frame = self.fixed.frame
        return project(self.matrix @ np.linalg.inv(frame.from_numbers(steps)), model=self.model, frame=frame)


def weight_size(scale: float) -> float:
    """What the square of a residual is held against, in the Cauchy weight."""
    return (_CAUCHY * scale) ** 2


def typical(middle: float) -> float:
    """The residuals' standard deviation, from the median of their sizes."""
    return 1.4826 * middle + 1e-6


def _told(fit: Fit, n: int) -> tuple[float, Matrix]:
    still, moved, grid = fit.fixed.levels[n].still, fit.moving.levels[n].moving, fit.fixed.grid
    image = still.seen(cv2.warpAffine(moved, fit.at_level(n), (moved.shape[1], moved.shape[0]), flags=_INTERPOLATION,
                                      borderMode=cv2.BORDER_CONSTANT, borderValue=SENTINEL))
    light = fit.light.astype(np.float32)
    scale = typical(sums.middle(image, still.grey, light, grid, each=SAMPLED))
    return scale, sums.weighed(image, still.gx, still.gy, still.grey, light, grid, size=weight_size(scale)).astype(np.float64)


def _halves(block: Index, runs: int, rng: np.random.Generator) -> Matrix:
    """Each run's random half of the blocks, as votes of the tiles (runs, tiles). A single run takes them all.

    Neighbouring tiles see the same cell and err together, so blocks are drawn, not tiles.
    """
    if runs == 1:
        return np.ones((1, len(block)))
    blocks = int(block.max()) + 1
    order = rng.permuted(np.tile(np.arange(blocks), (runs, 1)), axis=1)
    votes: Matrix = (order < (blocks + 1) // 2).astype(np.float64)[:, block]
    return votes
