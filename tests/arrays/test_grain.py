"""The grain filter: against its definition, on all shapes of small slices; what it must leave, take out and not invent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from fibsem_ij.arrays.grain import areas, grain, grains

FOUR, EIGHT = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]]), np.ones((3, 3), int)
AREAS = (1, 2, 3, 5, 9, 30)


def slices(dtype: Any = np.uint8, most: int = 6) -> st.SearchStrategy[Any]:
    sides = arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=8)
    return arrays.arrays(dtype, sides, elements=st.integers(0, most), fill=st.nothing())


def framed(image: Any) -> Any:
    border = [image[0], image[-1], image[1:, 0], image[1:-1, -1]]
    return np.pad(image.astype(int), 1, constant_values=int(sorted(np.concatenate(border))[sum(map(len, border)) // 2]))


def shapes(grey: Any) -> list[Any]:
    """Connected components of all level sets, bright by 8 and dark by 4, holes filled: the largest first."""
    found = {np.ones(grey.shape, bool).tobytes()}
    for value in np.unique(grey):
        for level, own, other in ((grey >= value, EIGHT, FOUR), (grey < value, FOUR, EIGHT)):
            parts, count = ndimage.label(level, own)
            for part in range(1, count + 1):
                rest, _ = ndimage.label(parts != part, other)
                if parts[0, 0] != part:
                    found.add((rest != rest[0, 0]).tobytes())
    return sorted((np.frombuffer(shape, bool).reshape(grey.shape) for shape in found), key=np.count_nonzero, reverse=True)


def by_definition(image: Any, areas_px: Sequence[int]) -> Iterator[Any]:
    """A pixel is as grey as the least shape around it that stays: as the pixels that this has for itself."""
    grey = framed(image)
    found = shapes(grey)
    inner = [np.any([other for other in found[n + 1 :] if not (other & ~shape).any()] or [~shape], axis=0) for n, shape in enumerate(found)]
    for area_px in areas_px:
        out = np.empty_like(grey)
        for n, shape in enumerate(found):
            if n == 0 or shape.sum() >= area_px:
                (out[shape],) = np.unique(grey[shape & ~inner[n]])
        yield out[1:-1, 1:-1]


@settings(max_examples=150, deadline=None)
@given(slices())
def test_it_is_what_the_definition_says(image: Any) -> None:
    np.testing.assert_array_equal(grains(image, AREAS), list(by_definition(image, AREAS)))


@settings(max_examples=30, deadline=None)
@given(slices(most=1), st.sampled_from((np.uint16, ">u2")))
def test_16_bits_of_either_byte_order(image: Any, dtype: Any) -> None:
    wide = (image.astype(dtype) * 30000).astype(dtype)
    np.testing.assert_array_equal(grains(wide, AREAS), grains(image, AREAS).astype(int) * 30000)
    assert grains(wide, AREAS).dtype == np.dtype(dtype).newbyteorder("=")


@settings(max_examples=60, deadline=None)
@given(slices(np.uint16, most=900), st.sampled_from(AREAS))
def test_once_is_enough_and_no_grey_value_is_new(image: Any, area_px: int) -> None:
    once = grain(image, area_px=area_px)
    np.testing.assert_array_equal(grain(once, area_px=area_px), once)
    assert set(np.unique(once)) <= set(np.unique(image))
    assert all(shape.sum() >= area_px for shape in shapes(framed(once))[1:])
    np.testing.assert_array_equal(grain(image, area_px=1), image)


@settings(max_examples=60, deadline=None)
@given(slices(), st.sampled_from(AREAS))
def test_bright_and_dark_are_treated_alike(image: Any, area_px: int) -> None:
    """Where no four pixels cross, which connects the bright ones: bright pixels grown by half a pixel never do."""
    twice = np.kron(image, np.ones((2, 2), np.uint8))[:-1, :-1]
    smooth = ndimage.maximum_filter(twice, size=(2, 2), mode="nearest", origin=-1)
    np.testing.assert_array_equal(grain(255 - smooth, area_px=area_px), 255 - grain(smooth, area_px=area_px))


def test_small_grains_go_large_ones_keep_their_edges_and_holes() -> None:
    image = np.full((40, 50), 100, np.uint8)
    image[4:16, 4:20] = 200  # 192 px with its hole of 16 and the grain of 4 in that
    image[8:12, 8:12] = 50
    image[9:11, 9:11] = 220
    image[20:23, 30:33] = 10
    without = image.copy()
    without[20:23, 30:33] = 100
    without[9:11, 9:11] = 50
    np.testing.assert_array_equal(grain(image, area_px=10), without)
    without[8:12, 8:12] = 200
    np.testing.assert_array_equal(grain(image, area_px=192), without)
    assert (grain(image, area_px=193) == 100).all()


def test_slices_are_filtered_in_threads_as_alone() -> None:
    stack = np.random.default_rng(0).integers(0, 20, (4, 48, 40), np.uint8)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(partial(grains, areas_px=(4, 30)), stack))
    np.testing.assert_array_equal(found, [grains(image, (4, 30)) for image in stack])


def test_areas_are_shares_of_a_patch() -> None:
    assert areas() == (655, 3277)
    assert areas((0.01,), patch_px=512) == (2621,)
    assert areas((0.0,)) == (1,)


@pytest.mark.parametrize("image", [np.zeros((2, 3, 4), np.uint8), np.zeros((0, 4), np.uint8), np.zeros((4, 4), np.float32)])
def test_what_is_no_slice_is_refused(image: Any) -> None:
    with pytest.raises(ValueError, match=r"expected a slice \(y, x\) of whole grey values, got .*; convert"):
        grain(image, area_px=3)


@pytest.mark.parametrize("areas_px", [(), (5, 0)])
def test_areas_that_mean_nothing_are_refused(areas_px: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected areas of 1 px or more"):
        grains(np.zeros((4, 4), np.uint8), areas_px)
