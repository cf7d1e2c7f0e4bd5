"""Room 2: noisy -> clean.

In comes a noisy stack (z, y, x), anything with `.shape`, `.dtype` and `[]`, and truth where there is some; out goes a `Network`
(`fit`), and the clean stack, streamed (`apply`). The result has the shape and dtype of the noisy stack, and in each slice no value
beyond those the noisy slice has.

Three ways, by what there is to learn from. `supervised`: truth from repeated scans of the same fields (`truth`), or from a slow scan of
them; a small U-Net learns the mean of all that a noisy patch may be. `blindspot`: one noisy stack alone; every pixel is half hidden, and
asked for. `vae`: one noisy stack alone; a variational autoencoder whose code is too dear for noise, which also says how sure it is of
each pixel. With `neighbours` all three see the slices before and after, which hold nearly the same structure and other noise: the
largest gain there is, where slices are aligned.

What the last two cannot: take away noise that neighbouring pixels share, as in stripes, charging and slices resampled by more than
whole pixels. To them it is structure.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fibsem_ij.denoise.options import Options
from fibsem_ij.denoise.stacks import Finite
from fibsem_ij.volume import ArrayLike, WritableArray

if TYPE_CHECKING:
    from fibsem_ij.denoise.truth import Align
    from fibsem_ij.learn.network import Network
    from fibsem_ij.learn.workers import Workers

__all__ = ["Options", "apply", "fit", "score"]


def fit(src: ArrayLike, clean: ArrayLike | None = None, *, scans: Sequence[ArrayLike] | None = None, bad: Iterable[int] = (),
        align: Align | None = None, options: Options | None = None, state: Path | None = None, log: Path | None = None,
        progress: Callable[[dict[str, Any]], None] | None = None) -> Network:
    """A network that denoises `src`.

    Supervised, with one of `clean`, the truth of each slice of `src`, and `scans`, fields (scan, y, x) scanned again and again; with
    neighbours the fields are consecutive slices. `align` puts the scans of a field onto the first, and slices of `clean` onto those of
    `src` where they lie beside them, see `truth`. `bad`: slices of `src` that nothing is learned from, neither as a slice nor as a
    neighbour. `state`, `log` and `progress` are those of learn.train: with a state folder a training that was stopped goes on.
    """
    from fibsem_ij.denoise.fitting import fit_stack  # brings torch

    return fit_stack(src, clean, scans, bad=bad, align=align, options=options or Options(), state=state, log=log, progress=progress)


def apply(src: ArrayLike, network: Network, out: WritableArray | None = None, *, uncertainty: WritableArray | None = None,
          residual: WritableArray | None = None, bad: Iterable[int] = (), draws: int = 0, leave: float = 0.0, tile: int = 512,
          flips: bool = False, device: str = "auto", done: Collection[int] = (), workers: Workers | None = None,
          progress: Callable[[int, int], None] | None = None) -> Any:
    """The clean stack, slice by slice.

    Filled beside it where given, float32 in grey values: `residual`, what was taken away (it should look like noise); `uncertainty` of a
    vae, the deviation of decoded draws. `draws` of a vae: the mean of so many (8 say) instead of the decoded middle of the code.
    `leave`: a share of what would be taken away that stays, for eyes and programs that are used to grain.
    `bad`: slices that are no one's neighbours: the nearest good one stands in for them. They are denoised like the others.
    `flips`: the mean over mirrored tiles, in four times the time. `done`: slices that `out` has already. `workers`: those of a cluster
    that do it; none: this machine, with all of its GPUs.
    """
    from fibsem_ij.denoise.applying import How, apply_network

    if out is None:
        out = np.empty(src.shape, src.dtype)
    given = {"clean": out, "uncertainty": uncertainty, "residual": residual}
    apply_network(src, network, {name: sink for name, sink in given.items() if sink is not None},
                  How(draws, tile, flips, device, leave), bad=bad, done=done, workers=workers, progress=progress)
    return out


def score(result: ArrayLike, truth: ArrayLike, *, data_range: float | None = None) -> dict[str, float]:
    """How far from the truth, in its grey values; summed slice by slice, both stacks may lie on disk.

    `gradient`: the error of the gradient where the truth is steepest, at membranes. `data_range`: what PSNR and SSIM refer to; None: 255 of
    8 bits, else the span of the truth, for 16 bits are seldom filled.
    """
    from fibsem_ij.arrays import scores

    result, truth = Finite(result, "the result"), Finite(truth, "the truth")
    span = _span(truth) if data_range is None else data_range
    return {"mae": scores.mae(result, truth), "mse": scores.mse(result, truth), "psnr": scores.psnr(result, truth, data_range=span),
            "ssim": scores.ssim(result, truth, data_range=span), "gradient": scores.gradient_error(result, truth)}


def _span(truth: ArrayLike) -> float:
    if np.dtype(truth.dtype) == np.uint8:
        return 255.0
    ends = [(float(plane.min()), float(plane.max())) for plane in (np.asarray(truth[z]) for z in range(truth.shape[0]))]
    return max(high for _, high in ends) - min(low for low, _ in ends)
