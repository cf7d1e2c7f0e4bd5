from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from fibsem_ij.arrays.scores import adapted_rand, overlaps
from fibsem_ij.objects.cells import WAYS, Options, cells

DEPTH, SIDE = 13, 96


def scene() -> np.ndarray:
    """Two cells that touch and lean; cell 1 has a finger that a slice shows as an island until it joins at slice 6."""
    labels = np.zeros((DEPTH, SIDE, SIDE), np.int32)
    y, x = np.mgrid[:SIDE, :SIDE]
    for z in range(DEPTH):
        lean = 22 + z / 2
        labels[z][(np.abs(y - 48) < 26) & (x > lean) & (x < 48 + z)] = 1
        labels[z][(np.abs(y - 48) < 26) & (x >= 48 + z) & (x < 78 + z / 2)] = 2
        if 2 <= z < 11:  # no drawn slice sees it
            top = 16 if z < 6 else 26
            labels[z][(y > 4) & (y < top) & (x > 34) & (x < 44)] = 1
    return labels


def probabilities(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    edge = np.stack([cv2.dilate(s.astype(np.float32), np.ones((3, 3))) != cv2.erode(s.astype(np.float32), np.ones((3, 3))) for s in labels])
    edge &= labels > 0
    edge[4:9, 40:56, 45:65] = False  # a gap in the network's boundary
    grey = []
    for mask in ((labels > 0) & ~edge, edge):
        soft = np.stack([cv2.GaussianBlur(s.astype(np.float32) * 255, (0, 0), 0.7) for s in mask])
        grey.append(np.clip(soft + rng.normal(0, 12, soft.shape), 0, 255).astype(np.uint8))
    return grey[0], grey[1]


TRUTH = scene()
SEEN = probabilities(TRUTH)
DRAWN = {0: TRUTH[0], 12: TRUTH[12]}


@pytest.mark.parametrize("way", WAYS)
def test_cells_keep_their_numbers_between_drawn_slices(way):
    found, events = cells(*SEEN, DRAWN, options=Options(way=way))
    both = (TRUTH > 0) & (found > 0)
    assert (found > 0)[TRUTH > 0].mean() > 0.97
    assert (found[both] == TRUTH[both]).mean() > 0.96
    assert adapted_rand(overlaps(found, TRUTH))[0] < 0.05
    assert {len(column) for column in events.values()} == {len(events["z"])}


def test_an_island_becomes_the_cell_it_meets_backwards_too_and_the_log_says_so():
    found, events = cells(*SEEN, DRAWN)
    island = (TRUTH == 1) & (np.arange(SIDE)[:, None] < 20)
    assert (found[island & (found > 0)] == 1).mean() > 0.98
    rows = list(zip(events["z"].tolist(), events["event"].tolist(), events["into"].tolist(), strict=True))
    assert (2, "new", 0) in rows
    assert (6, "joined", 1) in rows
    assert (events["track"] < 0).all()


def test_an_island_that_meets_nobody_is_a_thing_of_its_own():
    truth = TRUTH.copy()
    truth[4:9, 85:94, 80:92] = 7
    found, events = cells(*probabilities(truth), DRAWN)
    own = found[5:8, 87:92, 82:90]
    assert (own == 3).all()
    assert "own" in events["event"]


def test_one_bad_slice_loses_no_number():
    interior, boundary = (s.copy() for s in SEEN)
    interior[5] = boundary[5] = 0
    found, events = cells(interior, boundary, DRAWN)
    assert (found == TRUTH)[(TRUTH > 0) & (np.arange(SIDE)[:, None] > 24)].mean() > 0.93
    assert (5, "bridged") in set(zip(events["z"].tolist(), events["event"].tolist(), strict=True))


def test_a_drawn_slice_that_shows_nothing_does_not_make_all_others_bad():
    interior, boundary, truth = SEEN[0].copy(), SEEN[1].copy(), TRUTH.copy()
    interior[:3] = boundary[:3] = truth[:3] = 0
    found, events = cells(interior, boundary, {0: truth[0], 12: truth[12]})
    assert (found > 0)[truth > 0].mean() > 0.97
    assert (found == truth)[truth > 0].mean() > 0.93
    alone, _ = cells(interior, boundary, {0: truth[0], 1: truth[1] + (np.arange(SIDE) < 2)})
    assert (alone > 0)[truth > 0].mean() > 0.95
    assert "own" in events["event"] or "other side" in events["event"]


@pytest.mark.parametrize("zs", [(0, 12), (3, 9), (6,), (4, 6, 7)])
def test_neither_the_direction_of_z_nor_the_workers_matter(zs):
    drawn = {z: TRUTH[z] for z in zs}
    forward, events = cells(*SEEN, drawn)
    backward, _ = cells(*(s[::-1] for s in SEEN), {DEPTH - 1 - z: s for z, s in drawn.items()})
    np.testing.assert_array_equal(forward, backward[::-1])
    with ThreadPoolExecutor(3) as pool:
        again, told = cells(*SEEN, drawn, executor=pool)
    np.testing.assert_array_equal(again, forward)
    assert all(np.array_equal(told[name], events[name]) for name in events)
    for z in zs:
        np.testing.assert_array_equal(forward[z], TRUTH[z])


def test_a_finger_too_thin_to_have_an_inside_is_kept():
    truth = TRUTH.copy()
    truth[:, 88:90, 20:70] = 1  # all of it is boundary
    found, _ = cells(*probabilities(truth), {z: truth[z] for z in (0, 12)})
    assert (found == 1)[:, 88:90, 22:68].mean() > 0.95


def test_sections_are_read_one_by_one():
    class Watched:
        def __init__(self, array: np.ndarray) -> None:
            self.array, self.shape, self.dtype, self.asked = array, array.shape, array.dtype, []

        def __getitem__(self, z: int) -> np.ndarray:
            self.asked.append(z)
            return self.array[z]

    interior, boundary = (Watched(s) for s in SEEN)
    whole, _ = cells(*SEEN, {0: TRUTH[0], 6: TRUTH[6], 12: TRUTH[12]})
    found, _ = cells(interior, boundary, {0: TRUTH[0], 6: TRUTH[6], 12: TRUTH[12]})
    np.testing.assert_array_equal(found, whole)
    assert interior.asked == boundary.asked == [*range(7), *range(6, 13)]


def test_what_cannot_be_is_refused():
    for drawn in ({}, {13: TRUTH[0]}, {0: TRUTH[0][:9]}):
        with pytest.raises(ValueError, match="drawn slices"):
            cells(*SEEN, drawn)
    with pytest.raises(ValueError, match="renumber"):
        cells(*SEEN, {0: TRUTH[0] + 2**24})
    with pytest.raises(ValueError, match="255 is certain"):
        cells(SEEN[0] / 255, SEEN[1], DRAWN)
    for wrong in ({"way": "best"}, {"inside": 1.0}):
        with pytest.raises(ValueError, match="expected"):
            Options(**wrong)
