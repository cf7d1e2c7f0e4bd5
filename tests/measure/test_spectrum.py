"""The pattern spectrum: against openings by windows grown in steps; what details of known size must give; read in any way; turned."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mosaics import OFFSETS, brute, close, mosaic, odd, on_disk, same, turned

from fibsem_ij.measure.objects import Objects
from fibsem_ij.measure.texture import DEFINITIONS
from fibsem_ij.measure.texture.spectrum import spectrum

At = tuple[int, ...]


def window(level: dict[At, int], at: At, radius: int) -> set[At]:
    found = {at}
    for _ in range(radius):
        found |= {there for here in found for step in OFFSETS if (there := tuple((np.array(here) + step).tolist())) in level}
    return found


def by_windows(level: dict[At, int], levels: int, *, radius: int) -> dict[str, float]:
    """Every voxel becomes the most of the leasts, or the least of the mosts, of the windows that it is in."""
    sums: dict[int, int] = {0: sum(level.values())}
    ways: tuple[tuple[int, Callable[[Iterable[int]], int], Callable[[Iterable[int]], int]], ...] = ((1, min, max), (-1, max, min))
    for k in range(1, radius + 1):
        windows = {at: window(level, at, k) for at in level}
        for sign, first, then in ways:
            once = {at: first(level[there] for there in windows[at]) for at in level}
            sums[sign * k] = sum(then(once[there] for there in windows[at]) for at in level)
    change = {k: abs(sums[k] - sums[k - (k > 0) + (k < 0)]) for k in sums if k}
    total = sum(change.values()) or np.nan
    k, share = np.array(sorted(change)), np.array([change[k] / total for k in sorted(change)])
    mean = (k * share).sum()
    sd = np.sqrt(((k - mean) ** 2 * share).sum())
    skew, kurtosis = (((k - mean) ** n * share).sum() / sd**n if sd > 0 else np.nan for n in (3, 4))
    moments = {"spectrum_mean": mean, "spectrum_sd": sd, "spectrum_skew": skew, "spectrum_kurtosis": kurtosis}
    return moments | {f"spectrum_{n}": value for n, value in zip(k, share, strict=True)}


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 2, 3]))
def test_it_is_what_the_windows_say(seed: int, radius: int) -> None:
    labels, image = mosaic(seed, (5, 6, 6))
    found = spectrum(labels, Objects.of(labels), image, levels=8, span=(0, 255), radius=radius, columns=True)
    close(found, brute(labels, image, 8, (0, 255), partial(by_windows, radius=radius)))


def test_odd_objects() -> None:
    labels, image = odd()
    found = spectrum(labels, Objects.of(labels), image, levels=16, span=(0, 255), radius=2, columns=True)
    close(found, brute(labels, image, 16, (0, 255), partial(by_windows, radius=2)))
    assert np.isnan(found["spectrum_mean"][[0, 3, 4]]).all()  # one voxel, voxels that do not touch, a constant cube


def test_detail_counts_at_its_size() -> None:
    """Bright cubes 3 and 5 voxels wide are taken away by the openings of radius 2 and 3, a dark voxel by the closing of 1."""
    image = np.full((40, 40, 40), 100, np.uint8)
    image[8:11, 8:11, 8:11] = 140  # 27 voxels, 40 brighter
    image[18:23, 18:23, 18:23] = 120  # 125 voxels, 20 brighter
    image[31, 31, 31] = 50
    labels = np.ones(image.shape, np.uint8)
    found = spectrum(labels, Objects.of(labels), image, levels=256, span=(0, 256), columns=True)
    taken = {"spectrum_2": 27 * 40, "spectrum_3": 125 * 20, "spectrum_-1": 50, "spectrum_1": 0, "spectrum_-2": 0, "spectrum_-3": 0}
    for name, grey in taken.items():
        assert found[name][0] == pytest.approx(grey / sum(taken.values()))


def test_the_negative_has_the_spectrum_turned_over() -> None:
    labels, image = mosaic(1, (8, 9, 10))
    objects = Objects.of(labels)
    one = spectrum(labels, objects, image // 8, span=(0, 32), columns=True)
    two = spectrum(labels, objects, 31 - image // 8, span=(0, 32), columns=True)
    for k in (1, 2, 3):
        np.testing.assert_array_equal(one[f"spectrum_{k}"], two[f"spectrum_-{k}"])
    np.testing.assert_allclose(one["spectrum_mean"], -two["spectrum_mean"], atol=1e-12)


def test_it_does_not_matter_how_it_is_read(tmp_path: Path) -> None:
    labels, image = mosaic(3, (17, 40, 9))
    objects = Objects.of(labels)
    whole = spectrum(labels, objects, image, slab=17, workers=1)
    for slab, workers in ((1, 1), (3, 2), (None, None)):
        same(spectrum(labels, objects, image, slab=slab, workers=workers), whole)
    same(spectrum(on_disk(labels, tmp_path / "labels"), objects, on_disk(image, tmp_path / "image"), slab=3), whole)


def test_a_turn_by_90_degrees_changes_nothing() -> None:
    labels, image = mosaic(4)
    upright = spectrum(labels, Objects.of(labels), image)
    for other_labels, other_image in zip(turned(labels), turned(image), strict=True):
        same(spectrum(other_labels, Objects.of(other_labels), other_image), upright)


def test_every_column_is_defined_and_an_empty_stack_has_no_rows() -> None:
    labels = np.zeros((3, 4, 5), np.uint8)
    found = spectrum(labels, Objects.of(labels), labels, radius=16, columns=True)
    assert len(found) == 36
    assert set(found) <= set(DEFINITIONS)
    assert {len(column) for column in found.values()} == {0}


def test_a_radius_that_means_nothing_is_refused() -> None:
    labels, image = mosaic(0)
    with pytest.raises(ValueError, match="expected a radius of 1 to 16 voxels"):
        spectrum(labels, Objects.of(labels), image, radius=0)
