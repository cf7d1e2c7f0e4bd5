"""Coarser copies are the same whatever the order in which slices come, and however often."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from fibsem_ij.files.pyramid import Copies, halved


def arrays(shape: tuple[int, int, int], dtype: str) -> list[np.ndarray]:
    found = [np.zeros(shape, dtype)]
    for _ in range(3):
        found.append(np.zeros([(n + 1) // 2 for n in found[-1].shape], dtype))
    return found


@pytest.mark.parametrize("nearest", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 7, 24])
def test_any_order_and_slices_that_come_again(depth: int, nearest: bool) -> None:
    rng = np.random.default_rng(depth)
    wanted = arrays((depth, 5, 9), "uint16")
    wanted[0][:] = rng.integers(0, 60_000, wanted[0].shape)
    for fine, coarse in pairwise(wanted):
        for z in range(len(coarse)):
            coarse[z] = halved(fine[2 * z:2 * z + 2], nearest=nearest)
    straight, far_apart, again, some = range(depth), [*range(0, depth, 2), *range(1, depth, 2)], rng.permutation(depth), range(depth // 2)
    for order in (straight, far_apart, again, [*again, *again[::-1]], some):
        levels = arrays((depth, 5, 9), "uint16")
        copies, buffer = Copies(levels, nearest=nearest), np.empty((5, 9), np.uint16)
        came = set[int]()
        for z in map(int, order):
            buffer[:] = wanted[0][z] if z in came or len(order) <= depth else 7  # at first another one, where it comes twice
            levels[0][z] = buffer
            copies.add(z, buffer)
            came.add(z)
        levels[0][:] = wanted[0]  # what an earlier run has written
        copies.finish()
        for found, right in zip(levels, wanted, strict=True):
            np.testing.assert_array_equal(found, right)


def test_a_mean_is_rounded_as_it_should() -> None:
    slices = np.array([[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 12]]], np.uint8)
    assert halved(slices, nearest=False).tolist() == [[(0 + 1 + 3 + 4 + 6 + 7 + 9 + 10 + 4) // 8, (2 * (2 + 5 + 8 + 12) + 4) // 8]]
    assert halved(slices[:1].astype(np.float32), nearest=False).tolist() == [[2.0, 3.5]]
    assert halved(slices, nearest=True).tolist() == [[0, 2]]
