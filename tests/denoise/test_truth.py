import noisy_scene as scene
import numpy as np
import pytest

from fibsem_ij.denoise.noise import Noise, cut
from fibsem_ij.denoise.truth import Apart, Others, Scan, checked, share, truth

CLEAN = scene.clean(4, 128)
SCANS = np.stack([scene.scan(CLEAN, seed=seed) for seed in range(5)])  # (scan, z, y, x)
FIELDS = [SCANS[:, z] for z in range(4)]


def error(result, z=0):
    return float(np.square(result.astype(np.float64) - CLEAN[z]).mean())


def test_median_mean_and_trimmed_mean_of_scans():
    median, trimmed, mean = (error(truth(FIELDS[0], trim=trim)) for trim in (None, 0.2, 0))
    one = error(SCANS[0, 0])
    assert np.array_equal(truth(FIELDS[0]), np.median(FIELDS[0], axis=0))
    assert mean < trimmed < median < one / 3
    charged = FIELDS[0].copy()
    charged[2] = 255
    assert error(truth(charged)) < error(truth(charged, trim=0)) / 2


def test_others_leave_the_scan_out():
    for i in range(5):
        assert np.array_equal(Scan(FIELDS, i)[1], SCANS[i, 1])
        assert np.array_equal(Others(FIELDS, i)[1], np.median(np.delete(FIELDS[1], i, axis=0), axis=0))
        assert np.allclose(Others(FIELDS, i, trim=0)[1], np.delete(FIELDS[1], i, axis=0).mean(0))
        assert np.array_equal(Others(FIELDS, i)[1, 3:9, 4:7], Others(FIELDS, i)[1][3:9, 4:7])


def test_scans_are_put_on_the_one_that_is_left_out():
    """An aligner that marks what it was given first shows the order."""
    seen = []
    Others(FIELDS, 3, align=lambda scans: seen.append(scans[0]) or scans)[2]
    assert np.array_equal(seen[0], SCANS[3, 2])
    shifted = np.stack([np.roll(scan, k, axis=1) for k, scan in enumerate(FIELDS[0])])
    back = truth(shifted, align=lambda scans: np.stack([np.roll(scan, -k, axis=1) for k, scan in enumerate(scans)]))
    assert np.array_equal(back, truth(FIELDS[0]))


@pytest.mark.parametrize("n", [3, 5])
def test_a_scan_that_had_a_say_is_found_out_and_its_say_taken_back(n):
    median = np.median(SCANS[:n], axis=0)
    noise = SCANS[0].astype(float) - CLEAN
    assert share(SCANS[0], median, slices=range(4)) == pytest.approx(1 / n)
    assert share(scene.scan(CLEAN, seed=77), median, slices=range(4)) == 0
    assert share(SCANS[0], CLEAN, slices=range(4)) == 0
    assert share(SCANS[0], SCANS[:n].mean(0), slices=range(4)) == 0
    apart = Apart(SCANS[0], median, 1 / n)
    before, after = (abs(np.corrcoef(noise[1].ravel(), (t - CLEAN[1]).ravel())[0, 1]) for t in (median[1], apart[1]))
    assert before > 0.3
    assert after < 0.05


def test_noise_is_read_off_the_stack():
    for sd in (8.0, 25.0):
        noisy = scene.scan(CLEAN, seed=3, sd=sd)
        found = Noise.of(noisy, slices=range(4)).variance(CLEAN.astype(float)).mean()
        assert found == pytest.approx(np.square(noisy - CLEAN.astype(float)).mean(), rel=0.1)
    white = 100 + 10 * np.random.default_rng(0).standard_normal((2, 512, 512))
    assert Noise.of(white, slices=range(2)).variance(np.array(100.0)) == pytest.approx(100, rel=0.02)
    tiny = Noise.of(white * 1e-9, slices=range(2))
    assert tiny.variance(np.array(1e-7)) == pytest.approx(1e-16, rel=0.02)


def test_what_holds_no_noise_tells_nothing_of_it():
    """A blank slice, a saturated one, the black around an aligned one."""
    noisy = scene.scan(CLEAN, seed=3)
    alone = Noise.of(noisy, slices=range(4))
    framed = np.pad(noisy, ((0, 0), (40, 40), (0, 0)))
    blank, burnt = (np.concatenate([noisy, np.full_like(noisy, end)]) for end in (0, 255))
    for stack in (framed, blank, burnt):
        found = Noise.of(stack, slices=range(len(stack)))
        assert found.variance(np.array([100, 200.0])) == pytest.approx(alone.variance(np.array([100, 200.0])), rel=0.05)


def test_a_stack_without_noise_is_refused():
    with pytest.raises(ValueError, match="noise"):
        Noise.of(np.zeros((2, 32, 32)), slices=range(2))


def test_fields_must_match():
    assert checked(FIELDS) == 5
    for wrong in ([], [FIELDS[0], FIELDS[1][:4]], [FIELDS[0][:1]], [FIELDS[0], FIELDS[1].astype(float)]):
        with pytest.raises(ValueError, match="expected"):
            checked(wrong)
    with pytest.raises(ValueError, match="two scans"):
        truth(FIELDS[0][:1])
    with pytest.raises(ValueError, match="trim"):
        truth(FIELDS[0], trim=0.5)
    holed = FIELDS[0].astype(np.float32)
    holed[2, 3, 3] = np.nan
    with pytest.raises(ValueError, match="scan 2"):
        truth(holed)


def test_noise_that_is_cut_is_seen_and_what_is_blank_is_not():
    rng = np.random.default_rng(0)
    whole = rng.normal(128, 20, (2, 96, 96)).clip(0, 255).astype(np.uint8)
    cuts = rng.normal(210, 25, (2, 96, 96)).clip(0, 255).astype(np.uint8)
    padded = whole.copy()
    padded[:, :, :40] = 0
    assert cut(whole, slices=range(2)) < 0.001
    assert cut(cuts, slices=range(2)) == pytest.approx((cuts == 255).mean(), rel=0.05)
    assert cut(padded, slices=range(2)) < 0.02, "the seam alone"
    assert cut(np.zeros((1, 8, 8), np.uint8), slices=[0]) == 0
