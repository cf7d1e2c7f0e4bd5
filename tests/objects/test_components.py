from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_fill_holes, gaussian_filter

from fibsem_ij.arrays.boxes import boxes
from fibsem_ij.objects.components import PRESETS, Options, components
from fibsem_ij.objects.splitting import parted, pinched
from fibsem_ij.volume import Volume

SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))
WAYS = {6: 1, 18: 2, 26: 3}


def by_hand(grey: np.ndarray, connectivity: int, delta: int) -> np.ndarray:
    """Flooding, voxel by voxel, in (z, y, x) order."""
    steps = [d for d in np.ndindex(3, 3, 3) if 0 < np.abs(np.array(d) - 1).sum() <= WAYS[connectivity]]
    found, count = np.zeros(grey.shape, np.uint32), 0
    for start in map(tuple, np.argwhere(grey)):
        if found[start]:
            continue
        count += 1
        found[start], todo = count, [start]
        while todo:
            at = todo.pop()
            for step in steps:
                to = tuple(np.array(at) + step - 1)
                if all(0 <= a < n for a, n in zip(to, grey.shape, strict=True)) and grey[to] and not found[to] \
                        and abs(int(grey[to]) - int(grey[at])) <= delta:
                    found[to] = count
                    todo.append(to)
    return found


@given(SHAPES, st.sampled_from([6, 18, 26]), st.integers(1, 4), st.integers(0, 2**32 - 1), st.integers(0, 3))
@settings(deadline=None, max_examples=120)
def test_any_slab_gives_what_flooding_by_hand_gives(shape, connectivity, slab, seed, delta):
    grey = np.random.default_rng(seed).integers(0, 6, shape).astype(np.uint8)
    grey[grey < 2] = 0
    for options, wanted in ((Options(delta=delta), by_hand(grey, connectivity, delta)), (Options(), by_hand(grey, connectivity, 0)),
                            (Options(threshold=3), by_hand((grey >= 3).astype(np.uint8), connectivity, 0))):
        found = components(grey, options=replace(options, connectivity=connectivity, slab=slab))
        np.testing.assert_array_equal(found, wanted)


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.sampled_from([6, 18, 26]), st.booleans(), st.sampled_from([None, 3]),
       st.sampled_from([0, 30, {1: 40, 2: 5}]))
@settings(deadline=None, max_examples=40)
def test_choices_do_not_depend_on_the_slab(seed, slab, connectivity, fill, largest, least):
    smooth = gaussian_filter(np.random.default_rng(seed).normal(size=(13, 24, 20)), 1.5)
    classes = np.digitize(smooth, np.quantile(smooth, [0.5, 0.8])).astype(np.uint8)
    options = Options(connectivity=connectivity, fill_holes=fill, largest=largest, least_voxels=least)
    whole = components(classes, options=replace(options, slab=13))
    out = np.zeros(classes.shape, np.uint32)
    classes.setflags(write=False)
    assert components(classes, out, options=replace(options, slab=slab)) is out
    np.testing.assert_array_equal(out, whole)
    numbers, first = np.unique(whole, return_index=True)
    assert numbers.tolist() == list(range(len(numbers)))
    assert (np.diff(first[1:] if numbers[0] == 0 else first) > 0).all(), "numbered by first voxel"


def test_holes_of_a_mask_are_those_of_scipy_and_those_between_classes_stay():
    rng = np.random.default_rng(3)
    mask = gaussian_filter(rng.normal(size=(20, 30, 30)), 1) > 0.02
    for slab in (1, 4, 20):
        found = components(mask, options=Options(fill_holes=True, slab=slab))
        np.testing.assert_array_equal(found > 0, binary_fill_holes(mask))
    classes = np.ones((7, 9, 12), np.uint8)
    classes[:, :, 6:] = 2
    classes[3, 4, 2] = 0  # inside class 1
    classes[3, 4, 6] = 0  # between the two
    classes[0, 4, 2] = 0  # open to the border of the stack
    found = components(classes, options=Options(fill_holes=True, slab=2))
    assert (found[3, 4, 2], found[3, 4, 6], found[0, 4, 2]) == (1, 0, 0)


