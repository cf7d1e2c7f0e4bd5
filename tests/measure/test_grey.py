"""Grey values of each object: against NumPy on its voxels, for all types; far from zero; read from disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mosaics import Stack, Table, close, mosaic, odd, on_disk, same

from fibsem_ij.measure.grey import DEFINITIONS, grey
from fibsem_ij.measure.objects import Objects
from fibsem_ij.measure.ranks import at_ranks

TYPES = (np.uint8, np.int8, np.uint16, ">u2", np.int32, np.uint64, np.float16, np.float32, np.float64)


def by_numpy(labels: Stack, image: Stack) -> Table:
    found = [image[labels == number].astype(float) for number in np.unique(labels[labels > 0])]
    return {f"grey_{name}": np.array([function(values) for values in found])
            for name, function in (("mean", np.mean), ("sd", np.std), ("min", np.min), ("max", np.max), ("median", np.median))}


def in_type(image: Stack, dtype: Any) -> Stack:
    """Of the whole range of the type, negative ones too."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return ((image.astype(float) - 100) * 1.37).astype(dtype)
    middle = 100 if dtype.kind == "i" else 0
    return ((image.astype(np.int64) - middle) * (np.iinfo(dtype).max // 256 + (dtype.itemsize > 1))).astype(dtype)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(TYPES))
def test_it_is_what_numpy_says(seed: int, dtype: Any) -> None:
    labels, image = mosaic(seed)
    image = in_type(image, dtype)
    close(grey(labels, Objects.of(labels), image), by_numpy(labels, image))


def test_odd_objects() -> None:
    labels, image = odd()
    close(grey(labels, Objects.of(labels), image), by_numpy(labels, image))


def test_nothing_is_lost_far_from_zero() -> None:
    labels, image = mosaic(2)
    found, near = (grey(labels, Objects.of(labels), image.astype(float) + far) for far in (1e9, 0))
    np.testing.assert_allclose(found["grey_sd"], near["grey_sd"], rtol=1e-9)


@pytest.mark.parametrize("dtype", TYPES)
def test_every_rank_of_every_object(dtype: Any) -> None:
    labels, image = mosaic(9, (4, 5, 6))
    image = in_type(image, dtype)
    objects = Objects.of(labels)
    for rank in range(int(objects.voxels.max())):
        ranks = np.minimum(rank, objects.voxels - 1)
        expected = [np.sort(image[labels == number])[k] for number, k in zip(objects.ids, ranks, strict=True)]
        np.testing.assert_array_equal(at_ranks(labels, objects, image, ranks[None])[0], expected)


def test_it_does_not_matter_where_it_lies(tmp_path: Path) -> None:
    labels, image = mosaic(3)
    objects = Objects.of(labels)
    same(grey(on_disk(labels, tmp_path / "labels"), objects, on_disk(image, tmp_path / "image")), grey(labels, objects, image))


def test_every_column_is_defined_and_an_empty_stack_has_no_rows() -> None:
    labels = np.zeros((3, 4, 5), np.uint8)
    found = grey(labels, Objects.of(labels), labels)
    assert set(found) == set(DEFINITIONS)
    assert {len(column) for column in found.values()} == {0}


def test_images_that_have_no_grey_values_are_refused() -> None:
    labels, image = mosaic(0)
    objects = Objects.of(labels)
    with pytest.raises(ValueError, match="expected grey values for every voxel"):
        grey(labels, objects, image[:, 1:])
    with pytest.raises(ValueError, match="expected grey values"):
        grey(labels, objects, image.astype(complex))
    with pytest.raises(ValueError, match="expected finite grey values inside the objects, got inf or nan in slice"):
        grey(labels, objects, np.where(labels == 7, np.inf, image.astype(float)))
