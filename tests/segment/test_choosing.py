import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fibsem_ij import segment


@given(st.integers(1, 3000), st.data())
def test_an_even_spread_is_near_every_slice(depth, data):
    count = data.draw(st.integers(1, min(depth, 60)))
    chosen = segment.choose(np.broadcast_to(np.uint8(0), (depth, 1, 1)), count)
    assert len(set(chosen)) == count
    assert max(min(abs(z - c) for c in chosen) for z in range(depth)) <= depth / count / 2 + 1


def test_diverse_slices_are_one_of_each_kind_and_none_of_the_blank_ones():
    rng = np.random.default_rng(0)
    kinds = rng.uniform(60, 200, (4, 8, 8)).repeat(8, 1).repeat(8, 2)
    of = np.repeat([0, 1, 2, 3], [30, 4, 3, 3])
    stack = np.rint(kinds[of] + rng.normal(0, 5, (40, 64, 64))).astype(np.uint8)
    stack[[11, 32]] = 0
    chosen = segment.choose(stack, 4, how="diverse")
    assert sorted(of[chosen]) == [0, 1, 2, 3]
    assert not {11, 32} & set(chosen)
    assert segment.choose(stack, 4, how="diverse") == chosen


def test_what_cannot_be_chosen_is_named():
    stack = np.zeros((3, 8, 8), np.uint8)
    assert segment.choose(stack, 3, how="diverse") == [0, 1, 2]
    for count, how in ((4, "even"), (0, "even"), (2, "best")):
        with pytest.raises(ValueError, match="count from 1 to 3"):
            segment.choose(stack, count, how=how)
    with pytest.raises(ValueError, match="slice 1"):
        segment.choose(np.stack([np.ones((8, 8)), np.full((8, 8), np.nan)]), 1, how="diverse")
