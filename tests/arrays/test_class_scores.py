"""Scores of class images, held against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, jaccard_score, precision_recall_fscore_support

from fibsem_ij.arrays.class_scores import COMPONENTS, component_counts, score

NAMES = {1: "mitochondrion", 2: "plasma membrane", 7: "vesicle"}
IDS = list(NAMES)
CLASSES = st.sampled_from([0, *IDS])
STACK = arrays(np.uint8, (3, 6, 7), elements=CLASSES)


@settings(deadline=None, max_examples=25)
@given(result=STACK, truth=STACK)
def test_all_pixel_scores_are_those_of_scikit_learn(result: np.ndarray, truth: np.ndarray) -> None:
    told = score(result, truth, names=NAMES)
    a, b = truth.ravel(), result.ravel()
    assert told["confusion"] == {"classes": ["background", *NAMES.values()], "pixels": confusion_matrix(a, b, labels=[0, *IDS]).tolist()}
    precision, recall, f1, count = precision_recall_fscore_support(a, b, labels=IDS, zero_division=0)
    iou = jaccard_score(a, b, labels=IDS, average=None, zero_division=0)
    for n, name in enumerate(NAMES.values()):
        ours = told["classes"][name]
        for key, theirs in (("precision", precision), ("recall", recall), ("f1", f1), ("iou", iou)):
            assert (ours[key] or 0) == pytest.approx(theirs[n])
        assert ours["share"] == pytest.approx(count[n] / max(count.sum(), 1))
    for average in ("micro", "weighted"):
        assert (told[f"f1_{average}"] or 0) == pytest.approx(f1_score(a, b, labels=IDS, average=average, zero_division=0))
    assert told["accuracy"] == pytest.approx(accuracy_score(a, b))
    each = [f1_score(t.ravel(), r.ravel(), labels=[7], average="macro", zero_division=0) for t, r in zip(truth, result, strict=True)
            if 7 in t or 7 in r]
    assert (told["classes"]["vesicle"]["f1_slices"] or 0) == pytest.approx(np.mean(each or [0]))


@settings(deadline=None, max_examples=15)
@given(stack=STACK)
def test_the_truth_is_right_and_a_swap_of_both_swaps_precision_and_recall(stack: np.ndarray) -> None:
    told = score(stack, stack, names=NAMES)
    assert {v for c in told["classes"].values() for k, v in c.items() if k in ("f1", "precision", "recall", "iou")} <= {1.0, None}
    one, other = (score(*pair, names=NAMES)["classes"] for pair in ((stack, stack[::-1]), (stack[::-1], stack)))
    for name in NAMES.values():
        assert (one[name]["precision"], one[name]["recall"]) == (other[name]["recall"], other[name]["precision"])


def test_one_row_a_slice_and_class() -> None:
    truth = np.zeros((4, 5, 5), np.uint8)
    truth[3, :2], truth[1, 2] = 1, 7
    result = np.where(truth == 1, 0, truth)
    told = score(result, {z: truth[z] for z in (3, 1)}, names=NAMES)  # only slices 1 and 3 are drawn
    rows = told["table"]
    assert rows["z"] == [1, 1, 1, 3, 3, 3]
    assert rows["class"] == [*NAMES.values()] * 2
    assert rows["f1"] == [None, None, 1.0, 0.0, None, None]
    assert (rows["true_px"], rows["found_px"]) == ([0, 0, 5, 10, 0, 0], [0, 0, 5, 0, 0, 0])
    assert rows["precision"][3] is None
    assert rows["missed"] == [0, 0, 0, 1, 0, 0]
    assert told["classes"]["mitochondrion"]["components"]["missed"] == 1
    assert told["classes"]["plasma membrane"]["f1"] is None
    assert "components" not in told["classes"]["plasma membrane"]  # thin, by its name
    assert "components" in score(result, truth, names=NAMES, thin=())["classes"]["plasma membrane"]
    assert score(result, truth, names=NAMES, slices=[1])["f1_weighted"] == 1


def test_what_is_ignored_has_no_say() -> None:
    rng = np.random.default_rng(3)
    truth, result = (rng.choice([0, 1, 2, 7], (2, 30, 30)).astype(np.uint8) for _ in range(2))
    kept = truth[:, 10:]
    outside = truth.copy()
    outside[:, :10] = 7  # as a class that is left out
    told = score(result, outside, names=NAMES, ignore=[7])
    assert list(told["classes"]) == ["mitochondrion", "plasma membrane"]
    pixels = confusion_matrix(kept[kept != 7], np.where(result[:, 10:] == 7, 0, result[:, 10:])[kept != 7], labels=[0, 1, 2])
    assert told["confusion"]["pixels"] == pixels.tolist()
    assert score(result, truth, names=NAMES, ignore=[0])["confusion"]["pixels"][0] == [0] * 4


def test_a_class_named_background_is_0_and_what_is_not_drawn_may_be_unknown() -> None:
    truth = np.array([[[0, 1, 9, 9]]], np.uint8)
    result = np.array([[[1, 1, 1, 0]]], np.uint8)
    names = {1: "a", 9: "background"}
    assert score(result, truth, names=names)["confusion"]["pixels"] == [[1, 2], [0, 1]]
    assert score(result, truth, names=names, ignore=[0])["confusion"]["pixels"] == [[1, 1], [0, 1]]


@pytest.mark.parametrize(("covered", "wanted"), [(20, "found"), (17, "found"), (16, "under_detected"), (2, "under_detected"), (1, "missed"),
                                                 (0, "missed")])
def test_a_component_of_twenty_pixels(covered: int, wanted: str) -> None:
    truth = np.zeros((9, 24), bool)
    truth[2:4, 4:14] = True
    result = np.zeros_like(truth)
    result.ravel()[np.flatnonzero(truth)[:covered]] = True
    counts = dict(zip(COMPONENTS, component_counts(result, truth).tolist(), strict=True))
    assert counts == dict.fromkeys(COMPONENTS, 0) | {wanted: 1} | ({"confirmed": 1} if covered else {})
    turned = dict(zip(COMPONENTS, component_counts(truth, result).tolist(), strict=True))  # now the result is the larger one
    other = {"found": "confirmed", "under_detected": "over_detected", "missed": "false"}[wanted]
    assert turned == dict.fromkeys(COMPONENTS, 0) | {other: 1} | ({"found": 1} if covered else {})


def test_corners_join_and_slices_do_not() -> None:
    stack = np.zeros((2, 4, 4), np.uint8)
    stack[:, [0, 1], [0, 1]] = 1
    assert score(stack, stack, names={1: "a"})["classes"]["a"]["components"]["found"] == 2


@pytest.mark.parametrize(("result", "truth", "names", "error"), [
    (np.zeros((1, 2, 3)), np.zeros((1, 3, 2)), {1: "a"}, r"slice 0: expected a result of \(3, 2\)"),
    (np.zeros((1, 2, 2)), np.full((1, 2, 2), 9), {1: "a"}, "slice 0: expected class ids 0, 1, got 9"),
    (np.full((1, 2, 2), -1), np.zeros((1, 2, 2)), {1: "a"}, "got -1"), (np.full((1, 2, 2), 2), np.zeros((1, 2, 2)), {3: "a"}, "got 2"),
    (np.full((1, 2, 2), 300), np.zeros((1, 2, 2)), {1: "a"}, "got 300"),
    (np.zeros((1, 2, 2)), {}, {1: "a"}, "got 0 slices"), (np.zeros((1, 2, 2)), np.zeros((1, 2, 2)), {}, "and 0 classes")])
def test_what_cannot_be_scored(result: np.ndarray, truth: np.ndarray | dict[int, np.ndarray], names: dict[int, str], error: str) -> None:
    whole = truth if isinstance(truth, dict) else truth.astype(np.uint16)
    with pytest.raises(ValueError, match=error):
        score(result.astype(np.int32), whole, names=names)
