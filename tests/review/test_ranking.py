"""One scale for all stages, and an order that no one fault can crowd."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fibsem_ij.review.ranking import Doubt, Evidence, doubts, ordered, outside, scored

RNG = np.random.default_rng(3)


def evidence(values: list[float] | np.ndarray, *, stage: str = "registration", kind: str = "k", least: float = 0.1,
             usual: float | None = None) -> Evidence:
    return Evidence(stage, kind, np.array(values, float), least, lambda z, usual: f"{z} of {usual:g}", usual)


def test_a_score_says_how_unusual_a_slice_is_whatever_the_unit() -> None:
    values = RNG.normal(100, 2, 201)
    values[7] = np.median(values) + 3 * 1.4826 * np.median(np.abs(values - np.median(values)))
    for scale, stage in ((1, "registration"), (1e-4, "segmentation"), (50, "objects")):
        usual, scores = scored(evidence(values * scale, least=1e-9, stage=stage))
        assert usual == pytest.approx(np.median(values) * scale)
        assert scores[7] == pytest.approx(0.75, abs=0.01)
        assert np.median(scores) == pytest.approx(0.5)
    assert ((scores >= 0) & (scores < 1)).all()


def test_a_stage_without_faults_claims_nothing() -> None:
    quiet = scored(evidence(0.3 + RNG.normal(0, 0.01, 50), least=0.1))[1]
    assert quiet.max() < 0.56  # all of it below what is noise in such a number
    assert (scored(evidence([np.nan] * 5))[1] == 0).all()
    assert scored(evidence([1, np.nan, 1, 9]))[1][1] == 0


def test_of_several_kinds_the_strongest_is_told() -> None:
    told = doubts([evidence([1, 1, 5, 1, 1], kind="a"), evidence([1, 1, 2, 9, 1], kind="b"), evidence([0, 1, 0, 0, 0], stage="objects")])
    best = {(d.stage, d.z): d for d in told}
    assert best["registration", 2].kind == "a"
    assert best["registration", 3].kind == "b"
    assert best["registration", 3].reason == "3 of 1"
    assert best["objects", 1].score > 0.8


def test_copies_of_one_fault_leave_room_for_others() -> None:
    """Thirty blank slices, scattered and in a row, beside five real faults."""
    blank = [Doubt(z, "registration", "bad", 0.88, "blank") for z in (*range(0, 90, 6), *range(100, 115))]
    real = [Doubt(200 + 20 * n, stage, "x", 0.8, "") for n, stage in enumerate(["denoising", "segmentation", "objects"] * 2)]
    listed = ordered([*blank, *real], 12)
    assert sum(doubt.reason == "blank" for doubt in listed) <= 6
    assert {doubt.z for doubt in real} <= {doubt.z for doubt in listed}


def test_neighbours_and_drawn_slices_come_late() -> None:
    found = [Doubt(z, "segmentation", "unsure", 0.6, "") for z in range(40)]
    listed = [doubt.z for doubt in ordered(found, 4, drawn=[0, 39])]
    assert listed[0] in (19, 20)
    assert min(abs(a - b) for a in (*listed, 0, 39) for b in (*listed, 0, 39) if a != b) >= 4
    assert {doubt.z for doubt in ordered(found, 99, drawn=[0, 39])} == set(range(40)) - {0, 39}


def test_a_gross_fault_goes_first_also_near_a_drawn_slice_and_a_usual_far_one_before_a_slight_one_near() -> None:
    found = [Doubt(12, "segmentation", "flickers", 0.95, ""), Doubt(3, "segmentation", "flickers", 0.55, ""),
             Doubt(60, "segmentation", "unsure", 0.5, "")]
    assert [doubt.z for doubt in ordered(found, 3, drawn=[1])] == [12, 60, 3]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 50), st.sampled_from(["registration", "segmentation", "objects"]), st.sampled_from("ab"),
                          st.floats(0.01, 0.99)), max_size=30, unique_by=lambda row: row[:2]), st.sets(st.integers(0, 50), max_size=5))
def test_listed_once_and_falling(rows: list[tuple[int, str, str, float]], drawn: set[int]) -> None:
    found = [Doubt(*row, "") for row in rows]
    listed = ordered(found, 20, drawn=drawn)
    assert len({(d.stage, d.z) for d in listed}) == len(listed)
    scores = [d.score for d in listed]
    assert all(a >= b - 1e-12 for a, b in pairwise(scores))
    assert not any(d.stage == "segmentation" and d.z in drawn for d in listed)
    first = max(found, key=lambda d: d.score, default=None)
    if first and first.stage != "segmentation":
        assert listed[0].score >= first.score - 1e-12


def test_outside_is_what_lies_between_neither_neighbour() -> None:
    assert outside([0], [400], [410], floor=50)[0] == pytest.approx(400 / 460)
    assert outside([300], [0], [0], floor=50)[0] == pytest.approx(300 / 350)
    assert outside([100, 150], [90, 200], [110, 100], floor=50).tolist() == [0, 0]
    assert outside([5], [0], [0], floor=50)[0] < 0.1  # a speck


def test_slices_to_learn_from_lie_amid_what_is_not_drawn_and_not_at_its_ends() -> None:
    found = [Doubt(z, "segmentation", "unsure", 0.5, "the network is unsure") for z in range(165)]
    listed = ordered(found, 3, drawn=[75])
    assert 15 <= min(d.z for d in listed[:2]) <= 60
    assert 100 <= max(d.z for d in listed[:2]) <= 140
    assert all(doubt.reason.startswith("no slice nearer than ") for doubt in listed)
    first = ordered(found, 1)[0]
    assert first.reason == "nothing is drawn yet"
    assert 40 <= first.z <= 125


def test_what_the_network_is_unsure_of_around_is_what_there_is_to_learn() -> None:
    """Unsure in two places, a lot of it in the broader one; slices far from both, where nothing is doubtful, are not wanted."""
    unsure = np.full(200, 0.01)
    unsure[80:121], unsure[20] = 0.2, 0.3
    found = doubts([Evidence("segmentation", "unsure", unsure, 0.01, lambda z, usual: f"{z}", is_wrong=True)])
    assert {(d.z, d.wrong) for d in found} >= {(100, 0.2), (20, 0.3), (150, 0.01)}
    first, *others = ordered(found, 4)
    assert 95 <= first.z <= 105
    assert {20} < {d.z for d in others}
    assert all(75 <= d.z <= 125 or d.z == 20 for d in others)
    assert 80 <= ordered(found, 1, drawn=[20, 75])[0].z <= 121
    assert [d.z for d in ordered(found, 1, among=range(130, 190))] == [130]
    assert ordered(found, 2, drawn=[100])[0].z != 100


@pytest.mark.parametrize(("unsure", "first"), [(0.01, 10), (0.3, 50)])
def test_a_fault_of_one_slice_can_wait_while_there_is_much_to_learn(unsure: float, first: int) -> None:
    """A class flickers in slice 10, a little away from a drawn one; around 50 nothing is drawn."""
    flicker = np.zeros(100)
    flicker[10] = 1
    found = doubts([Evidence("segmentation", "unsure", np.full(100, unsure), 0.01, lambda z, usual: "unsure", is_wrong=True),
                    Evidence("segmentation", "flickers", flicker, 0.05, lambda z, usual: "flickers")])
    assert abs(ordered(found, 1, drawn=[0, 99])[0].z - first) <= 3
