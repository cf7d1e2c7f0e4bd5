"""Pictures show what they are given: the right pixels in the right colours at the right place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fibsem_ij import render
from fibsem_ij.arrays.colours import colours_of

LABELS = np.zeros((20, 30), np.uint16)
LABELS[5:15, 5:15], LABELS[5:15, 15:25] = 1, 300
RAMP = np.tile(np.arange(30, dtype=np.float32), (20, 1))


def test_grey_is_stretched_and_can_be_lent_a_range() -> None:
    picture = render.grey(RAMP)
    assert (picture.shape, picture.dtype) == ((20, 30, 3), np.uint8)
    assert picture[0, 0, 0] == 0
    assert picture[0, -1, 0] == 255
    assert (np.diff(picture[0, :, 0].astype(int)) >= 0).all()
    assert (render.grey(np.full((4, 4), 29.0), like=RAMP) == 255).all(), "alike means by the same range"
    assert (render.grey(np.full((4, 4), 7)) == 0).all(), "a flat plane is no division by zero"


def test_edges_are_where_objects_meet() -> None:
    edge = render.edges(LABELS)
    assert edge[5, 5:25].all()
    assert edge[10, 14]
    assert edge[10, 15]
    assert not edge[10, 10]
    assert not edge[LABELS == 0].any()


def test_overlay_paints_the_label_colours() -> None:
    picture = render.overlay(RAMP, LABELS)
    assert (picture[10, 14] == colours_of([1])[0]).all(), "the outline is the object's colour"
    assert (picture[10, 15] == colours_of([300])[0]).all()
    assert (picture[0, 7] == render.grey(RAMP)[0, 7]).all(), "background stays grey"


def test_reslices_are_planes_with_square_nanometres() -> None:
    stack = np.random.default_rng(0).integers(0, 255, (4, 20, 30))
    assert np.array_equal(render.reslice(stack, y=3), stack[:, 3])
    assert np.array_equal(render.reslice(stack, x=7), stack[:, :, 7])
    tall = render.reslice(stack, y=3, voxel_nm=(12, 4, 4))
    assert np.array_equal(tall, np.repeat(stack[:, 3], 3, axis=0))
    with pytest.raises(ValueError, match="one of y and x"):
        render.reslice(stack)


def test_a_sheet_keeps_every_panel_whole() -> None:
    panels = [(f"panel {k}", np.full((20 + 10 * k, 30, 3), 40 * k + 50, np.uint8)) for k in range(5)]
    sheet = render.sheet(panels, columns=2, title="five")
    for k, (_, panel) in enumerate(panels):
        assert (sheet == 40 * k + 50).all(-1).sum() >= panel.shape[0] * panel.shape[1], f"panel {k} is cut"
    with pytest.raises(ValueError, match="at least one"):
        render.sheet([])


def test_save_writes_what_was_drawn(tmp_path: Path) -> None:
    path = render.save(tmp_path / "ünï code.png", render.overlay(RAMP, LABELS))
    assert np.array_equal(np.asarray(Image.open(path)), render.overlay(RAMP, LABELS))
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
