"""TIFFs of others in, and what ImageJ needs to find in ours."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from fibsem_ij import files
from fibsem_ij.arrays.colours import as_lut
from fibsem_ij.files import tiff
from fibsem_ij.files.stack import Blank, Raw
from fibsem_ij.volume import Labels, Volume

PIXELS = np.random.default_rng(3).integers(0, 60_000, (5, 33, 47)).astype(np.uint16)


def imagej_file(path: Path, pixels: Any, description: str, *, pixel: tuple[int, int] = (1, 4), order: str = ">") -> None:
    """As ImageJ's own TiffEncoder lays it out: one page, big-endian, all slices in one piece."""
    z, y, x = pixels.shape
    text = description.encode() + b"\0"
    tags = [(254, 4, 1, 0), (256, 4, 1, x), (257, 4, 1, y), (258, 3, 1, 8 * pixels.itemsize), (262, 3, 1, 1),
            (270, 2, len(text), 200), (273, 4, 1, 768), (277, 3, 1, 1), (278, 3, 1, y), (279, 4, 1, pixels.nbytes // z),
            (282, 5, 1, 184), (283, 5, 1, 184), (296, 3, 1, 1)]
    head = struct.pack(order + "2sHI", {">": b"MM", "<": b"II"}[order], 42, 8) + struct.pack(order + "H", len(tags))
    for code, kind, count, value in tags:
        short = kind == 3 and order == ">"
        head += struct.pack(order + "HHII", code, kind, count, value << 16 if short else value)
    head += struct.pack(order + "I", 0)
    head = head.ljust(184, b"\0") + struct.pack(order + "II", *pixel)
    head = head.ljust(200, b"\0") + text
    path.write_bytes(head.ljust(768, b"\0") + pixels.astype(pixels.dtype.newbyteorder(order)).tobytes())


UNITS = {"nm": 1, "um": 1e3, "micron": 1e3, "microns": 1e3, "\\u00B5m": 1e3, "mm": 1e6, "cm": 1e7, "inch": 2.54e7, "m": 1e9}


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("unit", UNITS)
def test_imagej_units(tmp_path: Path, unit: str, order: str) -> None:
    imagej_file(tmp_path / "a.tif", PIXELS, f"ImageJ=1.54p\nimages=5\nslices=5\nunit={unit}\nspacing=2.5\nloop=false\n", order=order)
    got = files.read(tmp_path / "a.tif")
    np.testing.assert_allclose(got.voxel_nm, np.array([2.5, 4, 4]) * UNITS[unit], rtol=1e-9)
    np.testing.assert_array_equal(np.asarray(got), PIXELS)
    assert isinstance(got.data, Raw)
    assert got[0].dtype.isnative


@pytest.mark.parametrize(("told", "voxel"), [
    ("images=5\nunit=pixel\n", None), ("images=5\n", None), ("images=5\nunit=nm\n", (1, 4, 4)),
    ("images=5\nunit=um\nyunit=nm\nzunit=mm\nspacing=3\n", (3e6, 4, 4000)), ("images=5\nunit=nm\nspacing=-2\n", (2, 4, 4))])
def test_imagej_calibrations(tmp_path: Path, told: str, voxel: Any) -> None:
    imagej_file(tmp_path / "a.tif", PIXELS, "ImageJ=1.54p\n" + told)
    assert files.read(tmp_path / "a.tif").voxel_nm == voxel


def test_a_single_slice_has_no_depth(tmp_path: Path) -> None:
    imagej_file(tmp_path / "a.tif", PIXELS[:1], "ImageJ=1.54p\nunit=nm\n")
    got = files.read(tmp_path / "a.tif")
    assert (got.shape, got.voxel_nm) == ((1, 33, 47), None)


@pytest.mark.parametrize(("told", "error"), [
    ("images=5\nchannels=5\nhyperstack=true\n", "got 5 channels; keep one"), ("images=5\nframes=5\n", "got 5 frames"),
    ("images=6\n", "expected the 6 slices that it promises, got 5 whole"), ("images=0\n", "images=0"), ("images=-3\n", "images=-3")])
def test_imagej_promises(tmp_path: Path, told: str, error: str) -> None:
    imagej_file(tmp_path / "a.tif", PIXELS, "ImageJ=1.54p\n" + told)
    with pytest.raises(ValueError, match=rf"a\.tif.*{error}"):
        files.read(tmp_path / "a.tif")


def test_what_imagej_finds(tmp_path: Path) -> None:
    labels = Labels(PIXELS.astype(np.uint32) * 3, (5, 4, 4), ("a", "b", "0045.x", "d", "e"), {1: "nucleus"})
    files.write(tmp_path / "a.tif", labels)
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        page, said = tif.pages[0], tif.imagej_metadata
        np.testing.assert_array_equal(page.colormap, as_lut().astype(np.uint16) * 257)
        assert (page.photometric, page.dtype, len(tif.pages)) == (1, np.float32, 1)
        assert said["Labels"] == list(labels.names)
        wanted = {"images": 5, "slices": 5, "unit": "nm", "spacing": 5, "min": 0, "max": float(labels.data.max())}
        assert said.items() >= wanted.items()
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), labels.data)


