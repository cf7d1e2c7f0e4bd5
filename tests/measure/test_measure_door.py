"""The door: which columns, in which units, of stacks in memory and on disk, and of odd ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import solids
from scipy.ndimage import gaussian_filter

from fibsem_ij import measure
from fibsem_ij.measure import columns
from fibsem_ij.measure.groups import GROUPS
from fibsem_ij.measure.objects import Objects
from fibsem_ij.volume import Labels

SHAPE = tuple(name for name, group in GROUPS.items() if not group.needs_image)
GREY = tuple(name for name in GROUPS if name not in SHAPE)
EVERY = measure.Options(groups=tuple(GROUPS), spectrum_columns=True)


class Slices:
    """A stack that gives slices and their parts only, as one too large for memory."""

    def __init__(self, data: Any) -> None:
        self.shape, self.dtype, self._data = data.shape, data.dtype, data

    def __getitem__(self, key: Any) -> Any:
        assert isinstance(key if isinstance(key, int) else key[0], int | np.integer)
        return self._data[key]


@pytest.fixture(scope="module")
def several() -> Any:
    """Solids of all sorts, some of them touching and at the border."""
    labels = np.zeros((50, 60, 70), np.uint16)
    for number, (solid, corner) in enumerate([(solids.shell(9, 5), (1, 2, 3)), (solids.torus(9, 4), (22, 5, 30)),
                                              (solids.ellipsoid(12, 8, 5), (20, 30, 1)), (solids.box(9, 11, 13), (3, 25, 40))], 3):
        part = solids.drawn(solid, turn=solids.turned(number))
        part = part[Objects.of(part).boxes[0]]
        labels[tuple(slice(a, a + n) for a, n in zip(corner, part.shape, strict=True))][part > 0] = number * 11
    labels[49, 50:, 50:], labels[10, 10, 60:], labels[0, 0, 0], labels[:, 57:, 0:3] = 7, 8, 9, 10
    return labels


def test_default_columns_without_a_voxel_size(several: Any) -> None:
    table = measure.apply(several)
    assert list(table)[:3] == ["label", "voxels", "volume_px3"]
    assert table["label"].tolist() == np.unique(several)[1:].tolist()
    assert {"surface_px2", "sphericity", "circular_variance", "hull_volume_px3", "solidity", "solidity_filled", "filled_volume_px3",
            "fenestrated_percent", "euler", "centroid_z_px", "axis_length_1_px", "extent", "cut", "box_x_stop"} <= table.keys()
    assert {len(column) for column in table.values()} == {8}


def test_the_voxel_size_is_that_of_the_labels_or_the_one_given(several: Any) -> None:
    table = measure.apply(Labels(several, (2, 1, 1)))
    assert (table["volume_nm3"] == 2 * table["voxels"]).all()
    given = measure.apply(Labels(several, (2, 1, 1)), voxel_nm=(3, 1, 1))
    assert (given["volume_nm3"] == 3 * given["voxels"]).all()


def test_every_column_is_defined(several: Any) -> None:
    for voxel in (None, (2.0, 1.0, 1.0)):
        table = measure.apply(several, image=several, parent=several, options=EVERY, voxel_nm=voxel)
        told = columns.described(table, voxel_nm=voxel)
        assert told.keys() == table.keys()
        assert all(len(of["is"]) > 10 for of in told.values())
        for name, of in told.items():
            assert not of["unit"] or name.endswith(f"_{of['unit']}")


def test_on_disk_and_slice_by_slice_is_as_in_memory(several: Any, tmp_path: Path) -> None:
    options = measure.Options(groups=SHAPE)
    whole = measure.apply(several, options=options)
    mapped = np.lib.format.open_memmap(tmp_path / "labels.npy", "w+", several.dtype, several.shape)
    mapped[:] = several
    for stack in (mapped, Slices(several)):
        found = measure.apply(stack, options=options)
        assert all(np.array_equal(found[name], column, equal_nan=True) for name, column in whole.items())


@pytest.mark.parametrize("axes", [(0, 1), (0, 2), (1, 2)])
def test_a_quarter_turn_changes_nothing_that_has_no_direction(several: Any, axes: tuple[int, int]) -> None:
    voxel = [2.0, 1.0, 1.5]
    before = measure.apply(several, voxel_nm=(2.0, 1.0, 1.5))
    voxel[axes[0]], voxel[axes[1]] = voxel[axes[1]], voxel[axes[0]]
    after = measure.apply(np.rot90(several, axes=axes), voxel_nm=tuple(voxel))
    for name, column in before.items():
        if not name.startswith(("centroid", "box", "axis_z", "axis_y", "axis_x")):
            assert after[name] == pytest.approx(column, rel=1e-9, abs=1e-12, nan_ok=True), name


def test_where_a_measure_means_nothing_it_is_missing(several: Any) -> None:
    table = measure.apply(several)
    flat = np.isin(table["label"], (7, 8, 9))
    assert (table["solidity"][flat] == 1).all()
    for name in ("surface_px2", "sphericity", "circular_variance", "axis_length_3_px", "solidity"):
        assert np.isfinite(table[name]).all(), name
    assert np.isnan(measure.apply(np.ones((1, 1, 1), np.uint8))["axis_z"]).all()


def test_a_stack_without_objects_has_a_table_without_rows() -> None:
    empty = np.zeros((4, 5, 6), np.uint8)
    table = measure.apply(empty, image=empty, parent=empty, options=EVERY)
    assert {len(column) for column in table.values()} == {0}


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 20, 30), (20, 1, 1), (5, 1, 9)])
def test_a_stack_of_any_form(shape: tuple[int, ...]) -> None:
    labels = np.full(shape, 4_000_000_000, np.uint32)
    assert measure.apply(labels, options=measure.Options(groups=SHAPE))["voxels"].tolist() == [labels.size]


def test_forty_thousand_small_objects() -> None:
    labels = np.arange(1, 40_001, dtype=np.uint32).reshape(20, 40, 50).repeat(2, 0).repeat(2, 1).repeat(2, 2)
    table = measure.apply(labels)
    assert (table["solidity"] == 1).all()
    assert (table["surface_px2"] == 24).all()
    assert (table["euler"] == 1).all()


@pytest.mark.parametrize("smooth", [0, 1, 2])
def test_a_grey_stack_is_measured_with_a_warning(smooth: int) -> None:
    grey = gaussian_filter(np.random.default_rng(0).normal(size=(20, 60, 60)), smooth)
    image = (255 * (grey - grey.min()) / np.ptp(grey)).astype(np.uint8)
    with pytest.warns(UserWarning, match="looks like a grey image"):
        table = measure.apply(image, options=measure.Options(groups=("size",)))
    assert table["voxels"].sum() == (image > 0).sum()


def test_labels_of_many_kinds_raise_no_doubt() -> None:
    specks = np.arange(1, 20 * 30 * 40 + 1, dtype=np.uint32).reshape(20, 30, 40)
    classes = np.random.default_rng(0).integers(0, 6, (20, 30, 40)).astype(np.uint8)
    layers = np.full((20, 30, 40), np.arange(1, 21, dtype=np.uint8)[:, None, None])
    threads = np.zeros((20, 30, 40), np.uint16)
    threads[:, :, ::2] = np.arange(1, 21)  # thin, and from end to end
    for labels in (specks, classes, layers, threads):
        measure.apply(labels, options=measure.Options(groups=("size",)))


def test_groups_are_counted_and_need_what_they_need(several: Any) -> None:
    done: list[tuple[int, int]] = []
    measure.apply(several, options=measure.Options(groups=("size", "surface")), progress=lambda i, n: done.append((i, n)))
    assert done == [(1, 2), (2, 2)]
    for group in GREY:
        with pytest.raises(ValueError, match="expected an image"):
            measure.apply(several, options=measure.Options(groups=(group,)))


@pytest.mark.parametrize(("wrong", "told"), [({"groups": ("shape",)}, "groups"), ({"levels": 1}, "levels"), ({"span": (9, 9)}, "span"),
                                             ({"crop_voxels": 1}, "crop_voxels"), ({"spectrum_radius": 0}, "spectrum_radius")])
def test_options_that_make_no_sense_are_refused(wrong: Any, told: str) -> None:
    with pytest.raises(ValueError, match=f"expected {told}"):
        measure.Options(**wrong)
