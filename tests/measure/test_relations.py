"""Parents, what they hold, contacts: counted by hand; stacks of any kind, in memory or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fibsem_ij.measure import relations
from fibsem_ij.measure.objects import Objects

Stack = np.ndarray[Any, Any]


def related(labels: Any, parent: Any, voxel: Any = None) -> tuple[dict[str, Stack], dict[str, Stack]]:
    inner, outer = Objects.of(labels), Objects.of(parent)
    shared = relations.overlaps(labels, inner, parent, outer)
    rows = relations.parents(labels, inner, parent, outer, shared=shared)
    return rows, relations.children(outer, rows["parent"], shared, voxel_nm=voxel)


def scene() -> tuple[Stack, Stack]:
    """Two cells of 10 x 10 x 10, 7 and 12; three organelles: 2 in 7, 3 mostly in 12, 9 outside."""
    cells, inside = np.zeros((10, 10, 30), np.uint16), np.zeros((10, 10, 30), np.uint32)
    cells[..., :10], cells[..., 10:20] = 7, 12
    inside[2:4, 2:4, 2:4], inside[5, 5, 8:18], inside[5, 5, 25:28] = 2, 3, 70000
    return inside, cells


def test_parents() -> None:
    rows, held = related(*scene(), (10.0, 5.0, 5.0))
    assert rows["parent"].tolist() == [7, 12, 0]
    np.testing.assert_allclose(rows["parent_share"], [1, .8, 0])
    assert held["label"].tolist() == [7, 12]
    assert held["children"].tolist() == [1, 1]
    np.testing.assert_allclose(held["volume"], 250_000)
    np.testing.assert_allclose(held["children_volume"], [2500, 2000])
    np.testing.assert_allclose(held["volume_fraction"], [.01, .008])
    np.testing.assert_allclose(held["children_per_um3"], 1 / 250e-6)
    np.testing.assert_allclose(related(*scene())[1]["children_per_px3"], 1e-3)


def test_of_equals_the_lowest_number() -> None:
    labels, cells = np.zeros((1, 1, 4), np.uint8), np.zeros((1, 1, 4), np.uint8)
    labels[...], cells[0, 0] = 1, (9, 9, 4, 4)
    assert related(labels, cells)[0]["parent"].tolist() == [4]


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**20))
def test_as_counted_by_hand(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, cells = (rng.choice([0, 0, 1, 5, 60000], (4, 5, 6)).astype(np.uint16) for _ in range(2))
    inner, outer = Objects.of(labels), Objects.of(cells)
    pairs, voxels = relations.overlaps(labels, inner, cells, outer)
    assert {(inner.ids[a], outer.ids[b]): n for (a, b), n in zip(pairs, voxels, strict=True)} == {
        (a, b): n for a in inner.ids for b in outer.ids if (n := int(((labels == a) & (cells == b)).sum()))}


def test_from_disk_and_turned(tmp_path: Path) -> None:
    labels, cells = scene()
    np.save(tmp_path / "cells.npy", cells)
    want = related(labels, cells)
    stored = np.load(tmp_path / "cells.npy", mmap_mode="r")
    for got in (related(labels, stored), related(labels.transpose(2, 0, 1), cells.transpose(2, 0, 1))):
        for one, two in zip(want, got, strict=True):
            for name in one:
                np.testing.assert_array_equal(one[name], two[name])


def test_nothing_in_nothing() -> None:
    nothing, one = np.zeros((2, 3, 4), np.uint8), np.ones((2, 3, 4), np.uint8)
    assert {len(column) for column in related(nothing, one)[0].values()} == {0}
    assert related(nothing, one)[1]["children"].tolist() == [0]
    assert related(one, nothing)[0]["parent"].tolist() == [0]
    assert len(related(one, nothing)[1]["label"]) == 0
    with pytest.raises(ValueError, match="of one shape"):
        related(one, one[:1])


def test_a_nucleus_with_its_nucleoli_cut_out() -> None:
    nuclei, nucleoli = np.zeros((12, 12, 12), np.uint8), np.zeros((12, 12, 12), np.uint8)
    nuclei[1:11, 1:11, 1:11], nucleoli[4:7, 4:7, 4:7] = 3, 1
    nuclei[nucleoli > 0] = 0
    assert related(nucleoli, nuclei)[0]["parent"].tolist() == [0]
    whole = relations.Whole(nuclei)
    rows, held = related(nucleoli, whole)
    assert rows["parent"].tolist() == [3]
    assert held["voxels"].tolist() == [1000]
    nuclei[nucleoli > 0] = 3
    np.testing.assert_array_equal(np.stack([whole[z] for z in range(12)]), nuclei)


def test_contacts() -> None:
    labels = np.array([3, 8, 9]) * np.ones((2, 2, 1), np.int64)
    pairs, areas = np.array([[1, 0], [0, -1], [-1, 2], [1, 2]]), np.array([4.0, 9.0, 9.0, 0.0])
    got = relations.contacts(pairs, areas, Objects.of(labels))
    assert (got["label"].tolist(), got["other"].tolist(), got["contact_surface"].tolist()) == ([3], [8], [4.0])
    assert len(relations.contacts(pairs[:0], areas[:0], Objects.of(labels))["label"]) == 0