def test_black_and_white(tmp_path: Path) -> None:
    pixels = np.array([[[-3.5, np.nan, np.inf, 2e9]]], np.float32)
    files.write(tmp_path / "a.tif", Volume(pixels))
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        assert (tif.imagej_metadata["min"], tif.imagej_metadata["max"]) == (-3.5, 2e9)


@pytest.mark.parametrize("depth", [3, 4])
def test_three_slices_are_no_colours(tmp_path: Path, depth: int) -> None:
    files.write(tmp_path / "a.tif", Volume(PIXELS[:depth].astype(np.uint8)))
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        assert (tif.pages[0].photometric, tif.pages[0].samplesperpixel) == (1, 1)
    assert files.read(tmp_path / "a.tif").shape == (depth, 33, 47)


def test_labels_of_a_folder_keep_their_stems_through_imagej(tmp_path: Path) -> None:
    labels = ["0001.tif", "0002.png\nmore", "x.y"]
    tifffile.imwrite(tmp_path / "a.tif", PIXELS[:3], imagej=True, metadata={"axes": "ZYX", "Labels": labels})
    assert files.read(tmp_path / "a.tif").names == ("0001", "0002", "x.y")
    tifffile.imwrite(tmp_path / "b.tif", PIXELS[:3], imagej=True, metadata={"axes": "ZYX", "Labels": ["same", "same", ""]})
    assert files.read(tmp_path / "b.tif").names == ("0000", "0001", "0002")


