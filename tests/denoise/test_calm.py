"""What a network makes of noise alone is taken away, and structure is not."""

from __future__ import annotations

from dataclasses import replace

import noisy_scene as scene
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from fibsem_ij import denoise
from fibsem_ij.denoise import calm

BLOTCHES = gaussian_filter(np.random.default_rng(3).standard_normal((256, 256)), 3).astype(np.float32)
BLOTCHES /= BLOTCHES.std()


def alone(sd: float) -> calm.Alone:
    return np.array([50, 200], np.float32), np.full(2, sd**2, np.float32)


def test_blotches_go_and_membranes_stay():
    wall = np.full((256, 256), 120, np.float32)
    wall[:, 96:102] -= 60
    found = calm.calmed(wall + 4 * BLOTCHES, alone(4))
    far = np.s_[:, 160:]
    assert np.std(found[far]) < 0.5 * np.std(4 * BLOTCHES[far])
    assert np.allclose(found[:, 94:104], (wall + 4 * BLOTCHES)[:, 94:104], atol=1)
    assert found.dtype == np.float32


@pytest.mark.parametrize("strength", [2.0, 3.0])
def test_what_is_stronger_than_noise_stays(strength):
    seen = 120 + strength * 4 * BLOTCHES
    assert np.std(calm.calmed(seen, alone(4))) > 0.7 * np.std(seen)


def test_a_network_that_makes_nothing_of_noise_changes_nothing():
    seen = 120 + BLOTCHES
    assert np.allclose(calm.calmed(seen, alone(0)), seen, atol=1e-4)


@pytest.mark.parametrize("method", ["supervised", "blindspot", "vae"])
def test_noise_alone_comes_out_flat(method):
    truth = scene.clean(8)
    seen = scene.scan(truth, seed=1)
    fields = [np.stack([scene.scan(truth, seed=s)[z] for s in range(1, 6)]) for z in range(8)]
    network = denoise.fit(seen, scans=fields if method == "supervised" else None, options=scene.quick(method, updates=40))
    noise = scene.scan(np.full((1, 256, 256), 120), seed=9)
    found = denoise.apply(noise, network)
    raw = denoise.apply(noise, replace(network, record={}))  # a network of before this was measured
    assert np.var(found.astype(float)) < 0.02 * np.var(noise.astype(float))
    assert np.var(found.astype(float)) < 0.98 * np.var(raw.astype(float))


def test_a_network_whose_record_was_changed_is_named():
    network = denoise.fit(scene.scan(scene.clean(4), seed=1), options=scene.quick("blindspot", updates=2))
    for wrong in ({"grey": [1, 2]}, {"grey": [2, 1], "variance": [1, 1]}, {"grey": [1], "variance": ["x"]}, 7):
        with pytest.raises(ValueError, match=r"noise_alone.*fit it again"):
            denoise.apply(scene.clean(4), replace(network, record={calm.KEY: wrong}))
