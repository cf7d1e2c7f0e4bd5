"""From stacks to a trained network: what is learned from, the network of each method, the training record."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from fibsem_ij.arrays.slices import spread
from fibsem_ij.denoise import calm
from fibsem_ij.denoise.blindspot import BlindSpot
from fibsem_ij.denoise.noise import Noise
from fibsem_ij.denoise.options import Options
from fibsem_ij.denoise.stacks import Finite, Good, left_out
from fibsem_ij.denoise.supervised import Supervised
from fibsem_ij.denoise.truth import Align, Apart, Others, Scan, checked, onto, share
from fibsem_ij.denoise.variational import Variational
from fibsem_ij.learn import train as loop
from fibsem_ij.learn.network import Network, build
from fibsem_ij.learn.scale import Scale
from fibsem_ij.volume import ArrayLike

# Grey values matter: nothing may rescale them on the way. What is learned is added to a smoothed slice: added to the noisy one, it would
# have to be all of the noise again, with the other sign (1.3 dB behind after a minute, and what is flat stays grainy).
_PLAIN: dict[str, Any] = {"dropout": 0.0, "norm": "none", "smooth": 7}
_MEASURED = 16  # slices that the noise and the say of a scan in its truth are read off
_LOOKED = 5  # slices that tell whether the truth lies on the noisy stack


def fit_stack(src: ArrayLike, clean: ArrayLike | None, scans: Sequence[ArrayLike] | None, *, bad: Iterable[int],
              align: Align | None, options: Options, state: Path | None, log: Path | None,
              progress: Callable[[dict[str, Any]], None] | None) -> Network:
    _check(src, clean, scans, options)
    bad = left_out(bad, src.shape[0])
    noisy = Good(Finite(src, "the noisy stack"), bad)
    scale = Scale.of(noisy, "mean-std")
    measured = spread(noisy.shape[0], _MEASURED)
    noise = Noise.of(noisy, slices=measured)
    task, facts = _task(noisy, clean, scans, bad, align, noise, scale, options)
    name, more = ("vae", {}) if options.method == "vae" else ("unet", _PLAIN)
    config, module = build(name, seed=options.seed, inputs=2 * options.neighbours + 1, depth=options.depth, base=options.base, **more)
    if name == "unet":  # it starts with the smoothed slice, and need not learn that first
        for parameter in module.get_submodule("last").parameters():
            nn.init.zeros_(parameter)
    history = loop.train(module, task, options=_training(options), state=state, log=log, progress=progress)
    record = {"options": asdict(options), "bad": sorted(bad), "noise": asdict(noise), **facts, "history": history.plain()}
    network = Network(name, config, module, scale, f"denoise.{options.method}", voxel_nm=getattr(src, "voxel_nm", None), record=record)
    record[calm.KEY] = calm.of(network, noise, noisy, slices=measured, device=options.device)
    return network


def _task(noisy: ArrayLike, clean: ArrayLike | None, scans: Sequence[ArrayLike] | None, bad: Collection[int], align: Align | None,
          noise: Noise, scale: Scale, options: Options) -> tuple[Any, dict[str, Any]]:
    """What is trained on, and what is to be remembered of it."""
    if options.method == "supervised":
        takes, facts = _takes(noisy, clean, scans, bad, align, options.trim)
        return Supervised(takes, scale=scale, options=options, bad=() if scans else bad), facts
    kind = Variational if options.method == "vae" else BlindSpot
    return kind(noisy, noise, scale=scale, options=options, bad=bad), {}


def _takes(noisy: ArrayLike, clean: ArrayLike | None, scans: Sequence[ArrayLike] | None, bad: Collection[int],
           align: Align | None, trim: float | None) -> tuple[list[tuple[ArrayLike, ArrayLike]], dict[str, Any]]:
    if scans is not None:
        count = checked(scans)
        # NB: what aligning costs is paid once: the first scan alone is then the noisy one.
        used = range(count) if align is None else [0]
        others = [Others(scans, i, trim=trim, align=align) for i in used]
        truths: Sequence[ArrayLike] = others if align is None else [np.stack([truth[z] for z in range(len(scans))]) for truth in others]
        return [(Finite(Scan(scans, i), f"scan {i}"), truth) for i, truth in zip(used, truths, strict=True)], {"scans": count}
    truth = Good(Finite(clean, "the truth"), bad) if clean is not None else noisy
    say = share(noisy, truth, slices=spread(noisy.shape[0], _MEASURED))
    if say:  # then they are of one scan, and nothing moved
        return [(noisy, Apart(noisy, truth, say))], {"share": say}
    put = onto(noisy, truth, align, slices=spread(noisy.shape[0], _LOOKED), bad=bad) if align else truth
    return [(noisy, put)], {"share": 0.0, "moved": put is not truth}


def _training(options: Options) -> loop.Options:
    return loop.Options(seed=options.seed, minutes=options.minutes, updates=options.updates, batch=options.batch, rate=options.rate,
                        warmup=30, average=0.995, every=options.every, patience=options.patience, device=options.device)


def _check(src: ArrayLike, clean: ArrayLike | None, scans: Sequence[ArrayLike] | None, options: Options) -> None:
    if len(src.shape) != 3 or 0 in src.shape:
        raise ValueError(f"expected a noisy stack (z, y, x), got shape {tuple(src.shape)}; one slice: array[None]")
    given = [name for name, what in (("clean", clean), ("scans", scans)) if what is not None]
    if len(given) != (options.method == "supervised"):
        raise ValueError("expected one of clean and scans for the method supervised, and neither for vae and blindspot, got "
                         f"{' and '.join(given) or 'neither'} for {options.method}; choose another method, or give what it needs")
    if scans is not None and scans and scans[0].dtype != src.dtype:
        raise ValueError(f"expected scans of the noisy stack's dtype {src.dtype}, got {scans[0].dtype}; convert one of them")
    if clean is not None and tuple(clean.shape) != tuple(src.shape):
        raise ValueError(f"expected truth of the noisy stack's shape {tuple(src.shape)}, got {tuple(clean.shape)}; crop one of them")
