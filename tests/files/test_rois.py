import zipfile

import numpy as np
import pytest
from drawn_rois import covered, roi
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from roifile import ROI_TYPE, roiread

from fibsem_ij.arrays.colours import colours_of
from fibsem_ij.files import rois as door
from fibsem_ij.volume import Labels

label_stacks = arrays(np.uint32, array_shapes(min_dims=3, max_dims=3, max_side=9), elements=st.sampled_from([0, 1, 2, 7, 2**32 - 1]))


@given(label_stacks)
@settings(deadline=None, max_examples=200)
def test_labels_come_back_pixel_for_pixel(labels):
    back = door.from_rois(door.from_bytes(door.to_bytes(door.to_rois(labels))), shape=labels.shape)
    assert back.dtype == np.uint32
    np.testing.assert_array_equal(np.asarray(back), labels)


@given(label_stacks)
@settings(deadline=None, max_examples=30)
def test_and_through_a_zip(tmp_path_factory, labels):
    path = tmp_path_factory.mktemp("rois") / "set.zip"
    n = door.write(path, door.each_roi(Labels(labels)))
    assert n == sum(len(np.setdiff1d(plane, 0)) for plane in labels)
    np.testing.assert_array_equal(np.asarray(door.from_rois(door.read(path), shape=labels.shape)), labels)


def test_seventy_thousand_labels(tmp_path):
    labels = np.arange(1, 70_001, dtype=np.uint32).reshape(1, 280, 250).repeat(2, 1)
    door.write(tmp_path / "set.zip", door.each_roi(labels))
    np.testing.assert_array_equal(np.asarray(door.from_rois(door.read(tmp_path / "set.zip"), shape=labels.shape)), labels)


def test_wide_slices_and_long_outlines_become_composites():
    wide = np.zeros((1, 2, 70_000), np.uint8)
    wide[0, 0, 66_000:66_003] = 1
    comb = np.zeros((1, 3, 70_000), np.uint8)
    comb[0, 0], comb[0, 1, ::2] = 1, 1
    for labels in (wide, comb):
        (made,) = door.from_bytes(door.to_bytes(door.to_rois(labels)))
        assert made.composite
        np.testing.assert_array_equal(np.asarray(door.from_rois([made], shape=labels.shape)), labels)


def test_a_slice_alone_and_numbers_past_32_bit():
    labels = np.array([[0, 2**40], [5, 5]], np.uint64)
    rois = door.to_rois(labels)
    np.testing.assert_array_equal(np.asarray(door.from_rois(rois, shape=(1, 2, 2), dtype=np.uint64))[0], labels)
    with pytest.raises(ValueError, match=r"L1099511627776.*1 to 4294967295.*wider dtype"):
        door.from_rois(rois, shape=(1, 2, 2))


def test_a_roi_carries_slice_place_number_and_colour():
    labels = np.zeros((3, 40, 60), np.uint32)
    labels[1, 10:20, 30:40] = 300
    labels[2, 10:20, 30:40], labels[2, 12, 33] = 12345, 0
    plain, holed = door.to_rois(labels)
    assert (plain.name, holed.name) == ("0002-0015-0035-L0300", "0003-0015-0035-L12345")
    assert (plain.position, holed.position) == (2, 3)
    assert (plain.roitype, holed.roitype) == (ROI_TYPE.TRACED, ROI_TYPE.RECT)
    assert (plain.composite, holed.composite) == (False, True)
    assert plain.stroke_color == b"\xff" + colours_of(300).tobytes()
    assert plain.group == 0
    assert (plain.left, plain.top, plain.right, plain.bottom) == (30, 10, 40, 20)


def test_numbers_in_a_name_are_equally_wide():
    labels = np.zeros((1, 1, 12_345), np.uint8)
    labels[0, 0, -3:] = 1
    assert door.to_rois(labels)[0].name == "00001-00000-12343-L0001"


def test_progress_and_laziness():
    steps = []
    rois = door.each_roi(np.ones((4, 2, 2), np.uint8), progress=lambda done, depth: steps.append((done, depth)))
    next(rois)
    assert steps == []
    list(rois)
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_set_is_the_same_bytes_each_time_and_replaces_the_old_one(tmp_path):
    path, again = tmp_path / "set.zip", tmp_path / "again.zip"
    door.write(path, door.to_rois(np.arange(12, dtype=np.uint8).reshape(1, 3, 4)))
    door.write(path, door.to_rois(np.eye(3, dtype=np.uint8)))
    door.write(again, door.to_rois(np.eye(3, dtype=np.uint8)))
    assert len(door.read(path)) == 1
    assert path.read_bytes() == again.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again.zip", "set.zip"]


