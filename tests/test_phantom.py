"""The phantom: what it promises about its own truth, on fields small enough for one core."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cc3d
import cv2
import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import binary_fill_holes

from fibsem_ij.phantom import CLASSES, REGIMES, Options, Phantom, make, scans

SHAPE = (40, 160, 176)
NUMBER = {name: number for number, name in CLASSES.items()}
FAULTY = Options(blank=0.05, half_blank=0.05, defocused=0.05, duplicate=0.05)


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make(SHAPE, seed=3, options=FAULTY)


@pytest.fixture(scope="module")
def quiet() -> Phantom:
    """The same tissue with everything about the microscope switched off."""
    off = Options(electron_grey=0, read_sd=0, curtain=0, charging=0, brightness_sd=0, jumps=0, blank=0, half_blank=0, defocused=0,
                  duplicate=0, walk_px=0, jitter_px=0, shear=0)
    return make(SHAPE, seed=3, options=off)


def likeness(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> float:
    """Correlation, the border left out."""
    inner = np.s_[20:-20, 20:-20]
    return float(np.corrcoef(a[inner].ravel(), b[inner].ravel())[0, 1])


def contacts(phantom: Phantom) -> npt.NDArray[np.uint8]:
    """Classes of the voxels that touch another cell on their right."""
    left, right = phantom.cells[:, :, :-1], phantom.cells[:, :, 1:]
    return np.asarray(phantom.classes[:, :, :-1][(left != right) & (left > 0) & (right > 0)], np.uint8)


def test_the_same_seed_gives_the_same_bytes_whatever_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    shape, noisy = (20, 64, 72), make((20, 64, 72), seed=5)
    for module in ("cells", "organelles", "texture", "microscope"):
        monkeypatch.setattr(f"fibsem_ij.phantom.{module}.workers", lambda: ThreadPoolExecutor(1))
    again, other = make(shape, seed=5), make(shape, seed=6)
    for layer in ("raw", "clean", "classes", "cells", "nuclei", "mitochondria"):
        np.testing.assert_array_equal(getattr(noisy, layer).data, getattr(again, layer).data)
    np.testing.assert_array_equal(noisy.drift.matrices, again.drift.matrices)
    assert not np.array_equal(noisy.clean.data, other.clean.data)


@pytest.mark.parametrize("shape", [(1, 16, 16), (8, 64, 64), (5, 33, 47)])
def test_any_size(shape: tuple[int, int, int]) -> None:
    phantom = make(shape, seed=1)
    for layer in (phantom.raw, phantom.clean, phantom.classes):
        assert (layer.shape, layer.dtype, layer.voxel_nm) == (shape, np.dtype(np.uint8), (10.0, 10.0, 10.0))
    for layer in (phantom.cells, phantom.nuclei, phantom.mitochondria):
        assert (layer.shape, layer.dtype) == (shape, np.dtype(np.uint16))
    assert len(phantom.drift) == shape[0]
    assert phantom.drift.canvas == shape[1:]


def test_too_small_a_field_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a shape"):
        make((4, 8, 200))


@pytest.mark.parametrize("wrong", [{"unseen": 1.5}, {"spacing_px": 5}, {"margin_px": -1}])
def test_options_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"expected {next(iter(wrong))}"):
        Options(**wrong)


def test_every_class_is_there_and_agrees_with_the_instances(phantom: Phantom) -> None:
    classes, cells = phantom.classes.data, phantom.cells.data
    assert dict(phantom.classes.classes) == dict(CLASSES)
    assert set(np.unique(classes)) == set(CLASSES)
    np.testing.assert_array_equal(classes == NUMBER["resin"], cells == 0)
    np.testing.assert_array_equal(phantom.mitochondria.data > 0, classes == NUMBER["mitochondrion"])
    nuclear = np.isin(classes, [NUMBER[n] for n in ("nucleus", "nucleolus", "nuclear envelope")])
    np.testing.assert_array_equal(phantom.nuclei.data > 0, nuclear)
    np.testing.assert_array_equal(phantom.nuclei.data[nuclear], cells[nuclear])


def test_cells_touch_with_and_without_a_membrane(phantom: Phantom) -> None:
    bare = (contacts(phantom) != NUMBER["membrane"]).mean()
    assert len(contacts(phantom)) > 1000
    assert 0.03 < bare < 0.4


def test_every_contact_shows_a_membrane_when_asked() -> None:
    assert (contacts(make((24, 96, 96), seed=2, options=Options(unseen=0))) == NUMBER["membrane"]).all()


def test_a_cell_hangs_together_but_is_islands_in_some_slice(phantom: Phantom) -> None:
    cells = phantom.cells.data
    _, pieces = cc3d.connected_components(cells, connectivity=26, return_N=True)
    assert pieces == len(np.unique(cells)) - 1
    islands = 0
    for plane in cells:
        parts, count = cc3d.connected_components(plane, connectivity=8, return_N=True)
        areas = np.bincount(parts.ravel())
        main: dict[int, list[int]] = {}
        for part in range(1, count + 1):
            main.setdefault(int(plane[parts == part][0]), []).append(int(areas[part]))
        islands += sum(len(a) > 1 and min(a) < 150 and max(a) > 10 * min(a) for a in main.values())
    assert islands > 10


def test_nucleoli_lie_in_nuclei_and_have_holes(phantom: Phantom) -> None:
    nucleolus = phantom.classes.data == NUMBER["nucleolus"]
    assert nucleolus.any()
    assert phantom.nuclei.data[nucleolus].all()
    filled = np.stack([binary_fill_holes(plane) for plane in nucleolus])
    assert filled.sum() > 1.02 * nucleolus.sum()


def test_the_drift_brings_raw_onto_clean(phantom: Phantom) -> None:
    size = phantom.drift.canvas[::-1]
    before, after = [], []
    for z in set(range(2, SHAPE[0])) - set(phantom.bad):
        straight = cv2.warpAffine(phantom.raw[z], phantom.drift.matrices[z][:2], size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        before.append(likeness(phantom.raw[z], phantom.clean[z]))
        after.append(likeness(straight, phantom.clean[z]))
    assert np.mean(after) > np.mean(before) + 0.2
    assert min(after) > 0.75


def test_drift_stays_within_the_margin() -> None:
    far = make((60, 48, 48), seed=4, options=Options(walk_px=6, margin_px=16))
    assert np.abs(far.drift.matrices[:, :2, 2]).max() < 17
    np.testing.assert_array_equal(far.drift.matrices[0], np.eye(3))


def test_bad_slices_are_what_they_are_called(phantom: Phantom) -> None:
    raw, kinds = phantom.raw.data.astype(float), phantom.bad
    assert sorted(kinds.values()) == sorted(["blank", "half_blank", "defocused", "duplicate"] * 2)
    assert phantom.drift.bad == tuple(kinds)
    for z, kind in kinds.items():
        rough = [np.abs(np.diff(cv2.GaussianBlur(raw[k], (0, 0), 1.5), axis=1)).mean() for k in (z, z - 1)]
        if kind == "blank":
            assert np.ptp(raw[z]) == 0
        elif kind == "half_blank":
            assert np.ptp(raw[z, -SHAPE[1] // 4:]) == 0
            assert raw[z, :SHAPE[1] // 4].std() > 10
        elif kind == "defocused":
            assert rough[0] < 0.75 * rough[1]
        else:
            spread = np.sqrt(2 * (FAULTY.electron_grey * raw[z].mean() + FAULTY.read_sd**2))
            difference = raw[z] - raw[z - 1]
            assert (difference - cv2.GaussianBlur(difference, (0, 0), 6)).std() == pytest.approx(spread, rel=0.12)
            np.testing.assert_array_equal(phantom.drift.matrices[z], phantom.drift.matrices[z - 1])


def test_options_switch_the_microscope_off_and_leave_the_tissue(phantom: Phantom, quiet: Phantom) -> None:
    assert not quiet.bad
    np.testing.assert_array_equal(quiet.drift.matrices, np.tile(np.eye(3), (SHAPE[0], 1, 1)))
    np.testing.assert_array_equal(quiet.raw.data, quiet.clean.data)
    np.testing.assert_array_equal(quiet.clean.data, phantom.clean.data)
    np.testing.assert_array_equal(quiet.cells.data, phantom.cells.data)


def test_scans_differ_by_poisson_gaussian_noise_and_their_median_is_the_truth(phantom: Phantom) -> None:
    clean = phantom.clean[10].astype(float)
    many = scans(phantom, 10, 40, rng=np.random.default_rng(0)).astype(float)
    assert np.abs(np.median(many, 0) - clean).mean() < 0.3 * np.abs(many[0] - clean).mean()
    dark, bright = clean < np.percentile(clean, 10), clean > np.percentile(clean, 90)
    for part in (dark, bright):
        law = phantom.options.electron_grey * clean[part].mean() + phantom.options.read_sd**2
        assert many[:, part].var(0).mean() == pytest.approx(law, rel=0.06)
    residue = many - clean
    assert abs(np.corrcoef(residue[0].ravel(), residue[1].ravel())[0, 1]) < 0.03


def test_regimes_pack_cells_more_and_more() -> None:
    filled = {name: (make((24, 128, 128), seed=7, options=REGIMES[name]).cells.data > 0).mean() for name in REGIMES}
    assert filled["resin-heavy"] < filled["touching"] < filled["packed"]
    assert filled["separate"] < filled["touching"]
    assert filled["packed"] > 0.97
