"""Nearest neighbours: against every face with every other, closed forms, and stacks that are odd or large."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fibsem_ij.measure.faces import faces, of_patches, patches
from fibsem_ij.measure.nearest import between_centroids, nearest
from fibsem_ij.measure.objects import Objects

Stack = np.ndarray[Any, Any]


def ball(shape: tuple[int, int, int], centre: tuple[float, ...], radius: float, voxel: tuple[float, ...] = (1, 1, 1)) -> Stack:
    away = [(axis - c) * side for axis, c, side in zip(np.indices(shape), centre, voxel, strict=True)]
    return sum(a**2 for a in away) <= radius**2


def faces_by_hand(labels: Stack) -> dict[int, Stack]:
    """The middles of all faces of each number, in voxels."""
    found: dict[int, list[tuple[float, ...]]] = {int(n): [] for n in np.unique(labels) if n}
    for at in np.argwhere(labels):
        for axis in range(3):
            for step in (-1, 1):
                other = at.copy()
                other[axis] += step
                if 0 <= other[axis] < labels.shape[axis] and labels[tuple(other)] != labels[tuple(at)]:
                    found[int(labels[tuple(at)])].append(tuple((at + other) / 2))
    return {n: np.array(points).reshape(-1, 3) for n, points in found.items()}


def by_hand(labels: Stack, others: Stack | None, voxel: tuple[float, float, float]) -> tuple[list[int], list[float]]:
    ids, far = [], []
    targets = faces_by_hand(labels if others is None else others)
    for number, points in faces_by_hand(labels).items():
        best: tuple[float, bool, int] = (np.inf, False, 0)  # distance, not the one it lies in, number
        lies = np.bincount((others if others is not None else labels)[labels == number].astype(int))
        lies[0] = 0
        home = int(lies.argmax()) if others is not None and lies.any() else 0
        for other, theirs in targets.items():
            if others is None and other == number:
                continue
            d = np.linalg.norm((points[:, None] - theirs[None]) * voxel, axis=2).min(initial=np.inf)
            if others is not None:
                both = ((labels == number) & (others == other)).sum()
                d = 0 if 0 < both < min((labels == number).sum(), (others == other).sum()) else d
            best = min(best, (d, other != home, other)) if d < np.inf else best
        ids.append(best[2])
        far.append(best[0] if best[2] else np.nan)
    return ids, far


def measured(labels: Stack, others: Stack | None = None, voxel: tuple[float, float, float] | None = None) -> tuple[Stack, Stack]:
    table = nearest(labels, Objects.of(labels), others, None if others is None else Objects.of(others), voxel_nm=voxel)
    return table["nearest_id"], table["nearest_distance"]


def blobs(seed: int, shape: tuple[int, int, int] = (9, 24, 37), count: int = 5) -> Stack:
    rng = np.random.default_rng(seed)
    out = np.zeros(shape, np.uint16)
    for _ in range(count):
        out[ball(shape, tuple(rng.uniform(0, shape)), rng.uniform(0, 7), (2, 1, 1))] = rng.integers(1, 60000)
    return out


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**16), two=st.booleans())
def test_as_every_face_with_every_other(seed: int, two: bool) -> None:
    labels, voxel = blobs(seed), (7.0, 2.0, 3.0)
    others = blobs(seed + 1) if two else None
    ids, far = measured(labels, others, voxel)
    wanted, distance = by_hand(labels, others, voxel)
    assert ids.tolist() == wanted
    np.testing.assert_allclose(far, distance, rtol=1e-12)


@pytest.mark.parametrize("voxel", [(1.0, 1.0, 1.0), (3.0, 1.0, 1.0)])
@pytest.mark.parametrize("way", [(0, 0, 1), (0, 1, 1), (1, 1, 1), (1, 2, 3)])
def test_two_balls(voxel: tuple[float, float, float], way: tuple[int, int, int]) -> None:
    shape = tuple(int(110 // v) for v in voxel)
    step = np.array(way) / np.linalg.norm(way) * 65
    one, two = np.array([20.3, 20.1, 20.4]), np.array([20.3, 20.1, 20.4]) + step
    labels = np.where(ball(shape, tuple(one / voxel), 16, voxel), 4, 0).astype(np.uint8)
    labels[ball(shape, tuple(two / voxel), 9, voxel)] = 2
    ids, far = measured(labels, voxel=voxel)
    assert ids.tolist() == [4, 2]
    np.testing.assert_allclose(far, 40, rtol=.02)
    np.testing.assert_allclose(between_centroids(np.stack([one, two]))["nearest_centroid_distance"], 65)


def test_boxes_are_exact() -> None:
    labels = np.zeros((30, 40, 50), np.int32)
    labels[2:6, 2:10, 2:10], labels[2:6, 2:10, 33:40], labels[6:8, 2:10, 2:10] = 1, 2, 9
    ids, far = measured(labels, voxel=(10, 4, 4))
    assert ids.tolist() == [9, 1, 1]
    np.testing.assert_allclose(far, [0, 23 * 4, 0])


def test_inside_across_and_the_same() -> None:
    cell = np.zeros((20, 20, 20), np.uint8)
    cell[2:18, 2:18, 2:18] = 5
    inside, across = np.zeros_like(cell), np.zeros_like(cell)
    inside[8:10, 8:10, 6:8] = 1
    across[8:10, 8:10, 0:5] = 3
    assert measured(inside, cell) == ([5], [4])
    assert measured(across, cell) == ([5], [0])
    assert measured(cell, cell) == ([5], [0])


def test_of_equals_the_one_it_lies_in() -> None:
    cells, inside = np.ones((9, 9, 20), np.uint8), np.zeros((9, 9, 20), np.uint8)
    cells[..., 10:], inside[4, 4, 7], inside[4, 4, 12] = 2, 1, 2
    assert measured(inside, cells)[0].tolist() == [1, 2]


def test_none_to_be_near_to() -> None:
    alone, nothing, everywhere = np.zeros((3, 4, 5), np.uint8), np.zeros((3, 4, 5), np.uint8), np.ones((3, 4, 5), np.uint8)
    alone[1, 1, 1] = 7
    for labels, others in ((alone, None), (alone, nothing), (everywhere, alone), (everywhere, None), (alone, everywhere)):
        ids, far = measured(labels, others)
        assert ids.tolist() == [0]
        assert np.isnan(far).all()
    assert len(measured(nothing, alone)[0]) == len(measured(nothing)[0]) == 0
    assert np.isnan(between_centroids(np.zeros((1, 3)))["nearest_centroid_distance"]).all()
    assert np.isnan(between_centroids(np.zeros((2, 3)), np.zeros((0, 3)))["nearest_centroid_distance"]).all()


def test_patches_hold_every_face(tmp_path: Path) -> None:
    labels = blobs(3, (40, 50, 60), 30)
    objects = Objects.of(labels)
    np.save(tmp_path / "labels.npy", labels)
    for stack in (labels, np.load(tmp_path / "labels.npy", mmap_mode="r")):
        found = patches(stack, objects)
        points, first = of_patches(stack, objects, found.codes)
        assert (np.diff(found.codes) > 0).all()
        wanted = faces_by_hand(labels)
        for row, number in enumerate(objects.ids):
            here = np.concatenate([points[first[i]:first[i + 1]] for i in np.flatnonzero(found.rows == row)])
            assert sorted(map(tuple, here / 2)) == sorted(map(tuple, wanted[int(number)]))
        for i in range(len(found)):
            mine = points[first[i]:first[i + 1]]
            assert (mine.min(0) == found.low[i]).all()
            assert (mine.max(0) == found.high[i]).all()
            assert (mine == found.one[i]).all(1).any()
    assert sum(len(f) for _, f in faces(labels, objects)) == len(points)


@pytest.mark.parametrize(("module", "name", "value"), [("faces", "BLOCK", 3), ("faces", "BLOCK", 64), ("objects", "SLAB_VOXELS", 1)])
def test_the_same_whatever_the_blocks_and_what_is_read_at_once(monkeypatch: pytest.MonkeyPatch, module: str, name: str, value: int) -> None:
    labels, others = blobs(8, (40, 30, 30), 20), blobs(9, (40, 30, 30), 20)
    want = [*measured(labels), *measured(labels, others, (3, 1, 2))]
    monkeypatch.setattr(f"fibsem_ij.measure.{module}.{name}", value)
    for one, two in zip(want, [*measured(labels), *measured(labels, others, (3, 1, 2))], strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_large_object_within_itself() -> None:
    """One whose own surface is nearer than any other's, at most of its places."""
    labels = np.zeros((64, 96, 96), np.uint8)
    labels[4:60, 4:60:8, 4:90] = 1
    labels[4:60, 4:60, 4:6] = 1
    labels[30, 92, 50] = 2
    ids, far = measured(labels)
    assert ids.tolist() == [2, 1]
    np.testing.assert_allclose(far, 92 - 52 - 1)
