"""The registration sheet: drawn for any shape of stack, with what it promises in it."""

from __future__ import annotations

import csv
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fibsem_ij import phantom, render
from fibsem_ij.files import tables
from fibsem_ij.register.quality import quality
from fibsem_ij.render.registration import registration_sheet
from fibsem_ij.volume import Transforms, Volume

SHAPES = [((20, 96, 128), (120, 150)), ((40, 32, 128), (32, 128)), ((90, 32, 32), (20, 20)), ((2, 40, 40), (40, 40))]


@cache
def specimen() -> phantom.Phantom:
    return phantom.make((20, 96, 128), seed=3)


def sheet_of(fitted: Transforms, src: Any = None) -> render.RGB:
    src = specimen().raw if src is None else src
    return registration_sheet(src, fitted, quality(src, fitted))


def reddish(picture: render.RGB) -> int:
    """Pixels of the marks of bad slices."""
    red, green, blue = (picture[..., k].astype(int) for k in range(3))
    return int(np.count_nonzero((red > 80) & (red > 1.8 * green) & (red > 1.8 * blue)))


def test_the_sheet_holds_pictures_curves_and_marks() -> None:
    picture = sheet_of(replace(specimen().drift, bad=(4, 11)))
    assert picture.dtype == np.uint8
    assert picture.shape[1:] == (1600, 3)
    quarters = [picture[:700, :850], picture[:700, 850:], picture[-200:]]
    assert all(part.std() > 5 for part in quarters), "one part of the sheet is empty"
    assert reddish(picture) > reddish(sheet_of(replace(specimen().drift, bad=()))) + 1000


def test_what_the_transforms_do_shows() -> None:
    """The cuts before stay as they are, those after change."""
    still = replace(specimen().drift, matrices=np.stack([np.eye(3)] * 20))
    aligned, unmoved = sheet_of(specimen().drift), sheet_of(still)
    right = np.s_[40:700, 900:]
    changed = (aligned != unmoved).any(-1)[right]
    rows = changed.any(1)
    assert 0.1 < rows.mean() < 0.8


@pytest.mark.parametrize(("shape", "canvas"), SHAPES)
def test_any_shape_of_stack_and_canvas(shape: tuple[int, int, int], canvas: tuple[int, int]) -> None:
    src = np.random.default_rng(0).integers(0, 255, shape, np.uint16)
    fitted = Transforms(np.stack([np.eye(3)] * shape[0]), canvas, voxel_nm=(8, 4, 4))
    picture = sheet_of(fitted, Volume(src, names=tuple(f"s{z}" for z in range(shape[0]))))
    assert picture.std() > 5


def test_all_slices_may_be_bad() -> None:
    assert sheet_of(replace(specimen().drift, bad=tuple(range(20)))).std() > 5


def test_the_table_goes_to_csv_and_the_sheet_to_png(tmp_path: Path) -> None:
    table = quality(specimen().raw, specimen().drift)
    tables.write(tmp_path / "quality.csv", table)
    back = tables.read(tmp_path / "quality.csv")
    for column, values in table.items():
        np.testing.assert_array_equal(back[column], values)
    with (tmp_path / "quality.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.reader(file))) == 21
    assert render.save(tmp_path / "quality.png", sheet_of(specimen().drift)).stat().st_size > 50_000
