"""What each tile asks for, as far as it is to be believed.

A tile tells where its own content went. As the slice's motion that is off by the noise (covariance noise A^-1, A the squares of its
normal equations) and by what the content moves by itself, a leaning wall, a growing organelle: a variance `own` that is read off the
steps which tiles still ask for; half of what is known is known by tiles that ask for more. The squares become the precision
(noise A^-1 + own)^-1 = (noise A + own det A) / (noise^2 + noise own tr A + own^2 det A): a few tiles of strong contrast do not outvote
the many, each of which is as likely to move with the slice (a random-effects mean, DerSimonian and Laird 1986).

The loops are compiled: as operations on arrays of a few hundred tiles they cost a fifth of a fit.
"""

from __future__ import annotations

import numpy as np

from fibsem_ij.register.models import Matrix
from fibsem_ij.register.sums import compiled

_LARGEST_GAIN = 4.0


def relight(light: Matrix, told: Matrix, trust: Matrix, of_light: Matrix, lift: Matrix) -> Matrix:
    """Gain and offset of the tiles (tiles, 2) after a step, in place, by what their pixels told; the products of each tile's own shift.

    `told` and `trust` are of `sums.weighed`, `of_light` and `lift` of the fixed level.
    """
    shift = np.empty_like(light)
    compiled(_relight)(light, told, trust, of_light, lift, shift)
    return shift


def believed(squares: Matrix, products: Matrix, noise: float) -> tuple[Matrix, Matrix]:
    """Normal equations of each tile's own shift, (tiles, 2, 2) and (tiles, 2) -> the same as far as they are to be believed."""
    steps, trace = np.empty(len(squares)), np.empty(len(squares))
    compiled(_steps)(squares, products, noise, steps, trace)
    order = np.argsort(steps)
    half = int(np.searchsorted(np.cumsum(trace[order]), trace.sum() / 2))
    own = steps[order[min(half, len(order) - 1)]] / 2
    kept = np.empty_like(squares), np.empty_like(products)
    compiled(_believed)(squares, products, noise, own, *kept)
    return kept


def _relight(light: Matrix, told: Matrix, trust: Matrix, of_light: Matrix, lift: Matrix, shift: Matrix) -> None:
    for t in range(len(light)):
        grey, one = told[t, 3], told[t, 4]
        light[t, 0] += (of_light[t, 0, 0] * grey + of_light[t, 0, 1] * one) / trust[t]
        light[t, 1] += (of_light[t, 1, 0] * grey + of_light[t, 1, 1] * one) / trust[t]
        light[t, 0] = min(max(light[t, 0], 0.0), _LARGEST_GAIN)
        for k in range(2):
            shift[t, k] = light[t, 0] * (told[t, 1 + k] - grey * lift[t, 0, k] - one * lift[t, 1, k])


def _steps(squares: Matrix, products: Matrix, noise: float, steps: Matrix, trace: Matrix) -> None:
    """The square of the step that each tile still asks for, and the trace of its squares."""
    for t in range(len(squares)):
        xx, xy, yy, x, y = squares[t, 0, 0], squares[t, 0, 1], squares[t, 1, 1], products[t, 0], products[t, 1]
        trace[t], det = xx + yy, max(xx * yy - xy**2, 0.0)  # of stripes det is 0, give or take
        size = det + 1e-3 * noise * trace[t] + 1e-6 * noise**2
        steps[t] = ((yy * x - xy * y) ** 2 + (xx * y - xy * x) ** 2) / size**2


def _believed(squares: Matrix, products: Matrix, noise: float, own: float, kept_squares: Matrix, kept_products: Matrix) -> None:
    for t in range(len(squares)):
        xx, xy, yy, x, y = squares[t, 0, 0], squares[t, 0, 1], squares[t, 1, 1], products[t, 0], products[t, 1]
        det = max(xx * yy - xy**2, 0.0)
        scale = 1 / (noise**2 + noise * own * (xx + yy) + own**2 * det)
        kept_squares[t, 0, 0], kept_squares[t, 1, 1] = scale * (noise * xx + own * det), scale * (noise * yy + own * det)
        kept_squares[t, 0, 1] = kept_squares[t, 1, 0] = scale * noise * xy
        kept_products[t, 0] = scale * (noise * x + own * (yy * x - xy * y))
        kept_products[t, 1] = scale * (noise * y + own * (xx * y - xy * x))
