"""What is trained: patches of the drawn slices, their loss, and the mean F1 of the classes on what is held back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from fibsem_ij.arrays import class_scores
from fibsem_ij.learn import losses
from fibsem_ij.learn.ahead import Batch
from fibsem_ij.learn.network import Network
from fibsem_ij.learn.patches import Patches, Rule
from fibsem_ij.learn.predict import Options as Prediction
from fibsem_ij.learn.predict import predict
from fibsem_ij.learn.scale import Scale
from fibsem_ij.segment.holding import everywhere, judged
from fibsem_ij.segment.options import Options
from fibsem_ij.segment.seen import Seen, Window
from fibsem_ij.segment.targets import BACKGROUND, IGNORED, Box, Plane, Targets

_JUDGED = 4  # slices trained on that are judged where none is held back
SHARES = 0.5, 0.8  # of the patches hold a class at least, and as published
_STEP = 8  # px, as near as it is looked at
_SIDE = 1024  # px that the network looks at of each, so that large slices leave time for training


class Segmentation:
    """A `learn.train.Task`."""

    def __init__(self, seen: Seen, found: Targets, held: Mapping[int, Box], *, config: Any, scale: Scale, options: Options) -> None:
        self.seen, self.found, self.config, self.scale, self.options = seen, found, config, scale, options
        self.judged = judged(found, held or everywhere(found, _JUDGED), _SIDE * options.context)
        self.weights = [float(options.weights.get(name, 1)) for name in output_names(found, options)]
        self.patches = _patches(seen, found, found.without(held), scale, options)

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        return self.patches.batch(rng, size)

    def loss(self, module: nn.Module, batch: Batch, *, generator: torch.Generator) -> Tensor:
        image, truth = batch
        return loss(module(image), truth, options=self.options, weights=self.weights)

    def score(self, module: nn.Module) -> float:
        return float(np.mean(list(self.f1(module).values())))

    def f1(self, module: nn.Module) -> dict[str, float]:
        """Of each class that is there in what is judged."""
        network = Network(self.options.network, self.config, module, self.scale, activation=self.options.activation)
        options = Prediction(device=next(module.parameters()).device.type, bf16=True)
        size = len(self.found.ids) + 1
        pixels = np.zeros((size, size), np.int64)  # (true, found)
        for z, box in self.judged.items():
            window, kept = Window(self.seen, box), dict[int, npt.NDArray[np.float32]]()
            predict(window, network, kept.__setitem__, slices=[z], options=options)
            guess = decided(window.back(kept[z]), self.options.activation)
            pixels += class_scores.confusion(guess, np.minimum(self.found.planes[z][box], size), size)
        each = class_scores.measures(pixels)["f1"]
        return {name: float(f1) for name, f1, true in zip(self.found.names, each, pixels[1:].sum(1), strict=True) if true}


def output_names(found: Targets, options: Options) -> tuple[str, ...]:
    """The class of each output channel."""
    return (BACKGROUND, *found.names) if options.activation == "softmax" else found.names


def loss(raw: Tensor, truth: Tensor, *, options: Options, weights: list[float]) -> Tensor:
    total = raw.new_zeros(())
    if options.loss in ("both", "dice"):
        total = total + losses.dice(raw, truth, activation=options.activation, weights=weights, ignore=(IGNORED,))
    if options.loss in ("both", "cross-entropy"):
        entropy = losses.cross_entropy if options.activation == "softmax" else losses.binary_cross_entropy
        total = total + entropy(raw, truth, weights=weights, ignore=(IGNORED,))
    return total


def decided(values: npt.NDArray[np.float32], activation: str) -> npt.NDArray[np.intp]:
    """(c, y, x) probabilities -> the number of the class, 0 the background."""
    best = values.argmax(0)
    return best if activation == "softmax" else np.where(values.max(0) >= 0.5, best + 1, 0)


def near(planes: Iterable[Plane], patch_px: int) -> float:
    """How much of the slices lies within half a patch of any class.

    Patches that hold a class show hardly anything else. Where much lies beyond, as resin far from the nuclei, a network that sees it too
    seldom takes it for a class: on a phantom, after 400 updates, F1 of nuclei was .54 where four fifths of the patches held one, and .82
    where half of them did.
    """
    close = told = 0
    for plane in planes:
        classes, says = (_blocks(flags) for flags in ((plane > 0) & (plane != IGNORED), plane != IGNORED))
        away = cv2.distanceTransform((~classes).astype(np.uint8), cv2.DIST_C, 3)
        close += int(((away <= patch_px / 2 / _STEP) & says).sum())
        told += int(says.sum())
    return close / max(told, 1)


def _blocks(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Whether anything is in each block of _STEP x _STEP px."""
    height, width = (-(-n // _STEP) for n in flags.shape)
    flags = np.pad(flags, ((0, height * _STEP - flags.shape[0]), (0, width * _STEP - flags.shape[1])))
    return np.asarray(flags.reshape(height, _STEP, width, _STEP).any((1, 3)))


def _patches(seen: Seen, found: Targets, trained: Mapping[int, Plane], scale: Scale, options: Options) -> Patches:
    also = [{z: seen.grains(z)[n] for z in trained} for n in range(len(options.grain))]
    of = tuple(n for n, name in enumerate(found.names, 1) if name in options.of)
    share = float(np.clip(near(trained.values(), options.patch * options.context), *SHARES)) if options.share is None else options.share
    return Patches(seen.src, trained, list(trained), size=options.patch, neighbours=options.neighbours, also=also, scale=scale.forward,
                   labels=True, ignore=(IGNORED,), rules=[Rule(share, options.least_px, of)], common=options.common,
                   context=options.context, augment=options.augment)
