"""One real ImageJ a pytest process (a Fiji where FIBSEM_IJ_FIJI names one); what needs a process of its own gets one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from fibsem_ij import fiji

ROOT = Path(__file__).parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def session() -> fiji.Session:
    return fiji.start()


@pytest.fixture
def python() -> Run:
    """Run code in a fresh Python; what it prints is the result."""

    def run(code: str, *, env: Mapping[str, str] | None = None, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=dict(os.environ if env is None else env), timeout=timeout,
                              capture_output=True, encoding="utf-8", check=False)

    return run


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    """A virtual display of our own. Where there is no Xvfb: a skip, but a failure under CI=true."""
    xvfb = shutil.which("Xvfb")
    if xvfb is None:
        reason = "no Xvfb here: install it (Debian: xvfb) to test ImageJ's windows"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    read, write = os.pipe()
    with (Path(os.devnull).open("w") as null,
          subprocess.Popen([xvfb, "-displayfd", str(write), "-screen", "0", "1280x1024x24"], pass_fds=[write], stderr=null) as server):
        os.close(write)
        try:
            with os.fdopen(read) as numbers:
                yield f":{numbers.readline().strip()}"
        finally:
            server.terminate()
