"""Texture as one group: what its columns are, any type of grey values, as many objects as there may be."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from mosaics import Stack, mosaic, same

from fibsem_ij.measure.grey import grey
from fibsem_ij.measure.objects import Objects
from fibsem_ij.measure.texture import DEFINITIONS, texture
from fibsem_ij.measure.texture.glcm import glcm
from fibsem_ij.measure.texture.spectrum import spectrum
from fibsem_ij.measure.texture.zones import zones


def test_it_is_co_occurrence_and_zones_of_the_same_levels() -> None:
    labels, image = mosaic(8)
    objects = Objects.of(labels)
    found = texture(labels, objects, image, levels=8)
    same(found, {**glcm(labels, objects, image, levels=8), **zones(labels, objects, image, levels=8)})
    assert set(found) <= set(DEFINITIONS)
    assert {dimension for dimension, _ in DEFINITIONS.values()} == {0}
    assert all(sentence[0].isupper() and sentence.endswith(".") for _, sentence in DEFINITIONS.values())


@pytest.mark.parametrize("dtype", [np.bool_, np.int16, np.uint16, ">u2", np.float16, np.float32, np.float64])
def test_any_type_of_grey_values(dtype: Any) -> None:
    labels, image = mosaic(7, grey=2)
    objects = Objects.of(labels)
    same(texture(labels, objects, image.astype(dtype), levels=4), texture(labels, objects, image, levels=4))


def test_one_grey_value_everywhere() -> None:
    labels, image = mosaic(7, grey=1)
    found = texture(labels, Objects.of(labels), image)
    assert (found["glcm_homogeneity"] == 1).all()
    assert (found["zone_small_high_grey"] == 1).all()


def test_a_stack_without_objects_gives_a_table_without_rows() -> None:
    labels = np.zeros((3, 4, 5), np.uint8)
    assert {len(column) for column in texture(labels, Objects.of(labels), labels).values()} == {0}


def test_forty_thousand_objects() -> None:
    """Of 2 x 2 x 2 voxels each, in contact: of even number flat, of odd number with the levels 1 to 8."""
    numbers = np.arange(1, 40001)
    labels = np.kron(numbers.reshape(40, 25, 40), np.ones((2, 2, 2), int)).astype(np.uint32)
    steps = np.tile(np.arange(8).reshape(2, 2, 2), (40, 25, 40))
    image = np.where(labels % 2, steps, 5).astype(np.uint8)
    objects, odd = Objects.of(labels), numbers % 2 == 1
    found = texture(labels, objects, image, levels=8, span=(0, 8))
    np.testing.assert_array_equal(found["zone_percentage"], np.where(odd, 1, 1 / 8))
    np.testing.assert_array_equal(found["zone_small_high_grey"], np.where(odd, 204 / 8, 36))
    np.testing.assert_array_equal(found["zone_small_high_grey_by_size"], np.where(odd, 204 / 8, 36 / 64))
    np.testing.assert_allclose(found["glcm_contrast"], np.where(odd, 12, 0))  # all 28 pairs: 2 * 8 / 7 times the variance
    np.testing.assert_array_equal(np.isnan(found["glcm_correlation"]), ~odd)
    np.testing.assert_array_equal(grey(labels, objects, image)["grey_median"], np.where(odd, 3.5, 5))
    bright = spectrum(labels, objects, image, levels=8, span=(0, 8), columns=True)["spectrum_1"]
    np.testing.assert_array_equal(np.isnan(bright), ~odd)
    np.testing.assert_array_equal(bright[odd], 0.5)  # every window is the whole object: all goes to 0, or to 7


class Watched:
    """A stack that remembers how many slices it was asked for at a time."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.shape, self.dtype, self.most = stack, stack.shape, stack.dtype, 0

    def __getitem__(self, z: Any) -> Stack:
        found = self.stack[z]
        self.most = max(self.most, len(found) if found.ndim == 3 else 1)
        return found


def test_no_more_is_read_at_a_time_than_can_be_seen() -> None:
    labels, image = (Watched(stack) for stack in mosaic(3, (60, 6, 5)))
    objects = Objects.of(labels)
    for most, measure in ((2, partial(zones, slab=2)), (4, partial(glcm, slab=2)), (10, partial(spectrum, slab=2, radius=2))):
        labels.most = image.most = 0
        measure(labels, objects, image)
        assert (labels.most, image.most) == (most, most)
