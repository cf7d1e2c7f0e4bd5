"""Room 1: slices that wander -> slices that sit still.

In comes a grey stack (z, y, x), anything with `.shape`, `.dtype` and `[]`; out goes `Transforms`, one matrix a slice with
its spread and the bad slices with the reason (`fit`), and the resampled stack (`apply`).

Why this method. A pair of slices is fitted by Stochastic TurboReg (`turboreg`): coarse to fine on the grey values, many
times on random halves of the slice; the median is the fit and the spread of the runs its uncertainty. Pairs at distance
1 to `reach` are fitted, and all slices are then solved for at once (`stack`), so that errors do not add up along a
chain. Slices that resemble none of their neighbours are left out and bridged (`bad`). Any function
`(fixed, moving, *, rng) -> matrices (runs, 3, 3)` can take TurboReg's place (`pairs`): SIFT is here, Fiji's own plugins
come through the Fiji door.

What no method can: structure that truly moves through z looks like a stage that moves. Rotation, scale and stretch are
kept from winding up; a slow sideways trend is followed as if it were the stage's, unless `keep_trend` leaves all that is
slow in the specimen.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, MutableMapping
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.register.options import Options
from fibsem_ij.volume import ArrayLike, Labels, Transforms, WritableArray

if TYPE_CHECKING:
    from fibsem_ij.register.pairs import Pair, Step

__all__ = ["Options", "apply", "fit", "move", "score"]

Progress = Callable[[int, int], None]


def fit(src: ArrayLike, *, options: Options | None = None, executor: Executor | None = None, kept: MutableMapping[Step, Pair] | None = None,
        progress: Progress | None = None) -> Transforms:
    """The matrices of a stack. `progress(done, all)` counts the tasks of one stage after the other.

    `kept`: the pairs that an earlier run of the same stack and options fitted; each new one is put there as it comes.
    """
    from fibsem_ij.register.fitting import fit_stack  # brings OpenCV and SciPy

    return fit_stack(src, options or Options(), executor=executor, kept=kept, progress=progress)


def apply(src: ArrayLike, fitted: Transforms, out: WritableArray | None = None, *, interpolation: str | None = None, fill: float = 0,
          contrast: str = "none", executor: Executor | None = None, done: Collection[int] = (), progress: Progress | None = None) -> Any:
    """The stack on the canvas of `fitted`, resampled once, slice by slice.

    `interpolation`: nearest | linear | cubic; None is linear, and nearest for Labels. `contrast`: none | equalise | match
    (to the histogram of the neighbouring slices). `done`: slices that `out` has already.
    """
    from fibsem_ij.arrays.slices import map_slices
    from fibsem_ij.register.warp import MATCHED, Placed, resample

    if len(src.shape) != 3 or src.shape[0] != len(fitted):
        raise ValueError(f"expected a stack of {len(fitted)} slices, one a matrix, got shape {tuple(src.shape)}; "
                         "these transforms are of another stack")
    labels = isinstance(src, Labels)
    if labels and (interpolation not in (None, "nearest") or contrast != "none"):
        raise ValueError(f"expected labels to be moved only, got interpolation {interpolation!r} and contrast {contrast!r}; leave both out")
    shape = (len(fitted), *fitted.canvas)
    if out is None:
        out = np.empty(shape, src.dtype)
    elif tuple(out.shape) != shape or out.dtype != src.dtype:
        raise ValueError(f"expected out of shape {shape} and dtype {src.dtype}, got {tuple(out.shape)} and {out.dtype}; "
                         "make it from fitted.canvas")
    interpolation = interpolation or ("nearest" if labels else "linear")
    threads = isinstance(executor, ThreadPoolExecutor | None)
    here = out if isinstance(out, np.ndarray) and out.flags.c_contiguous and threads else None
    task = partial(resample, fitted=fitted, interpolation=interpolation, fill=fill, contrast=contrast, into=here)
    map_slices(task, src, out if here is None else Placed(here), executor=executor, done=done, progress=progress,
               neighbours=MATCHED if contrast == "match" else 0)
    return out


def move(points: npt.NDArray[Any], fitted: Transforms, z: int) -> npt.NDArray[np.float64]:
    """Points (n, 2) of x, y in raw slice z -> where `apply` puts them."""
    from fibsem_ij.register.warp import move_points

    return move_points(points, fitted.matrices[z])


def score(fitted: Transforms, truth: Transforms, *, shape: tuple[int, int] | None = None) -> dict[str, float]:
    """How far from the truth, in pixels: the mean over four corners and the centre of slices of `shape`.

    pair_px and worst_pair_px: from a slice to the next good one; drift_px: from the first good slice to the last, the error that
    accumulated. Where the stack as a whole lies does not count.
    """
    from fibsem_ij.register.warp import corner_errors

    if len(fitted) != len(truth):
        raise ValueError(f"expected the truth of {len(fitted)} slices, got {len(truth)}; these are two stacks")
    good = [z for z in range(len(fitted)) if z not in {*fitted.bad, *truth.bad}]
    if len(good) < 2:
        raise ValueError(f"expected at least two good slices to compare, got {len(good)}; mark fewer slices bad")
    height, width = shape or truth.canvas
    ours, true = fitted.matrices[good], truth.matrices[good]
    points = [(0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1), ((width - 1) / 2, (height - 1) / 2)]
    steps = corner_errors(ours[1:] @ np.linalg.inv(ours[:-1]), true[1:] @ np.linalg.inv(true[:-1]), points=points)
    whole = corner_errors(ours[-1:] @ np.linalg.inv(ours[:1]), true[-1:] @ np.linalg.inv(true[:1]), points=points)
    return {"pair_px": float(steps.mean()), "worst_pair_px": float(steps.max()), "drift_px": float(whole[0])}
