"""What microscopes write beside the pixels: sizes, places, data bars; and headers that are wrong, or meant ill."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import process_time

import microscopes
import numpy as np
import pytest
import tifffile

from fibsem_ij import files
from fibsem_ij.files import importing
from fibsem_ij.files.headers import Scan
from fibsem_ij.files.scans import Acquired
from fibsem_ij.volume import Volume

PIXELS = np.random.default_rng(8).integers(0, 255, (12, 40, 50), np.uint8)
Header = tuple[int, str]


def folder(path: Path, headers: Sequence[Header | None], pixels: np.ndarray = PIXELS) -> Path:
    path.mkdir()
    for z, header in enumerate(headers):
        microscopes.write(path / f"s{z:03d}.tif", pixels[z], header)
    return path


@pytest.mark.parametrize(("headers", "voxel"), [
    ([microscopes.atlas(0.01 * z) for z in range(5)], (10, 5, 5)),
    ([microscopes.atlas(3 - 0.0124 * z, turned=0.5) for z in range(5)], (12.4, 5, 5)),
    ([microscopes.smartsem(z=f"{25.1 - 25e-6 * z:.6f} mm") for z in range(5)], (25, 4.965, 4.965)),
    ([microscopes.smartsem(pixel="0.0125 µm", z=f"{3 + 5e-5 * z:.6f} mm") for z in range(5)], (50, 12.5, 12.5)),
    ([microscopes.thermo(0.004 + 2e-8 * z, pixel_m=(5.076e-9, 4e-9)) for z in range(5)], (20, 5.076, 4)),
])
def test_sizes_and_places_of_each_maker(tmp_path: Path, headers: list[Header], voxel: tuple[float, float, float]) -> None:
    stack = files.read(folder(tmp_path / "a", headers))
    assert stack.voxel_nm == pytest.approx(voxel, rel=1e-5)
    np.testing.assert_array_equal(np.asarray(stack), PIXELS[:5])
    assert files.read(tmp_path / "a", voxel_nm=(1, 2, 3)).voxel_nm == (1, 2, 3)


def test_pages_of_one_file_have_headers_too(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
        for z in range(4):
            code, text = microscopes.atlas(0.008 * z)
            tif.write(PIXELS[z], photometric="minisblack", metadata=None, extratags=[(code, 2, 0, text.encode() + b"\0", True)])
    assert files.read(tmp_path / "a.tif").voxel_nm == (8, 5, 5)


def test_a_stage_that_stands_still_has_no_places(tmp_path: Path) -> None:
    found = importing.read(folder(tmp_path / "a", [microscopes.thermo() for _ in range(5)]))
    assert found.stack.voxel_nm is None
    assert any("write voxel_nm = [THICKNESS, 4, 4]" in note for note in found.notes)
    shaking = [microscopes.thermo(0.004 + dz) for dz in (0, 1e-9, -1e-9, 2e-9, 0, 1e-9)]
    assert files.read(folder(tmp_path / "b", shaking)).voxel_nm is None


def test_missing_and_uneven_slices_are_told(tmp_path: Path) -> None:
    places = [0, 10, 20, 50, 60, 70, 70, 80, 90, 100]
    found = importing.read(folder(tmp_path / "a", [microscopes.atlas(z / 1000) for z in places]))
    assert found.stack.voxel_nm == (10, 5, 5)
    assert found.acquired is not None
    table = found.acquired.table()
    assert [(n, note) for n, note in enumerate(table["note"]) if note != "ok"] == [
        (3, "about 2 slices missing between s002 and s003 (30 nm)"), (6, "s006 lies where s005 does")]
    assert table["thickness_nm"][1:4].tolist() == [10, 10, 30]
    assert any("about 2 slices missing" in note for note in found.notes)
    assert not any("uneven" in note for note in found.notes)
    uneven = importing.read(folder(tmp_path / "b", [microscopes.atlas(z / 1000) for z in np.cumsum([6, 10, 14, 6] * 3)]))
    assert any("slices are uneven: 6 to 14 nm" in note for note in uneven.notes)


def test_a_changed_magnification_is_refused_by_the_name_of_its_slice(tmp_path: Path) -> None:
    headers = [microscopes.atlas(0.01 * z, pixel_um=0.0025 if z in (3, 4) else 0.005) for z in range(10)]
    with pytest.raises(ValueError, match=r"slice s003: expected pixels of 5 x 5 nm as in the others, got 2.5 x 2.5 nm and in 1 more"):
        files.read(folder(tmp_path / "a", headers))
    found = importing.read(tmp_path / "a", voxel_nm=(10, 5, 5))
    assert found.stack.voxel_nm == (10, 5, 5)
    assert any("slice s003" in note for note in found.notes), "the given size is used, and it is said"


def test_a_given_size_that_differs_is_told_with_both(tmp_path: Path) -> None:
    folder(tmp_path / "a", [microscopes.atlas(0.01 * z) for z in range(4)])
    notes = importing.read(tmp_path / "a", voxel_nm=(10, 4, 4)).notes
    assert [note for note in notes if "voxel_nm is given as 10 x 4 x 4 nm, the headers (Zeiss Atlas) say 10 x 5 x 5 nm" in note]
    assert importing.read(tmp_path / "a", voxel_nm=(10.05, 5, 5)).notes == ()


def test_a_slice_scanned_twice_each_time_and_a_long_stack(tmp_path: Path) -> None:
    assert files.read(folder(tmp_path / "a", [microscopes.atlas(z / 1000) for z in (0, 0, 10, 10, 20)])).voxel_nm == (10, 5, 5)
    many = Acquired(tuple(map(str, range(3000))), tuple(Scan("Zeiss", (4, 4), 10.0 * z) for z in range(3000)))
    began = process_time()
    assert (many.voxel_nm, many.missing(), len(many.notes(None))) == ((10, 4, 4), [], 1)
    assert process_time() - began < 1


@pytest.mark.parametrize("bar", [None, 9])
def test_the_data_bar_is_left_out_and_told(tmp_path: Path, bar: int | None) -> None:
    folder(tmp_path / "a", [microscopes.thermo(0.004 + 1e-8 * z, rows=31, bar=bar) for z in range(4)])
    found = importing.read(tmp_path / "a")
    np.testing.assert_array_equal(np.asarray(found.stack), PIXELS[:4, :31])
    np.testing.assert_array_equal(found.stack[2, 3:5, ::7], PIXELS[2, 3:5, ::7])
    assert any("9 rows of a data bar" in note and "databar = true keeps" in note for note in found.notes)
    np.testing.assert_array_equal(np.asarray(importing.read(tmp_path / "a", databar=True).stack), PIXELS[:4])
    np.testing.assert_array_equal(np.asarray(files.read(tmp_path / "a")), PIXELS[:4])


def test_bars_that_differ_are_left(tmp_path: Path) -> None:
    found = importing.read(folder(tmp_path / "a", [microscopes.thermo(rows=31 + z) for z in range(2)]))
    assert found.stack.shape == (2, 40, 50)
    assert any("some slices have a data bar" in note for note in found.notes)


def test_a_face_seen_aslant_is_told(tmp_path: Path) -> None:
    found = importing.read(folder(tmp_path / "a", [microscopes.thermo(corrected="no") for _ in range(2)]))
    assert any("tilted 52 degrees without tilt correction" in note and "is 5.076 nm high, not 4" in note for note in found.notes)


@pytest.mark.parametrize("header", [microscopes.atlas(0.01, size=(80, 100)), microscopes.thermo(columns=100, rows=80)])
def test_a_header_that_outlived_its_picture_is_not_believed(tmp_path: Path, header: Header) -> None:
    found = importing.read(folder(tmp_path / "a", [header, header]))
    assert found.stack.voxel_nm is None
    assert any("a header is not believed: s000: it tells of a picture of 80 x 100 pixels" in note for note in found.notes)


def test_what_imagej_says_goes_before_headers(tmp_path: Path) -> None:
    files.write(tmp_path / "a.tif", Volume(PIXELS[:2], (7, 3, 3)))
    assert files.read(tmp_path / "a.tif").voxel_nm == (7, 3, 3)
    assert importing.read(tmp_path / "a.tif").notes == ()


BOMB = ('<!DOCTYPE a [<!ENTITY a0 "' + "x" * 100 + '">' + "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 50}">' for i in range(1, 9)) + "]>")


@pytest.mark.parametrize("text", [
    microscopes.atlas(0.01, more=BOMB)[1].replace("ZEISS", "&a8;"), microscopes.atlas(0.01)[1][:-40], "<Other><Ux>1</Ux></Other>", "\0\1",
    microscopes.atlas(0.01)[1].replace("0.005", "nan"), microscopes.atlas(0.01)[1].replace("0.005", "1e300"),
    microscopes.atlas(0.01)[1].replace("<Width>50", "<Width>many"), "<Fibics/>", "<Fibics>" * 5000])
def test_headers_that_mean_ill_or_nothing(tmp_path: Path, text: str) -> None:
    folder(tmp_path / "a", [(51023, text), (51023, text)])
    began = process_time()
    stack = files.read(tmp_path / "a")
    assert process_time() - began < 1
    np.testing.assert_array_equal(np.asarray(stack), PIXELS[:2])
    assert stack.voxel_nm is None or "many" in text


@pytest.mark.parametrize("text", ["[Scan]\nPixelWidth=-1\nPixelHeight=inf", "PixelWidth=4e-9", "[Image]\nResolutionY=-7\nResolutionX=x",
                                  "[PrivateFei]\nDatabarHeight=40000", "[Stage]\nStageZ=yes\nStageT=1e999", "[Scan]=\n[=]"])
def test_sections_that_mean_nothing(tmp_path: Path, text: str) -> None:
    found = importing.read(folder(tmp_path / "a", [(34682, text), (34682, text)]))
    np.testing.assert_array_equal(np.asarray(found.stack), PIXELS[:2])
    assert found.stack.voxel_nm is None


def test_ome_that_declares_entities_is_refused(tmp_path: Path) -> None:
    text = f'<?xml version="1.0"?>{BOMB}<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">&a8;</OME>'
    tifffile.imwrite(tmp_path / "a.ome.tif", PIXELS[:2], description=text, metadata=None)
    with pytest.raises(ValueError, match="expected OME-XML that declares nothing"):
        files.read(tmp_path / "a.ome.tif")
