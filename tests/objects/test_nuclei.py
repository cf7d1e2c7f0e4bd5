from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fibsem_ij.arrays.scores import object_dice, overlaps
from fibsem_ij.objects.nuclei import Options, crops, draw, find, put_back
from fibsem_ij.volume import Volume

OPTIONS = Options(least=30, most=90, block_px=51)


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
    for wrong in ({"blur_px": 10}, {"least": 9, "most": 3}, {"round": 0}):
        with pytest.raises(ValueError, match="expected"):
            Options(**wrong)
