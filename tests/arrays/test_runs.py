"""Runs of equal numbers, and loops that are compiled when they are called."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from fibsem_ij.arrays.compiled import compiled
from fibsem_ij.arrays.runs import runs


@settings(deadline=None)
@given(arrays(st.sampled_from(["u1", ">u2", "i8"]), array_shapes(min_dims=2, max_dims=2, max_side=30),
              elements=st.sampled_from([0, 0, 1, 9])))
def test_runs_give_the_slice_back_and_are_as_long_as_they_can_be(pixels: Any) -> None:
    found, line = runs(pixels), pixels.shape[1] + 1
    painted = np.full((len(pixels), line), -1)
    for number, start, stop in found:
        painted.ravel()[start:stop] = number
    assert (painted[:, :-1] == pixels).all()
    assert (painted[:, -1] == -1).all()
    assert all(a[0] != b[0] or a[2] < b[1] for a, b in pairwise(found))


@compiled
def _twice(n: int) -> int:
    return 2 * n


@compiled
def _four_times(n: int) -> int:
    """One that calls another."""
    return _twice(_twice(n))


def test_a_compiled_loop_calls_another_and_keeps_its_name() -> None:
    assert _four_times(10) == 40
    assert (_four_times.__name__, _four_times.__doc__) == ("_four_times", "One that calls another.")
