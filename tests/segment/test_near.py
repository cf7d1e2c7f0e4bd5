"""How much of the drawn slices lies near a class: as many patches hold one, and no more."""

from __future__ import annotations

import numpy as np
import pytest
import scene_of_classes as scene

from fibsem_ij import segment
from fibsem_ij.learn import patches
from fibsem_ij.segment.targets import IGNORED
from fibsem_ij.segment.task import near


def test_what_lies_within_half_a_patch_is_near() -> None:
    plane = np.zeros((256, 200), np.uint8)
    assert near([plane], 64) == 0
    plane[100, 100] = 3  # in the block of rows and columns 96 to 103: 4 blocks to each side are within 32 px
    assert near([plane], 64) == pytest.approx(9 * 9 / (32 * 25))
    assert near([plane, np.zeros_like(plane)], 64) == pytest.approx(9 * 9 / (2 * 32 * 25))
    plane[128:] = IGNORED  # rows of blocks 16 to 31, of which one is near
    assert near([plane], 64) == pytest.approx(8 * 9 / (16 * 25))
    assert near([np.ones((5, 5), np.uint8)], 64) == 1
    assert near([np.full((9, 9), IGNORED, np.uint8)], 64) == 0


@pytest.mark.parametrize(("side", "share", "held"), [(96, None, 0.8), (96, 0.3, 0.3), (320, None, 0.5)])
def test_as_many_patches_hold_a_class_as_lie_near_one(side: int, share: float | None, held: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scene in the corner of a larger, empty field."""
    grey, truth = (np.pad(part, ((0, 0), (0, side - 96), (0, side - 96))) for part in scene.made())
    rules: list[patches.Rule] = []
    monkeypatch.setattr("fibsem_ij.segment.task.Rule", lambda *given: rules.append(patches.Rule(*given)) or rules[-1])
    segment.fit(grey, scene.drawn(truth), names=scene.NAMES, options=scene.quick(updates=1, every=1, share=share))
    assert rules[0].share == pytest.approx(held, abs=0.1)