ZYX = {"axes": "ZYX"}
FOREIGN: dict[str, dict[str, Any]] = {
    "plain": {}, "big": {"bigtiff": True}, "big endian": {"byteorder": ">"}, "bare": {"metadata": None}, "cut short": {"truncate": True},
    "strips": {"rowsperstrip": 5}, "tiles": {"tile": (16, 32)}, "zlib tiles": {"compression": "zlib", "tile": (16, 16)},
    "zlib": {"compression": "zlib", "predictor": True}, "lzw": {"compression": "lzw"}, "zstd": {"compression": "zstd"},
    "packbits": {"compression": "packbits"}, "ome": {"ome": True, "metadata": ZYX},
    "ome big": {"ome": True, "bigtiff": True, "metadata": ZYX, "tile": (16, 16)},
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_tiffs_of_others(tmp_path: Path, kind: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, photometric="minisblack", **FOREIGN[kind])
    got = files.read(tmp_path / "a.tif")
    assert isinstance(got.data, Raw) == (kind in {"plain", "big", "big endian", "bare", "cut short", "strips", "ome"})
    np.testing.assert_array_equal(np.asarray(got), PIXELS)
    np.testing.assert_array_equal(got[-1], PIXELS[-1])
    assert got[0].dtype.isnative
    assert got[0].flags.writeable


def test_pages_written_one_by_one(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
        for pixels in PIXELS:
            tif.write(pixels, compression="zlib")
    np.testing.assert_array_equal(np.asarray(files.read(tmp_path / "a.tif")), PIXELS)


def test_ome_voxels(tmp_path: Path) -> None:
    told = {"axes": "ZYX", "PhysicalSizeX": 0.004, "PhysicalSizeY": 4.5, "PhysicalSizeYUnit": "nm",
            "PhysicalSizeZ": 80, "PhysicalSizeZUnit": "Å"}
    tifffile.imwrite(tmp_path / "a.ome.tif", PIXELS, photometric="minisblack", metadata=told)
    assert files.read(tmp_path / "a.ome.tif").voxel_nm == pytest.approx((8, 4.5, 4))


def test_ome_planes_in_another_order(tmp_path: Path) -> None:
    planes = "".join(f'<TiffData IFD="{page}" FirstZ="{z}" PlaneCount="1"/>' for page, z in enumerate([4, 2, 0, 1, 3]))
    xml = ('<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
           '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="47" SizeY="33" SizeZ="5" SizeC="1" SizeT="1">'
           f"{planes}</Pixels></Image></OME>")
    tifffile.imwrite(tmp_path / "a.tif", PIXELS[[4, 2, 0, 1, 3]], photometric="minisblack", description=xml, metadata=None)
    np.testing.assert_array_equal(np.asarray(files.read(tmp_path / "a.tif")), PIXELS)
    elsewhere = '<TiffData><UUID FileName="b.tif">u</UUID></TiffData><TiffData'
    broken = {'SizeZ="5"': 'SizeZ="6"', 'FirstZ="4"': 'FirstZ="3"', "<TiffData": elsewhere}
    for old, new in broken.items():
        tifffile.imwrite(tmp_path / "b2.tif", PIXELS, photometric="minisblack", description=xml.replace(old, new, 1), metadata=None)
        with pytest.raises(ValueError, match=r"expected (the . slices that it promises|all slices in this file, got b.tif)"):
            files.read(tmp_path / "b2.tif")


@pytest.mark.parametrize(("axes", "ome", "shape"), [
    ("CYX", True, (5, 33, 47)), ("TZYX", True, (2, 5, 33, 47)), ("TZYX", False, (2, 5, 33, 47)), ("CYX", False, (5, 33, 47)),
    ("QQYX", False, (2, 5, 33, 47))])
def test_more_axes_are_refused(tmp_path: Path, axes: str, ome: bool, shape: tuple[int, ...]) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros(shape, np.uint8), photometric="minisblack", ome=ome, metadata={"axes": axes})
    with pytest.raises(ValueError, match="expected one stack of slices, got"):
        files.read(tmp_path / "a.tif")


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("options", [{}, {"tile": (16, 16)}, {"compression": "zlib"}, {"extrasamples": ["unassalpha"]}], ids=str)
def test_colour_that_is_grey(tmp_path: Path, planar: str, options: dict[str, Any]) -> None:
    grey = PIXELS.astype(np.uint8)
    samples = [grey, grey, grey] + [np.full_like(grey, 255)] * ("extrasamples" in options)
    colour = np.stack(samples, -1 if planar == "contig" else 1)
    tifffile.imwrite(tmp_path / "a.tif", colour, photometric="rgb", planarconfig=planar, **options)
    np.testing.assert_array_equal(np.asarray(files.read(tmp_path / "a.tif")), grey)
    if planar == "contig":
        colour[3, 4, 5, 1] ^= 1
    else:
        colour[3, 1, 4, 5] ^= 1
    tifffile.imwrite(tmp_path / "a.tif", colour, photometric="rgb", planarconfig=planar, **options)
    got = files.read(tmp_path / "a.tif")
    np.testing.assert_array_equal(got[2], grey[2])
    with pytest.raises(ValueError, match=r"a\.tif, slice 3: expected grey, got colour channels that differ; convert"):
        got[3]


def test_a_palette_is_numbers(tmp_path: Path) -> None:
    numbers = PIXELS.astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", numbers, photometric="palette", colormap=as_lut().astype(np.uint16) * 257)
    np.testing.assert_array_equal(np.asarray(files.read_labels(tmp_path / "a.tif")), numbers)


def test_float_labels_of_others(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", PIXELS.astype(np.float32), imagej=True, metadata={"axes": "ZYX"})
    got = files.read_labels(tmp_path / "a.tif")
    np.testing.assert_array_equal(np.asarray(got), PIXELS)
    assert got.dtype == np.uint32
    half = PIXELS.astype(np.float32)
    half[2, 3, 4] += 0.5
    tifffile.imwrite(tmp_path / "a.tif", half, imagej=True, metadata={"axes": "ZYX"})
    with pytest.raises(ValueError, match=r"a\.tif, slice 2: expected whole uint32 numbers"):
        np.asarray(files.read_labels(tmp_path / "a.tif"))


@pytest.mark.parametrize("size", [4.6e9, 20e9])
def test_over_4_gb(tmp_path: Path, size: float) -> None:
    shape = (int(size / 6e6), 2000, 3000)
    like = Volume(Blank(shape, np.dtype(np.uint8)), (5, 4, 4), tuple(f"s{z}" for z in range(shape[0])))
    raw = tiff.lay_out(tmp_path / "big.tif", like, np.dtype(np.uint8))
    pixels = np.random.default_rng(0).integers(0, 255, shape[1:]).astype(np.uint8)
    try:
        with raw.path.open("r+b") as file:
            for z in (0, shape[0] // 2, shape[0] - 1):
                file.seek(raw.offset + z * pixels.size)
                file.write(np.roll(pixels, z).data)
        if raw.path.stat().st_blocks * 512 > 1e9:
            pytest.skip("this file system keeps no holes")
    except (OSError, AttributeError) as error:
        pytest.skip(f"no sparse files here: {error}")
    got = files.read(raw.path)
    assert (got.shape, got.names[-1], got.voxel_nm) == (shape, f"s{shape[0] - 1}", (5, 4, 4))
    for z in (0, shape[0] // 2, shape[0] - 1):
        np.testing.assert_array_equal(got[z], np.roll(pixels, z))
    assert not got[1].any()
    with tifffile.TiffFile(raw.path) as tif:
        assert (len(tif.pages), tif.series[0].shape) == (1, shape)
