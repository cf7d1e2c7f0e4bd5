"""Cut, empty, mixed and hostile files end in one error that names them; never in fewer slices or other pixels."""

from __future__ import annotations

import json
import shutil
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile

from fibsem_ij import files
from fibsem_ij.volume import Labels, Volume

PIXELS = np.random.default_rng(5).integers(0, 255, (5, 24, 31)).astype(np.uint8)


def read_all(path: Path) -> Any:
    return np.asarray(files.read(path))


def read_or_refused(path: Path) -> Any:
    """Up to five slices, or what the error said."""
    try:
        return files.read(path)[:5]
    except ValueError as error:
        return str(error)


def ours(name: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        files.write(folder / name, Volume(PIXELS, (1, 2, 3), tuple("abcde")))
        return folder / name
    return write


def theirs(**options: Any) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        tifffile.imwrite(folder / "a.tif", PIXELS, photometric="minisblack", **options)
        return folder / "a.tif"
    return write


WRITERS = {
    "imagej": ours("a.tif"), "mrc": ours("a.mrc"), "npy": ours("a.npy"), "plain": theirs(), "bare": theirs(metadata=None),
    "big": theirs(bigtiff=True),
    "zlib": theirs(compression="zlib"), "lzw": theirs(compression="lzw"), "tiles": theirs(tile=(16, 16)),

    "ome": theirs(ome=True, metadata={"axes": "ZYX"}), "their imagej": theirs(imagej=True, metadata={"axes": "ZYX"}),
    "strips": theirs(rowsperstrip=3, compression="zlib"),
}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.fault("files of other kinds, .tif by many writers, .mrc, .npy, cut at any of 200 places: named, or all pixels are there")
def test_cut_anywhere(tmp_path: Path, kind: str, trials: Any) -> None:
    path = WRITERS[kind](tmp_path)
    whole = path.read_bytes()
    np.testing.assert_array_equal(read_all(path), PIXELS)
    rng = np.random.default_rng(0)
    for size in {*range(64), *rng.integers(64, len(whole), 150).tolist(), len(whole) - 1, len(whole) - 2}:
        path.write_bytes(whole[:size])
        got = read_or_refused(path)
        held = str(path) in got if isinstance(got, str) else np.array_equal(got, PIXELS)
        trials.add("" if held else f"{kind} cut at {size}: {got}")


@pytest.mark.parametrize("kind", WRITERS)
def test_any_damage(tmp_path: Path, kind: str) -> None:
    """Bytes changed at random: a stack of the promised kind (pixels may be wrong) or an error that names the file."""
    path = WRITERS[kind](tmp_path)
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    rng = np.random.default_rng(1)
    for _ in range(150):
        hurt = whole.copy()
        hurt[rng.integers(0, min(len(hurt), rng.choice([32, 400, len(hurt)])), 3)] = rng.integers(0, 255, 3)
        path.write_bytes(hurt.tobytes())
        got = read_or_refused(path)
        assert path.name in got if isinstance(got, str) else got.size


@pytest.mark.parametrize("name", ["a.tif", "a.mrc", "a.npy", "folder/a.tif", "folder/a.png"])
def test_empty_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(ValueError, match=name.rsplit("/", 1)[-1]):
        files.read(tmp_path / name.split("/")[0])


def one_page(width: int, height: int, compression: int, held: int) -> bytes:
    tags = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, compression), (262, 3, 1), (273, 4, 126), (277, 3, 1),
            (278, 4, height), (279, 4, held)]
    return (struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + b"".join(struct.pack("<HHII", c, k, 1, v) for c, k, v in tags)
            + struct.pack("<I", 0) + b"\0" * 4 + b"\0\0\0\0")


@pytest.mark.parametrize(("width", "height", "held"), [
    (200_000, 200_000, 4), (200_000, 200_000, 2**32 - 1), (60_000, 60_000, 4), (2**32 - 1, 2**32 - 1, 4)])
@pytest.mark.parametrize("compression", [1, 5, 8, 50_000])
@pytest.mark.fault("hostile: a TIFF header that asks for gigabytes: refused, in under 50 MB")
def test_a_tiny_file_that_asks_for_gigabytes(tmp_path: Path, width: int, height: int, held: int, compression: int) -> None:
    (tmp_path / "a.tif").write_bytes(one_page(width, height, compression, held))
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"a\.tif"):
        read_all(tmp_path / "a.tif")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6


