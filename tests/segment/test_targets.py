from dataclasses import replace

import numpy as np
import pytest
from scene_of_classes import NAMES, drawn, made

from fibsem_ij.segment import Options
from fibsem_ij.segment.targets import IGNORED, outlines, targets

GREY, TRUTH = made()
NOTHING = Options()


def test_ids_become_the_numbers_of_classes():
    found = targets(drawn(TRUTH), NAMES, NOTHING)
    assert dict(found.ids) == {"blob": 3, "core": 7}
    for z, plane in found.planes.items():
        assert np.array_equal(np.array([0, 3, 7])[plane], TRUTH[z])


def test_ignored_classes_and_unlabelled_pixels_have_no_say():
    outside = targets(drawn(TRUTH), NAMES, replace(NOTHING, ignore=("blob",)))
    assert outside.names == ("core",)
    assert np.array_equal(outside.planes[0] == IGNORED, TRUTH[0] == 3)
    partly = targets(drawn(TRUTH), NAMES, replace(NOTHING, unlabelled_is_ignored=True))
    assert np.array_equal(partly.planes[0] == IGNORED, TRUTH[0] == 0)
    assert "nothing is drawn as 'background'" in partly.warnings[-1]
    named = targets(drawn(TRUTH), {3: "background", 7: "core"}, replace(NOTHING, unlabelled_is_ignored=True))
    assert not named.warnings
    assert np.array_equal(named.planes[0] == 0, TRUTH[0] == 3)
    assert named.names == ("core",)


def test_one_class_alone():
    one = targets(drawn(TRUTH), NAMES, replace(NOTHING, unlabelled_is_ignored=True)).of("core")
    assert np.array_equal(one.planes[4], np.select([TRUTH[4] == 7, TRUTH[4] == 0], [1, IGNORED], 0))
    assert one.ids == {"core": 7}


def test_objects_have_an_interior_and_a_boundary_of_the_width_asked_for():
    cells = np.zeros((40, 60), np.int32)
    cells[10:30, 10:30], cells[10:30, 30:50] = 70000, 70001
    for width in (2, 6):
        plane = targets({0: cells}, {}, replace(NOTHING, boundary_px=width)).planes[0]
        assert plane[20, 10 - width // 2 : 10 + width // 2].tolist() == [2] * width  # against the background
        assert plane[20, 30 - width // 2 : 30 + width // 2].tolist() == [2] * width  # against a neighbour
        assert (plane[20] == 2).sum() == 3 * width
        assert plane[20, 20] == 1
    assert not outlines(np.ones((9, 9), int), 2).any()
    partly = targets({0: cells}, {}, replace(NOTHING, boundary_px=2, unlabelled_is_ignored=True)).planes[0]
    assert set(np.unique(partly[cells == 0])) == {2, IGNORED}


def test_a_class_that_is_never_drawn_is_left_out_with_a_warning():
    found = targets(drawn(TRUTH), NAMES | {9: "ribosome"}, NOTHING)
    assert found.names == ("blob", "core")
    assert "ribosome" in found.warnings[0]


@pytest.mark.parametrize(("slices", "names", "more", "told"), [
    ({}, NAMES, {}, "got none"),
    ({2: np.zeros_like(TRUTH[0])}, NAMES, {}, "only background"),
    ({2: TRUTH[2]}, {3: "blob"}, {}, "slice 2: expected class ids of names.json .3., got 7"),
    ({2: TRUTH[2].astype(float)}, NAMES, {}, "slice 2.*whole numbers"),
    ({2: TRUTH[2]}, {3: "blob", 7: "blob"}, {}, "different names"),
    ({2: TRUTH[2]}, {}, {}, "names"),
    ({2: TRUTH[2]}, NAMES, {"ignore": ("outside",)}, "got outside"),
    ({2: TRUTH[2]}, NAMES, {"of": ("nucleolus",)}, "got nucleolus"),
])
def test_what_cannot_be_learned_from_is_named(slices, names, more, told):
    with pytest.raises(ValueError, match=told):
        targets(slices, names, replace(NOTHING, **more))
