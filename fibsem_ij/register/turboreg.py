"""Stochastic TurboReg: our own estimator of the motion between two slices.

Written from Thevenaz, Ruttimann and Unser 1998 ("A pyramid approach to subpixel registration based on intensity":
coarse to fine, damped Gauss-Newton on the grey values) and Baker and Matthews 2004 (inverse compositional: what depends
on the fixed slice alone is computed once; part 3: gain and offset as free parameters, removed by their Schur complement).

- Each tile has its own gain and offset: charging, fading and shading cost nothing.
- The gain doubles as trust: in resin the grey values of one slice do not foretell the other's, the gain falls to 0, and
  the tile has no say.
- Residuals are weighted (Cauchy), so that an organelle that moved or a scratch pulls little.
- What lives in a tile moves by itself from slice to slice, so no tile is believed beyond that (a random-effects mean,
  DerSimonian and Laird 1986): many tiles outvote one strong wall that leans.
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
from fibsem_ij.register.models import Index, Matrix, basis, project
from fibsem_ij.register.phase import start
from fibsem_ij.register.pyramid import SENTINEL, Pyramid, Sampling, prepare
from fibsem_ij.register.sums import Float

_CAUCHY = 2.385  # 95 % efficiency on Gaussian residuals
_LARGEST_GAIN = 4.0
SAMPLED = 12  # residuals a tile that the typical one is read off
_INTERPOLATION = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


@dataclass(frozen=True)
class TurboReg:
    """An aligner: (fixed, moving, *, rng) -> matrices (runs, 3, 3), fixed pixel -> moving pixel."""

    model: str = "affine"
    runs: int = 25
    iterations: tuple[int, ...] = (1, 2, 3, 4)  # finest level first, where one step is left to do; the last serves all coarser levels
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
        return ((n, self.iterations[min(n, len(self.iterations) - 1)]) for n in reversed(range(len(fixed.levels))))


@dataclass(eq=False)
class Fit:
    """One pair under way: where it stands, and what its tiles said last."""

    fixed: Pyramid
    moving: Pyramid
    model: str
    damping: float
    matrix: Matrix
    light: Matrix  # (tiles, 2): gain and offset of each tile
    squares: Matrix = field(init=False)  # normal equations of each tile: (tiles, 6, 6) ...
    products: Matrix = field(init=False)  # ... and (tiles, 6)
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
        still, lever = self.fixed.levels[n], self.fixed.lever
        trust, products = told[:, 0] / still.where.shape[1] + 1e-6, told[:, 1:]
        self.light += (still.light @ products[:, 2:, None])[:, :, 0] / trust[:, None]
        np.clip(self.light[:, 0], 0, _LARGEST_GAIN, out=self.light[:, 0])
        gain = self.light[:, 0, None]
        shift = gain * (products[:, :2] - (products[:, None, 2:] @ still.lift)[:, 0])
        squares, shift = _believed(still.squares * (trust[:, None] * gain**2)[:, :, None], shift, scale**2)
        self.squares, self.products = lever.transpose(0, 2, 1) @ squares @ lever, (shift[:, None] @ lever)[:, 0]
        self.step = self._solved(np.ones((1, len(gain))))
        self.matrix = self._composed(self.step)[0]

    def runs(self, count: int, rng: np.random.Generator) -> Matrix:
        """The last step taken once more by random halves of the blocks: (runs, 3, 3)."""
        return self._composed(self._solved(_halves(self.fixed.block, count, rng)) - self.step)

    def _solved(self, votes: Matrix) -> Matrix:
        """Votes of the tiles (runs, tiles) -> six numbers of the step (runs, 6)."""
        free = basis(self.model)
        squares = free.T @ (votes @ self.squares.reshape(len(self.squares), 36)).reshape(-1, 6, 6) @ free
        products = votes @ self.products @ free
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
    still, moved = fit.fixed.levels[n], fit.moving.levels[n].moving
    warped = cv2.warpAffine(moved, fit.at_level(n), (moved.shape[1], moved.shape[0]), flags=_INTERPOLATION,
                            borderMode=cv2.BORDER_CONSTANT, borderValue=SENTINEL)
    seen = warped, still.where, still.columns, fit.light.astype(np.float32)
    scale = typical(_middle(np.abs(sums.sample(*seen, each=SAMPLED))))
    return scale, sums.weighed(*seen, size=weight_size(scale)).astype(np.float64)


def _middle(values: Float) -> float:
    return float(np.partition(values.ravel(), values.size // 2)[values.size // 2])


def _believed(squares: Matrix, products: Matrix, noise: float) -> tuple[Matrix, Matrix]:
    """Normal equations of each tile's own shift, (tiles, 2, 2) and (tiles, 2) -> the same as far as they are to be believed.

    A tile tells where its own content went. As the slice's motion that is off by the noise (covariance noise A^-1, A the
    squares) and by what the content moves by itself, a leaning wall, a growing organelle: a variance `own` that is read
    off the steps which tiles still ask for; half of what is known is known by tiles that ask for more. The squares become
    the precision (noise A^-1 + own)^-1 = (noise A + own det A) / (noise^2 + noise own tr A + own^2 det A): a few tiles of
    strong contrast do not outvote the many, each of which is as likely to move with the slice.
    """
    xx, xy, yy = squares[:, 0, 0], squares[:, 0, 1], squares[:, 1, 1]
    trace, det = xx + yy, np.maximum(xx * yy - xy**2, 0)  # of stripes det is 0, give or take
    x, y = products.T
    turned = np.stack([yy * x - xy * y, xx * y - xy * x], axis=1)  # adj A times the products
    steps = (turned**2).sum(1) / (det + 1e-3 * noise * trace + 1e-6 * noise**2) ** 2
    order = np.argsort(steps)
    half = int(np.searchsorted(np.cumsum(trace[order]), trace.sum() / 2))
    own = steps[order[min(half, len(order) - 1)]] / 2
    scale = 1 / (noise**2 + noise * own * trace + own**2 * det)
    eye = (own * det * scale)[:, None, None] * np.eye(2)
    return (noise * scale)[:, None, None] * squares + eye, scale[:, None] * (noise * products + own * turned)


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