def test_pages_that_loop(tmp_path: Path) -> None:
    path = WRITERS["bare"](tmp_path)
    with tifffile.TiffFile(path) as tif:
        offsets = [page.offset for page in tif.pages]
    whole = bytearray(path.read_bytes())
    count = struct.unpack_from("<H", whole, offsets[-1])[0]
    for target in offsets:
        struct.pack_into("<I", whole, offsets[-1] + 2 + 12 * count, target)
        path.write_bytes(whole)
        with pytest.raises(ValueError, match=r"a\.tif: expected pages in a row, got page 4 leading back"):
            files.read(path)
    struct.pack_into("<I", whole, offsets[-1] + 2 + 12 * count, len(whole) + 1000)
    path.write_bytes(whole)
    with pytest.raises(ValueError, match=r"a\.tif: expected pages within its"):
        files.read(path)


@pytest.mark.parametrize("compression", ["zlib", "lzw", "zstd"])
def test_a_corrupt_strip_names_its_slice(tmp_path: Path, compression: str) -> None:
    path = theirs(compression=compression)(tmp_path)
    with tifffile.TiffFile(path) as tif:
        at, size = tif.pages[3].dataoffsets[0], tif.pages[3].databytecounts[0]
    whole = bytearray(path.read_bytes())
    whole[at + 1:at + size] = b"\xff" * (size - 1)
    path.write_bytes(whole)
    got = files.read(path)
    np.testing.assert_array_equal(got[2], PIXELS[2])
    with pytest.raises(ValueError, match=r"a\.tif, slice 3: expected pixels"):
        got[3]


def test_a_strip_left_out_is_no_black(tmp_path: Path) -> None:
    path = theirs(compression="zlib")(tmp_path)
    with tifffile.TiffFile(path, mode="r+") as tif:
        tif.pages[2].tags["StripByteCounts"].overwrite(0)
    with pytest.raises(ValueError, match=r"a\.tif, page 2: expected 1 strips"):
        files.read(path)


def test_mixed_pages(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
        tif.write(PIXELS[0])
        tif.write(PIXELS[0, :, :-1].copy())
    with pytest.raises(ValueError, match=r"a\.tif: expected pages of one kind, got page 0 24 x 31 uint8 and page 1 24 x 30 uint8"):
        files.read(tmp_path / "a.tif")


def test_a_file_cut_after_it_was_opened(tmp_path: Path) -> None:
    path = ours("a.tif")(tmp_path)
    got = files.read(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"a\.tif: .*cut after it was opened"):
        got[0]


@pytest.mark.fault("hostile: pickles as array, store or weights: nothing is loaded")
def test_pickled_objects_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[[print]]], object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"a\.npy: expected numbers"):
        files.read(tmp_path / "a.npy")


@pytest.mark.parametrize("pixels", [PIXELS[0], np.asfortranarray(PIXELS), PIXELS.astype(complex), np.zeros((1, 0, 3))])
def test_npy_of_other_kinds(tmp_path: Path, pixels: Any) -> None:
    np.save(tmp_path / "a.npy", pixels)
    with pytest.raises(ValueError, match=r"a\.npy.*expected"):
        files.read(tmp_path / "a.npy")


def test_npy_that_asks_for_more(tmp_path: Path) -> None:
    for shape in ((10**6, 10**6, 10**6), (2, -3, 4), (10**30, 2, 2), (1, 30, 31)):
        with (tmp_path / "a.npy").open("wb") as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
            file.write(b"\0" * 100)
        with pytest.raises(ValueError, match=r"a\.npy"):
            files.read(tmp_path / "a.npy")


@pytest.mark.parametrize(("at", "value"), [(0, 32), (8, 2**30), (0, -1), (12, 4), (12, 99), (64, 2), (92, -5), (92, 10**9), (208, 0),
                                           (212, 0)])
