"""Drawn layers: three ways to keep one, and what is told about each mistake."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fibsem_ij import files
from fibsem_ij.files import drawn, rois
from fibsem_ij.volume import Labels, Volume

CLASSES = {1: "mitochondrion", 2: "membrane", 5: "vesicle"}
NAMES = ("0003", "0010", "0011", "0042")
STACK = Volume(np.zeros((4, 12, 16), np.uint8), (8.0, 4.0, 4.0), NAMES)


def some(seed: int = 0) -> np.ndarray:
    """Two drawn slices, each class in one of them at least."""
    slices = np.kron(np.random.default_rng(seed).choice([0, *CLASSES], (2, 3, 4)), np.ones((1, 4, 4))).astype(np.uint8)
    slices[0, :4], slices[1, :4, :8], slices[1, 4:8, :4] = 1, 2, 5
    return slices


def same(got: drawn.Drawn, wanted: Mapping[int, np.ndarray]) -> bool:
    return got.slices.keys() == wanted.keys() and all(np.array_equal(got.slices[z], wanted[z]) for z in wanted)


@settings(deadline=None, max_examples=15)
@given(slices=arrays(np.uint8, (2, 12, 16), elements=st.sampled_from([0, *CLASSES])).filter(lambda s: bool(s[0].any() and s[1].any())))
def test_the_three_ways_are_read_alike(tmp_path_factory: pytest.TempPathFactory, slices: np.ndarray) -> None:
    folder = tmp_path_factory.mktemp("d")
    stack = np.zeros(STACK.shape, np.uint8)
    stack[[1, 3]] = slices
    files.write(folder / "drawn", Labels(slices, STACK.voxel_nm, ("0010", "0042"), CLASSES))
    files.write(folder / "drawn.zarr", Labels(stack, classes=CLASSES))
    files.write(folder / "drawn.tif", Labels(stack, names=NAMES))  # another program has lost the names of the classes
    rois.write(folder / "drawn.zip", rois.each_roi(stack))
    (folder / "names.json").write_text(json.dumps(CLASSES))
    for name in ("drawn", "drawn.zarr", "drawn.tif", "drawn.zip"):
        got = drawn.read(folder / name, STACK, classes=True)
        assert same(got, {1: slices[0], 3: slices[1]})
        assert got.names == {i: CLASSES[i] for i in sorted(set(np.unique(slices).tolist()) - {0})}
        assert {labels.dtype for labels in got.slices.values()} == {np.dtype(np.uint8)}


def test_objects_keep_their_numbers(tmp_path: Path) -> None:
    cells = some().astype(np.uint32) * 70_000
    files.write(tmp_path / "cells", Labels(cells, None, ("0010", "0042")))
    rois.write(tmp_path / "cells.zip", rois.each_roi(np.stack([cells[0] * 0, cells[0], cells[0] * 0, cells[1]])))
    for name in ("cells", "cells.zip"):
        got = drawn.read(tmp_path / name, STACK, classes=False)
        assert same(got, {1: cells[0], 3: cells[1]})
        assert (got.names, got.warnings) == ({}, ())
    files.write(tmp_path / "classes", Labels(some(), None, ("0010", "0042"), CLASSES))
    assert "each class is taken for one object" in drawn.read(tmp_path / "classes", STACK, classes=False).warnings[0]


def test_an_empty_slice_counts_in_a_folder_and_not_in_a_stack(tmp_path: Path) -> None:
    slices = some()
    slices[0] = 0
    files.write(tmp_path / "drawn", Labels(slices, None, ("0003", "0011"), CLASSES))
    got = drawn.read(tmp_path / "drawn", STACK, classes=True)
    assert same(got, {0: slices[0], 2: slices[1]})
    assert got.warnings[0] == "slice 0003 is drawn empty: all of it counts as background"
    stack = np.zeros(STACK.shape, np.uint8)
    stack[2] = slices[1]
    files.write(tmp_path / "raw.zarr", STACK)
    files.write(tmp_path / "raw.zarr" / "labels" / "drawn", Labels(stack, None, NAMES, CLASSES))
    assert same(drawn.read(tmp_path / "raw.zarr" / "labels" / "drawn", STACK, classes=True), {2: slices[1]})


def test_a_short_stack_goes_by_its_names(tmp_path: Path) -> None:
    files.write(tmp_path / "drawn.zarr", Labels(some(), None, ("0011", "0003"), CLASSES))
    assert same(drawn.read(tmp_path / "drawn.zarr", STACK, classes=True), {2: some()[0], 0: some()[1]})


def test_one_slice_in_a_file_goes_by_the_name_of_the_file_and_a_short_stack_without_names_nowhere(tmp_path: Path) -> None:
    files.write(tmp_path / "0011.tif", Labels(some()[1:], None, ("0000",), CLASSES))
    assert same(drawn.read(tmp_path / "0011.tif", STACK, classes=True), {2: some()[1]})
    files.write(tmp_path / "drawn.tif", Labels(some(), None, (), CLASSES))
    named_alike = Volume(STACK.data)  # 0000 to 0003: to take the two for the first two would be a guess
    for like in (STACK, named_alike):
        with pytest.raises(ValueError, match="or a label stack of 4 slices, got 2 without names"):
            drawn.read(tmp_path / "drawn.tif", like, classes=True)


def test_a_class_that_is_never_drawn_is_left_out_and_told(tmp_path: Path) -> None:
    files.write(tmp_path / "drawn", Labels(some(), None, ("0003", "0011"), CLASSES | {0: "background", 9: "axon"}))
    got = drawn.read(tmp_path / "drawn", STACK, classes=True)
    assert (got.names, got.warnings) == (CLASSES, ("axon (9) has a name and is drawn nowhere: it is left out",))


def roi_set(path: Path, *names: str, group: int = 0) -> Path:
    """A ROI a class, as the ROI Manager holds them; all in slice 0010."""
    rows = np.minimum(np.arange(12) // 4 + 1, len(names)).astype(np.uint8)
    made = rois.to_rois(np.stack([np.zeros((12, 16), np.uint8), rows[:, None].repeat(16, 1)]))
    for roi, name in zip(made, names, strict=True):
        roi.name, roi.group = name, group
    rois.write(path, made)
    return path


def test_rois_are_named_by_their_class(tmp_path: Path) -> None:
    path = roi_set(tmp_path / "r.zip", "vesicle", "Mitochondrion", "mitochondrion-1")
    got = drawn.read(path, STACK, classes=True)
    assert got.names == {1: "mitochondrion", 2: "vesicle"}  # by the alphabet, case aside
    assert got.slices[1][::4, 0].tolist() == [2, 1, 1]
    (tmp_path / "names.json").write_text(json.dumps(CLASSES))
    got = drawn.read(path, STACK, classes=True)
    assert got.names == {1: "mitochondrion", 5: "vesicle"}
    assert got.slices[1][::4, 0].tolist() == [5, 1, 1]
    got = drawn.read(roi_set(path, "0002-0002-0008-L5", "0002-0006-0008-L2-1", "0002-0010-0008-mitochondrion-3"), STACK, classes=True)
    assert got.slices[1][::4, 0].tolist() == [5, 2, 1]
    got = drawn.read(roi_set(path, "0002-0002-0008", "0002-0006-0008-1", "vesicle", group=2), STACK, classes=True)
    assert got.slices[1][::4, 0].tolist() == [2, 2, 5]


@pytest.mark.parametrize(("names", "error"), [
    (("0002-0002-0008", "vesicle"), r"r\.zip: ROI '0002-0002-0008': expected a class \(.*vesicle.*rename it in the ROI Manager"),
    (("vesicles", "vesicle"), "ROI 'vesicles': expected a class"), (("0002-0002-0008-L4", "vesicle"), r"slice 0010: .*got 4 without")])
def test_rois_of_no_class(tmp_path: Path, names: tuple[str, ...], error: str) -> None:
    (tmp_path / "names.json").write_text(json.dumps(CLASSES))
    with pytest.raises(ValueError, match=error):
        drawn.read(roi_set(tmp_path / "r.zip", *names), STACK, classes=True)


@pytest.mark.parametrize(("slices", "names", "classes", "error"), [
    (some()[:, :10], ("0003", "0010"), CLASSES, r"drawn, slice 0003: expected 12 x 16 pixels like the stack, got 10 x 16; .*scale"),
    (some(), ("0003", "0200"), CLASSES, "like those of the stack, 0003 to 0042, .* got 2 with 0200; rename"),
    (some(), ("0003", "0010"), {1: "a", 2: "b"}, r'slice 0003: expected ids with a name .* got 5 without one; write \{"5"'),
    (some(), ("0003", "0010"), {}, r"slice 0003: .*got 1.* without one"),
    (some() * 0, ("0003", "0010"), CLASSES, "got 2 slices of nothing"),
    (some(), ("0003", "0010"), {1: "a", 2: "a", 5: "c"}, "classes of different names"),
    (some(), ("0003", "0010"), {300: "a"}, "with ids up to 255"),
    (some() * np.uint16(300), ("0003", "0010"), CLASSES, r"slice 0003: expected class ids up to 255, got .*another kind of layer")])
def test_what_is_wrong_with_a_layer(tmp_path: Path, slices: np.ndarray, names: tuple[str, ...], classes: dict[int, str],
                                    error: str) -> None:
    files.write(tmp_path / "drawn", Labels(slices, None, names, classes))
    with pytest.raises(ValueError, match=error):
        drawn.read(tmp_path / "drawn", STACK, classes=True)
