"""A disk that becomes full: every writer and every stage says so, leaves nothing half, and goes on when there is room."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

if sys.platform == "win32":
    pytest.skip("neither a small disk nor a limit to files can be made here", allow_module_level=True)

TRIALS = Path(__file__).with_name("full_disk_trials.py")


@pytest.mark.timeout(900)
@pytest.mark.fault("a full disk, at each writer and in each stage: an error that names the file, what is free and what to do; "
                   "nothing half; written again, the same bytes")
def test_a_full_disk(tmp_path: Path, trials: Any) -> None:
    alone = ["unshare", "-Urm"] if shutil.which("unshare") and not subprocess.run(["unshare", "-Urm", "true"]).returncode else []
    words = [*alone, sys.executable, TRIALS, tmp_path, str(trials.of(1, 4)), "" if trials.of(0, 1) else "register"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=880)
    assert done.returncode == 0, done.stderr
    disk, *told = map(json.loads, done.stdout.splitlines())
    for trial in told:
        trials.add(f"{trial['what']}: {trial['problem']}" if trial["problem"] else "")
    what = {trial["what"] for trial in told}
    trials.note = f"{len([name for name in what if not name.startswith('run:')])} writers, " \
                  f"{len([name for name in what if name.startswith('run:')]) - 1} stages, " \
                  f"{'a small tmpfs' if disk['mounted'] else 'a limit to the size of files'}"
    assert len([trial for trial in told if trial["said"]]) > 0.7 * len(told)
