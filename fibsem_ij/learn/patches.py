"""Training patches, drawn on the fly: random windows of a stack, with their truth, varied by `augment`.

For denoising truth is grey (or there is none); for segmentation it is class numbers, 0 the background, and rules say how many
patches of a batch must hold some of a class. Nothing is read but the slices in use and their neighbours: once, where they fit
into `memory`, else window by window. What is drawn depends on the generator alone, so any thread may draw.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fibsem_ij.arrays.slices import around
from fibsem_ij.learn.augment import Augment, Image, Warp, turned, varied, warp
from fibsem_ij.volume import ArrayLike

Planes = ArrayLike | Mapping[int, npt.NDArray[Any]]  # slices by their z: a stack, or a dict of the drawn ones
_TRIES = 30  # windows looked at for one that a rule accepts; then the fullest of them
_PIXELS = 10_000  # of a class remembered, a slice


def _as_float(grey: npt.NDArray[Any]) -> Image:
    return grey.astype(np.float32)


@dataclass(frozen=True)
class Rule:
    """`share` of the patches of a batch hold at least `pixels` of `classes` together; none named: of all but 0."""

    share: float
    pixels: int = 1
    classes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not (0 <= self.share <= 1 and self.pixels >= 1 and 0 not in self.classes):
            raise ValueError(f"expected a share from 0 to 1, 1 pixel or more and classes other than 0, got {self}; correct the rule")


@dataclass(eq=False)
class Patches:
    src: ArrayLike
    truth: Planes | None = None
    slices: Iterable[int] | None = None  # drawn from; None: all
    size: int = 256
    neighbours: int = 0  # slices to each side that become channels; beyond the ends the last is repeated
    also: Sequence[Planes] = ()  # more channels, of the slice itself: filtered versions of it
    scale: Callable[[npt.NDArray[Any]], Image] = _as_float  # grey -> network units, of src, also and grey truth
    labels: bool = False  # truth is class numbers: never mixed, never scaled
    ignore: tuple[int, ...] = ()  # truth values that are no class
    rules: Sequence[Rule] = ()
    common: float = 0.0  # a rule's classes come up as their pixels to this power: 0, each as often; 1, as they lie there
    context: int = 1  # a patch shows this many times its size, made smaller
    augment: Augment = field(default_factory=Augment)
    memory: int = 1 << 30  # bytes each stack may take

    def __post_init__(self) -> None:
        depth, self._height, self._width = (int(n) for n in self.src.shape)
        self._slices = sorted(set(range(depth) if self.slices is None else map(int, self.slices)))
        if not self._slices or not 0 <= self._slices[0] <= self._slices[-1] < depth:
            raise ValueError(f"expected slices within 0..{depth - 1}, got {self._slices}; name those to draw from")
        if self.size < 1 or self.neighbours < 0 or self.context < 1:
            raise ValueError(f"expected size and context of at least 1 and neighbours of 0 or more, got {self.size}, {self.context} "
                             f"and {self.neighbours}; leave them out for the default")
        if self.rules and not (self.labels and self.truth is not None and sum(rule.share for rule in self.rules) <= 1 + 1e-9):
            raise ValueError("expected rules with labels as truth and shares of 1 in all, got other; lower the shares or give labels")
        near = sorted({k for z in self._slices for k in around(z, self.neighbours, depth)})
        self._src = self._held(self.src, near)
        self._also = [self._held(planes, self._slices) for planes in self.also]
        self._truth: Any = None if self.truth is None else self._held(self.truth, self._slices)
        self._pixels = self._pixels_of_classes() if self.rules else {}
        for rule in self.rules:
            self._check(rule)

    def batch(self, rng: np.random.Generator, size: int) -> tuple[Tensor, ...]:
        """Input (b, c, y, x), and the truth: labels (b, y, x) or grey (b, 1, y, x)."""
        wanted: list[Rule | None] = []
        for rule in self.rules:  # NB: floor of a random sum keeps the share exact over many batches, and in each that divides
            wanted += [rule] * math.floor(round(rule.share * size, 9) + rng.random())
        drawn = [self.draw(rng, rule=rule) for rule in (wanted + [None] * size)[:size]]
        kinds = zip(*drawn, strict=True)
        return tuple(torch.from_numpy(np.stack(kind)) for kind in kinds if kind[0] is not None)

    def draw(self, rng: np.random.Generator, *, rule: Rule | None = None) -> tuple[Image, npt.NDArray[Any] | None]:
        """One patch: input (c, y, x) and truth, labels (y, x) or grey (1, y, x)."""
        side = max(1, round(self.size * self.context * (1 + rng.uniform(-1, 1) * self.augment.zoom)))
        z, y, x = self._ruled(rng, rule, side) if rule else self._anywhere(rng, side)
        turn, reverse = (int(rng.integers(8)), rng.random() < 0.5) if self.augment.turns else (0, False)
        bend = warp(self.size, self.augment, rng)
        wider = round(bend.margin * side / self.size)
        y, x, side = y - wider, x - wider, side + 2 * wider
        near = around(z, self.neighbours, int(self.src.shape[0]))[:: -1 if reverse else 1]
        planes = [self._cut(self._src, k, y, x, side) for k in near] + [self._cut(more, z, y, x, side) for more in self._also]
        image = self._grey(planes, bend, turn)
        if self._truth is None:
            return varied(image, None, self.augment, rng)
        if self.labels:
            numbers = bend(self._numbers(z, y, x, side, bend.margin)[None], nearest=True)[0]
            return varied(image, None, self.augment, rng)[0], turned(numbers, turn).astype(np.int64)
        return varied(image, self._grey([self._cut(self._truth, z, y, x, side)], bend, turn), self.augment, rng)

    def _anywhere(self, rng: np.random.Generator, side: int) -> tuple[int, int, int]:
        z = self._slices[rng.integers(len(self._slices))]
        y, x = (int(rng.integers(n - side + 1)) if n > side else (n - side) // 2 for n in (self._height, self._width))
        return z, y, x

    def _ruled(self, rng: np.random.Generator, rule: Rule, side: int) -> tuple[int, int, int]:
        """A window about a pixel of the rule: of one of its classes, then each pixel of it is as likely."""
        classes = rule.classes or tuple(self._pixels)
        odds = np.array([self._counts[number] for number in classes], np.float64) ** self.common
        odds /= odds.sum()
        best, fullest = (0, 0, 0), -1
        for _ in range(_TRIES):
            pixels = self._pixels[classes[rng.choice(len(classes), p=odds)]]
            z, *pixel = (int(n) for n in pixels[rng.integers(len(pixels))])
            y, x = (int(rng.integers(max(0, at - side + 1), min(at, n - side) + 1)) if n > side else (n - side) // 2
                    for at, n in zip(pixel, (self._height, self._width), strict=True))
            held = int(np.isin(self._numbers(z, y, x, side), classes).sum())
            if held > fullest:
                best, fullest = (z, y, x), held
            if held >= rule.pixels:
                break
        return best

    def _grey(self, planes: Sequence[npt.NDArray[Any]], bend: Warp, turn: int) -> Image:
        """Network units, of the patch's size, bent and turned: (c, y, x)."""
        image, size = self.scale(np.stack(planes)), self.size + 2 * bend.margin
        if image.shape[-1] != size:
            import cv2

            how = cv2.INTER_AREA if image.shape[-1] > size else cv2.INTER_LINEAR
            image = np.stack([cv2.resize(plane, (size, size), interpolation=how) for plane in image])
        return np.ascontiguousarray(turned(bend(image), turn))

    def _numbers(self, z: int, y: int, x: int, side: int, margin: int = 0) -> npt.NDArray[Any]:
        cut, size = self._cut(self._truth, z, y, x, side), self.size + 2 * margin
        if side == size:
            return cut
        nearest = ((np.arange(size) + 0.5) * side / size).astype(np.intp)
        return cut[np.ix_(nearest, nearest)]

    def _cut(self, planes: Any, z: int, y: int, x: int, side: int) -> npt.NDArray[Any]:
        """A window, mirrored where it hangs over the edge of a slice smaller than itself."""
        rows, cols = slice(max(y, 0), y + side), slice(max(x, 0), x + side)
        found = planes[z][rows, cols] if isinstance(planes, dict) else np.asarray(planes[z, rows, cols])
        if found.shape == (side, side):
            return np.asarray(found)
        over = [(max(-at, 0), side - size - max(-at, 0)) for at, size in zip((y, x), found.shape, strict=True)]
        return np.pad(found, over, mode="symmetric")

    def _held(self, planes: Planes, slices: Sequence[int]) -> Any:
        """A dict of slices in memory, where they are small enough or there already; else the stack itself."""
        one = np.asarray(planes[slices[0]])
        if one.shape != (self._height, self._width):
            raise ValueError(f"slice {slices[0]}: expected {self._height} x {self._width} pixels as the stack has, got {one.shape}; "
                             "give truth and stack of one size")
        if isinstance(planes, Mapping) or one.nbytes * len(slices) <= self.memory:
            return {z: np.asarray(planes[z]) for z in slices}
        return planes

    def _pixels_of_classes(self) -> dict[int, npt.NDArray[np.intp]]:
        """Where each class lies: (n, 3) of z, y, x, at most _PIXELS a slice."""
        found: dict[int, list[npt.NDArray[np.intp]]] = {}
        self._counts: dict[int, int] = {}
        for z in self._slices:
            plane = np.asarray(self._truth[z])
            for number in sorted({int(n) for n in np.unique(plane)} - {0, *self.ignore}):
                pixels = np.flatnonzero(plane == number)
                self._counts[number] = self._counts.get(number, 0) + len(pixels)
                if len(pixels) > _PIXELS:
                    pixels = pixels[np.random.default_rng([z, number]).integers(len(pixels), size=_PIXELS)]
                found.setdefault(number, []).append(np.stack([np.full(len(pixels), z), *np.divmod(pixels, self._width)], axis=1))
        return {number: np.concatenate(pixels) for number, pixels in sorted(found.items())}

    def _check(self, rule: Rule) -> None:
        missing = sorted(set(rule.classes) - set(self._pixels))
        if missing or not self._pixels:
            raise ValueError(f"expected class {', '.join(map(str, missing)) or 'numbers over 0'} in the drawn slices, got none; "
                             "draw some of it, or leave it out of the rule")
