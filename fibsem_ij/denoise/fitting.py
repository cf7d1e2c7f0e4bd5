"""From stacks to a trained network: what is learned from, the network of each method, the training record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from fibsem_ij.denoise import pairs
from fibsem_ij.denoise.blindspot import BlindSpot
from fibsem_ij.denoise.noise import Noise
from fibsem_ij.denoise.options import Options
from fibsem_ij.denoise.pairs import Finite
from fibsem_ij.denoise.supervised import Supervised
from fibsem_ij.denoise.truth import Align, Apart, Others, Scan, checked, share
from fibsem_ij.denoise.variational import Variational
from fibsem_ij.learn import train as loop
from fibsem_ij.learn.network import Network, build
from fibsem_ij.learn.scale import Scale
from fibsem_ij.volume import ArrayLike

_PLAIN: dict[str, Any] = {"dropout": 0.0, "norm": "none", "residual": True}  # grey values matter: nothing may rescale them on the way
_MEASURED = 16  # slices that the noise and the say of a scan in its truth are read off


def fit_stack(src: ArrayLike, clean: ArrayLike | None, scans: Sequence[ArrayLike] | None, *, align: Align | None, options: Options,
              state: Path | None, log: Path | None, progress: Callable[[dict[str, Any]], None] | None) -> Network:
    _check(src, clean, scans, options)
    noisy = Finite(src, "the noisy stack")
    scale = Scale.of(noisy, "mean-std")
    task, facts = _task(noisy, clean, scans, align, scale, options)
    name, more = ("vae", {}) if options.method == "vae" else ("unet", _PLAIN)
    config, module = build(name, seed=options.seed, inputs=2 * options.neighbours + 1, depth=options.depth, base=options.base, **more)
    if name == "unet":  # it starts by changing nothing, and need not learn that first: up to 2 dB in a short training
        for parameter in module.last.parameters():  # type: ignore[union-attr]
            nn.init.zeros_(parameter)
    history = loop.train(module, task, options=_training(options), state=state, log=log, progress=progress)
    record = {"options": asdict(options), **facts, "history": history.plain()}
    return Network(name, config, module, scale, f"denoise.{options.method}", voxel_nm=getattr(src, "voxel_nm", None), record=record)


def _task(noisy: ArrayLike, clean: ArrayLike | None, scans: Sequence[ArrayLike] | None, align: Align | None, scale: Scale,
          options: Options) -> tuple[Any, dict[str, Any]]:
    """What is trained on, and what is to be remembered of it."""
    if options.method == "supervised":
        takes, facts = _takes(noisy, clean, scans, align, options.trim)
        return Supervised(takes, scale=scale, options=options), facts
    noise = Noise.of(noisy, slices=pairs.spread(range(noisy.shape[0]), _MEASURED))
    kind = Variational if options.method == "vae" else BlindSpot
    return kind(noisy, noise, scale=scale, options=options), {"noise": asdict(noise)}


def _takes(noisy: ArrayLike, clean: ArrayLike | None, scans: Sequence[ArrayLike] | None, align: Align | None,
           trim: float | None) -> tuple[list[tuple[ArrayLike, ArrayLike]], dict[str, Any]]:
    if scans is not None:
        count = checked(scans)
        # NB: what aligning costs is paid once: the first scan alone is then the noisy one.
        used = range(count) if align is None else [0]
        others = [Others(scans, i, trim=trim, align=align) for i in used]
        truths: Sequence[ArrayLike] = others if align is None else [np.stack([truth[z] for z in range(len(scans))]) for truth in others]
        return [(Finite(Scan(scans, i), f"scan {i}"), truth) for i, truth in zip(used, truths, strict=True)], {"scans": count}
    truth = Finite(clean, "the truth") if clean is not None else noisy
    say = share(noisy, truth, slices=pairs.spread(range(noisy.shape[0]), _MEASURED))
    return [(noisy, Apart(noisy, truth, say) if say else truth)], {"share": say}


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
