"""Fiji's transform files: there and back, the format and the direction that Fiji wants, and what hostile files do."""

from __future__ import annotations

from itertools import pairwise
from math import cos, pi, sin
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fibsem_ij.files import fiji_transforms
from fibsem_ij.volume import Transforms

CANVAS = (200, 300)
ONE = '<iict_transform class="mpicbg.trakem2.transform.{}Model2D" data="{}" />'
SHIFT = ONE.format("Translation", "3 -2")


def folder_of(path: Path, *texts: str) -> Path:
    path.mkdir(exist_ok=True)
    for z, text in enumerate(texts):
        (path / f"{z}.xml").write_text(text, encoding="utf-8")
    return path


def forward(path: Path) -> Any:
    """Input -> output pixel, as Fiji applies it."""
    return fiji_transforms.read(path, canvas=CANVAS).inverse(CANVAS).matrices


@settings(deadline=None, max_examples=40)
@given(linear=arrays.arrays(np.float64, (3, 2, 2), elements=st.floats(-3, 3)),
       shift=arrays.arrays(np.float64, (3, 2, 1), elements=st.floats(-1e4, 1e4)))
def test_there_and_back(tmp_path_factory: pytest.TempPathFactory, linear: Any, shift: Any) -> None:
    assume((np.abs(linear[:, 0, 0] * linear[:, 1, 1] - linear[:, 0, 1] * linear[:, 1, 0]) > 0.1).all())
    matrices = np.concatenate([np.concatenate([linear, shift], 2), np.broadcast_to([[[0.0, 0, 1]]], (3, 1, 3))], 1)
    path = tmp_path_factory.mktemp("t") / "transforms"
    names = ["9", "10", "11"]
    fiji_transforms.write(path, Transforms(matrices, CANVAS), names=names)
    got = fiji_transforms.read(path, canvas=CANVAS, names=names, voxel_nm=(5, 4, 4))
    np.testing.assert_allclose(got.matrices, matrices, rtol=1e-10, atol=1e-8)
    assert (got.canvas, got.model, got.voxel_nm) == (CANVAS, "affine", (5.0, 4.0, 4.0))
    assert [p.name for p in path.parent.iterdir()] == ["transforms"]


def test_the_text_is_what_fiji_reads(tmp_path: Path) -> None:
    """Its reader takes lines with class="..." and then data="...": m00 m10 m01 m11 m02 m12, input -> output."""
    to_output = np.array([[1.5, 0.25, 7], [-0.5, 1, -3], [0, 0, 1]])
    fiji_transforms.write(tmp_path / "t", Transforms(np.linalg.inv(to_output)[None], CANVAS), names=["slice 07"])
    first, line, last = (tmp_path / "t" / "slice 07.xml").read_text(encoding="utf-8").splitlines()
    assert (first, last) == ("<ict_transform_list>", "</ict_transform_list>")
    kind, data = (line.split(f'{key}="')[1].split('"')[0] for key in ("class", "data"))
    assert line.index("class=") < line.index("data=")
    assert kind == "mpicbg.trakem2.transform.AffineModel2D"
    np.testing.assert_allclose([float(v) for v in data.split()], [1.5, -0.5, 0.25, 1, 7, -3], atol=1e-12)


@pytest.mark.parametrize(("kind", "data", "wanted", "model"), [
    ("Translation", "3 -2", [[1, 0, 3], [0, 1, -2]], "translation"),
    ("Rigid", f"{pi / 6} 1 2", [[cos(pi / 6), -sin(pi / 6), 1], [sin(pi / 6), cos(pi / 6), 2]], "rigid"),
    ("Similarity", "0.8 0.3 1 2", [[0.8, -0.3, 1], [0.3, 0.8, 2]], "similarity"),
    ("Affine", "1.5 -0.5 0.25 1.0 7.0 -3.0E0", [[1.5, 0.25, 7], [-0.5, 1, -3]], "affine")])
def test_each_model_of_mpicbg(tmp_path: Path, kind: str, data: str, wanted: Any, model: str) -> None:
    folder_of(tmp_path, ONE.format(kind, data), SHIFT)
    np.testing.assert_allclose(forward(tmp_path)[0, :2], wanted, atol=1e-12)
    assert fiji_transforms.read(tmp_path, canvas=CANVAS).model == model, "the freest of the folder"


def test_a_list_goes_from_first_to_last(tmp_path: Path) -> None:
    turn = ONE.format("Rigid", f"{pi / 2} 0 0")
    inner = f"<iict_transform_list>{turn}\n{turn.replace('iict', 'ict')}</iict_transform_list>"
    folder_of(tmp_path, f"<ict_transform_list>\n{SHIFT}\n{inner}</ict_transform_list>", "<ict_transform_list>\n</ict_transform_list>")
    moved, still = forward(tmp_path)
    np.testing.assert_allclose(moved @ (10, 20, 1), (-13, -18, 1), atol=1e-12)
    np.testing.assert_allclose(still, np.eye(3))