def test_a_failed_write_leaves_the_old_set(tmp_path):
    def failing():
        yield roi()
        raise ValueError("no more")

    path = tmp_path / "set.zip"
    door.write(path, [roi(), roi(name="b")])
    with pytest.raises(ValueError, match="no more"):
        door.write(path, failing())
    assert len(door.read(path)) == 2
    assert list(tmp_path.iterdir()) == [path]


def test_hostile_and_repeated_names_are_made_safe(tmp_path):
    names = ["../../x", "a", "A", "a", "", "C:\\x", "c\x00d", "é" * 300, ".."]
    path = tmp_path / "set.zip"
    door.write(path, [roi(name=name) for name in names])
    with zipfile.ZipFile(path) as archive:
        members = archive.namelist()
    assert len({m.casefold() for m in members}) == len(names)
    assert not any(set('/\\:\0') & set(m) or m.startswith(".") for m in members)
    assert [r.name for r in door.read(path)][:4] == names[:4]


def test_a_name_that_roifile_would_cut_short_is_refused():
    with pytest.raises(ValueError, match="without emoji"):
        door.to_bytes([roi(name="\N{MICROSCOPE}-L7")])


def test_an_empty_stack_has_an_empty_set(tmp_path):
    assert door.write(tmp_path / "set.zip", door.each_roi(np.zeros((2, 3, 4), np.uint8))) == 0
    assert door.read(tmp_path / "set.zip") == []


def test_one_roi_in_a_file_of_its_own(tmp_path):
    door.write(tmp_path / "one.roi", [roi(name="0001-0001-0001-L0009")])
    assert roiread(tmp_path / "one.roi").name == "0001-0001-0001-L0009"
    assert np.asarray(door.from_rois(door.read(tmp_path / "one.roi"), shape=(1, 2, 3))).tolist() == [[[9] * 3] * 2]
    for wrong in (tmp_path / "two.roi", tmp_path / "set.txt"):
        with pytest.raises(ValueError, match=r"expected a \.zip"):
            door.write(wrong, [roi(), roi()])


def test_outside_is_cut_off_and_the_later_roi_wins():
    first, second = roi(points=((-5, -5), (4, -5), (4, 4), (-5, 4)), name="L3"), roi(points=((2, 2), (20, 2), (20, 20), (2, 20)), name="L4")
    slice_ = covered(first, second)
    assert (slice_[:2, :4] == 3).all()
    assert (slice_[2:, 2:] == 4).all()
    assert covered(second, first)[3, 3] == 3


def test_numbers_come_from_name_then_group_then_the_next_free_one():
    names = ["0001-0001-0001-L12", "L0003-1", "cell 7", "another", "xL9", "third"]
    rois = [roi(name=n, points=((i, 0), (i + 1, 0), (i + 1, 1), (i, 1))) for i, n in enumerate(names)]
    rois[3].group = 5
    assert covered(*rois)[0, :6].tolist() == [12, 3, 13, 5, 14, 15]
    with pytest.raises(ValueError, match=r"'L0'.*object number"):
        covered(roi(name="L0"))


def test_the_slice_comes_from_position_then_the_name():
    def slice_of(made, depth=5):
        return int(np.flatnonzero(np.asarray(door.from_rois([made], shape=(depth, 4, 4))).any((1, 2)))[0])

    assert slice_of(roi(z=3)) == 3
    assert slice_of(roi(z=3, name="0002-0001-0001")) == 3
    assert slice_of(roi(name="0002-0001-0001")) == 1
    assert slice_of(roi(z_position=4, t_position=1, c_position=1)) == 3
    assert slice_of(roi(z_position=1, t_position=5)) == 4
    assert slice_of(roi(), depth=1) == 0
    for lost in (roi(), roi(z_position=2, t_position=3)):
        with pytest.raises(ValueError, match="ROI 'a': expected a slice position"):
            slice_of(lost)
    with pytest.raises(ValueError, match="ROI 'a': expected a slice of 1 to 5, got 8"):
        slice_of(roi(z=7))


def test_a_slice_at_a_time_into_out():
    labels = np.random.default_rng(0).integers(0, 3, (4, 6, 5)).astype(np.uint32)
    out = np.full(labels.shape, 99, np.uint32)
    door.from_rois(door.to_rois(labels), shape=labels.shape, out=out)
    np.testing.assert_array_equal(out, labels)
    noun = door.from_rois([], shape=(2, 3, 4), voxel_nm=(8, 4, 4), names=["a", "b"])
    assert (noun.voxel_nm, noun.names, np.asarray(noun).any()) == ((8, 4, 4), ("a", "b"), False)
    with pytest.raises(ValueError, match=r"one slice is \(1, y, x\)"):
        door.from_rois([], shape=(3, 4))
