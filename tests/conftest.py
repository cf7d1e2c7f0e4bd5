"""What tests everywhere need: one thread each, Ctrl-C, to know whether this machine draws, and to count faults that were held.

Test processes with a pool of torch threads apiece wait for each other more than they compute. One thread also makes trainings
repeatable to the bit, which they are for a given number of threads.
"""

import os
import signal
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # NB: read once, when torch and NumPy are imported
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as of what a shell starts in the background, and all that this starts would have it
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def drawing() -> None:
    """Where VTK finds no driver that draws: a skip, but a failure under CI=true."""
    import numpy as np

    from fibsem_ij.render.objects import View, picture
    from fibsem_ij.volume import Labels

    try:
        picture(Labels(np.ones((2, 3, 4), np.uint8)), view=View(size=(64, 48)))
    except OSError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


FULL = os.environ.get("FIBSEM_IJ_FAULTS", "") != ""  # `make faults`; else a sample
TABLE = Path(__file__).parents[1] / "benchmarks" / "results" / "faults.md"
ABOUT = """# Faults

`make faults`: what was done to it, how often, and how often it held: an error or a result as the row says, nothing silent, nothing half,
no traceback. `make test` tries a sample of each.

"""


@dataclass
class Trials:
    """Of one kind of fault; a test that does not count is one."""

    tried: int = 0
    problems: list[str] = field(default_factory=list)
    note: str = ""

    def of(self, sample: int, full: int) -> int:
        """How many to try."""
        return full if FULL else sample

    def add(self, problem: str = "") -> None:
        self.tried += 1
        self.problems += [problem] if problem else []


@pytest.fixture
def trials(record_property: Any) -> Iterator[Trials]:
    """Counts, and fails at the end where one did not hold, so that all are tried."""
    counted = Trials()
    yield counted
    for name, value in (("tried", counted.tried), ("held", counted.tried - len(counted.problems)), ("note", counted.note)):
        record_property(name, value)
    assert not counted.problems, "\n".join(counted.problems)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fault(what): a row of the table of `make faults`, with what has to come of it")


def pytest_runtest_setup(item: pytest.Item) -> None:
    item.user_properties += [("fault", mark.args[0]) for mark in item.iter_markers("fault")]


_PARTS = ("setup", "call", "teardown")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One table of all tests that carry `fault`."""
    tests: dict[str, dict[str, Any]] = defaultdict(lambda: {"tried": 1, "held": 0, "note": "", "seconds": 0.0})
    reports = [report for group in terminalreporter.stats.values() for report in group
               if isinstance(report, pytest.TestReport) and report.when in _PARTS]  # NB: of a process that crashed it is neither
    skipped = {report.nodeid for report in reports if report.skipped}
    for report in sorted(reports, key=lambda report: _PARTS.index(report.when)):
        if "fault" in (said := dict(report.user_properties)) and report.nodeid not in skipped:
            test = tests[report.nodeid]
            test["seconds"] += report.duration
            test |= {"held": int(report.passed)} if report.when == "call" else {}
            test |= said if said.get("tried") or "fault" not in test else {}
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for test in tests.values():
        rows[test["fault"]].append(test)
    if not (FULL and rows):
        return
    text = ABOUT + "| fault, and what has to come of it | tried | held | s |\n|---|---|---|---|\n"
    for what, group in rows.items():
        tried, held, spent = (sum(test[name] for test in group) for name in ("tried", "held", "seconds"))
        notes = "; ".join(dict.fromkeys(test["note"] for test in group if test["note"]))
        text += f"| {what}{f' ({notes})' if notes else ''} | {tried} | {held} | {spent:.0f} |\n"
    terminalreporter.write(f"\n{text}")
    if terminalreporter.config.args_source is pytest.Config.ArgsSource.TESTPATHS and not terminalreporter.config.option.keyword:
        TABLE.write_text(text, encoding="utf-8")
