from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene import jitter, moved

from fibsem_ij import register
from fibsem_ij.register.models import Frame
from fibsem_ij.register.warp import move_points, on_canvas, warp
from fibsem_ij.volume import Labels, Transforms, Volume

FRAME = Frame((60, 80))
DTYPES = ["bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "uint64", "int64", "float64", "float16"]


def noise(dtype, shape=(60, 80)):
    raw = np.random.default_rng(0).integers(0, 256, (*shape, np.dtype(dtype).itemsize), np.uint8)
    return raw[..., 0] > 127 if dtype == "bool" else np.nan_to_num(raw.view(dtype)[..., 0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_nearest_moves_every_value_of_every_dtype_exactly(dtype):
    image = noise(dtype)
    np.testing.assert_array_equal(warp(image, np.eye(3), canvas=(60, 80), interpolation="nearest"), image)
    shift = np.array([[1, 0, 3], [0, 1, -2], [0, 0, 1.0]])
    out = warp(image, shift, canvas=(60, 80), interpolation="nearest", fill=1)
    np.testing.assert_array_equal(out[2:, :-3], image[:-2, 3:])
    assert (out[:2] == 1).all()
    assert (out[:, -3:] == 1).all()


@pytest.mark.parametrize("interpolation", ["nearest", "linear", "cubic"])
def test_the_identity_changes_nothing(interpolation):
    image = moved(np.eye(3))
    np.testing.assert_array_equal(warp(image, np.eye(3), canvas=(256, 256), interpolation=interpolation), image)


def test_there_and_back():
    image = moved(np.eye(3)).astype(np.float32)
    matrix = jitter(1)[0]
    there = warp(image, matrix, canvas=(256, 256), interpolation="cubic")
    back = warp(there, np.linalg.inv(matrix), canvas=(256, 256), interpolation="cubic")
    assert np.abs(back - image)[20:-20, 20:-20].mean() < 2.5


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(-10, 10), min_size=6, max_size=6))
def test_points_go_where_the_pixels_go_and_come_back(six):
    matrix = FRAME.from_numbers(np.array(six) * (1, 1, 0.2, 0.2, 0.2, 0.2))
    points = np.array([[10.0, 20], [40, 30], [70, 5]])
    there = move_points(points, matrix)
    np.testing.assert_allclose(move_points(there, np.linalg.inv(matrix)), points, atol=1e-8)
    np.testing.assert_allclose((np.column_stack([there, np.ones(3)]) @ matrix.T)[:, :2], points, atol=1e-8)


def test_a_padded_canvas_loses_nothing_and_a_cropped_one_holds_no_fill():
    matrices = jitter(6, shift_px=8)
    slices = np.stack([moved(np.eye(3))] * 6)
    fitted = Transforms(matrices, (256, 256))
    wide = on_canvas(fitted, canvas="pad", shape=(256, 256))
    padded = register.apply(slices, wide, interpolation="nearest")
    for z in range(6):
        assert np.abs(np.count_nonzero(padded[z]) - np.count_nonzero(slices[z])) < 0.03 * slices[z].size
        corners = move_points(np.array([(0, 0), (255, 0), (0, 255), (255, 255)]), wide.matrices[z])
        assert (corners > -0.01).all()
        assert (corners < np.array(padded.shape[:0:-1]) - 0.99).all()
    cropped = on_canvas(fitted, canvas="crop", shape=(256, 256))
    assert cropped.canvas < (256, 256)
    assert (register.apply(np.full_like(slices, 200), cropped) == 200).all()


def test_labels_are_moved_and_grey_is_not_mistaken_for_them():
    labels = Labels(np.random.default_rng(0).integers(0, 2**32, (3, 60, 80), dtype=np.uint32))
    fitted = Transforms(jitter(3), (60, 80))
    out = register.apply(labels, fitted)
    assert out.dtype == np.uint32
    assert np.isin(out, np.append(labels.data, 0)).all()
    with pytest.raises(ValueError, match="labels to be moved only"):
        register.apply(labels, fitted, interpolation="cubic")
    with pytest.raises(ValueError, match="interpolation='nearest'"):
        register.apply(labels.data, fitted)


def test_apply_fills_out_and_refuses_what_does_not_fit():
    slices = np.stack([moved(m) for m in jitter(3)])
    fitted = Transforms(jitter(3), (256, 256))
    out = np.zeros((3, 256, 256), np.uint8)
    assert register.apply(Volume(slices), fitted, out) is out
    np.testing.assert_array_equal(out, register.apply(slices, fitted))
    with pytest.raises(ValueError, match="expected out of shape"):
        register.apply(slices, fitted, np.zeros((3, 9, 9), np.uint8))
    with pytest.raises(ValueError, match="another stack"):
        register.apply(slices[:2], fitted)
    with pytest.raises(ValueError, match="expected contrast"):
        register.apply(slices, fitted, contrast="vivid")


def test_contrast_is_matched_to_the_neighbours():
    slices = np.stack([moved(np.eye(3))] * 7)
    slices[3] = slices[3] // 3
    out = register.apply(slices, Transforms(np.tile(np.eye(3), (7, 1, 1)), (256, 256)), contrast="match")
    assert abs(out[3].mean() - out[0].mean()) < 0.2 * slices[0].mean()
