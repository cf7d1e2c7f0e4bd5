from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.ndimage import binary_erosion

from fibsem_ij.arrays.scores import object_dice, overlaps
from fibsem_ij.objects.crops import crops, put_back
from fibsem_ij.objects.nuclei import Options, draw, find
from fibsem_ij.volume import Volume

OPTIONS = Options(least=30, most=90, block_px=51, lasting=0.2)


def scene() -> tuple[np.ndarray, np.ndarray]:
    """Two nuclei with a dark envelope, moving a little, one missing in a slice; a square and a speck that are none."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:200, :220]
    grey, truth = np.full((12, 200, 220), 170.0), np.zeros((12, 200, 220), np.uint8)
    for z in range(12):
        for number, (cy, cx, ry, rx) in enumerate(((60 + z, 60, 25, 30), (140, 150 - z, 22, 22)), 1):
            far = np.hypot((y - cy) / ry, (x - cx) / rx)
            if number == 2 and z in (0, 1, 6):
                continue
            truth[z][far < 1] = number
            grey[z][np.abs(far - 1) < 0.12] = 70
        grey[z, 20:24, 120:200] = 70
        grey[z, 150:158, 30:38] = 70
    truth[6][np.hypot((y - 140) / 22, (x - 145) / 22) < 1] = 2
    return np.clip(grey + rng.normal(0, 8, grey.shape), 0, 255).astype(np.uint8), truth


def test_nuclei_are_found_followed_and_numbered():
    grey, truth = scene()
    nuclei = find(grey, options=OPTIONS)
    assert [(min(n.outlines), max(n.outlines)) for n in nuclei] == [(0, 11), (2, 11)]
    assert 6 not in nuclei[1].outlines
    out = np.zeros(grey.shape, np.uint32)
    draw(nuclei, out)
    assert object_dice(overlaps(out, truth))[1].min() > 0.8
    with ThreadPoolExecutor(2) as pool:
        again = find(grey, options=OPTIONS, executor=pool)
    assert all(np.array_equal(a.outlines[z], b.outlines[z]) for a, b in zip(nuclei, again, strict=True) for z in a.outlines)


def test_sizes_are_nm_where_a_voxel_size_is_known():
    grey, _ = scene()
    assert len(find(Volume(grey, (50.0, 20.0, 20.0)), options=Options(least=600, most=1800, block_px=51))) == 2
    assert not find(Volume(grey, (5.0, 20.0, 20.0)), options=Options(least=600, most=1800, block_px=51))  # no thicker than a section
    assert not find(Volume(grey, (50.0, 20.0, 20.0)), options=OPTIONS)


def test_crops_go_back_where_they_came_from():
    grey, _ = scene()
    out = np.zeros_like(grey)
    for number, offset, pixels in crops(grey, find(grey, options=OPTIONS), size_px=80):
        assert number in (1, 2)
        assert pixels.shape[1:] == (80, 80)
        z, y, x = offset
        np.testing.assert_array_equal(pixels, grey[z:z + len(pixels), y:y + 80, x:x + 80])
        put_back(pixels, offset, out)
        np.testing.assert_array_equal(out[z:z + len(pixels), y:y + 80, x:x + 80], pixels)


def test_what_cannot_be_is_refused():
    for wrong in ({"blur_px": 10}, {"least": 9, "most": 3}, {"round": 0}, {"offsets": ()}, {"profile": -1}):
        with pytest.raises(ValueError, match="expected"):
            Options(**wrong)


def test_a_nucleus_is_found_in_its_cell_with_its_nucleolus_and_once():
    """The wall of its cell, a column through all slices; an envelope with a fold; a dark nucleolus."""
    rng = np.random.default_rng(1)
    z, y, x = np.mgrid[:48, :180, :180]
    far = np.sqrt((1.6 * (z - 24)) ** 2 + (y - 90) ** 2 + (x - 88) ** 2)
    truth = (far < 36) & ~((np.abs(y - 90) < 3) & (x > 105))
    rim = truth & ~binary_erosion(truth, np.ones((1, 9, 9)))
    grey = np.where(rim, 80, np.where(far < 16, 100, 172)) + rng.normal(0, 6, far.shape)
    grey[np.abs(np.hypot(y - 90, x - 90) - 62) < 4] = 80
    found = find(Volume(np.clip(grey, 0, 255).astype(np.uint8), (16.0, 10.0, 10.0)), options=Options(least=400, most=1100))
    out = np.zeros(truth.shape, np.uint32)
    draw(found, out)
    nuclei = [n for n in range(1, len(found) + 1) if (out == n)[truth].mean() > 0.5]
    assert len(nuclei) == 1
    assert object_dice(overlaps(out == nuclei[0], truth))[1][0] > 0.8


def test_what_is_thin_from_the_side_is_no_nucleus():
    """One profile of 40 px: in 16 slices of 48; in 28."""
    y, x = np.mgrid[:120, :120]
    rim = np.abs(np.hypot(y - 60, x - 60) - 21) < 2.5

    def found(zs: range, **more: float) -> int:
        grey = np.full((48, 120, 120), 170, np.uint8)
        grey[np.ix_(zs)] = np.where(rim, 70, 170)
        return len(find(grey, options=Options(least=30, most=90, block_px=51, **more)))

    assert found(range(10, 26)) == 0
    assert found(range(10, 26), profile=0.5) == 1
    assert found(range(10, 38)) == 1
