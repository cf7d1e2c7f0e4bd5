"""The nouns check what they are given, and carry it unchanged."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from fibsem_ij.volume import Labels, Transforms, Volume, slice_names

STACK = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


def test_a_volume_is_its_own_source() -> None:
    volume = Volume(STACK, (5, 4, 4))
    assert volume.shape == (2, 3, 4)
    assert volume.dtype == np.uint8
    assert len(volume) == 2
    assert np.array_equal(volume[1], STACK[1])
    assert np.asarray(volume) is STACK, "asking for all of an array in memory copies nothing"
    assert not np.shares_memory(np.array(volume, copy=True), STACK)
    assert volume.voxel_nm == (5.0, 4.0, 4.0)


def test_slices_have_names() -> None:
    assert Volume(STACK).names == ("0000", "0001")
    assert Volume(STACK, names=("0045", "0049")).names == ("0045", "0049")
    assert slice_names(10_001)[0] == "00000"
    assert len(set(map(len, slice_names(10_001)))) == 1, "one width, so that names sort as numbers"


def test_with_data_keeps_the_rest() -> None:
    labels = Labels(STACK, (5, 4, 4), ("a", "b"), {1: "nucleus"}).with_data(STACK.astype(np.uint32))
    assert (labels.voxel_nm, labels.names, dict(labels.classes), labels.dtype) == ((5, 4, 4), ("a", "b"), {1: "nucleus"}, np.uint32)


@pytest.mark.parametrize(("data", "more", "says"), [
    (STACK[0], {}, r"stack \(z, y, x\)"),
    (STACK[:0], {}, "at least one pixel"),
    ([1, 2], {}, "expected an array, got list"),
    (STACK.astype(complex), {}, "dtype complex128"),
    (STACK, {"voxel_nm": (5, 0, 4)}, "three positive numbers"),
    (STACK, {"voxel_nm": (5, 4)}, "three positive numbers"),
    (STACK, {"voxel_nm": "nm"}, "three positive numbers"),
    (STACK, {"names": ("a",)}, "2 slice names"),
    (STACK, {"names": ("a", "a")}, "'a' twice"),
])
def test_a_volume_refuses(data: Any, more: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Volume(data, **more)


@pytest.mark.parametrize("dtype", [np.float32, np.bool_])
def test_labels_are_whole_numbers(dtype: type) -> None:
    with pytest.raises(ValueError, match="integers"):
        Labels(STACK.astype(dtype))


def affine(rng: np.random.Generator) -> np.ndarray:
    matrix = np.eye(3)
    matrix[:2] += rng.normal(0, 0.1, (2, 3)) * (1, 1, 100)
    return matrix


def test_the_inverse_of_transforms_undoes_them() -> None:
    rng = np.random.default_rng(1)
    there = Transforms(np.stack([affine(rng) for _ in range(5)]), (100, 120), voxel_nm=(4, 4, 4), bad=(3, 1))
    back = there.inverse((90, 110))
    assert np.allclose(there.matrices @ back.matrices, np.eye(3), atol=1e-12)
    assert (back.canvas, back.bad, back.voxel_nm) == ((90, 110), (1, 3), (4, 4, 4))
    assert not there.matrices.flags.writeable, "frozen down to the numbers"


@pytest.mark.parametrize(("matrices", "more", "says"), [
    (np.eye(3), {}, r"\(slices, 3, 3\)"),
    (np.zeros((2, 3, 3)), {}, "slice 0"),
    (np.stack([np.eye(3), np.full((3, 3), np.nan)]), {}, "slice 1"),
    (np.stack([np.eye(3)] * 2), {"model": "bspline"}, "translation, rigid"),
    (np.stack([np.eye(3)] * 2), {"why": {1: "blank"}}, "reasons of bad slices"),
    (np.stack([np.eye(3)] * 2), {"canvas": (0, 5)}, "canvas"),
    (np.stack([np.eye(3)] * 2), {"spread_px": np.zeros(3)}, "spread_px"),
    (np.stack([np.eye(3)] * 2), {"bad": (2,)}, "bad slices"),
])
def test_transforms_refuse(matrices: np.ndarray, more: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Transforms(matrices, **{"canvas": (4, 5), **more})


def test_nouns_travel_to_other_processes() -> None:
    labels = Labels(np.ones((2, 3, 4), np.uint8), (4, 2, 2), ("a", "b"), {1: "cell"})
    fitted = Transforms(np.tile(np.eye(3), (2, 1, 1)), (3, 4), bad=(1,), why={1: "blank"})
    there, moved = pickle.loads(pickle.dumps(labels)), pickle.loads(pickle.dumps(fitted))
    assert (there.names, there.voxel_nm, there.classes) == (labels.names, labels.voxel_nm, labels.classes)
    assert (moved.bad, moved.why, moved.canvas) == (fitted.bad, fitted.why, fitted.canvas)
    assert np.array_equal(moved.matrices, fitted.matrices)
