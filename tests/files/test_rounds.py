"""The table of rounds: appended, read back; and whether it is worth to draw on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fibsem_ij.files import rounds


def test_rounds_are_appended_and_read(tmp_path: Path) -> None:
    path = tmp_path / "rounds.csv"
    for drawn, score in ((5, 0.61), (9, 0.7), (13, 0.705)):
        table = rounds.append(path, drawn=drawn, slices=2500, score=score)
    again = rounds.read(path)
    assert {name: column.tolist() for name, column in again.items()} == {
        "round": [1, 2, 3], "drawn": [5, 9, 13], "slices": [2500] * 3, "score": [0.61, 0.7, 0.705]}
    assert all(np.array_equal(table[name], again[name]) for name in again)
    known = path.read_bytes()
    assert len(rounds.append(path, drawn=13, slices=2500, score=0.705)["round"]) == 3  # told twice
    assert path.read_bytes() == known
    with pytest.raises(ValueError, match="expected 1 to 10 drawn slices"):
        rounds.append(path, drawn=11, slices=10, score=0.5)
    path.write_text("round,drawn\n1,2\n")
    with pytest.raises(ValueError, match="it is no table of rounds"):
        rounds.read(path)


@pytest.mark.parametrize(("scores", "rises"), [
    ([0.5], True), ([0.5, 0.4], True), ([0.5, 0.6, 0.7], True), ([0.5, 0.7, 0.69, 0.701], False), ([0.5, 0.7, 0.69, 0.72], True)])
def test_whether_the_score_still_rises(scores: list[float], rises: bool) -> None:
    assert rounds.still_rises({"score": np.array(scores)}) is rises
