"""How a Python process with ImageJ in it lives and ends: it exits, leaks nothing, hears Ctrl-C, survives a full heap."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fibsem_ij import fiji
from fibsem_ij.fiji import FijiError
from fibsem_ij.fiji.jobs import Jobs
from fibsem_ij.volume import Volume

pytestmark = pytest.mark.timeout(240)
Run = Callable[..., subprocess.CompletedProcess[str]]

USE = """
import sys, time
import numpy as np
from fibsem_ij import fiji
from fibsem_ij.volume import Volume
session = fiji.start()
session.command("Gaussian Blur...", Volume(np.zeros((4, 256, 256), np.uint8)), sigma=2)
session.macro('newImage("left open", "8-bit black", 8, 8, 3);', leave_open=True)
{extra}
print(time.time(), flush=True)
"""
INTERRUPTED = """
import time
from fibsem_ij import fiji
session = fiji.start()
print("ready", flush=True)
try:
    session.macro({code!r})
except KeyboardInterrupt:
    print("interrupted", flush=True)
print(session.macro('return "again";').value, flush=True)
"""
SMALL_HEAP = """
import numpy as np
from pathlib import Path
from fibsem_ij import fiji
from fibsem_ij.volume import Labels, Volume
session = fiji.start(heap="160m")
rng = np.random.default_rng(0)
for noun in (
    Volume(rng.integers(0, 60000, (90, 1000, 1001)).astype(np.uint16), (20.0, 4.0, 4.0), tuple(f"s{z}" for z in range(90))),
    Volume(rng.random((50, 1000, 1000)).astype(np.float32)),
    Labels(rng.integers(0, 70000, (50, 1000, 1000)).astype(np.uint32)),
):
    imp = session.to_fiji(noun)
    assert imp.getStack().isVirtual() and imp.getStackSize() == len(noun)
    back = session.from_fiji(imp)
    assert type(back) is type(noun) and np.array_equal(back, noun) and back.names == noun.names and back.voxel_nm == noun.voxel_nm
folder = Path(str(imp.getStack().getDirectory()))
assert len(list(folder.iterdir())) == 3
for cause in (lambda: imp.duplicate(), lambda: session.macro('newImage("t", "32-bit black", 9000, 9000, 1);')):
    try:
        with fiji.errors.translated("fill the heap"):
            cause()
        print("no error")
    except fiji.FijiError as error:
        print("heap" in str(error))
small = Volume(np.arange(8, dtype=np.uint8).reshape(2, 2, 2))
assert np.array_equal(session.from_fiji(session.to_fiji(small)), small)
session.close()
assert not folder.exists()
try:
    session.from_fiji(imp)
except fiji.FijiError as error:
    print("no file" in str(error))
assert np.array_equal(session.from_fiji(session.to_fiji(small)), small)
"""


TRIPS = """
import os
from pathlib import Path
import numpy as np
from fibsem_ij import fiji
from fibsem_ij.volume import Volume
session, volume = fiji.start(), Volume(np.zeros((1, {side}, {side}), np.uint8))
def resident_after(trips):
    for _ in range(trips):
        session.from_fiji(session.to_fiji(volume))
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
print(-resident_after(20) + resident_after(500))
"""


def ended_within(done: subprocess.CompletedProcess[str]) -> float:
    assert done.returncode == 0, done.stderr
    return time.time() - float(done.stdout.split()[-1])


def test_a_process_that_used_imagej_ends(python: Run) -> None:
    assert ended_within(python(USE.format(extra=""))) < 5


def test_a_process_that_used_imagej_ends_after_an_error(python: Run) -> None:
    done = python(USE.format(extra="print(time.time(), flush=True); session.macro('foo(3);')"))
    assert done.returncode == 1
    assert "Undefined identifier" in done.stderr
    assert time.time() - float(done.stdout.split()[-1]) < 5


def test_a_process_with_windows_ends(python: Run, display: str) -> None:
    code = USE.format(extra="session.show(Volume(np.zeros((4, 256, 256), np.uint8)), rois=[])")
    code = code.replace("start()", "start(mode='interactive')")
    assert ended_within(python(code, env=dict(os.environ) | {"DISPLAY": display})) < 5


@pytest.mark.skipif(os.name == "nt", reason="a test cannot send Ctrl-C to one process alone on Windows")
@pytest.mark.parametrize("code", ["wait(60000);", "while (true) x = 1;"], ids=["waiting", "busy"])
def test_ctrl_c(code: str) -> None:
    command = [sys.executable, "-c", INTERRUPTED.format(code=code)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(1)
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted\n"
        assert process.stdout.readline() == "again\n"
        assert time.monotonic() - sent < 10
        _, complaint = process.communicate(timeout=20)
        assert process.returncode == 0, complaint


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGTERM on Windows")
def test_sigterm_ends_it_and_is_no_crash() -> None:
    """And not after a handler of Java's, nor by SIGSEGV in JPype's."""
    code = "import time\nfrom fibsem_ij import fiji\nfiji.start()\nprint('ready', flush=True)\ntime.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        assert process.wait(20) == -signal.SIGTERM


def test_what_does_not_fit_the_heap_is_file_backed(python: Run) -> None:
    done = python(SMALL_HEAP, timeout=200)
    assert (done.returncode, done.stdout.split()) == (0, ["True"] * 3), done.stderr


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="resident memory is read from Linux's /proc")
@pytest.mark.parametrize("side", [512, 1024, 4096])
def test_500_round_trips_keep_memory(python: Run, side: int) -> None:
    done = python(TRIPS.format(side=side))
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 50 << 20


def test_threads_take_turns(session: fiji.Session) -> None:
    wrong: list[object] = []

    def work(value: int) -> None:
        volume = Volume(np.full((3, 40, 40), value, np.uint8))
        for _ in range(5):
            result = session.macro('run("Add...", "value=1 stack"); return getArgument();', str(value), images=[volume])
            if result.value != str(value) or not (np.asarray(result.given[0]) == value + 1).all():
                wrong.append((value, result))

    threads = [threading.Thread(target=work, args=(value,)) for value in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_job_that_did_not_stop_is_named() -> None:
    from fibsem_ij.fiji.jobs import Job

    fiji.start()
    jobs, go_on = Jobs(), threading.Event()
    jobs._last = Job(go_on.wait, "a long one")
    with pytest.raises(FijiError, match="still at work on 'a long one'"):
        jobs.run(lambda: None, name="next")
