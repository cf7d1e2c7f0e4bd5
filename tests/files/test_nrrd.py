"""NRRD beside pynrrd, which is the public reader and writer; and files that are cut, lie or come from elsewhere."""

from __future__ import annotations

import gzip
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import nrrd
import numpy as np
import pytest

from fibsem_ij import files
from fibsem_ij.volume import Labels, Volume

PIXELS = np.random.default_rng(2).integers(0, 100, (4, 21, 35))
HEAD = "NRRD0004\ntype: uint8\ndimension: 3\nsizes: 5 4 3\nencoding: {}\n"
SMALL = np.arange(60, dtype=np.uint8)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "uint32", "float32", "float64"])
def test_pynrrd_reads_ours(tmp_path: Path, dtype: str) -> None:
    files.write(tmp_path / "a.nrrd", Volume(PIXELS.astype(dtype), (5, 4.1, 3.9), ("a", "b", "ß\\n", "d")))
    data, header = nrrd.read(str(tmp_path / "a.nrrd"), index_order="C")
    np.testing.assert_array_equal(data, PIXELS)
    assert data.dtype == dtype
    assert header["spacings"].tolist() == [3.9, 4.1, 5]  # x first
    assert files.read(tmp_path / "a.nrrd").names == ("a", "b", "ß\\n", "d")


@pytest.mark.parametrize("encoding", ["raw", "gzip"])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", ">u2", "uint32", "int64", "float32", "float64"])
def test_we_read_pynrrds(tmp_path: Path, dtype: str, encoding: str) -> None:
    header = {"encoding": encoding, "space directions": np.diag([3.9, 4.1, 5]), "space units": ["nm", "nm", "nm"],
              "space": "left-posterior-superior", "kinds": ["domain", "domain", "domain"]}
    nrrd.write(str(tmp_path / "a.nrrd"), PIXELS.astype(dtype), header, index_order="C")
    got = files.read(tmp_path / "a.nrrd")
    np.testing.assert_array_equal(np.asarray(got), PIXELS)
    assert got.dtype == np.dtype(dtype).newbyteorder("=")
    assert got.voxel_nm == pytest.approx((5, 4.1, 3.9))


def test_the_first_axis_is_x(tmp_path: Path) -> None:
    (tmp_path / "a.nrrd").write_bytes(HEAD.format("raw").encode() + b"\n" + SMALL.tobytes())
    got = files.read(tmp_path / "a.nrrd")
    assert got.shape == (3, 4, 5)
    assert got[0, 0].tolist() == [0, 1, 2, 3, 4]
    assert got.voxel_nm is None


@pytest.mark.parametrize(("said", "voxel"), [
    ('spacings: .004 .004 .02\nunits: "um" "um" "um"\n', (20, 4, 4)),
    ("spacings: 4 4 20\n", None),  # nobody says of what
    ('spacings: 4 nan 20\nunits: "nm" "nm" "nm"\n', None),
    ('space directions: (0,0,3) (0,2,0) (1,0,0)\nspace units: "nm" "nm" "nm"\n', (1, 2, 3)),
])
def test_voxel_sizes(tmp_path: Path, said: str, voxel: Any) -> None:
    (tmp_path / "a.nrrd").write_bytes((HEAD.format("raw") + said + "# a comment\nmade by:=somebody\n\n").encode() + SMALL.tobytes())
    got = files.read(tmp_path / "a.nrrd").voxel_nm
    assert got is None if voxel is None else got == pytest.approx(voxel)


def test_a_packed_stack_is_read_in_any_order_and_by_other_processes(tmp_path: Path) -> None:
    nrrd.write(str(tmp_path / "a.nrrd"), PIXELS.astype(np.uint16), {"encoding": "gzip"}, index_order="C")
    got = files.read(tmp_path / "a.nrrd")
    for z in (3, 0, 2, 2, 1, 3):
        np.testing.assert_array_equal(got[z], PIXELS[z])
    np.testing.assert_array_equal(got[::-1, 3:5, [1, 2]], PIXELS[::-1, 3:5, [1, 2]])
    np.testing.assert_array_equal(np.asarray(pickle.loads(pickle.dumps(got.data))), PIXELS)
    assert got[0].flags.writeable


def test_segments_of_slicer_are_classes(tmp_path: Path) -> None:
    said = ("Segment0_ID:=Segment_1\nSegment0_LabelValue:=1\nSegment0_Name:=mitochondrion\n"
            "Segment1_LabelValue:=2\nSegment1_Name:=nuclear envelope\nSegment2_Name:=of no number\n\n")
    (tmp_path / "a.seg.nrrd").write_bytes((HEAD.format("raw") + said).encode() + SMALL.tobytes())
    assert files.read_labels(tmp_path / "a.seg.nrrd").classes == {1: "mitochondrion", 2: "nuclear envelope"}


