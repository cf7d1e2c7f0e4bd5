import numpy as np
import pytest

from fibsem_ij import segment
from fibsem_ij.segment.crumbs import crumbs, least_drawn
from fibsem_ij.segment.options import NETWORKS

IDS = {3: "blob", 7: "core"}


def squares(*sides, side=200, number=1):
    plane = np.zeros((side, side), np.uint8)
    for n, size in enumerate(sides):
        y, x = divmod(n, 10)
        plane[1 + 20 * y:1 + 20 * y + size, 1 + 20 * x:1 + 20 * x + size] = number
    return plane


def test_the_bound_is_where_a_hundredth_of_the_drawn_pixels_lies_below():
    plane = squares(*[10] * 99, 1, 2)  # 9905 px, of which 5 in crumbs of the drawing itself
    assert least_drawn([plane], 1) == pytest.approx(100, abs=11)
    assert least_drawn([plane[:, ::-1], plane], 1) >= least_drawn([plane], 1)
    assert least_drawn([plane], 2) == 0


def test_of_few_pieces_less_is_known_and_what_the_edge_cuts_tells_nothing():
    known = [least_drawn([squares(*[10] * n)], 1) for n in (1, 2, 10, 90)]
    assert known[0] == 0
    assert known == sorted(known)
    plane = squares(*[10] * 20)
    plane[0, 1] = 1  # the first reaches the edge
    assert least_drawn([plane], 1) == least_drawn([squares(*[10] * 19)], 1)


def test_the_slices_of_one_object_do_not_tell_how_small_another_may_be():
    one = [squares(size, 1) for size in (19, 18, 19, 17, 18, 19)]  # and a speck of the drawing beside it
    assert least_drawn(one, 1) < 5
    assert least_drawn([squares(*[18] * 40)], 1) > 250


def test_crumbs_are_small_pieces_within_the_slice():
    plane = squares(5, 10, 2)
    plane[197, 197] = plane[198, 198] = 1  # one piece, by a corner
    plane[199, 0] = 1  # cut by the edge: it may be large
    found = crumbs(plane, {1: 10})
    assert found.sum() == 6
    assert found[1:3, 41:43].all()
    assert not crumbs(plane, {1: 2})[197:199, 197:199].any()
    assert not crumbs(plane, {2: 100}).any()


def test_the_next_likely_class_takes_the_place_of_a_crumb():
    shares = np.zeros((2, 1, 20, 20), np.uint8)
    shares[1, 0, 2:12, 2:12] = 130
    shares[:, 0, 5:7, 5:7] = np.array([135, 120])[:, None, None]
    shares[0, 0, 15, 15] = 200
    assert (segment.labels(shares, ids=IDS) == 3).sum() == 5
    clean = segment.labels(shares, ids=IDS, least_px={"blob": 5})[0]
    assert (clean[2:12, 2:12] == 7).all()
    assert (clean == 7).sum() == (clean > 0).sum() == 100


def test_networks_are_those_that_segment():
    assert "unet" in NETWORKS
    with pytest.raises(ValueError, match=r"network as one of resunet, unet.*, got 'vae'"):
        segment.Options(network="vae")
