"""What the networks are shown and asked for, before any training."""

import noisy_scene as scene
import numpy as np
import pytest
import torch

from fibsem_ij.denoise import pairs
from fibsem_ij.denoise.blindspot import BlindSpot
from fibsem_ij.denoise.noise import Noise
from fibsem_ij.denoise.options import Options
from fibsem_ij.denoise.stacks import Good
from fibsem_ij.denoise.supervised import Supervised
from fibsem_ij.denoise.variational import Variational
from fibsem_ij.learn.scale import Scale

CLEAN = scene.clean(6, 128)
NOISY = scene.scan(CLEAN, seed=1)
SCALE = Scale.of(NOISY, "mean-std")


def blind(**options):
    return BlindSpot(NOISY, Noise.of(NOISY, slices=range(6)), scale=SCALE, options=Options(method="blindspot", **options))


def test_what_is_shown_and_what_is_asked_share_no_noise():
    task = blind(neighbours=1)
    seen = torch.from_numpy(SCALE.forward(NOISY[1:4]))[None]
    shown, asked = task.parted(seen, torch.Generator().manual_seed(0))
    clean = SCALE.forward(CLEAN[2])
    left, right = (t[0].numpy() - clean for t in (shown[:, 1], asked[:, 0]))
    assert abs(np.corrcoef(left.ravel(), right.ravel())[0, 1]) < 0.03
    assert abs(np.corrcoef((seen[0, 1].numpy() - clean).ravel(), right.ravel())[0, 1]) > 0.3  # as it would be, were nothing hidden
    assert torch.equal(shown[:, [0, 2]], seen[:, [0, 2]])


@pytest.mark.parametrize("neighbours", [0, 1])
def test_flat_patches_are_noise_on_nothing(neighbours):
    options = {"neighbours": neighbours, "flat": 0.5, "patch": 32}
    tasks = [blind(**options), Supervised([(NOISY, CLEAN)], scale=SCALE, options=Options(**options)),
             Variational(NOISY, Noise.of(NOISY, slices=range(6)), scale=SCALE, options=Options(method="vae", **options))]
    expected = np.square((NOISY - CLEAN.astype(float)) * SCALE.gain).mean()
    for task, extra in zip(tasks, (1.25, 1, 1), strict=True):  # the blind one adds half of its own deviation
        noisy, truth, *weight = task.batch(np.random.default_rng(0), 64)
        flat = truth.flatten(1).std(1) < 1e-5
        assert all(torch.equal(counts == pairs.FLAT, flat) for counts in weight)
        assert 16 < int(flat.sum()) < 48
        assert noisy.shape == (64, 2 * neighbours + 1, 32, 32)
        found = (noisy[flat] - truth[flat]).square().mean((0, 2, 3)).tolist()
        assert found[neighbours] == pytest.approx(expected * extra, rel=0.15)
        assert found[:neighbours] + found[neighbours + 1 :] == pytest.approx([expected] * 2 * neighbours, rel=0.15)


def test_slices_held_back_are_not_trained_on():
    for depth in (1, 2, 3, 10, 100):
        trained, held = pairs.split(depth, Options())
        assert sorted({*trained, *held}) == list(range(depth))
        assert bool(set(trained) & set(held)) == (depth < 3)
    assert len(pairs.split(100, Options())[1]) == 10


def test_slices_trained_on_have_all_their_neighbours():
    trained, held = pairs.split(20, Options(neighbours=1), bad=[7])
    assert [*trained, *held] == [z for z in range(1, 19) if z not in (6, 7, 8)]
    assert pairs.split(2, Options(neighbours=1)) == ([0, 1], [0, 1])
    assert pairs.split(3, Options(), bad=[1]) == ([0, 2], [0, 2])


def test_the_nearest_good_slice_stands_in():
    stack = Good(NOISY, {1, 2}, asking=range(3, 6))
    assert np.array_equal(stack[1], NOISY[0])
    assert np.array_equal(stack[2], NOISY[3])
    assert np.array_equal(Good(NOISY, {4}, asking=range(4))[4, 3:9], NOISY[5, 3:9])
    assert np.array_equal(Good(NOISY, {4}, asking=range(5, 6))[4, 3:9], NOISY[3, 3:9])