def test_labels_of_other_tools_are_a_drawn_layer(tmp_path: Path) -> None:
    """A float label stack, packed, whose empty slices are not drawn."""
    from fibsem_ij.files import drawn

    labels = np.zeros((4, 21, 35), np.float32)
    labels[2, 4:9, 5:11] = 3
    nrrd.write(str(tmp_path / "cells.nrrd"), labels, {"encoding": "gzip"}, index_order="C")
    found = drawn.read(tmp_path / "cells.nrrd", Volume(PIXELS), classes=False)
    assert list(found.slices) == [2]
    np.testing.assert_array_equal(found.slices[2], labels[2])
    files.write(tmp_path / "back.nrrd", Labels(labels.astype(np.uint16), classes={3: "soma"}))
    assert files.read_labels(tmp_path / "back.nrrd").classes == {3: "soma"}


@pytest.mark.parametrize("encoding", ["raw", "gzip"])
@pytest.mark.parametrize("left", [-1, -9, -40, 30])
def test_a_cut_file_is_an_error(tmp_path: Path, encoding: str, left: int) -> None:
    whole = HEAD.format(encoding).encode() + b"\n" + (gzip.compress(SMALL.tobytes()) if encoding == "gzip" else SMALL.tobytes())
    (tmp_path / "a.nrrd").write_bytes(whole[:left])
    with pytest.raises(ValueError, match=r"a\.nrrd.*expected"):
        np.asarray(files.read(tmp_path / "a.nrrd"))


def test_a_damaged_or_longer_packed_file_is_an_error(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(SMALL.tobytes()))
    packed[-6] ^= 1  # of the checksum
    (tmp_path / "a.nrrd").write_bytes(HEAD.format("gzip").encode() + b"\n" + packed)
    with pytest.raises(ValueError, match=r"a\.nrrd, slice 2: expected packed pixels, got CRC"):
        files.read(tmp_path / "a.nrrd")[2]
    (tmp_path / "a.nrrd").write_bytes(HEAD.format("gzip").encode() + b"\n" + gzip.compress(SMALL.tobytes() * 2))
    with pytest.raises(ValueError, match="more pixels than the header tells"):
        np.asarray(files.read(tmp_path / "a.nrrd"))


@pytest.mark.parametrize(("old", "new", "error"), [
    ("sizes: 5 4 3", "sizes: 50000 40000 30000", "bytes for|too few|up to"), ("sizes: 5 4 3", "sizes: 5 4 -3", "sizes of a stack"),
    ("sizes: 5 4 3", "sizes: 1000000000000 4 3", "sizes of a stack"), ("dimension: 3", "dimension: 4", "sizes of a stack"),
    ("encoding", "data file: ../secret.raw\nencoding", "names another"), ("encoding", "byte skip: -1\nencoding", "skip"),
    ("encoding", "kinds: vector domain domain\nencoding", "vector"), ("type: uint8", "type: block", "pixel type"),
    ("type: uint8", "type: short", "byte order"), ("encoding: ", "encoding: bz", "raw or gzip"), ("NRRD0004", "NRRD0009", "NRRD file"),
    ("encoding", "fibsem_ij:={no json\nencoding", "JSON"), ("encoding", "sizes: 5 4 3\nencoding", "each once"),
    ("encoding", "what is this\nencoding", "each once"),
])
@pytest.mark.parametrize("encoding", ["raw", "gzip"])
def test_headers_that_lie_or_are_of_other_kinds(tmp_path: Path, old: str, new: str, error: str, encoding: str) -> None:
    content = gzip.compress(SMALL.tobytes()) if encoding == "gzip" else SMALL.tobytes()
    (tmp_path / "a.nrrd").write_bytes(HEAD.format(encoding).replace(old, new).encode() + b"\n" + content)
    tracemalloc.start()
    with pytest.raises(ValueError, match=rf"a\.nrrd: .*({error})"):
        files.read(tmp_path / "a.nrrd")
    assert tracemalloc.get_traced_memory()[1] < 4e6
    tracemalloc.stop()


def test_a_header_without_end(tmp_path: Path) -> None:
    (tmp_path / "a.nrrd").write_bytes(b"NRRD0004\n" + b"a:=b\n" * 300_000)
    with pytest.raises(ValueError, match="expected an empty line behind the header"):
        files.read(tmp_path / "a.nrrd")
