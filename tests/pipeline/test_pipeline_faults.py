"""Killed, stopped, begun twice: what a run that was ended leaves, and that the next one ends with the same bytes.

A run is killed at its n-th file operation, by SIGKILL, so that every place is met where a half result could stand. Each child is forked
from one process that has loaded everything; `make faults` tries many more places.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import small_recipe as small

from fibsem_ij.pipeline import lock
from fibsem_ij.workspace import Workspace

if sys.platform == "win32":
    pytest.skip("there is no fork and no SIGKILL on Windows", allow_module_level=True)

KILLS = int(os.environ.get("FIBSEM_IJ_FAULTS") or 20)
TRIALS = Path(__file__).with_name("kill_trials.py")


@pytest.mark.timeout(3600)
@pytest.mark.fault("kill -9 at a file operation, in each stage, and run again: the same bytes as an undisturbed run")
def test_killed_anywhere_and_run_again_it_ends_with_the_same_bytes(tmp_path: Path, trials: Any) -> None:
    small.lay_out(tmp_path)
    count = trials.of(2, KILLS)
    done = subprocess.run([sys.executable, TRIALS, tmp_path, str(count)], capture_output=True, text=True, timeout=3500)
    assert done.returncode == 0, done.stderr
    undisturbed, stages = small.results(tmp_path / "undisturbed"), set()
    for trial in map(json.loads, done.stdout.splitlines()):
        again = small.results(tmp_path / trial["workspace"])
        differ = [name for name in {**again, **undisturbed} if again.get(name) != undisturbed.get(name)]
        trials.add(f"{trial}: {differ}" if differ or not trial["killed"] else "")
        stages.add(trial["stage"])
    assert trials.tried == count
    trials.note = f"{len(stages - {'the beginning'})} stages"


def start(folder: Path, *more: str, interrupt: Any) -> subprocess.Popen[str]:
    """`interrupt`: what is done about SIGINT when it begins, which a child inherits; a shell ignores it for what runs behind a script."""
    return subprocess.Popen([sys.executable, "-m", "fibsem_ij", "run", "recipe.toml", "ws", "--progress", "json", *more], cwd=folder,
                            stderr=subprocess.PIPE, text=True, preexec_fn=lambda: signal.signal(signal.SIGINT, interrupt))


def until(child: subprocess.Popen[str], what: str) -> None:
    """Read what it says until it says that."""
    assert child.stderr
    for line in child.stderr:
        if what in line:
            return
    pytest.fail(f"it ended without saying {what!r}")


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("number", "code", "when"), [(signal.SIGINT, 130, '"stage": "register fit", "done": 2'),
                                                      (signal.SIGTERM, 143, '"stage": "denoise fit"')])
@pytest.mark.fault("Ctrl-C (130) and SIGTERM (143): out in 5 s, nothing half under a final name")
def test_out_in_five_seconds_and_nothing_half(tmp_path: Path, number: int, code: int, when: str, trials: Any) -> None:
    small.lay_out(tmp_path, small.RECIPE.replace("updates = 4", "minutes = 10"))
    child = start(tmp_path, "--to", "denoise fit", interrupt=signal.SIG_DFL if number == signal.SIGINT else signal.SIG_IGN)
    until(child, when)
    child.send_signal(number)
    began = time.monotonic()
    try:
        said = child.communicate(timeout=60)[1]
    finally:
        child.kill()
    took = time.monotonic() - began
    assert took < 5
    trials.note = f"exit code {code} after {took:.1f} s"
    assert child.returncode == code, said
    assert "Traceback" not in said
    ws = Workspace(tmp_path / "ws")
    assert not ws.network("denoise").exists()
    assert not ws.lock.exists()
    assert "running" in list(json.loads(ws.run.read_text(encoding="utf-8"))["stages"].values())[-1]
    trials.add()


@pytest.mark.timeout(180)
@pytest.mark.fault("a second run on one workspace: told who holds it; the lock of a run that crashed is recognised")
def test_one_run_at_a_time_and_a_lock_that_a_crash_left(tmp_path: Path) -> None:
    ws = tmp_path
    code = "import sys, time; from pathlib import Path; from fibsem_ij.pipeline import lock\n" \
           "with lock.held(Path(sys.argv[1]), say=print): print('held', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, ws / "run.lock"], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert child.stdout.readline() == "held\n"
        with pytest.raises(ValueError, match=f"process {child.pid} on .* since 20"), lock.held(ws / "run.lock", say=print):
            pass
        child.kill()
        child.wait()
    said: list[str] = []
    with lock.held(ws / "run.lock", say=said.append):
        assert len(said) == 1
        assert f"process {child.pid}" in said[0]
        with pytest.raises(ValueError, match=f"process {os.getpid()} "), lock.held(ws / "run.lock", say=print):
            pass
    assert not (ws / "run.lock").exists()
    with lock.held(ws / "run.lock", say=said.append):
        assert len(said) == 1



@pytest.mark.timeout(300)
def test_dask_workers_make_the_same_bytes_and_one_that_dies_costs_nothing(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="fibsem-ij[cluster] is not installed")
    small.lay_out(tmp_path)
    trial = Path(__file__).with_name("dask_trial.py")
    done = subprocess.run([sys.executable, trial, tmp_path], capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == ["register apply", "segment apply"], "workers were killed"
    alone = small.results(tmp_path / "alone")
    assert {"aligned.zarr/.zattrs", "clean.zarr/.zattrs", "probabilities.zarr/.zattrs"} <= set(alone)
    assert small.results(tmp_path / "many") == alone
