"""Fiji's TurboReg and SIFT as aligners. What needs the plugins is skipped where the session has none (set FIBSEM_IJ_FIJI)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fibsem_ij import fiji
from fibsem_ij.fiji import FijiError, aligner, plugins, turboreg, windows
from fibsem_ij.fiji.plugins import ALIGNERS, Checked
from fibsem_ij.fiji.sift import Sift
from fibsem_ij.fiji.turboreg import TurboReg, through
from fibsem_ij.volume import MODELS

pytestmark = pytest.mark.timeout(300)

FIXED = plugins.scene(np.eye(3))
CORNERS = np.array([(0.0, 0.0), (255.0, 0.0), (0.0, 255.0), (255.0, 255.0)])


@pytest.fixture(scope="module")
def checked(session: fiji.Session) -> list[Checked]:
    return plugins.check(session)


@pytest.fixture(params=sorted(ALIGNERS))
def align(session: fiji.Session, request: pytest.FixtureRequest) -> TurboReg | Sift:
    """With few runs: what is asked of it here does not depend on their number."""
    try:
        return ALIGNERS[request.param](session, runs=3)
    except FijiError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", sorted(ALIGNERS))
def test_every_model_recovers_its_motion(checked: list[Checked], name: str) -> None:
    mine = [line for line in checked if line.what.startswith(name)]
    if [line.ok for line in mine] == [None]:
        pytest.skip(mine[0].found)
    assert [line.what.removeprefix(name).strip() for line in mine] == list(MODELS)
    assert [line for line in mine if line.ok is not True] == []


def test_runs_see_different_parts_and_a_single_run_sees_all(align: TurboReg | Sift) -> None:
    noise = np.random.default_rng(2).normal(0, 4, (2, *FIXED.shape))
    fixed, moving = FIXED + noise[0], plugins.scene(plugins.motion("affine")) + noise[1]
    runs = align(fixed, moving, rng=np.random.default_rng(0))
    assert runs.shape == (3, 3, 3)
    assert 0 < plugins.corner_error(runs[0], runs[1]) < 0.5
    assert not np.array_equal(runs, align(fixed, moving, rng=np.random.default_rng(1)))
    single = type(align)(align.session, runs=1)
    one, same = (single(fixed, moving, rng=np.random.default_rng(seed)) for seed in (0, 1))
    assert one.shape == (1, 3, 3)
    assert plugins.corner_error(one[0], same[0]) < 0.05  # SIFT's RANSAC still draws


def test_what_is_blank_has_no_motion(align: TurboReg | Sift) -> None:
    blank = np.full(FIXED.shape, 7, np.uint8)
    for pair in ((FIXED, blank), (blank, FIXED), (blank, blank)):
        assert align(*pair, rng=np.random.default_rng(0)).shape == (0, 3, 3)


def test_any_dtype_and_shape(align: TurboReg | Sift) -> None:
    truth = plugins.motion("affine")
    moving = plugins.scene(truth)
    for dtype in (np.uint8, np.uint16, np.int32, np.float64):
        runs = align(FIXED[:200].astype(dtype), moving[:200].astype(dtype), rng=np.random.default_rng(0))
        assert plugins.corner_error(np.median(runs, 0), truth) < 0.3, dtype


def test_threads_get_what_one_thread_gets(align: TurboReg | Sift) -> None:
    moving = plugins.scene(plugins.motion("affine"))
    alone = [align(FIXED, moving, rng=np.random.default_rng(seed)) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda seed: align(FIXED, moving, rng=np.random.default_rng(seed)), range(4)))
    assert np.array_equal(alone, together)


def test_imagej_is_left_as_it_was(session: fiji.Session, align: TurboReg | Sift) -> None:
    from jpype import JClass

    analyzer = JClass("ij.plugin.filter.Analyzer")
    results, images = analyzer.getResultsTable(), len(windows.open_images())
    results.setValue("Area", 0, 5.0)
    try:
        align(FIXED, FIXED, rng=np.random.default_rng(0))
        assert session.table()["Area"].tolist() == [5.0]
        assert len(windows.open_images()) == images
    finally:
        results.reset()


def test_a_slice_that_is_not_finite_has_no_motion_to_turboreg(session: fiji.Session) -> None:
    try:
        align = TurboReg(session, runs=1)
    except FijiError as error:
        pytest.skip(str(error))
    for value in (np.nan, np.inf):
        broken = FIXED.copy()
        broken[3, 4] = value
        assert align(FIXED, broken, rng=np.random.default_rng(0)).shape == (0, 3, 3)
    with pytest.raises(ValueError, match="expected two slices of one shape"):
        align(FIXED, FIXED[:100], rng=np.random.default_rng(0))


def test_turboreg_that_does_not_understand_is_an_error(session: fiji.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        align = TurboReg(session, model="translation")
    except FijiError as error:
        pytest.skip(str(error))
    monkeypatch.setitem(turboreg._LANDMARKS, "translation", ("-elastic", ((0.5, 0.5),)))
    with pytest.raises(FijiError, match="Invalid"):
        align(FIXED, FIXED, rng=np.random.default_rng(0))


@pytest.mark.parametrize(("plugin", "kind", "site"), [("TurboReg", TurboReg, "BIG-EPFL"), ("SIFT", Sift, "Fiji")])
def test_a_missing_plugin_is_an_error_that_names_its_update_site(
    session: fiji.Session, monkeypatch: pytest.MonkeyPatch, plugin: str, kind: type[TurboReg | Sift], site: str
) -> None:
    assert aligner._PLUGINS[plugin][1] == site
    monkeypatch.setitem(aligner._PLUGINS, plugin, ("no.such.Plugin_", site))
    with pytest.raises(FijiError, match=f"expected the plugin {plugin} .*Manage update sites, tick {site}"):
        kind(session)


def test_the_check_says_what_is_missing(session: fiji.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, (_, site) in tuple(aligner._PLUGINS.items()):
        monkeypatch.setitem(aligner._PLUGINS, name, ("no.such.Plugin_", site))
    lines = plugins.check(session)
    assert [(line.what, line.ok) for line in lines] == [("fiji-turboreg", None), ("fiji-sift", None)]
    assert all("update sites" in line.found for line in lines)


@pytest.mark.parametrize("make", [TurboReg, Sift])
def test_what_cannot_be_asked_for(session: fiji.Session, make: type[TurboReg | Sift]) -> None:
    for asked in (partial(make, session, model="bilinear"), partial(make, session, runs=0)):
        with pytest.raises(ValueError, match=r"^expected "):
            asked()


@pytest.mark.parametrize("model", MODELS)
@settings(deadline=None, max_examples=50)
@given(numbers=st.lists(st.floats(-0.2, 0.2), min_size=6, max_size=6))
def test_landmarks_tell_the_motion(model: str, numbers: list[float]) -> None:
    a, b, c, d, *shift = numbers
    linear = {"translation": np.eye(2), "rigid": np.array([(np.cos(a), -np.sin(a)), (np.sin(a), np.cos(a))]),
              "similarity": np.array([(1 + a, -b), (b, 1 + a)]), "affine": np.array([(1 + a, b), (c, 1 + d)])}[model]
    truth = np.vstack([np.column_stack([linear, np.array(shift) * 100]), (0, 0, 1)])
    points = np.array(turboreg._LANDMARKS[model][1]) * (640, 480)
    assert np.allclose(through(points, points @ linear.T + truth[:2, 2], model=model), truth, atol=1e-9)


@pytest.mark.parametrize("model", MODELS)
def test_the_known_motions_are_of_their_models(model: str) -> None:
    truth = plugins.motion(model)
    points = CORNERS[: 3 if model == "affine" else 4]
    found = through(points, points @ truth[:2, :2].T + truth[:2, 2], model=model)
    assert plugins.corner_error(found, truth) < 0.002
    assert plugins.corner_error(found, np.eye(3)) > 3


def test_the_scene_moves_as_it_is_told() -> None:
    moved = np.array([(1.0, 0, 5), (0, 1, -3), (0, 0, 1)])  # fixed (x, y) is at moving (x + 5, y - 3)
    assert np.allclose(plugins.scene(moved)[:-3, 5:], FIXED[3:, :-5], atol=1e-3)


def test_half_of_the_blocks_is_seen() -> None:
    masks = [turboreg._half((240, 320), np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert [mask.mean() for mask in masks] == [0.5] * 3
    assert np.array_equal(masks[0], masks[1])
    assert not np.array_equal(masks[0], masks[2])
    assert all((mask.reshape(8, 30, 8, 40).std((1, 3)) == 0).all() for mask in masks)


def test_a_few_runs_without_an_answer_are_left_out_and_many_are_none() -> None:
    one = np.eye(3)
    assert aligner.agreed([one, None, np.full((3, 3), np.nan), one], runs=4).shape == (2, 3, 3)
    assert aligner.agreed([one, None, None], runs=3).shape == (0, 3, 3)
    assert aligner.agreed([], runs=1).shape == (0, 3, 3)
