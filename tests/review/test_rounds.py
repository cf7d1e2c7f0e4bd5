"""The table of rounds: appended, read back, drawn; and whether it is worth to draw on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fibsem_ij.review import rounds


def test_rounds_are_appended_and_read(tmp_path: Path) -> None:
    path = tmp_path / "rounds.csv"
    for drawn, score in ((5, 0.61), (9, 0.7), (13, 0.705)):
        table = rounds.append(path, drawn=drawn, slices=2500, score=score)
    again = rounds.read(path)
    assert {name: column.tolist() for name, column in again.items()} == {
        "round": [1, 2, 3], "drawn": [5, 9, 13], "slices": [2500] * 3, "score": [0.61, 0.7, 0.705]}
    assert all(np.array_equal(table[name], again[name]) for name in again)
    with pytest.raises(ValueError, match="expected 1 to 10 drawn slices"):
        rounds.append(path, drawn=11, slices=10, score=0.5)
    path.write_text("round,drawn\n1,2\n")
    with pytest.raises(ValueError, match="it is no table of rounds"):
        rounds.read(path)


@pytest.mark.parametrize(("scores", "rises"), [
    ([0.5], True), ([0.5, 0.4], True), ([0.5, 0.6, 0.7], True), ([0.5, 0.7, 0.69, 0.701], False), ([0.5, 0.7, 0.69, 0.72], True)])
def test_whether_the_score_still_rises(scores: list[float], rises: bool) -> None:
    assert rounds.still_rises({"score": np.array(scores)}) is rises


def test_the_picture_tells_drawn_of_all(tmp_path: Path) -> None:
    table = {"round": np.arange(1, 4), "drawn": np.array([5, 9, 13]), "slices": np.full(3, 2500), "score": np.array([0.6, 0.7, 0.72])}
    rounds.plot(tmp_path / "rounds.svg", table)
    text = (tmp_path / "rounds.svg").read_text()
    assert "2500 slices of the stack" in text
    rounds.plot(tmp_path / "rounds.png", table)
    assert (tmp_path / "rounds.png").stat().st_size > 5000
