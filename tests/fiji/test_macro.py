"""Macros and menu commands: images in and out, errors with ImageJ's own words, nothing left open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from fibsem_ij import fiji
from fibsem_ij.fiji import FijiError
from fibsem_ij.fiji.windows import open_images
from fibsem_ij.volume import Labels, Volume

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def volume() -> Volume:
    return Volume(np.random.default_rng(0).integers(0, 255, (3, 32, 40)).astype(np.uint8), (20.0, 4.0, 4.0), ("a", "b", "c"))


@pytest.fixture(autouse=True)
def nothing_left_open(session: fiji.Session) -> Iterator[None]:
    before = len(open_images())
    yield
    assert len(open_images()) == before


def test_argument_value_and_log(session: fiji.Session, tmp_path: Path) -> None:
    path = tmp_path / "echo é.ijm"
    path.write_text('print("said é"); return getArgument() + "!";', encoding="utf-8")
    result = session.macro(path, 'data "); exit("')
    assert (result.value, result.log) == ('data "); exit("!', "said é\n")
    assert session.macro(str(path), "x").value == "x!"
    assert session.macro("a = 1;").value is None


def test_no_file(session: fiji.Session, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.ijm"):
        session.macro(str(tmp_path / "gone.ijm"))


def test_images_go_in_and_come_out(session: fiji.Session, volume: Volume) -> None:
    result = session.macro('run("Invert", "stack"); rename("new"); newImage("t", "16-bit ramp", 8, 4, 2);', images=[volume])
    assert np.array_equal(result.given[0], 255 - np.asarray(volume))
    assert result.given[0].names == volume.names
    assert result.given[0].voxel_nm == volume.voxel_nm
    assert [image.shape for image in result.opened] == [(2, 4, 8)]


def test_keep(session: fiji.Session) -> None:
    session.macro('newImage("kept", "8-bit black", 4, 4, 1);', leave_open=True)
    assert session.macro('selectImage("kept"); title = getTitle(); close(); return title;').value == "kept"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ('a = 1;\nnewImage("t", "8-bit black", 4, 4, 1);\nfoo(3);', "Undefined identifier in line 3 <foo>"),
        ("a = newArray(2);\nb = a[5];", r"Index \(5\) out of 0-1 range in line 2"),
        ('newImage("t", "8-bit black", 4, 4, 1);\n\nrun("Gaussian Blurr...");', 'Unrecognized command: "Gaussian Blurr...".* line 3'),
        ("while (", "expected"),
        ('newImage("t", "8-bit black", 4, 4, 1);\nif (true)\n  exit("no nuclei");', "no nuclei .*line 3"),
        ('run("Invert");', "There are no images open|No image"),
        ('call("java.lang.Integer.parseInt", "x");', "NumberFormatException"),
        ('newImage("t", "8-bit black", 4, 4, 3); run("Bin...", "x=0 y=0 z=0");', r"/ by zero in a plugin \(at ij\.plugin\.Binner"),
        ('newImage("t", "8-bit black", 90000, 20000, 90);', "not enough free memory"),
    ],
)
def test_a_macro_error_has_imagejs_message_and_line(session: fiji.Session, code: str, said: str) -> None:
    with pytest.raises(FijiError, match=f"(?s)expected macro .*{said}"):
        session.macro(code)
    assert session.macro('return "still alive";').value == "still alive"


def test_an_error_in_a_macro_within_is_an_error(session: fiji.Session, tmp_path: Path) -> None:
    inner = tmp_path / "inner.ijm"
    inner.write_text("x = 1;\nfoo(3);", encoding="utf-8")
    with pytest.raises(FijiError, match="Undefined identifier in line 2"):
        session.macro("runMacro(getArgument());", str(inner))


def test_plain_exit_is_an_end(session: fiji.Session) -> None:
    assert session.macro('print("x"); exit(); print("y");').log == "x\n"


def test_a_command_in_place_takes_every_slice(session: fiji.Session, volume: Volume) -> None:
    blurred = session.command("Gaussian Blur...", volume.with_data(np.asarray(volume, np.float32)), sigma=2)
    assert blurred is not None
    truth = [ndimage.gaussian_filter(np.asarray(z, np.float32), 2, mode="nearest", truncate=4) for z in np.asarray(volume)]
    assert np.abs(np.asarray(blurred)[:, 9:-9, 9:-9] - np.stack(truth)[:, 9:-9, 9:-9]).max() < 0.5
    assert blurred.names == volume.names
    one = session.command("Invert", volume, stack=False)
    assert one is not None
    assert np.array_equal(np.asarray(one)[1:], np.asarray(volume)[1:])
    assert not np.array_equal(one[0], volume[0])


def test_a_command_that_opens_an_image(session: fiji.Session, volume: Volume) -> None:
    projection = session.command("Z Project...", volume, projection="Max Intensity")
    assert projection is not None
    assert np.array_equal(projection[0], np.asarray(volume).max(0))


def test_labels_stay_labels(session: fiji.Session) -> None:
    labels = Labels(np.arange(24, dtype=np.uint32).reshape(2, 3, 4))
    flipped = session.command("Flip Horizontally", labels)
    assert isinstance(flipped, Labels)
    assert np.array_equal(flipped, np.asarray(labels)[..., ::-1])


def test_command_errors(session: fiji.Session, volume: Volume) -> None:
    with pytest.raises(FijiError, match=r"did you mean 'Gaussian Blur\.\.\.'"):
        session.command("Gausian Blur...", volume, sigma=2)
    with pytest.raises(FijiError, match=r"(?i)no image|images open"):
        session.command("Invert")
    with pytest.raises(FijiError, match="to run, got"):
        session.command("Make Montage...", Volume(np.zeros((1, 4, 4), np.uint8)), columns=2)
    assert session.command("Invert", volume) is not None


def test_table(session: fiji.Session) -> None:
    boxes = np.zeros((1, 40, 40), np.uint8)
    boxes[0, 5:10, 5:15] = boxes[0, 20:30, 20:24] = 200
    session.macro('setThreshold(100, 255); run("Set Measurements...", "area mean redirect=None decimal=3"); '
                  'run("Analyze Particles...", "display clear");', images=[Volume(boxes)])
    table = session.table()
    assert sorted(table["Area"]) == [40, 50]
    assert list(table["Mean"]) == [200, 200]
    with pytest.raises(FijiError, match="no such table'"):
        session.table("no such table")
