"""transforms.json: exact both ways, and clear about what a hand got wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fibsem_ij.files import transforms
from fibsem_ij.volume import Transforms

FINITE = st.floats(-1e6, 1e6)
FINE: dict[str, Any] = {"canvas": [20, 30], "matrices": [np.eye(3).tolist()] * 2}


@settings(deadline=None, max_examples=50)
@given(top=arrays.arrays(np.float64, (3, 2, 3), elements=FINITE), spread=arrays.arrays(np.float64, 3, elements=FINITE),
       voxel=st.none() | st.tuples(*[st.floats(1e-3, 1e6)] * 3), bad=st.sets(st.integers(0, 2)), why=st.text())
def test_any_transforms(tmp_path_factory: pytest.TempPathFactory, top: Any, spread: Any, voxel: Any, bad: Any, why: str) -> None:
    matrices = np.concatenate([top, np.broadcast_to([[[0.0, 0, 1]]], (3, 1, 3))], 1)
    assume((np.abs(top[:, 0, 0] * top[:, 1, 1] - top[:, 0, 1] * top[:, 1, 0]) > 1e-9).all())
    wanted = Transforms(matrices, (11, 13), "affine", voxel, spread, tuple(bad), {z: why for z in bad if z})
    path = tmp_path_factory.mktemp("t") / "transforms.json"
    transforms.write(path, wanted)
    got = transforms.read(path)
    np.testing.assert_array_equal(got.matrices, wanted.matrices)
    np.testing.assert_array_equal(got.spread_px, wanted.spread_px)
    assert (got.canvas, got.model, got.voxel_nm, got.bad, got.why) == (wanted.canvas, wanted.model, wanted.voxel_nm, wanted.bad, wanted.why)


def test_one_line_a_slice(tmp_path: Path) -> None:
    transforms.write(tmp_path / "t.json", Transforms(np.stack([np.eye(3)] * 7), (20, 30), "rigid", (5, 4, 4)))
    text = (tmp_path / "t.json").read_text(encoding="utf-8")
    assert len(text.splitlines()) == 7 + 10
    assert list(json.loads(text)) == ["model", "voxel_nm", "canvas", "matrices", "spread_px", "bad", "why"]


def test_files_without_reasons_are_read(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(json.dumps(FINE | {"bad": [1]}), encoding="utf-8")
    got = transforms.read(tmp_path / "t.json")
    assert (got.bad, dict(got.why)) == ((1,), {})


@pytest.mark.parametrize(("change", "error"), [
    ({"canvas": [20]}, "expected"), ({"canvas": [20.5, 30]}, "whole numbers in canvas"), ({"canvas": 3}, "whole numbers in canvas"),
    ({"model": "bspline"}, "expected a model of"),
    ({"model": 3}, "expected a model"),
    ({"voxel_nm": [1, 2]}, "voxel_nm"), ({"voxel_nm": 3}, "voxel_nm"),
    ({"matrices": []}, "expected"), ({"matrices": 7}, "t.json"), ({"matrices": [np.eye(3).tolist(), [[1, 0], [0, 1]]]}, "slice 1"),
    ({"matrices": [[[1, 0, "a"], [0, 1, 0], [0, 0, 1]]]}, "slice 0"),
    ({"matrices": [[[1, 0, 0], [1, 0, 0], [0, 0, 1]]]}, "invertible.*slice 0"),
    ({"matrices": [[[1, 0, None], [0, 1, 0], [0, 0, 1]]]}, "slice 0"), ({"spread_px": [1]}, "spread_px"), ({"spread_px": "much"}, "t.json"),
    ({"bad": [9]}, "bad slices within 0..1"), ({"bad": [True]}, "whole numbers in bad"), ({"matrixes": []}, "look at matrixes"),
    ({"why": {"1": "blank"}}, "reasons of bad slices"), ({"bad": [1], "why": ["blank"]}, "expected why as"),
    ({"bad": [1], "why": {"one": "blank"}}, "expected why as"), ({"bad": [1], "why": {"1": 3}}, "expected why as")])
def test_edited_by_hand(tmp_path: Path, change: dict[str, Any], error: str) -> None:
    (tmp_path / "t.json").write_text(json.dumps(FINE), encoding="utf-8")
    assert len(transforms.read(tmp_path / "t.json")) == 2
    (tmp_path / "t.json").write_text(json.dumps(FINE | change), encoding="utf-8")
    with pytest.raises(ValueError, match=rf"(?s)t\.json.*{error}|{error}"):
        transforms.read(tmp_path / "t.json")


def test_anchors_from_a_table_and_from_transforms(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("z,tx,ty\n7,3.5,-2\n0,0,0\n", encoding="utf-8")
    got = transforms.read_anchors(tmp_path / "a.csv")
    assert got.keys() == {0, 7}
    np.testing.assert_array_equal(got[7], [[1, 0, 3.5], [0, 1, -2], [0, 0, 1]])
    (tmp_path / "a.csv").write_text("z,a,b,tx,c,d,ty\n4,1.01,0.1,5,-0.1,0.99,6\n", encoding="utf-8")
    np.testing.assert_array_equal(transforms.read_anchors(tmp_path / "a.csv")[4], [[1.01, 0.1, 5], [-0.1, 0.99, 6], [0, 0, 1]])
    transforms.write(tmp_path / "t.json", Transforms(np.stack([np.eye(3)] * 3), (4, 5), bad=(1,)))
    assert transforms.read_anchors(tmp_path / "t.json").keys() == {0, 2}


@pytest.mark.parametrize(("table", "error"), [
    ("z,tx\n1,2\n", "expected columns"), ("z,tx,ty,a\n1,2,3,1\n", "expected columns"), ("z,tx,ty\n1,2,left\n", "expected columns"),
    ("z,tx,ty\n1,2,3\n1,2,3\n", "each slice once"), ("z,tx,ty\n1.5,2,3\n", "each slice once"), ("z,tx,ty\n1,2,\n2,3,4\n", "an empty one")])
def test_anchors_that_cannot_be(tmp_path: Path, table: str, error: str) -> None:
    (tmp_path / "a.csv").write_text(table, encoding="utf-8")
    with pytest.raises(ValueError, match=error):
        transforms.read_anchors(tmp_path / "a.csv")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"canvas": [1, 2]}', '{"canvas": [1, 2], "canvas": [1, 2]}', "[" * 100_000])
def test_no_json(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"t\.json: expected"):
        transforms.read(tmp_path / "t.json")
