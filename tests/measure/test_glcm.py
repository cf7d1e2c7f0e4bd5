"""Co-occurrence: against matrices made pair by pair; read in any way; turned; the objects that have no pair or no contrast."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mosaics import OFFSETS, brute, close, mosaic, odd, on_disk, same, turned

from fibsem_ij.measure.objects import Objects
from fibsem_ij.measure.texture.glcm import glcm
from fibsem_ij.measure.texture.levels import span_of


def from_the_matrix(level: dict[tuple[int, ...], int], levels: int) -> dict[str, float]:
    matrix = np.zeros((levels, levels))
    for at, here in level.items():
        for step in OFFSETS:
            there = level.get(tuple((np.array(at) + step).tolist()))
            if there is not None:
                matrix[here, there] += 1
    p = matrix / matrix.sum() if matrix.any() else np.full_like(matrix, np.nan)
    i, j = np.indices(p.shape)
    mean = (i * p).sum()
    variance = ((i - mean) ** 2 * p).sum()
    covariance = ((i - mean) * (j - mean) * p).sum()
    return {"glcm_homogeneity": (p / (1 + (i - j) ** 2)).sum(), "glcm_correlation": covariance / variance if variance > 0 else np.nan,
            "glcm_variance": variance, "glcm_contrast": ((i - j) ** 2 * p).sum()}


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([2, 8, 32]), st.sampled_from([(0.0, 255.0), (40.0, 90.0)]))
def test_it_is_what_the_matrices_say(seed: int, levels: int, span: tuple[float, float]) -> None:
    labels, image = mosaic(seed, (5, 6, 7))
    close(glcm(labels, Objects.of(labels), image, levels=levels, span=span), brute(labels, image, levels, span, from_the_matrix))


def test_odd_objects_have_what_features_they_can_have() -> None:
    labels, image = odd()
    found = glcm(labels, Objects.of(labels), image, levels=16, span=(0, 255))
    close(found, brute(labels, image, 16, (0, 255), from_the_matrix))
    alone, constant = [0, 3], 4
    assert all(np.isnan(found[name][alone]).all() for name in found)
    assert (found["glcm_homogeneity"][constant], found["glcm_contrast"][constant], found["glcm_variance"][constant]) == (1, 0, 0)
    assert np.isnan(found["glcm_correlation"][constant])


def test_a_checkerboard_by_hand() -> None:
    """Of a voxel's 26 neighbours far from the border, 14 have the other grey value."""
    image = (np.indices((40, 40, 40)).sum(0) % 2 * 255).astype(np.uint8)
    labels = np.ones(image.shape, np.uint8)
    found = glcm(labels, Objects.of(labels), image, levels=2, span=(0, 255))
    assert found["glcm_contrast"][0] == pytest.approx(14 / 26, abs=0.005)
    assert found["glcm_variance"][0] == pytest.approx(0.25)
    assert found["glcm_correlation"][0] == pytest.approx(1 - 28 / 26, abs=0.01)


def test_it_does_not_matter_how_it_is_read(tmp_path: Path) -> None:
    labels, image = mosaic(3, (11, 23, 9))
    objects = Objects.of(labels)
    whole = glcm(labels, objects, image, slab=11, workers=1)
    for slab, workers in ((1, 1), (3, 2), (4, 3), (None, None)):
        same(glcm(labels, objects, image, slab=slab, workers=workers), whole)
    same(glcm(on_disk(labels, tmp_path / "labels"), objects, on_disk(image, tmp_path / "image"), slab=3), whole)


def test_a_turn_by_90_degrees_changes_nothing() -> None:
    labels, image = mosaic(4)
    upright = glcm(labels, Objects.of(labels), image)
    for other_labels, other_image in zip(turned(labels), turned(image), strict=True):
        same(glcm(other_labels, Objects.of(other_labels), other_image), upright)


def test_what_lies_outside_of_an_object_does_not_matter() -> None:
    labels, image = mosaic(5)
    objects = Objects.of(labels)
    changed = np.where(labels == 7, image, 255 - image)
    one, two = (glcm(labels, objects, grey, span=(0, 255)) for grey in (image, changed))
    row = list(objects.ids).index(7)
    assert all(one[name][row] == two[name][row] for name in one)


def test_the_span_is_of_all_objects_together() -> None:
    labels, image = mosaic(6, (9, 9, 9))
    objects = Objects.of(labels)
    inside = image[labels > 0]
    expected = tuple(float(np.percentile(inside, p, method="inverted_cdf")) for p in (1, 99))
    assert span_of(labels, objects, image) == expected
    same(glcm(labels, objects, image), glcm(labels, objects, image, span=expected))
    float_image = (image / 255 - 0.5).astype(np.float32)
    assert span_of(labels, objects, float_image) == tuple(np.percentile(float_image[labels > 0], (1, 99), method="inverted_cdf"))


def test_what_makes_no_levels_is_refused() -> None:
    labels, image = mosaic(0)
    objects = Objects.of(labels)
    with pytest.raises(ValueError, match="expected 2 grey levels or more"):
        glcm(labels, objects, image, levels=1)
    with pytest.raises(ValueError, match="expected a span of grey values"):
        glcm(labels, objects, image, span=(9, 3))
    with pytest.raises(ValueError, match="expected grey values for every voxel"):
        glcm(labels, objects, image[1:])
    spoilt = image.astype(np.float32)
    spoilt[labels > 0] = np.nan
    for span in (None, (0, 1)):
        with pytest.raises(ValueError, match="expected finite grey values inside the objects"):
            glcm(labels, objects, spoilt, span=span)
    outside = np.where(labels == 0, np.nan, image.astype(np.float32))
    same(glcm(labels, objects, outside), glcm(labels, objects, image))