def test_slices_come_in_natural_order_and_hidden_files_do_not_count(tmp_path: Path) -> None:
    for z in (2, 10, 1):
        (tmp_path / f"s{z}.xml").write_text(ONE.format("Translation", f"{z} 0"), encoding="utf-8")
    (tmp_path / "._s1.xml").write_bytes(b"\0")
    assert forward(tmp_path)[:, 0, 2].tolist() == [1, 2, 10]


GROWING = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in pairwise("abcdefghi"))
BOMB = f'<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">{GROWING}]><ict_transform_list>&i;</ict_transform_list>'
OUTSIDE = f'<!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/hosts">]>{SHIFT}'


@pytest.mark.parametrize(("text", "error"), [
    ("", "no element found"), (SHIFT[:-9], "XML of a transform"), ("<a", "XML of a transform"), (BOMB, "DOCTYPE"), (OUTSIDE, "DOCTYPE"),
    ("<trakem2/>", "no transform file"), ("<ict_transform_list><t2_patch/></ict_transform_list>", "t2_patch"),
    ("<iict_transform/>", "a class of"), (ONE.format("Homography", "1 0 0 0 1 0 0 0 1"), "a class of"),
    (SHIFT.replace("mpicbg.trakem2.transform.TranslationModel2D", "bunwarpj.trakem2.transform.CubicBSplineTransform"), "bunwarpj.*no mat"),
    (ONE.format("Affine", "1 0 0 1 0"), "6 finite"), (ONE.format("Affine", "1 0 0 1 0 x"), "numbers in data"),
    (ONE.format("Affine", ""), "6 finite"),
    (ONE.format("Affine", "1 0 0 1 nan 0"), "6 finite"), (ONE.format("Affine", "1 0 0 1 0 1e999"), "6 finite"),
    (ONE.format("Affine", "1 2 2 4 0 0"), "inverted"),
    ("<ict_transform_list>" + ONE.format("Affine", "1e200 0 0 1e200 0 0") * 2 + "</ict_transform_list>", "inverted"),
    ("<ict_transform_list>" * 40_000 + "</ict_transform_list>" * 40_000, "bytes"),
    ("<!-- " + "x" * 2**20 + " -->" + SHIFT, "bytes"), ("\udcff", "XML of a transform")])
def test_damaged_and_hostile_files_are_named(tmp_path: Path, text: str, error: str) -> None:
    folder_of(tmp_path, SHIFT)
    (tmp_path / "1.xml").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=rf"(?s)1\.xml: expected.*{error}") as raised:
        fiji_transforms.read(tmp_path, canvas=CANVAS)
    assert len(str(raised.value)) < 700


def test_deep_nesting_is_only_deep(tmp_path: Path) -> None:
    depth = 20_000
    folder_of(tmp_path, "<ict_transform_list>" * depth + SHIFT + "</ict_transform_list>" * depth)
    np.testing.assert_allclose(forward(tmp_path)[0, :2, 2], (3, -2))


def test_a_missing_or_a_foreign_slice_is_named(tmp_path: Path) -> None:
    folder_of(tmp_path / "t", SHIFT, SHIFT)
    for names in (["0"], ["0", "1", "2"]):
        with pytest.raises(ValueError, match=rf"look at {max(set(names) ^ {'0', '1'})}\.xml"):
            fiji_transforms.read(tmp_path / "t", canvas=CANVAS, names=names)
    with pytest.raises(FileNotFoundError, match="no folder"):
        fiji_transforms.read(tmp_path / "no folder", canvas=CANVAS)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="got none"):
        fiji_transforms.read(tmp_path / "empty", canvas=CANVAS)


@pytest.mark.parametrize("names", [
    ["a"], ["b", "a"], ["a", "a"], ["a", "A"], ["../a", "b"], ["", "b"], [".a", "b"], ["..", "b"], ["a\n", "b"], ["10", "9"],
    ["a", "a.x"]])
def test_names_that_cannot_be(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(ValueError, match=r"expected .*name"):
        fiji_transforms.write(tmp_path / "t", Transforms(np.stack([np.eye(3)] * 2), CANVAS), names=names)
    assert not list(tmp_path.iterdir())


def test_an_older_result_is_replaced_whole_and_notes_are_not(tmp_path: Path) -> None:
    two = Transforms(np.stack([np.eye(3)] * 2), CANVAS)
    fiji_transforms.write(tmp_path / "t", Transforms(np.eye(3)[None], CANVAS), names=["old"])
    fiji_transforms.write(tmp_path / "t", two, names=["a", "b"])
    assert sorted(p.name for p in (tmp_path / "t").iterdir()) == ["a.xml", "b.xml"]
    for file in (tmp_path / "t").iterdir():
        assert ElementTree.parse(file).getroot().tag == "ict_transform_list"
    (tmp_path / "t" / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ValueError, match=r"notes\.txt"):
        fiji_transforms.write(tmp_path / "t", two, names=["a", "b"])