def test_mrc_headers_that_lie(tmp_path: Path, at: int, value: int) -> None:
    path = ours("a.mrc")(tmp_path)
    whole = bytearray(path.read_bytes())
    struct.pack_into("<i", whole, at, value)
    path.write_bytes(whole)
    with pytest.raises(ValueError, match=r"a\.mrc: expected|a\.mrc.*expected"):
        files.read(path)


ZARRAY = {"a shape": {"shape": [5, 10**7, 10**7]}, "a chunk": {"chunks": [10**4, 10**5, 10**5]}, "a negative": {"shape": [5, -24, 31]},
          "a codec": {"compressor": {"id": "pickle"}}, "a filter": {"filters": [{"id": "pickle"}]}, "objects": {"dtype": "|O"},
          "text": {"shape": "five"}}


@pytest.mark.parametrize("lie", ZARRAY)
@pytest.mark.fault("hostile: metadata of a store that lies: named")
def test_zarr_metadata_that_lies(tmp_path: Path, lie: str) -> None:
    path = ours("a.zarr")(tmp_path)
    said = json.loads((path / "0" / ".zarray").read_text(encoding="utf-8"))
    (path / "0" / ".zarray").write_text(json.dumps(said | ZARRAY[lie]), encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.zarr.*expected"):
        read_all(path)


@pytest.mark.parametrize("attributes", [
    "{", "[]", "{}", '{"multiscales": 3}', '{"multiscales": [{"axes": [], "datasets": []}]}',
    '{"multiscales": [{"axes": [{"name": "y"}, {"name": "x"}], "datasets": [{"path": "0"}]}]}',
    '{"multiscales": [{"axes": [{"name": "z"}, {"name": "y"}, {"name": "x"}], "datasets": [{"path": "../../b"}]}]}',
    '{"fibsem_ij": 7, "multiscales": []}', '{"fibsem_ij": {"dtype": "object"}}'])
def test_zarr_attributes_that_lie(tmp_path: Path, attributes: str) -> None:
    path = ours("a.zarr")(tmp_path)
    (path / ".zattrs").write_text(attributes, encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.zarr.*expected"):
        read_all(path)


@pytest.mark.parametrize("damage", ["lost", "cut", "empty"])
def test_a_chunk_of_ours_that_is_lost_or_cut(tmp_path: Path, damage: str) -> None:
    path = ours("a.zarr")(tmp_path)
    chunk = path / "0" / "3" / "0" / "0"
    if damage == "lost":
        chunk.unlink()
    else:
        chunk.write_bytes(chunk.read_bytes()[:0 if damage == "empty" else -40])
    got = files.read(path)
    np.testing.assert_array_equal(got[2], PIXELS[2])
    with pytest.raises(ValueError, match=r"a\.zarr.*slice 3: expected"):
        got[3]


@pytest.mark.parametrize("spare", ["0002", "0003", "0004"])
@pytest.mark.parametrize("kind", [".tif", ".png"])
def test_a_folder_with_a_bad_slice(tmp_path: Path, kind: str, spare: str) -> None:
    for z, pixels in enumerate(PIXELS):
        tifffile.imwrite(tmp_path / f"{z:04d}.tif", pixels) if kind == ".tif" else cv2.imwrite(str(tmp_path / f"{z:04d}.png"), pixels)
    bad = tmp_path / f"{spare}{kind}"
    whole = bad.read_bytes()
    for size in range(0, len(whole), 23):
        bad.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=bad.name):
            read_all(tmp_path)
    if kind == ".png":
        at = whole.index(b"IDAT") + 20
        bad.write_bytes(whole[:at] + bytes(9) + whole[at + 9:])
        got = files.read(tmp_path)
        with pytest.raises(ValueError, match=bad.name):
            np.asarray(got)
    shutil.rmtree(tmp_path)


def test_label_names_that_lie(tmp_path: Path) -> None:
    files.write(tmp_path / "f", Labels(PIXELS, None, (), {1: "a"}))
    for text in ("", "[1]", "{", '{"a": "b"}', '{"1": "a", "1": "b"}', "\udcff".encode("utf-16", "surrogatepass").decode("latin1")):
        (tmp_path / "f" / "names.json").write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=r"names\.json"):
            files.read_labels(tmp_path / "f")
