from pathlib import Path

import noisy_scene as scene
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from fibsem_ij import denoise
from fibsem_ij.denoise.applying import within
from fibsem_ij.files import networks

TRUTH = scene.clean()
SCANS = [scene.scan(TRUTH, seed=seed) for seed in range(5)]
FRESH, FRESH_NOISY = scene.clean(seed=9), scene.scan(scene.clean(seed=9), seed=99)


@pytest.fixture(scope="module")
def trained():
    """One network a method; the supervised one from repeated scans."""
    fields = [np.stack([scan[z] for scan in SCANS]) for z in range(len(TRUTH))]
    return {"supervised": denoise.fit(SCANS[0], scans=fields, options=scene.quick(updates=300, neighbours=1)),
            "blindspot": denoise.fit(SCANS[0], options=scene.quick("blindspot", updates=200, neighbours=1)),
            "vae": denoise.fit(SCANS[0], options=scene.quick("vae", updates=200))}


def psnr(result, truth=FRESH):
    return denoise.score(result, truth)["psnr"]


def test_every_way_removes_noise_from_a_stack_it_never_saw(trained):
    """In a few seconds: with truth better than the best Gaussian, without truth 4 dB."""
    best_blur = max(psnr(gaussian_filter(FRESH_NOISY.astype(float), (0, s, s))) for s in (0.8, 1, 1.3))
    reached = {method: psnr(denoise.apply(FRESH_NOISY, network)) for method, network in trained.items()}
    assert reached["supervised"] > best_blur
    assert min(reached["blindspot"], reached["vae"]) > psnr(FRESH_NOISY) + 3.5


def test_the_result_keeps_shape_dtype_and_range(trained):
    out = np.zeros_like(FRESH_NOISY)
    residual = np.zeros(out.shape, np.float32)
    assert denoise.apply(FRESH_NOISY, trained["supervised"], out, residual=residual) is out
    for noisy, clean in zip(FRESH_NOISY, out, strict=True):
        assert noisy.min() <= clean.min() <= clean.max() <= noisy.max()
    assert np.array_equal(residual, FRESH_NOISY.astype(np.float32) - out)
    assert abs(residual.mean()) < 2


def test_a_share_of_the_noise_stays_where_it_is_asked_for(trained):
    clean, grainy = (denoise.apply(FRESH_NOISY, trained["blindspot"], leave=leave).astype(float) for leave in (0.0, 0.3))
    assert np.abs(grainy - (0.7 * clean + 0.3 * FRESH_NOISY)).max() <= 1.0 + 1e-6  # both are rounded
    for wrong in (-0.1, 1.0, float("nan")):
        with pytest.raises(ValueError, match="expected a share"):
            denoise.apply(FRESH_NOISY, trained["blindspot"], leave=wrong)


def test_the_guard():
    noisy = np.array([[10, 20], [30, 40]], np.uint8)
    assert np.array_equal(within(np.array([[0, 20], [50, 255]], np.uint8), noisy), [[10, 20], [40, 40]])
    with pytest.raises(ValueError, match="uint16"):
        within(noisy.astype(np.uint16), noisy)
    with pytest.raises(ValueError, match="expected"):
        within(noisy[:1], noisy)


def test_uncertainty_is_the_deviation_of_what_else_might_be_there(trained):
    """The map, from few mirrored draws, against many draws of their own. How well it tells the error is a benchmark's to say."""
    network, unsure = trained["vae"], np.zeros(FRESH.shape, np.float32)
    denoise.apply(FRESH_NOISY, network, uncertainty=unsure, draws=64)
    x = torch.from_numpy(network.scale.forward(FRESH_NOISY))[:, None]
    with torch.inference_mode():
        drawn = torch.stack([network.module.coded(x, noise=torch.Generator().manual_seed(1000 + n))[0] for n in range(200)])
    expected = drawn.std(0)[:, 0].numpy() / network.scale.gain
    assert unsure.mean() == pytest.approx(expected.mean(), rel=0.05)
    assert np.median(np.abs(unsure / expected - 1)) < 0.15  # 64 draws tell a deviation to a tenth
    for asked in ({"uncertainty": unsure}, {"draws": 2}):
        with pytest.raises(ValueError, match="vae"):
            denoise.apply(FRESH_NOISY, trained["supervised"], **asked)


def test_a_network_from_disk_does_the_same(trained, tmp_path: Path):
    for method, network in trained.items():
        networks.write(tmp_path / method, network)
        again = networks.read(tmp_path / method)
        assert again.task == f"denoise.{method}"
        assert np.array_equal(denoise.apply(FRESH_NOISY[:2], network), denoise.apply(FRESH_NOISY[:2], again))


def test_a_bad_slice_is_no_ones_neighbour(trained):
    """A blank slice changes nothing but itself, whatever it holds; its own truth comes from its neighbours and stays in its own range."""
    network = trained["supervised"]
    blank, burnt = FRESH_NOISY.copy(), FRESH_NOISY.copy()
    blank[3], burnt[3] = 0, 255
    clean, leaked = (denoise.apply(blank, network, bad=bad) for bad in ([3], []))
    good = np.arange(len(clean)) != 3
    assert np.array_equal(clean[good], denoise.apply(burnt, network, bad=[3])[good])
    assert np.array_equal(clean[:2], leaked[:2])
    assert psnr(clean[[2, 4]], FRESH[[2, 4]]) > psnr(leaked[[2, 4]], FRESH[[2, 4]]) + 1
    assert not clean[3].any()
    alone = denoise.apply(FRESH_NOISY, network, bad=[2, 4])[3]  # slices 1 and 5 stand in
    assert np.array_equal(alone, denoise.apply(FRESH_NOISY[[1, 3, 5]], network)[1])


