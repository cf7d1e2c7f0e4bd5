"""What a network is asked to make small. Raw output in (logits; no loss asks for an activation before it), one number out.

Truth is class numbers (b, y, x), or a target a channel (b, c, y, x) where classes overlap. The channels of a softmax are the classes
0, 1, ...; those of a sigmoid 1, 2, ..., since 0 is none of them. A truth value in `ignore` takes its pixels out of the loss: not drawn,
or a class such as the outside of the specimen. Where nothing is left the loss is 0. Output in half precision is raised to float32 first.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

_SMOOTH_PX = 1.0  # NB: without it a class that is not in the batch divides 0 by 0


def dice(raw: Tensor, truth: Tensor, *, activation: str = "softmax", weights: Sequence[float] | None = None,
         ignore: Sequence[int] = ()) -> Tensor:
    """1 - 1/c * sum of weight_i * Dice_i over the c channels, each Dice over all pixels of the batch (Milletari et al. 2016).

    `activation`: softmax, or sigmoid for channels that know nothing of each other. Published weights for background,
    mitochondria, membrane, endoplasmic reticulum: .1, .7, 1.0, .9; None: all 1.
    """
    if activation not in ("softmax", "sigmoid"):
        raise ValueError(f"expected an activation of softmax, sigmoid, got {activation!r}; choose one of them")
    values = raw.float()
    shares = values.softmax(1) if activation == "softmax" else values.sigmoid()
    target, counts = _channels(truth, raw.shape[1], ignore, first=0 if activation == "softmax" else 1)
    both, all_ = ((counts * pair).sum((0, 2, 3)) for pair in (shares * target, shares + target))
    each = (2 * both + _SMOOTH_PX) / (all_ + _SMOOTH_PX)  # (c,)
    return 1 - (each * _weights(weights, raw)).mean()


def cross_entropy(raw: Tensor, truth: Tensor, *, weights: Sequence[float] | None = None, ignore: Sequence[int] = ()) -> Tensor:
    """Of softmax against class numbers: the mean over the pixels that count, weighted by their class."""
    left_out = torch.isin(truth, torch.tensor(list(ignore), device=truth.device))
    truth = truth.masked_fill(left_out, -100)
    total = functional.cross_entropy(raw.float(), truth, weight=_weights(weights, raw), ignore_index=-100, reduction="sum")
    return total / _weights(weights, raw)[truth[~left_out]].sum().clamp(min=1e-6)


def binary_cross_entropy(raw: Tensor, truth: Tensor, *, weights: Sequence[float] | None = None, ignore: Sequence[int] = ()) -> Tensor:
    """Of sigmoid, each channel for itself: the mean over pixels that count, and channels, weighted."""
    target, counts = _channels(truth, raw.shape[1], ignore, first=1)
    each = functional.binary_cross_entropy_with_logits(raw.float(), target, reduction="none")
    counts = counts * _weights(weights, raw)[:, None, None]
    return (counts * each).sum() / counts.sum().clamp(min=1e-6)


def _channels(truth: Tensor, channels: int, ignore: Sequence[int], *, first: int) -> tuple[Tensor, Tensor]:
    """(b, c, y, x) what each channel should say, and (b, 1, y, x) or (b, c, y, x) whether the pixel counts."""
    counts = ~torch.isin(truth, torch.tensor(list(ignore), dtype=truth.dtype, device=truth.device))
    known = truth.masked_fill(~counts, 0)
    if truth.ndim == 4:
        return known.float(), counts.float()
    target = known[:, None] == torch.arange(first, first + channels, device=truth.device)[:, None, None]
    return target.float(), counts[:, None].float()


def _weights(weights: Sequence[float] | None, raw: Tensor) -> Tensor:
    if weights is not None and len(weights) != raw.shape[1]:
        raise ValueError(f"expected a weight for each of the {raw.shape[1]} channels, got {len(weights)}; give them in the channels' order")
    return torch.ones(raw.shape[1], device=raw.device) if weights is None else torch.tensor(weights, device=raw.device)