def test_small_pieces_go_by_class_and_by_volume():
    classes = np.zeros((1, 5, 20), np.uint8)
    classes[0, 1:3, 0:2] = 1  # 4 voxels
    classes[0, 1:3, 4:5] = 1  # 2
    classes[0, 1:3, 8:9] = 2  # 2
    classes[0, 1, 12] = 2  # 1
    assert components(classes).max() == 4
    kept = components(classes, options=Options(least_voxels={1: 3, 2: 2}))
    assert sorted(np.unique(classes[kept == n]).item() for n in (1, 2)) == [1, 2]
    assert kept.max() == 2
    known = Volume(classes, (10.0, 5.0, 2.0))
    np.testing.assert_array_equal(components(known, options=Options(least_nm3=200)), components(classes, options=Options(least_voxels=2)))
    with pytest.raises(ValueError, match="voxel size"):
        components(classes, options=Options(least_nm3=200))


def test_chromosomes_are_the_twelve_largest_of_close_grey():
    grey = np.zeros((6, 40, 60), np.uint8)
    for i in range(15):
        y, x = divmod(i, 5)
        grey[1:5, 2 + 12 * y:9 + 12 * y, 2 + 11 * x:5 + 11 * x + (i % 4)] = 100 + 5 * i
    grey[1:5, 36, 2:40] = 90 + np.arange(38) // 2  # a ramp, no step beyond 10
    grey[1:5, 36, 40:50] = 200  # too far from the end of the ramp
    found = components(grey, options=PRESETS["chromosomes"])
    volumes = np.sort(np.bincount(found.ravel())[1:])
    everything = np.sort(np.bincount(components(grey, options=Options(delta=10)).ravel())[1:])
    np.testing.assert_array_equal(volumes, everything[-12:])


def two_balls(gap: float) -> np.ndarray:
    z, y, x = np.ogrid[:30, :30, :60]
    return ((z - 15) ** 2 + (y - 15) ** 2 + (x - 18) ** 2 < 144) | ((z - 15) ** 2 + (y - 15) ** 2 + (x - 18 - gap) ** 2 < 144)


def test_two_balls_are_split_in_the_middle_and_one_ball_is_left_alone():
    apart = two_balls(20)
    for slab in (3, 30):
        found = components(apart, options=Options(split_px=2, slab=slab))
        assert found.max() == 2
        assert np.abs(np.flatnonzero((found == 1).any((0, 1))).max() - 28) <= 1
    assert components(two_balls(3), options=Options(split_px=2)).max() == 1
    np.testing.assert_array_equal(components(apart, options=Options(split_px=40)), components(apart))


def test_flat_voxels_count_as_flat():
    squashed = two_balls(20)[::3]
    parts = pinched(squashed, least_px=2, voxel_nm=(30.0, 10.0, 10.0))
    assert parts.max() == 2
    assert (parts[5, 15, 10], parts[5, 15, 46]) == (1, 2) or (parts[5, 15, 10], parts[5, 15, 46]) == (2, 1)


def test_seeds_cut_and_keep_their_numbers():
    mask = two_balls(20)
    seeds = np.zeros(mask.shape, np.uint8)
    seeds[15, 15, 18], seeds[15, 15, 38] = 7, 9
    parts = parted(mask, seeds)
    assert set(np.unique(parts)) == {0, 7, 9}
    assert (parts[:, :, :27][mask[:, :, :27]] == 7).all()


def test_boxes_are_those_of_find_objects():
    from scipy.ndimage import find_objects

    labels = np.random.default_rng(1).integers(0, 900, (4, 7, 9)) % 40
    numbers, found = boxes(labels)
    assert dict(zip(numbers.tolist(), found, strict=True)) == {i: b for i, b in enumerate(find_objects(labels), 1) if b}


def test_what_cannot_be_is_refused():
    for wrong in ({"connectivity": 4}, {"delta": -1}, {"delta": 3, "fill_holes": True}, {"largest": 0}, {"split_px": 0}, {"slab": 0}):
        with pytest.raises(ValueError, match="expected"):
            Options(**wrong)
    with pytest.raises(ValueError, match="threshold"):
        components(np.zeros((2, 3, 4), np.float32))
    with pytest.raises(ValueError, match="one class"):
        components(np.zeros((1, 2, 3, 4), np.uint8))
