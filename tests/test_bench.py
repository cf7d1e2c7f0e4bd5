"""`make bench`: every benchmark has its line, and one that fails is named while the others go on."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
NONE = {"bench.py", "registration_picture.py", "java_trials.py",  # itself, the picture of a page, a part of another
        "segmentation.py", "segmentation_rounds.py"}  # they want real slices


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("bench")


def test_every_script_that_can_be_run_has_its_line(bench: Any) -> None:
    listed = {command.split()[0] for _, small, full in bench.BENCHMARKS for command in (small, full) if command}
    runnable = {path.name for path in BENCHMARKS.glob("*.py") if "__main__" in path.read_text(encoding="utf-8")}
    assert listed == runnable - NONE


def test_one_that_fails_is_named_and_the_others_go_on(bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "well.py").write_text('print("| what | measured |")', encoding="utf-8")
    (tmp_path / "broken.py").write_text('raise ValueError(f"no such thing as {__file__}")', encoding="utf-8")
    (tmp_path / "slow.py").write_text("import time; time.sleep(60)", encoding="utf-8")
    for name, value in (("HERE", tmp_path), ("LIMIT_S", {"small": 10}), ("machine", lambda: [("processor", "one")]),
                        ("BENCHMARKS", (("a", "broken.py", ""), ("b", "slow.py", ""), ("c", None, "full.py"), ("d", "well.py", "")))):
        monkeypatch.setattr(bench, name, value)
    monkeypatch.setattr(sys, "argv", ["bench.py"])
    with pytest.raises(SystemExit) as end:
        bench.main()
    assert end.value.code
    page = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert "| a | failed, code 1: ValueError: no such thing as broken.py |" in page
    assert "| b | longer than 10 s |" in page
    assert "| d | well |" in page
    assert str(tmp_path) not in page
