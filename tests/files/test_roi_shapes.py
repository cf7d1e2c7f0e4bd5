import numpy as np
import pytest
from drawn_rois import covered, roi
from hypothesis import given, settings
from hypothesis import strategies as st
from roifile import ROI_OPTIONS, ROI_SUBTYPE, ROI_TYPE

from fibsem_ij.files import rois as door


def test_rectangle_and_oval():
    box = {"points": ((0, 0), (1, 1)), "left": 1, "top": 2, "right": 6, "bottom": 7}
    assert covered(roi(ROI_TYPE.RECT, **box))[2:7, 1:6].all()
    assert covered(roi(ROI_TYPE.RECT, **box)).sum() == 25
    disc = ["01110", "11111", "11111", "11111", "01110"]
    assert ["".join(map(str, row)) for row in covered(roi(ROI_TYPE.OVAL, **box))[2:7, 1:6]] == disc


@given(st.integers(-6, 12), st.integers(-6, 12), st.integers(1, 25), st.integers(1, 25))
@settings(deadline=None, max_examples=150)
def test_an_oval_is_imagejs_inequality(left, top, width, height):
    y, x = np.mgrid[:20, :20]
    a, b = width / 2, height / 2
    wanted = ((x - left - (a - 0.5)) ** 2 / (a * a) + (y - top - (b - 0.5)) ** 2 / (b * b) <= 1) \
        & (x >= left) & (x < left + width) & (y >= top) & (y < top + height)
    drawn = roi(ROI_TYPE.OVAL, left=left, top=top, right=left + width, bottom=top + height)
    np.testing.assert_array_equal(covered(drawn, shape=(1, 20, 20)).astype(bool), wanted)


def test_boxes_between_pixels_round_as_in_imagej():
    between = {"options": ROI_OPTIONS.SUB_PIXEL_RESOLUTION, "xd": 1.7, "yd": 2.0, "widthd": 2.2, "heightd": 1.0}
    assert np.argwhere(covered(roi(ROI_TYPE.RECT, **between))).tolist() == [[2, 1], [2, 2], [2, 3]]


@pytest.mark.parametrize("kind", [ROI_TYPE.POLYGON, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED])
def test_polygons_between_pixels(kind):
    assert covered(roi(kind, points=np.array([(0.4, 0.4), (3.6, 0.4), (3.6, 2.4), (0.4, 2.4)]))).tolist()[:3] == \
        [[1, 1, 1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 0, 0, 0, 0], [0] * 8]


def test_a_composite_with_curves():
    k = 4 * (np.sqrt(2) - 1) / 3 * 30  # four cubics make a circle
    path = [0, 70, 40]
    for (x, y), (u, v) in zip(((1, 0), (0, 1), (-1, 0), (0, -1)), ((0, 1), (-1, 0), (0, -1), (1, 0)), strict=True):
        path += [3, 40 + 30 * x + k * u, 40 + 30 * y + k * v, 40 + 30 * u + k * x, 40 + 30 * v + k * y, 40 + 30 * u, 40 + 30 * v]
    path += [4, 0, 40, 30, 2, 50, 40, 40, 50, 1, 30, 50, 4]  # and a quadratic the side of a hole
    made = roi(ROI_TYPE.RECT, multi_coordinates=np.array(path, np.float32), shape_roi_size=len(path))
    y, x = np.mgrid[:80, :80] + 0.5
    t = (y - 30) / 20
    hole = (t > 0) & (t < 1) & (x > 40 - 10 * t) & (x < 40 + 20 * t * (1 - t))
    wanted = (np.hypot(x - 40, y - 40) < 30) & ~hole
    assert hole.sum() > 100
    assert np.count_nonzero(covered(made, shape=(1, 80, 80)).astype(bool) != wanted) <= 3  # of 2,600: centres on the outline


refused = {
    **{kind: roi(ROI_TYPE[kind.upper()]) for kind in ("line", "angle", "polyline", "freeline", "point", "noroi")},
    **{kind: roi(ROI_TYPE.RECT, subtype=ROI_SUBTYPE[kind.upper()]) for kind in ("text", "image")},
    "spline": roi(options=ROI_OPTIONS.SPLINE_FIT),
    "rounded": roi(ROI_TYPE.RECT, rounded_rect_arc_size=5),
    "finite": roi(subpixel_coordinates=np.array([(0, 0), (np.nan, 1), (2, 2)])),
}


@pytest.mark.parametrize("what", refused)
def test_what_has_no_area_is_refused_by_name(what):
    with pytest.raises(ValueError, match=f"ROI 'a'.*{what}"):
        door.from_rois([refused[what]], shape=(1, 4, 4))




@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4),
       st.sampled_from(["plain", "float", "holed", "oval"]))
@settings(deadline=None, max_examples=300)
def test_any_damaged_roi_ends_in_a_value_error_or_in_labels(damage, what):
    made = {"plain": roi(), "float": roi(points=np.array([(0.5, 0), (3, 0), (1, 2)])), "oval": roi(ROI_TYPE.OVAL),
            "holed": door.to_rois(np.pad(np.zeros((1, 1), np.uint8), 1, constant_values=1))[0]}[what]
    data = bytearray(made.tobytes())
    for where, value in damage:
        data[where % len(data)] = value
    try:
        back = door.from_rois(door.from_bytes([("a", bytes(data))]), shape=(2, 5, 5))
    except ValueError:
        return
    assert back.shape == (2, 5, 5)
