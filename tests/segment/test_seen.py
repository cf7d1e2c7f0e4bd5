import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fibsem_ij.segment.seen import Seen, Window, larger

SLOPE = (np.arange(50)[:, None] * 3.0 + np.arange(70)).astype(np.float32)[None]


@pytest.mark.parametrize("context", [1, 2, 3, 4])
def test_pixels_come_back_where_they_were(context):
    """A slope stays the same slope, made smaller and larger again, but for half a context at the edges."""
    seen = Seen(SLOPE, context=context)
    assert seen.shape == (1, 1, -(-50 // context), -(-70 // context)) == (1, *seen[0].shape)
    back = larger(seen[0].astype(np.float32), context)[0, :50, :70]
    inner = np.s_[context : 48 - context, context : 68 - context]
    np.testing.assert_allclose(back[inner], SLOPE[0][inner], atol=1e-3)


def test_a_smaller_slice_is_the_mean_of_its_squares():
    grey = np.array([[[0, 100, 8], [50, 250, 8]]], np.uint8)
    np.testing.assert_array_equal(Seen(grey, context=2)[0], [[[100, 8]]])
    assert np.shares_memory(Seen(grey)[0], grey)


@given(st.integers(1, 4), st.integers(0, 30), st.integers(5, 20), st.integers(0, 40), st.integers(5, 30))
def test_a_window_shows_and_gives_back_its_box(context, top, height, left, width):
    seen, box = Seen(SLOPE, context=context), (slice(top, top + height), slice(left, left + width))
    window = Window(seen, box)
    assert window.shape == (1, *window[0].shape)
    back = window.back(window[0].astype(np.float32))[0]
    assert back.shape == (height, width)
    whole = larger(seen[0].astype(np.float32), context)[0]
    inner = np.s_[context : height - context, context : width - context]
    np.testing.assert_allclose(back[inner], whole[box][inner], atol=1e-3)
