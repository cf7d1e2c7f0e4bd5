"""Grey values to network input and back: nothing lost, nothing outside the type, nothing measured twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fibsem_ij.learn.scale import KINDS, Scale

STACK = np.random.default_rng(3).normal(30_000, 2_000, (40, 30, 50)).astype(np.uint16)


@settings(deadline=None, max_examples=60)
@given(dtype=st.sampled_from(["bool", "uint8", "int8", "uint16", "int16", "uint32", "int32"]), kind=st.sampled_from(KINDS), data=st.data())
def test_back_undoes_forward(dtype: str, kind: str, data: st.DataObject) -> None:
    grey = data.draw(arrays.arrays(dtype, (3, 4, 5), unique=False, elements=arrays.from_dtype(np.dtype(dtype))))
    grey.flat[:2] = (0, 1)
    try:
        scale = Scale.of(grey, kind)
    except ValueError as error:
        assert "expected grey values that differ" in str(error)  # noqa: PT017
        return
    again = scale.back(scale.forward(grey))
    assert again.dtype == grey.dtype
    # A float32 in between holds 24 bits of what it spans.
    span = float(np.abs(grey.astype(np.float64) - scale.offset).max())
    assert np.abs(again.astype(np.float64) - grey.astype(np.float64)).max() <= (0 if np.dtype(dtype).itemsize < 4 else span * 2**-23)


def test_floats_come_back() -> None:
    grey = STACK.astype(np.float32) / 7
    for kind in KINDS:
        scale = Scale.of(grey, kind)
        assert (scale.low, scale.high) == (None, None)
        np.testing.assert_allclose(scale.back(scale.forward(grey)), grey, rtol=1e-5)


def test_what_the_kinds_mean() -> None:
    assert np.percentile(Scale.of(STACK).forward(STACK), (0.5, 99.5)) == pytest.approx((0, 1), abs=0.02)
    told = Scale.of(STACK, "mean-std").forward(STACK)
    assert (told.mean(), told.std()) == pytest.approx((0, 1), abs=0.02)
    assert Scale.of(STACK, "range") == Scale(0, 1 / 65535, dtype="uint16")
    floats = Scale.of(STACK.astype(np.float32), "range").forward(STACK)
    assert -0.5 < floats.min() < 0.1
    assert 0.9 < floats.max() < 1.5  # of a few slices, so others may lie beyond


def test_nothing_leaves_the_type() -> None:
    scale = Scale(100, 1 / 50, dtype="uint8")
    np.testing.assert_array_equal(scale.back(np.array([-9, -2.01, 0, 0.011, 3.1, 9, np.inf])), [0, 0, 100, 101, 255, 255, 255])
    np.testing.assert_array_equal(Scale(0, 1, 10, 20, "int16").back([-100.0, 15, 100]), [10, 15, 20])
    for dtype in ("uint32", "int32", "uint64", "int64"):
        ends = np.iinfo(dtype)
        low, high = Scale(0, 1, dtype=dtype).back([-1e30, 1e30])
        assert (int(low), int(high)) == pytest.approx((ends.min, ends.max), rel=1e-6)


def test_only_a_few_slices_are_read() -> None:
    class Counted:
        shape, dtype, read = (1000, 8, 8), np.dtype(np.uint8), 0

        def __getitem__(self, z: Any) -> Any:
            self.read += 1
            return np.arange(64, dtype=np.uint8).reshape(8, 8) + np.uint8(z % 7)

    counted = Counted()
    Scale.of(counted)
    assert counted.read <= 16


@pytest.mark.parametrize(("change", "error"), [
    ({"gain": 0}, "gain over 0"), ({"gain": np.nan}, "gain over 0"), ({"gain": -1}, "gain over 0"), ({"offset": np.inf}, "finite offset"),
    ({"low": 5, "high": 5}, "low under high"), ({"low": 3, "high": 2}, "low under high"), ({"low": np.nan}, "low under high"),
    ({"dtype": "uint8", "high": 300}, "within what uint8 holds"), ({"dtype": "complex64"}, "expected grey values"),
    ({"dtype": "grey"}, "expected a dtype"), ({"dtype": "S4"}, "expected grey values")])
def test_wrong_numbers(change: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        Scale(**change)


def test_stacks_that_tell_nothing() -> None:
    with pytest.raises(ValueError, match="expected grey values that differ, got 7"):
        Scale.of(np.full((3, 4, 5), 7, np.uint8))
    with pytest.raises(ValueError, match="slice 2: expected finite"):
        Scale.of(np.where(np.arange(3)[:, None, None] == 2, np.nan, STACK[:3, :4, :5]))
    with pytest.raises(ValueError, match="expected a scale of percentiles"):
        Scale.of(STACK, "histogram")
    with pytest.raises(ValueError, match="got NaN in 1 of 2 pixels"):
        Scale(dtype="uint8").back([np.nan, 1])
