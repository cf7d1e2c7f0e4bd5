"""Objects of a stack: numbers, boxes, voxels, rows; and the walk through its slices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from fibsem_ij.measure.objects import Objects, over_slices

stacks = arrays(np.uint16, array_shapes(min_dims=3, max_dims=3, max_side=6), elements=st.sampled_from([0, 0, 3, 4, 900, 65535]))


@settings(deadline=None)
@given(stacks)
def test_objects_are_those_of_numpy(labels: Any) -> None:
    objects = Objects.of(labels)
    ids, voxels = np.unique(labels[labels > 0], return_counts=True)
    assert objects.ids.tolist() == ids.tolist()
    assert objects.voxels.tolist() == voxels.tolist()
    for number, box in zip(ids, objects.boxes, strict=True):
        where = np.argwhere(labels == number)
        assert [(s.start, s.stop) for s in box] == list(zip(where.min(0), where.max(0) + 1, strict=True))


@settings(deadline=None)
@given(stacks)
def test_rows_give_the_numbers_back(labels: Any) -> None:
    objects = Objects.of(labels)
    rows = objects.rows(labels)
    assert ((rows < 0) == (labels == 0)).all()
    assert (objects.ids[rows[rows >= 0]] == labels[rows >= 0]).all()


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2", "<u4", ">u4", "<i8"])
def test_every_integer_type_and_byte_order(dtype: str) -> None:
    labels = np.zeros((3, 4, 5), dtype)
    labels[1:, 2] = np.iinfo(labels.dtype).max
    objects = Objects.of(labels)
    assert objects.ids.tolist() == [np.iinfo(labels.dtype).max]
    assert objects.voxels.tolist() == [10]
    assert (objects.rows(labels[2]) >= 0).sum() == 5


def test_labels_of_64_bits_without_a_sign() -> None:
    """As in many published segmentations."""
    labels = np.zeros((3, 4, 5), np.uint64)
    labels[1, 2], labels[2, 3, 3] = 2**62, 7
    objects = Objects.of(labels)
    assert (objects.ids.tolist(), objects.voxels.tolist()) == ([7, 2**62], [1, 5])
    assert objects.rows(labels[1])[2].tolist() == [1] * 5


def test_a_number_that_is_no_objects_is_background() -> None:
    objects = Objects.of(np.array([[[0, 5, 9]]]))
    assert objects.rows(np.array([0, 4, 5, 7, 9, 10, -1])).tolist() == [-1, -1, 0, -1, 1, -1, -1]


def test_forty_thousand_objects() -> None:
    labels = np.random.default_rng(1).permutation(np.arange(1, 40_001, dtype=np.uint32)).reshape(10, 50, 80).repeat(2, 0)
    objects = Objects.of(labels)
    assert (objects.ids == np.arange(1, 40_001)).all()
    assert (objects.voxels == 2).all()


@pytest.mark.parametrize("labels", [np.zeros((4, 5)), np.zeros((3, 4, 5)), np.zeros((3, 4, 5), bool), np.full((3, 4, 5), 2**63, np.uint64)])
def test_what_is_no_label_stack_is_refused(labels: Any) -> None:
    with pytest.raises(ValueError, match="expected a label stack"):
        Objects.of(labels)


@pytest.mark.parametrize("height", [None, 1, 2, 3, 7])
@pytest.mark.parametrize("halo", [0, 1, 3, 9])
def test_every_slice_comes_once_with_its_neighbours(halo: int, height: int | None) -> None:
    labels = np.arange(1, 8, dtype=np.uint8)[:, None, None].repeat(2, 1).repeat(3, 2)
    objects, done = Objects.of(labels), []

    def around(rows: Any, k: int, z: int) -> tuple[int, list[int]]:
        return z, rows[max(k - halo, 0):k + halo + 1, 0, 0].tolist()

    found = list(over_slices(around, labels, objects, halo=halo, height=height, progress=lambda z, depth: done.append((z, depth))))
    assert found == [(z, [i for i in range(7) if abs(i - z) <= halo]) for z in range(7)]
    assert done == [(z + 1, 7) for z in range(7)]
