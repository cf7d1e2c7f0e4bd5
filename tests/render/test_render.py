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


def test_shrunk_slices_are_means_of_blocks_and_labels_stay_labels() -> None:
    plane = np.arange(24 * 36, dtype=np.uint16).reshape(24, 36)
    assert np.allclose(render.shrunk(plane, 12), plane.reshape(8, 3, 12, 3).mean((1, 3)))
    assert render.shrunk(plane, 36) is plane
    labels = np.repeat(np.repeat(np.arange(96, dtype=np.uint32).reshape(8, 12), 3, 0), 3, 1) + 70_000
    assert np.array_equal(render.shrunk_labels(labels, 12), np.arange(96).reshape(8, 12) + 70_000)
    assert render.shrunk_overlay(plane, labels, 12).shape == (8, 12, 3)
    assert render.shrunk(np.zeros((2, 400)), 100).shape == (1, 100), "never nothing"


def test_outlines_of_the_drawn_are_blue_of_the_found_red_of_both_violet() -> None:
    found = np.roll(LABELS, 3, 1)
    picture, ours, theirs = render.outlines(RAMP, LABELS, found), render.edges(LABELS), render.edges(found)
    for edge, colour in ((ours & ~theirs, (45, 125, 255)), (theirs & ~ours, (255, 55, 40)), (ours & theirs, (185, 95, 235))):
        assert edge.any()
        assert (picture[edge] == colour).all()
    assert (picture[~(ours | theirs)] == render.grey(RAMP)[~(ours | theirs)]).all()


@pytest.mark.parametrize(("depth", "count"), [(1, 5), (7, 7), (100, 9), (9, 2)])
def test_slices_are_spread_evenly(depth: int, count: int) -> None:
    chosen = render.evenly(depth, count)
    assert len(chosen) == min(depth, count)
    assert chosen[0] >= 0
    assert chosen[-1] < depth
    assert len(chosen) < 3 or np.ptp(np.diff(chosen)) <= 1


def test_a_montage_shows_slices_and_cuts_with_their_labels() -> None:
    stack = np.tile(RAMP, (6, 1, 1))
    labels = np.tile(LABELS, (6, 1, 1))
    bare, painted = render.montage(stack, count=3, columns=3), render.montage(stack, labels, count=3, columns=3, voxel_nm=(20, 10, 10))
    assert (bare[..., :1] == bare).all(), "grey"
    assert ((painted == colours_of([300])[0]).all(-1)).sum() > 3 * 30
    assert painted.shape[0] > bare.shape[0], "voxels that are twice as high"
    with pytest.raises(ValueError, match="labels of the stack's shape"):
        render.montage(stack, labels[1:])
