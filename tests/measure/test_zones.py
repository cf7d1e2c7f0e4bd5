"""Size zones: against zones grown voxel by voxel; read in any way; turned; zones that join late."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from mosaics import OFFSETS, brute, close, mosaic, odd, on_disk, same, turned

from fibsem_ij.measure.objects import Objects
from fibsem_ij.measure.texture.zones import zones


def grown(level: dict[tuple[int, ...], int], levels: int) -> dict[str, float]:
    left, found = dict(level), []
    while left:
        start, here = left.popitem()
        front, size = [start], 0
        while front:
            at, size = front.pop(), size + 1
            for step in OFFSETS:
                there = tuple((np.array(at) + step).tolist())
                if left.get(there) == here:
                    del left[there]
                    front.append(there)
        found.append((here + 1, size))
    i, j = np.array(found, float).T
    return {"zone_percentage": len(i) / len(level), "zone_small_high_grey": (i**2).sum() / len(i),
            "zone_small_high_grey_by_size": (i**2 / j**2).sum() / len(i), "zone_size_centroid": j.sum() / len(i)}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([2, 3, 8, 32]))
def test_it_is_what_growing_zones_says(seed: int, levels: int) -> None:
    labels, image = mosaic(seed, (6, 7, 8))
    close(zones(labels, Objects.of(labels), image, levels=levels, span=(0, 255)), brute(labels, image, levels, (0, 255), grown))


def test_odd_objects() -> None:
    labels, image = odd()
    found = zones(labels, Objects.of(labels), image, levels=16, span=(0, 255))
    close(found, brute(labels, image, 16, (0, 255), grown))
    assert found["zone_percentage"][0] == 1
    assert found["zone_size_centroid"][4] == 27  # of a constant cube


def test_zones_that_meet_only_in_the_last_slice_are_one() -> None:
    """A comb: teeth that grow for themselves, from two sides, and hang together at the end."""
    image = np.zeros((9, 6, 30), np.uint8)
    image[:8, 1, ::3] = image[8, 1, :] = 200
    image[:8, 4, ::3] = image[0, 4, :] = 200
    labels = np.ones(image.shape, np.uint8)
    for stack in (image, image[::-1].copy()):
        close(zones(labels, Objects.of(labels), stack, levels=4, span=(0, 255)), brute(labels, stack, 4, (0, 255), grown))


def test_it_does_not_matter_how_it_is_read(tmp_path: Path) -> None:
    labels, image = mosaic(3, (11, 12, 9))
    objects = Objects.of(labels)
    whole = zones(labels, objects, image, slab=11)
    for slab in (1, 3, 4, None):
        same(zones(labels, objects, image, slab=slab), whole)
    same(zones(on_disk(labels, tmp_path / "labels"), objects, on_disk(image, tmp_path / "image"), slab=3), whole)


def test_a_turn_by_90_degrees_changes_nothing() -> None:
    labels, image = mosaic(4)
    upright = zones(labels, Objects.of(labels), image, levels=4)
    for other_labels, other_image in zip(turned(labels), turned(image), strict=True):
        close(zones(other_labels, Objects.of(other_labels), other_image, levels=4), upright, atol=1e-12)
