import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fibsem_ij.segment.holding import everywhere, held_back, judged
from fibsem_ij.segment.targets import IGNORED, Targets


def test_the_slices_farthest_from_the_others_are_held_back():
    plane = np.ones((8, 8), np.uint8)
    found = Targets(dict.fromkeys((0, 1, 2, 3, 20, 40, 41, 42, 43), plane), {"a": 1})
    everything = (slice(0, 8), slice(0, 8))
    assert held_back(found, 0.1) == {20: everything}
    assert held_back(found, 0) == {}
    assert sorted(found.without(held_back(found, 0.1))) == [0, 1, 2, 3, 40, 41, 42, 43]


def test_of_few_slices_a_quarter_is_held_back_and_the_last_drawing_of_a_class_never():
    planes = {z: np.zeros((8, 8), np.uint8) for z in (0, 10, 50)}
    for plane in planes.values():
        plane[0, 0] = plane[7, 7] = 1
    planes[50][6, 6] = 2
    found = Targets(planes, {"a": 1, "b": 2})
    (z, box), = held_back(found, 0.1).items()
    assert z == 50
    assert planes[50][box].max() == 1
    left = found.without({z: box})
    assert (left[50] == IGNORED).sum() == 16
    assert np.array_equal(left[0], planes[0])
    assert held_back(Targets({0: np.eye(1, 8, dtype=np.uint8)}, {"a": 1}), 0.1) == {}


def test_of_a_large_slice_the_window_that_shows_most_is_judged():
    plane = np.zeros((20, 30), np.uint8)
    plane[:4, :4] = 1
    plane[12, 25:27] = 1, 2
    found = Targets({0: np.zeros_like(plane), 5: plane}, {"a": 1, "b": 2})
    held = everywhere(found, 1)
    assert held == {5: (slice(0, 20), slice(0, 30))}
    assert judged(found, held, 8) == {5: (slice(8, 16), slice(24, 30))}
    assert judged(found, held, 64) == held


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.floats(0.01, 0.5))
def test_every_class_is_left_to_train_on_and_held_back_pixels_are_not(seed, count, share):
    rng = np.random.default_rng(seed)
    planes = {int(z): rng.choice([0, 0, 0, 1, 2, IGNORED], (6, 6)).astype(np.uint8) for z in rng.choice(99, count, replace=False)}
    planes[0] = np.array([[1, 2]], np.uint8).repeat(3, 1)
    found = Targets(planes, {"a": 1, "b": 2})
    held = held_back(found, share)
    left = found.without(held)
    assert {1, 2} <= {int(n) for plane in left.values() for n in np.unique(plane)}
    for z, box in held.items():
        assert z not in left or (left[z][box] == IGNORED).all()
