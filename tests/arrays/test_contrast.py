from __future__ import annotations

import numpy as np
import pytest

from fibsem_ij.arrays.contrast import equalise, match, normalise


def ramp(dtype="uint8"):
    return (np.random.default_rng(0).beta(2, 5, (80, 90)) * 200).astype(dtype)


def test_normalise_puts_the_percentiles_at_0_and_1():
    out = normalise(ramp("float32"), low=10, high=90)
    assert out.dtype == np.float32
    assert (out.min(), out.max()) == (0, 1)
    assert np.mean(out == 0) == pytest.approx(0.1, abs=0.01)
    assert not normalise(np.full((5, 5), 7, np.uint8)).any()
    with pytest.raises(ValueError, match="percentiles"):
        normalise(ramp(), low=60, high=40)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_equalised_greys_are_equally_frequent_and_keep_their_order(dtype):
    image = ramp(dtype)
    out = equalise(image)
    assert out.dtype == image.dtype
    low, high = (0.0, 1.0) if dtype == "float32" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    share = (out.astype(float).ravel() - low) / (high - low)
    np.testing.assert_allclose(np.quantile(share, (0.25, 0.5, 0.75)), (0.25, 0.5, 0.75), atol=0.03)
    order = np.argsort(image.ravel(), kind="stable")
    assert (np.diff(out.ravel()[order].astype(float)) >= -1e-6).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_a_slice_of_other_brightness_is_matched(dtype):
    image = ramp(dtype)
    dim = (image.astype(float) * 0.4 + 20).astype(dtype)
    assert np.abs(match(dim, image).astype(float) - image.astype(float)).mean() < 2


def test_a_slice_matched_to_itself_is_itself():
    np.testing.assert_array_equal(match(ramp(), ramp()), ramp())
