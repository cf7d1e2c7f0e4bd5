"""A JVM in a process of its own: what crosses, and that a Java that dies, hangs or fills its heap costs one call.

`make java-faults` tries all twenty faults in whole runs; here is a sample.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import over_there
import pytest
from over_there import trials

from fibsem_ij import fiji, files, register
from fibsem_ij.cli import main
from fibsem_ij.fiji import Apart, FijiError
from fibsem_ij.fiji.apart import Limits
from fibsem_ij.fiji.errors import JavaDied, JavaHung, OutOfHeap
from fibsem_ij.fiji.plugins import AlignerApart, Plugin
from fibsem_ij.fiji.served import put, take
from fibsem_ij.volume import Volume

pytestmark = [pytest.mark.timeout(240), pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="processes are read from Linux's /proc")]
KILLED = """
import over_there
from fibsem_ij.fiji import Apart
with Apart() as java:
    java.call(over_there.value, 0, task="start")
    print(java.pid, flush=True)
    java.call(over_there.faulty, "sleep", task="sleep")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("apart")


@pytest.fixture(scope="module")
def java(folder: Path) -> Iterator[Apart]:
    """At the fourth pair that it fits, a crash. What it takes and leaves is in `folder`."""
    with pytest.MonkeyPatch.context() as patch, Apart(heap="256m") as apart:
        asked = {"kind": "SIGSEGV in the JVM", "at": 4, "always": False, "folder": str(folder)}
        patch.setenv(trials.VARIABLE, json.dumps(asked))
        patch.setattr("tempfile.tempdir", str(folder))
        yield apart


def gone(pid: int | None) -> bool:
    until = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
        time.sleep(0.05)
    return not Path(f"/proc/{pid}").exists()


def test_pairs_are_fitted_to_the_same_bit_though_java_dies(
    java: Apart, folder: Path, session: fiji.Session, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stack, there = trials.wandering(64), AlignerApart(java, Plugin(trials.Shift, "translation", 3))
    disturbed = register.fit(stack, options=register.Options(model="translation", runs=3, aligner=there))
    assert len((folder / "faults").read_text(encoding="ascii").splitlines()) == 1
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "expected Java to fit a pair of slices by Shift, got the end of its process" in caplog.text
    assert "SIGSEGV" in caplog.text
    assert "trying again" in caplog.text
    assert not [*folder.rglob("hs_err*"), *Path.cwd().glob("hs_err*")]
    monkeypatch.delenv(trials.VARIABLE)
    here = trials.Shift(session)
    undisturbed = register.fit(stack, options=register.Options(model="translation", runs=3, aligner=here))
    assert np.array_equal(disturbed.matrices, undisturbed.matrices)
    assert np.array_equal(disturbed.spread_px, undisturbed.spread_px)
    rngs = [np.random.default_rng(5) for _ in range(2)]
    np.testing.assert_array_equal(*(align(stack[0], stack[1], rng=rng) for align, rng in zip((here, there), rngs, strict=True)))
    assert rngs[0].random() == rngs[1].random()


def test_values_cross_and_errors_come_back(java: Apart) -> None:
    for given in (np.arange(12, dtype=">u2").reshape(3, 4)[:, ::2], np.full((2, 3), np.nan, np.float32), {"a": [1, None]}, b""):
        back = java.call(over_there.value, given, task="send it back")
        assert type(back) is type(given)
        np.testing.assert_array_equal(back, given)
    volume = Volume(np.arange(24, dtype=np.uint8).reshape(2, 3, 4), (8.0, 4.0, 4.0))
    inverted = java.call(over_there.inverted, volume, task="invert")
    assert np.array_equal(inverted, 255 - np.asarray(volume))
    assert inverted.voxel_nm == volume.voxel_nm
    assert java.call(over_there.printed, task="print") == ""
    with pytest.raises(ValueError, match=r"^expected this, got that; do so$"):
        java.call(over_there.refused, task="refuse")
    with pytest.raises(FijiError, match=r"expected to ask Java, got java\.lang\.NumberFormatException"):
        java.call(over_there.of_java, task="ask Java")
    with pytest.raises(pickle.PicklingError, match="ArrayList"):
        java.call(over_there.java_object, task="give what cannot be sent")
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        java.call(lambda _: None, task="take what cannot be sent")
    assert java.call(over_there.value, 1, task="go on") == 1


@pytest.mark.parametrize(("kind", "error", "told"), [
    ("sleep", JavaHung, "got nothing done for [234] s; if the machine"),
    ("heap filled", OutOfHeap, "got OutOfMemoryError; ask for a larger heap: --heap"),
    ("Runtime.halt(3)", JavaDied, "got the end of its process with exit code 3; ask for less heap"),
])
def test_what_becomes_of_java_is_named_and_nothing_is_left(java: Apart, folder: Path, kind: str, error: type[FijiError], told: str) -> None:
    java.call(over_there.value, 0, task="be there")
    pid = java.pid
    assert len(list(folder.glob("fibsem_ij-java-*"))) == 1
    with pytest.raises(error, match=f"^expected Java to fit a pair with a heap of 256 MiB, {told}"):
        java.call(over_there.faulty, kind, task="fit a pair", limits=Limits(silent_s=30, idle_s=2))
    assert gone(pid)
    assert not list(folder.glob("fibsem_ij-java-*"))


def test_java_ends_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]), "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True, env=env) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        time.sleep(0.5)
        parent.kill()
        parent.wait()
        assert gone(pid)


def test_one_that_is_closed_says_so() -> None:
    apart = Apart()
    apart.close()
    with pytest.raises(FijiError, match="expected an open Apart"):
        apart.call(over_there.value, 1, task="be there")


def test_sent_to_another_process_it_is_the_one_there() -> None:
    for heap in ("1g", None):
        first, second = (pickle.loads(pickle.dumps(Apart(heap=heap))) for _ in range(2))
        assert first is second
        assert first.heap == (1 << 30 if heap else None)


def test_what_is_cut_off_is_an_end() -> None:
    stream = BytesIO()
    put(stream, "whole")
    put(stream, "cut off")
    cut = BytesIO(stream.getvalue()[:-1])
    assert pickle.loads(take(cut)) == "whole"
    for _ in range(2):
        with pytest.raises(EOFError):
            take(cut)


def test_the_command_line_names_the_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def lost(fixed: Any, moving: Any, *, rng: np.random.Generator) -> Any:
        raise JavaDied("expected Java to live, got its end; do so")

    monkeypatch.setattr(AlignerApart, "named", classmethod(lambda *_, **__: lost))
    files.write(tmp_path / "raw.tif", trials.wandering(64))
    with pytest.raises(SystemExit) as end:
        main(["register", "fit", str(tmp_path / "raw.tif"), str(tmp_path / "t.json"), "--aligner", "fiji-sift", "--workers", "1"])
    assert end.value.code == 2
    told = r"fibsem-ij: expected Java to live, got its end; do so \(while fitting slice \d to slice \d\)\n"
    assert re.fullmatch(told, capsys.readouterr().err)
    assert not (tmp_path / "t.json").exists()
