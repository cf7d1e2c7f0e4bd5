"""Pictures of a segmentation: what is where, in which colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fibsem_ij.arrays.class_scores import score
from fibsem_ij.arrays.colours import colours_of
from fibsem_ij.render.segment import class_sheet, draw, overlay, score_sheet

NAMES = {1: "mitochondrion", 4: "E.R./smooth"}
GREY = np.random.default_rng(0).integers(60, 200, (4, 60, 90)).astype(np.uint8)
TRUTH = np.zeros(GREY.shape, np.uint8)
TRUTH[:, 10:30, 10:30], TRUTH[2, 40:50, 50:80] = 1, 4
RESULT = np.where(TRUTH == 1, 1, 0).astype(np.uint8)
RESULT[1] = np.roll(RESULT[1], 10, 1)
RESULT[3] = np.roll(RESULT[3], 4, 1)
TOLD = score(RESULT, TRUTH, names=NAMES)


def pure(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Pixels nearer to the hue of a colour than to grey."""
    centred = picture.astype(float) - picture.mean(-1, keepdims=True)
    wanted = np.array(colour, float) - np.mean(colour)
    length = np.linalg.norm(centred, axis=-1)
    return np.asarray((centred @ wanted > 0.95 * length * np.linalg.norm(wanted)) & (length > 30))


def test_missed_is_blue_too_much_is_red_and_both_are_violet() -> None:
    found, true = RESULT[1] == 1, TRUTH[1] == 1
    picture = overlay(GREY[1], found, true)
    for mask, colour in ((true & ~found, (45, 125, 255)), (found & ~true, (255, 55, 40)), (found & true, (185, 95, 235))):
        assert mask.sum() == 200
        assert pure(picture, colour)[mask].mean() > 0.99
        assert not pure(picture, colour)[~mask].any()
    neither = ~(found | true)
    assert np.ptp(picture[neither], -1).max() == 0  # grey as it was
    assert picture[neither].std() > 30
    assert tuple(picture[10, 10]) == (45, 125, 255)  # the outline is opaque
    assert picture[15, 12].std() > 0


def test_a_class_sheet_shows_the_worst_slice_first_and_the_best_last() -> None:
    sheet = class_sheet(RESULT, TRUTH, TOLD, "mitochondrion", 1, src=GREY)
    blue = pure(sheet, (45, 125, 255)).sum(1)
    thirds = [part.sum() for part in np.array_split(blue, 3)]
    assert thirds[0] > thirds[1] > thirds[2]
    assert thirds[2] == 0
    only = class_sheet(RESULT, TRUTH, TOLD, "E.R./smooth", 4)  # one slice has it, and no grey is given
    assert only.shape[0] < sheet.shape[0] / 2
    assert pure(only, (45, 125, 255)).sum() == 2 * 300 * 16  # whole and in detail, four times as large


def test_curves_of_every_class_and_of_the_second_expert() -> None:
    alone = score_sheet(TOLD, NAMES)
    theirs = score(np.roll(TRUTH, 1, 2), TRUTH, names=NAMES)
    both = score_sheet(TOLD, NAMES, second=theirs, slice_names=["a", "b", "c", "d"])
    ours = tuple(colours_of(1).tolist())
    counts = [int(pure(picture[:, :800], ours).sum()) for picture in (alone, both)]
    assert counts[0] > 1000
    assert counts[1] > counts[0] + 300  # a dashed line more


def test_a_picture_for_each_class_that_is_there(tmp_path: Path) -> None:
    told = score(RESULT, {z: TRUTH[z] for z in (0, 1)}, names=NAMES)
    paths = draw(tmp_path / "p", RESULT, TRUTH, told, NAMES, src=GREY)
    assert [path.name for path in paths] == ["scores.png", "class_1_mitochondrion.png"]
    assert [path.name for path in draw(tmp_path / "p", RESULT, TRUTH, TOLD, NAMES)][2:] == ["class_4_E_R_smooth.png"]
    for path in paths:
        with Image.open(path) as picture:
            assert min(picture.size) > 100
    with pytest.raises(ValueError, match=r"that was segmented, \(4, 60, 90\), got \(3, 60, 90\)"):
        draw(tmp_path / "q", RESULT, TRUTH, TOLD, NAMES, src=GREY[:3])
    with pytest.raises(ValueError, match="nothing to show"):
        class_sheet(RESULT, TRUTH, told, "E.R./smooth", 4)


def test_the_place_with_most_errors_is_shown_of_a_large_slice() -> None:
    truth = np.zeros((1, 1400, 1600), np.uint8)
    truth[0, 1300:1360, 1500:1550] = 1
    truth[0, 100:110, 100:110] = 1
    told = score(truth * 0, truth, names=NAMES)
    sheet = class_sheet(truth * 0, truth, told, "mitochondrion", 1, src=np.zeros_like(truth))
    detail = sheet[:, 1150:]  # behind 640 and 480 px
    assert pure(detail, (45, 125, 255)).sum() == 3000
