"""docs/clusters.md: its script for SLURM, with an sbatch that starts jobs at once on this machine; the bytes are those of one machine."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import small_recipe as small

PAGE = Path(__file__).parents[2] / "docs" / "clusters.md"
ALIGN = '[input]\nsrc = "raw.tif"\n[register]\nruns = 2\n'
SBATCH = """#!/bin/sh
cp "$1" "{folder}/job.$$.sh"  # as sbatch does: who submits a script may remove it at once
nohup sh "{folder}/job.$$.sh" > "{folder}/job.$$.log" 2>&1 &
echo $! >> "{folder}/jobs"
echo "Submitted batch job $!"
"""


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of somebody who has sbatch and scancel; jobs that are left go when the test ends."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, text in (("sbatch", SBATCH.format(folder=tmp_path)), ("scancel", '#!/bin/sh\nkill "$@" 2>/dev/null || true\n')):
        (commands / name).write_text(text, encoding="utf-8")
        (commands / name).chmod(0o755)
    yield {**os.environ, "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}"}
    for job in (tmp_path / "jobs").read_text(encoding="utf-8").split() if (tmp_path / "jobs").exists() else ():
        try:
            os.kill(int(job), signal.SIGKILL)
        except ProcessLookupError:
            continue


@pytest.mark.skipif(sys.platform == "win32", reason="SLURM runs on Linux")
@pytest.mark.timeout(180)
def test_the_script_of_the_page_runs(tmp_path: Path, slurm: dict[str, str]) -> None:
    script, = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    (tmp_path / "on_slurm.py").write_text(script, encoding="utf-8")
    small.lay_out(tmp_path, ALIGN)

    def run(*words: str) -> str:
        done = subprocess.run([sys.executable, *words], cwd=tmp_path, env=slurm, capture_output=True, text=True, timeout=150)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "register apply runs" in run("on_slurm.py", "recipe.toml", "many", "2")
    assert len((tmp_path / "jobs").read_text(encoding="utf-8").split()) == 2
    run("-m", "fibsem_ij", "run", "recipe.toml", "alone")
    assert small.results(tmp_path / "many") == small.results(tmp_path / "alone")