def test_slices_that_are_there_already_are_left_and_the_others_are_the_same(trained):
    network, told = trained["supervised"], []
    whole = denoise.apply(FRESH_NOISY, network, bad=[1])
    out = np.full_like(FRESH_NOISY, 77)
    denoise.apply(FRESH_NOISY, network, out, bad=[1], done={0, 2}, progress=lambda *now: told.append(now))
    assert (out[[0, 2]] == 77).all()
    assert np.array_equal(np.delete(out, [0, 2], 0), np.delete(whole, [0, 2], 0))
    assert told[-1] == (len(out), len(out))
    assert told[0][0] >= 2


def test_what_stands_in_for_a_bad_slice_does_not_depend_on_what_is_done():
    """Slice 2 sees 3 in place of a bad 4, were it alone; it must see 5, since 3 is its neighbour already."""
    network = denoise.fit(SCANS[0], options=scene.quick("blindspot", updates=4, neighbours=2))
    whole = denoise.apply(FRESH_NOISY, network, bad=[4])
    for left in range(len(whole)):
        out = whole.copy()
        out[left] = 77
        denoise.apply(FRESH_NOISY, network, out, bad=[4], done=set(range(len(whole))) - {left})
        assert np.array_equal(out, whole), left


def test_nothing_is_learned_from_bad_slices():
    spoiled = SCANS[0].copy()
    spoiled[[0, 5]] = 255
    options = scene.quick("blindspot", updates=3, neighbours=1)
    ways = [(None, options), (TRUTH, scene.quick(updates=3, neighbours=1)), (None, scene.quick("vae", updates=3))]
    for truth, how in ways:
        one, other = (denoise.fit(stack, truth, bad=[0, 5], options=how) for stack in (SCANS[0], spoiled))
        assert one.scale == other.scale
        assert all(torch.equal(a, b) for a, b in zip(one.module.parameters(), other.module.parameters(), strict=True))
        assert one.record["bad"] == [0, 5]
    for bad, message in (([8], "0..7"), (range(8), "some good")):
        with pytest.raises(ValueError, match=message):
            denoise.fit(SCANS[0], bad=bad, options=options)


def test_every_slice_is_read_once(trained):
    class Counted:
        shape, dtype = FRESH_NOISY.shape, FRESH_NOISY.dtype

        def __init__(self):
            self.read = []

        def __getitem__(self, z):
            self.read.append(z)
            return FRESH_NOISY[z]

    for name in ("supervised", "vae"):
        stack = Counted()
        denoise.apply(stack, trained[name], residual=np.zeros(FRESH.shape, np.float32))
        assert stack.read == list(range(len(FRESH)))


def test_stopped_and_resumed_is_the_same_network(tmp_path: Path):
    class Stopped(Exception):
        pass

    def stop(told):
        if told["update"] == 7:
            raise Stopped

    options = scene.quick("blindspot", updates=12, every=4)
    straight = denoise.fit(SCANS[0], options=options)
    with pytest.raises(Stopped):
        denoise.fit(SCANS[0], options=options, state=tmp_path / "state", progress=stop)
    resumed = denoise.fit(SCANS[0], options=options, state=tmp_path / "state")
    for name, weights in straight.module.state_dict().items():
        assert torch.equal(weights, resumed.module.state_dict()[name])


def test_what_cannot_be_denoised_is_named(trained):
    holed = SCANS[0].astype(np.float32)
    holed[3, 5, 5] = np.nan
    with pytest.raises(ValueError, match="slice 3"):
        denoise.fit(holed, options=scene.quick("blindspot"))
    floats = denoise.fit(SCANS[0].astype(np.float32), options=scene.quick("blindspot", updates=2))
    with pytest.raises(ValueError, match=r"^slice 3 of the noisy stack"):
        denoise.apply(holed, floats)
    with pytest.raises(ValueError, match="uint8"):
        denoise.apply(holed, trained["supervised"])
    with pytest.raises(ValueError, match="clean and scans"):
        denoise.fit(SCANS[0], options=scene.quick())
    with pytest.raises(ValueError, match="crop"):
        denoise.fit(SCANS[0], TRUTH[:, :60], options=scene.quick())
    with pytest.raises(ValueError, match="method"):
        denoise.Options(method="magic")


def test_scores_are_on_the_scale_of_the_truth():
    told = denoise.score(FRESH_NOISY, FRESH)
    assert told["psnr"] == pytest.approx(10 * np.log10(255**2 / told["mse"]))
    as_float = denoise.score(FRESH_NOISY.astype(np.float32), FRESH.astype(np.float32))
    assert as_float["psnr"] < told["psnr"]  # a float truth spans less than 0..255
    assert denoise.score(FRESH, FRESH)["gradient"] == 0
    assert denoise.score(FRESH_NOISY.astype(np.uint16), FRESH.astype(np.uint16)) == as_float  # 16 bits are not filled
    holed = FRESH.astype(np.float32)
    holed[2, 3, 3] = np.nan
    with pytest.raises(ValueError, match="slice 2 of the truth"):
        denoise.score(FRESH, holed)
    with pytest.raises(ValueError, match="the result"):
        denoise.score(holed[2], FRESH[2])
