"""Small stacks of touching objects with grey values inside, and the ways to read and to turn them that must change nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Stack = npt.NDArray[Any]
Table = Mapping[str, npt.NDArray[Any]]

OFFSETS = [np.array(step) for step in product((-1, 0, 1), repeat=3) if any(step)]


def mosaic(seed: int, shape: tuple[int, int, int] = (7, 8, 9), *, numbers: tuple[int, ...] = (2, 3, 7, 40000),
           grey: int = 256) -> tuple[Stack, Stack]:
    """Labels in pieces of any form, to the border of the stack, and a grey image with some flat places."""
    rng = np.random.default_rng(seed)
    coarse = rng.choice([0, *numbers], [-(-n // 3) for n in shape])
    labels = np.kron(coarse, np.ones((3, 3, 3), int))[:shape[0], :shape[1], :shape[2]]
    labels = np.where(rng.random(shape) < 0.2, rng.choice([0, *numbers], shape), labels)
    image = rng.integers(0, grey, shape) * (rng.random(shape) < 0.7)
    return labels.astype(np.uint32), image.astype(np.uint8)


def odd() -> tuple[Stack, Stack]:
    """A voxel alone, a line, a plate, two voxels at opposite corners, a constant cube, and a line that touches it."""
    labels = np.zeros((8, 9, 10), np.uint16)
    labels[0, 0, 0] = 3
    labels[2, 1, 1:7] = 5
    labels[4, :3, :4] = 9
    labels[7, 8, 9] = labels[0, 8, 9] = 11
    labels[1:4, 4:7, 4:7] = 300
    labels[4, 4:7, 5] = 301
    image = np.random.default_rng(0).integers(0, 255, labels.shape, np.uint8)
    image[labels == 300] = 77
    return labels, image


def brute_levels(image: Stack, levels: int, span: tuple[float, float]) -> Stack:
    return np.clip((image.astype(float) - span[0]) * levels / (span[1] - span[0]), 0, levels - 1).astype(int)


def voxels_of(labels: Stack) -> Iterator[set[tuple[int, ...]]]:
    for number in np.unique(labels[labels > 0]):
        yield {tuple(at) for at in np.argwhere(labels == number).tolist()}


def turned(stack: Stack) -> Iterator[Stack]:
    """About each axis by 90 degrees, and upside down."""
    for axes in ((0, 1), (0, 2), (1, 2)):
        yield np.rot90(stack, axes=axes).copy()
    yield stack[::-1].copy()


def on_disk(stack: Stack, path: Path) -> Stack:
    mapped = np.memmap(path, stack.dtype, "w+", shape=stack.shape)
    mapped[:] = stack
    return mapped


def same(one: Table, two: Table) -> None:
    """To the bit, NaN for NaN."""
    assert list(one) == list(two)
    for name in one:
        np.testing.assert_array_equal(one[name], two[name], err_msg=name)


def close(one: Table, two: Table, *, atol: float = 1e-9) -> None:
    assert list(one) == list(two)
    for name in one:
        np.testing.assert_allclose(one[name], two[name], rtol=1e-9, atol=atol, err_msg=name)


def brute(labels: Stack, image: Stack, levels: int, span: tuple[float, float],
          features: Callable[[dict[tuple[int, ...], int], int], dict[str, float]]) -> dict[str, Stack]:
    """`features` of each object, given the level of each of its voxels."""
    level = brute_levels(image, levels, span)
    rows = [features({at: int(level[at]) for at in sorted(voxels)}, levels) for voxels in voxels_of(labels)]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}
