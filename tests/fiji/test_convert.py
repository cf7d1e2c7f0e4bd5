"""Volume and Labels <-> ImagePlus: exact, or refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from jpype import JArray, JClass, JInt

from fibsem_ij import fiji
from fibsem_ij.arrays.colours import colours_of
from fibsem_ij.fiji import FijiError
from fibsem_ij.volume import Labels, Volume, slice_names

pytestmark = pytest.mark.timeout(120)
SHAPES = [(1, 1, 1), (1, 7, 5), (3, 5, 7), (2, 1, 9), (20, 16, 16)]
NATIVE = [np.uint8, np.uint16, np.float32, np.bool_]
OTHERS = [np.int8, np.int16, np.int32, np.int64, np.uint32, np.uint64, np.float16, np.float64, np.dtype(">u2"), np.dtype(">f4")]
SETTINGS = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def grey(shape: tuple[int, ...], dtype: Any, seed: int = 0) -> np.ndarray[Any, Any]:
    top = 2 if np.dtype(dtype) == np.bool_ else 120
    return np.random.default_rng(seed).integers(0, top, shape).astype(dtype)


def same(a: Volume, b: Volume) -> None:
    assert type(a) is type(b)
    assert a.dtype == b.dtype.newbyteorder("=")
    assert a.shape == b.shape
    assert a.names == b.names
    assert a.voxel_nm == b.voxel_nm
    assert np.array_equal(np.asarray(a), np.asarray(b), equal_nan=a.dtype.kind == "f")


@pytest.mark.parametrize("dtype", NATIVE + OTHERS, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_there_and_back(session: fiji.Session, dtype: Any, shape: tuple[int, int, int]) -> None:
    volume = Volume(grey(shape, dtype), (20.0, 4.0, 4.1), tuple(f"slice {z} µ" for z in range(shape[0])))
    imp = session.to_fiji(volume)
    assert (imp.getStackSize(), imp.getHeight(), imp.getWidth()) == shape
    same(session.from_fiji(imp), volume)


@pytest.mark.parametrize(("dtype", "bits"), [(np.uint8, 8), (np.uint16, 16), (np.float32, 32), (np.bool_, 8)])
def test_native_types_keep_their_bits(session: fiji.Session, dtype: Any, bits: int) -> None:
    volume = Volume(grey((2, 3, 4), dtype))
    imp = session.to_fiji(volume)
    assert imp.getBitDepth() == bits
    scale = 255 if dtype is np.bool_ else 1
    seen = [[[imp.getStack().getProcessor(z + 1).getf(x, y) for x in range(4)] for y in range(3)] for z in range(2)]
    assert np.array_equal(seen, np.asarray(volume) * scale)


@SETTINGS
@given(hnp.arrays(np.float32, hnp.array_shapes(min_dims=3, max_dims=3, max_side=6), elements=st.floats(width=32)))
def test_every_float_survives_bit_for_bit(session: fiji.Session, array: np.ndarray[Any, Any]) -> None:
    back = np.asarray(session.from_fiji(session.to_fiji(Volume(array))))
    assert back.tobytes() == array.tobytes()


@SETTINGS
@given(hnp.arrays(np.uint32, hnp.array_shapes(min_dims=3, max_dims=3, max_side=6), elements=st.integers(0, 2**32 - 1)))
def test_every_label_survives(session: fiji.Session, array: np.ndarray[Any, Any]) -> None:
    labels = Labels(array, (1, 2, 3), classes={1: "cell", 7: "nucleus 'x'"})
    back = session.from_fiji(session.to_fiji(labels).duplicate())
    same(back, labels)
    assert isinstance(back, Labels)
    assert back.classes == labels.classes


@pytest.mark.parametrize("view", [lambda a: a[:, ::2], lambda a: a[..., ::-1], lambda a: a.transpose(0, 2, 1), np.asfortranarray])
def test_any_memory_layout(session: fiji.Session, view: Any) -> None:
    volume = Volume(view(grey((4, 6, 8), np.uint16)))
    same(session.from_fiji(session.to_fiji(volume)), volume)


def test_a_large_stack_takes_several_threads(session: fiji.Session) -> None:
    for noun in (Volume(grey((20, 512, 2048), np.uint8)), Labels(grey((20, 512, 512), np.uint32))):
        same(session.from_fiji(session.to_fiji(noun)), noun)


def test_read_only_source(session: fiji.Session) -> None:
    array = grey((2, 3, 4), np.uint8)
    array.setflags(write=False)
    same(session.from_fiji(session.to_fiji(Volume(array))), Volume(array))


def test_bool_with_other_values_comes_back_as_uint8(session: fiji.Session) -> None:
    imp = session.to_fiji(Volume(grey((1, 4, 4), np.bool_)))
    imp.getProcessor().set(0, 0, 7)
    assert session.from_fiji(imp).dtype == np.uint8


@pytest.mark.parametrize(
    "array",
    [np.array([[[2**24 + 1]]], np.int32), np.array([[[-(2**24) - 1]]], np.int64), np.array([[[0.1]]], np.float64), np.array([[[1e300]]])],
)
def test_what_would_change_is_refused(session: fiji.Session, array: np.ndarray[Any, Any]) -> None:
    with pytest.raises(FijiError, match="slice 0"):
        session.to_fiji(Volume(array))


def test_labels_take_16_bit_then_32_then_a_map(session: fiji.Session) -> None:
    for ids, bits in (([0, 65535], 16), ([0, 65536, 2**24], 32), ([3, 2**24 + 1, 2**32 - 1], 16)):
        labels = Labels(np.array([[ids]], np.uint32))
        imp = session.to_fiji(labels)
        assert imp.getBitDepth() == bits
        same(session.from_fiji(imp), labels)


def test_labels_that_do_not_fit_are_refused(session: fiji.Session) -> None:
    with pytest.raises(FijiError, match="renumber"):
        session.to_fiji(Labels(np.arange(2**25, 2**25 + 2**20 + 1, dtype=np.uint32).reshape(1, 1, -1)))
    with pytest.raises(FijiError, match="from 0"):
        session.to_fiji(Labels(np.array([[[-1]]])))


def test_a_new_value_in_a_renumbered_image_is_an_error(session: fiji.Session) -> None:
    imp = session.to_fiji(Labels(np.array([[[0, 4_000_000_000]]], np.uint32)))
    imp.getProcessor().set(0, 0, 9)
    with pytest.raises(FijiError, match="ids that left Python"):
        session.from_fiji(imp)


def test_label_image_in_grey_units_is_an_error_or_grey_on_request(session: fiji.Session) -> None:
    imp = session.to_fiji(Labels(np.array([[[0, 70000]]], np.uint32)))
    imp.getProcessor().setf(0, 0, 1.5)
    with pytest.raises(FijiError, match="labels=False"):
        session.from_fiji(imp)
    assert type(session.from_fiji(imp, labels=False)) is Volume


def test_an_image_of_numbers_can_be_read_as_labels(session: fiji.Session) -> None:
    same(session.from_fiji(session.to_fiji(Volume(grey((2, 3, 4), np.uint8))), labels=True), Labels(grey((2, 3, 4), np.uint32)))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_labels_have_the_label_colours(session: fiji.Session, dtype: Any) -> None:
    ids = np.arange(256).astype(dtype)
    rgb = session.to_fiji(Labels(ids[None, None])).getProcessor().convertToRGB()
    seen = [[(rgb.get(x, 0) >> shift) & 255 for shift in (16, 8, 0)] for x in range(256)]
    assert np.array_equal(seen, colours_of(ids))


def test_units(session: fiji.Session) -> None:
    imp = session.to_fiji(Volume(grey((2, 3, 4), np.uint8)))
    calibration = imp.getCalibration()
    for unit, nm in (("nm", 1), ("um", 1000), ("µm", 1000), ("micron", 1000), ("mm", 1e6), ("inch", 25.4e6)):
        calibration.setUnit(unit)
        calibration.pixelWidth, calibration.pixelHeight, calibration.pixelDepth = 2.0, 3.0, 5.0
        assert session.from_fiji(imp).voxel_nm == (5 * nm, 3 * nm, 2 * nm)
    calibration.setUnit("pixel")
    assert session.from_fiji(imp).voxel_nm is None
    calibration.setUnit("furlong")
    with pytest.raises(FijiError, match="furlong"):
        session.from_fiji(imp)
    assert session.from_fiji(imp, voxel_nm=(1, 2, 3)).voxel_nm == (1, 2, 3)


def test_names(session: fiji.Session) -> None:
    imp = session.to_fiji(Volume(grey((4, 2, 2), np.uint8)))
    assert session.from_fiji(imp).names == slice_names(4)
    for z, label in enumerate(["a", "a", None, "a-2\nmetadata"], 1):
        imp.getStack().setSliceLabel(label, z)
    assert session.from_fiji(imp).names == ("a", "a-3", "0002", "a-2")


def test_only_stacks(session: fiji.Session) -> None:
    imp = session.to_fiji(Volume(grey((4, 2, 2), np.uint8)))
    imp.setDimensions(2, 2, 1)
    with pytest.raises(FijiError, match="Split Channels"):
        session.from_fiji(imp)
    imp.setDimensions(1, 2, 2)
    with pytest.raises(FijiError, match="frames"):
        session.from_fiji(imp)


def test_rgb_is_grey_where_the_channels_agree(session: fiji.Session) -> None:
    make = JClass("ij.process.ColorProcessor")
    grey_pixels = make(3, 1, JArray(JInt)([0, 0x010101, 0xFFFFFF]))
    assert np.array_equal(session.from_fiji(JClass("ij.ImagePlus")("rgb", grey_pixels)), [[[0, 1, 255]]])
    with pytest.raises(FijiError, match="channels differ"):
        session.from_fiji(JClass("ij.ImagePlus")("rgb", make(1, 1, JArray(JInt)([0x010203]))))


def test_signed_16_bit(session: fiji.Session) -> None:
    imp = session.to_fiji(Volume(np.array([[[0, 32768, 65535]]], np.uint16)))
    imp.getCalibration().setSigned16BitCalibration()
    assert np.array_equal(session.from_fiji(imp), np.array([[[-32768, 0, 32767]]], np.int16))


def test_out_is_filled_or_refused(session: fiji.Session) -> None:
    imp = session.to_fiji(Volume(grey((2, 3, 4), np.uint16)))
    out = np.zeros((2, 3, 4), np.uint32)
    assert session.from_fiji(imp, out=out).data is out
    assert np.array_equal(out, grey((2, 3, 4), np.uint16))
    imp.getProcessor().set(0, 0, 300)
    with pytest.raises(FijiError, match="to fit"):
        session.from_fiji(imp, out=np.zeros((2, 3, 4), np.uint8))
    with pytest.raises(FijiError, match="shape"):
        session.from_fiji(imp, out=np.zeros((1, 3, 4), np.uint16))


def test_a_foreign_mark_is_named(session: fiji.Session) -> None:
    imp = session.to_fiji(Volume(grey((1, 2, 2), np.uint8)))
    imp.setProp("fibsem_ij", "{}")
    with pytest.raises(FijiError, match="remove it"):
        session.from_fiji(imp)


def test_dataset_shares_memory_or_says_that_it_needs_a_fiji(session: fiji.Session) -> None:
    volume = Volume(grey((2, 3, 4), np.uint16), (20.0, 4.0, 4.0))
    if session.ij is None:
        with pytest.raises(FijiError, match=r"fiji\.start"):
            session.to_dataset(volume)
        return
    data = session.to_dataset(volume)
    same(session.from_dataset(data), volume)
    volume.data[1, 2, 3] = 999
    assert np.asarray(session.from_dataset(data))[1, 2, 3] == 999
