"""NaN and infinity, closed in the same way whichever window is asked for."""

from __future__ import annotations

import numpy as np

from fibsem_ij.arrays.gaps import Closed, share, without_gaps


def test_a_stack_without_its_gaps() -> None:
    pixels = np.random.default_rng(0).random((4, 6, 7)).astype(np.float32)
    pixels[1, 2, 3], pixels[2] = np.nan, -np.inf
    stack = Closed(pixels)
    assert stack[1, 2, 3] == np.nanmin(pixels[1])
    assert not stack[2].any()
    assert np.array_equal(stack[0], pixels[0])
    assert np.array_equal(np.asarray(stack)[[0, 3]], pixels[[0, 3]])
    assert np.array_equal(stack[1:3, 2:4, ::2], np.asarray(stack)[1:3, 2:4, ::2])
    assert [share(plane) > 0 for plane in pixels] == [False, True, True, False]
    whole = pixels[0].astype(np.uint8)
    assert without_gaps(whole) is whole
