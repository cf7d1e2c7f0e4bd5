import numpy as np
import pytest

from fibsem_ij import segment

IDS = {3: "blob", 7: "core", 9: "wall"}
SHARES = np.array([[200, 90, 60, 130, 0], [20, 90, 60, 130, 0], [30, 60, 60, 131, 128]], np.uint8).reshape(3, 1, 1, 5)


def labels(**more):
    return segment.labels(SHARES, ids=IDS, **more)[0, 0].tolist()


def test_the_most_probable_class_with_the_background_in_what_is_left():
    assert labels() == [3, 3, 0, 9, 9]
    assert labels(how="threshold") == [3, 0, 0, 9, 9]
    assert labels(how="threshold", threshold=0.2) == [3, 3, 3, 9, 9]


def test_of_channels_that_know_nothing_of_each_other_nothing_is_left_over():
    """The last pixel: two channels doubt, together they pass 1, and the background that is left of it would have lost."""
    shares = np.array([[200, 120, 100], [20, 10, 100], [30, 0, 100]], np.uint8).reshape(3, 1, 1, 3)
    alone, together = (segment.labels(shares, ids=IDS, exclusive=exclusive)[0, 0].tolist() for exclusive in (False, True))
    assert together == segment.labels(shares, ids=IDS, how="argmax", exclusive=False)[0, 0].tolist() == [3, 0, 3]
    assert alone == segment.labels(shares, ids=IDS, how="threshold")[0, 0].tolist() == [3, 0, 0]
    assert segment.labels(shares, ids=IDS, exclusive=False, threshold=0.3)[0, 0].tolist() == [3, 3, 3]


def test_priority_goes_before_probability():
    assert labels(how="priority", priority=("core",)) == [3, 0, 0, 7, 9]
    assert labels(how="priority") == [3, 0, 0, 3, 9]
    assert labels(how="priority", priority=("wall", "core"), threshold=0.2) == [3, 9, 9, 9, 9]


def test_small_objects_go_by_their_volume_in_three_dimensions():
    shares = np.zeros((3, 4, 8, 8), np.uint8)
    shares[0, 1:3, 1:3, 1:3] = 255  # 8 voxels in two slices
    shares[0, 0, 6, 6] = shares[0, 1, 7, 7] = 255  # 2 by a corner
    shares[1, 0, 0, 7] = 255
    out = np.zeros((4, 8, 8), np.uint16)
    assert segment.labels(shares, out, ids=IDS, least_voxels={"blob": 8}) is out
    assert (out == 3).sum() == 8
    assert (out == 7).sum() == 1
    assert not segment.labels(shares, ids=IDS, least_voxels={"blob": 9, "core": 2}).any()


@pytest.mark.parametrize(("more", "told"), [
    ({"ids": {3: "blob"}}, "expected probabilities .1, z, y, x."),
    ({"how": "vote"}, "auto, argmax, threshold, priority"),
    ({"threshold": 0}, "threshold above 0"),
    ({"priority": ("clob",)}, "got clob"),
    ({"least_voxels": {"clob": 1}}, "got clob"),
    ({"ids": {3: "blob", 7: "core", 900: "wall"}}, "holds ids up to 900"),
])
def test_what_cannot_be_labelled_is_named(more, told):
    with pytest.raises(ValueError, match=told):
        segment.labels(SHARES, **{"ids": IDS, **more})
