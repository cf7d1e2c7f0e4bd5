import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from drawn_rois import roi
from hypothesis import given, settings
from hypothesis import strategies as st

from fibsem_ij.files import roi_zip
from fibsem_ij.files import rois as door


def zipped(path, members, **how):
    with zipfile.ZipFile(path, "w", **how) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path



GOOD = roi().tobytes()
hostile_names = ["../up.roi", "/etc/x.roi", "a/../../b.roi", "..\\up.roi", "C:\\x.roi", "\\\\host\\x.roi"]


@pytest.mark.parametrize("name", hostile_names)
@pytest.mark.fault("hostile: ROI zips that are bombs, lead outside or lie about their size: refused, in a few MB")
def test_a_member_that_leads_outside_is_refused(tmp_path, name):
    (tmp_path / "inner").mkdir()
    path = zipped(tmp_path / "inner" / "slip.zip", [("fine.roi", GOOD), (name, GOOD)])
    with pytest.raises(ValueError, match=r"slip\.zip, member .*outside the folder"):
        door.read(path)
    assert {p.name for p in tmp_path.rglob("*")} == {"inner", "slip.zip"}


@pytest.mark.parametrize(("name", "data", "told"), [
    ("notes.txt", b"hello", r"'notes\.txt'.*nothing but \.roi"),
    ("a.roi", b"", "'a'.*damaged bytes"),
    ("a.roi", b"PK not a roi" * 10, "'a'.*damaged bytes"),
    ("a.roi", GOOD[:70], "'a'.*damaged bytes"),
    ("a.roi", GOOD[:16] + b"\xff\xff" + GOOD[18:], "'a'.*damaged bytes"),
    ("a.roi", GOOD[:16] + b"\0\0\x80\0\0\0" + GOOD[22:], "'a'.*damaged bytes"),
])
def test_a_member_that_is_no_roi_is_named(tmp_path, name, data, told):
    with pytest.raises(ValueError, match=r"set\.zip, member " + told):
        door.read(zipped(tmp_path / "set.zip", [("good.roi", GOOD), (name, data)]))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_of_one_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"set\.zip.*'a\.roi' twice"):
        door.read(zipped(tmp_path / "set.zip", [("a.roi", GOOD), ("a.roi", GOOD)]))


def peak_of(call):
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def refusal(path, match, **limits):
    def call():
        with pytest.raises(ValueError, match=match):
            door.read(path, limits=door.Limits(**limits))

    return call


@pytest.mark.fault("hostile: ROI zips that are bombs, lead outside or lie about their size: refused, in a few MB")
def test_a_bomb_is_refused_before_it_inflates(tmp_path):
    bomb = zipped(tmp_path / "bomb.zip", [("a.roi", GOOD + bytes(100 << 20))], compression=zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 1 << 20
    assert peak_of(refusal(bomb, r"bomb\.zip.*200 times")) < 1 << 20
    assert peak_of(refusal(bomb, r"bomb\.zip, member 'a\.roi'.*at most 1048576 bytes", member_bytes=1 << 20)) < 1 << 20


@pytest.mark.fault("hostile: ROI zips that are bombs, lead outside or lie about their size: refused, in a few MB")
def test_a_bomb_that_lies_about_its_size_inflates_no_further(tmp_path):
    bomb = zipped(tmp_path / "bomb.zip", [("a.roi", GOOD + bytes(100 << 20))], compression=zipfile.ZIP_DEFLATED)
    size = struct.pack("<I", len(GOOD) + (100 << 20))
    bomb.write_bytes(bomb.read_bytes().replace(size, struct.pack("<I", 5000)))
    assert peak_of(refusal(bomb, r"bomb\.zip, member 'a\.roi'")) < 1 << 20


@pytest.mark.fault("hostile: ROI zips that are bombs, lead outside or lie about their size: refused, in a few MB")
def test_a_million_members_are_counted_not_opened(tmp_path):
    n = 600_000
    entry = b"PK\1\2" + bytes(24) + struct.pack("<H", 1) + bytes(16) + b"a"
    end = b"PK\5\6" + struct.pack("<4H2LH", 0, 0, n & 0xFFFF, n & 0xFFFF, n * len(entry), 0, 0)
    path = tmp_path / "many.zip"
    path.write_bytes(entry * n + end)
    assert peak_of(refusal(path, r"many\.zip.*at most 500000 members")) < 8 << 20


def test_encrypted_and_foreign_compressions_are_refused(tmp_path):
    path = zipped(tmp_path / "set.zip", [("a.roi", GOOD)], compression=zipfile.ZIP_BZIP2)
    with pytest.raises(ValueError, match="stored or deflated"):
        door.read(path)
    path = zipped(tmp_path / "set.zip", [("a.roi", GOOD)])
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="encrypted"):
        door.read(path)


def test_missing_truncated_and_other_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file"):
        door.read(tmp_path / "none.zip")
    (tmp_path / "x.png").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"x\.png"):
        door.read(tmp_path / "x.png")
    path = zipped(tmp_path / "set.zip", [(f"{i}.roi", GOOD) for i in range(20)])
    whole = path.read_bytes()
    for kept in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:kept])
        with pytest.raises(ValueError, match=r"set\.zip"):
            door.read(path)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=6), st.booleans())
@settings(deadline=None, max_examples=300)
def test_any_damage_ends_in_a_value_error_or_in_labels(tmp_path_factory, damage, deflated):
    """Bytes flipped anywhere: in the zip's directory, in a member's header, in its coordinates."""
    path = tmp_path_factory.getbasetemp() / "damaged.zip"
    holed = door.to_rois(np.array([[1, 1, 1], [1, 0, 1], [1, 1, 2]], np.uint8))
    zipped(path, [(f"{r.name}.roi", r.tobytes()) for r in holed], compression=zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    for where, value in damage:
        data[where % len(data)] = value
    path.write_bytes(data)
    try:
        back = door.from_rois(door.read(path), shape=(3, 3, 3))
    except ValueError:
        return
    assert back.shape == (3, 3, 3)


def test_a_set_is_never_written_that_could_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roi_zip, "LIMITS", roi_zip.Limits(members=3))
    members = [(f"{k}", b"roi") for k in range(4)]
    assert roi_zip.write_members(tmp_path / "three.zip", members[:3]) == 3
    with pytest.raises(ValueError, match="at most 3 ROIs"):
        roi_zip.write_members(tmp_path / "four.zip", members)
    assert [p.name for p in tmp_path.iterdir()] == ["three.zip"]
