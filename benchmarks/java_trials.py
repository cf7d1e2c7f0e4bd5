"""What `java_faults.py` and tests/fiji/test_apart.py try: a run over a wandering stack, aligned in the real ImageJ, and a fault while
Java is at work on one of its pairs.

TurboReg and SIFT want a whole Fiji; the aligner here is of ImageJ itself, whose Hartley transform finds the shift. It takes TurboReg's
place in the command, with a JVM of 256 MiB. Processes are read from /proc, so this is for Linux.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fibsem_ij import files
from fibsem_ij.fiji import Session
from fibsem_ij.fiji.aligner import float_pixels
from fibsem_ij.volume import Volume

VARIABLE = "FIBSEM_IJ_JAVA_FAULT"  # {"kind": ..., "at": call, "always": ..., "folder": ...}
RECIPE = '[input]\nsrc = "raw.tif"\n[register]\naligner = "fiji-turboreg"\nmodel = "translation"\nruns = 3\nheap = "256m"\n'
LIMIT_S = 240  # of a trial
GONE_S = 5


@dataclass(frozen=True)
class Shift:
    """An aligner of a session that any ImageJ has: each run sees a random half of the pixels and gives the peak of their correlation."""

    session: Session
    model: str = "translation"
    runs: int = 3

    def __call__(self, fixed: Any, moving: Any, *, rng: np.random.Generator) -> Any:
        still, moved = (image.astype(np.float32) - image.mean() for image in (fixed, moving))
        fault(self.session, asked := json.loads(os.environ.get(VARIABLE, "{}")), count(asked))
        return np.stack([self.session.job(lambda: correlated(still, moved * (rng.random(moved.shape) < 0.5)), name="shift")
                         for _ in range(self.runs)])


def correlated(fixed: Any, moving: Any) -> Any:
    from jpype import JClass

    size = len(fixed)
    still, moved = (JClass("ij.process.FHT")(JClass("ij.process.FloatProcessor")(size, size, float_pixels(each.astype(np.float32))))
                    for each in (fixed, moving))
    still.transform()
    moved.transform()
    peaks = moved.conjugateMultiply(still)
    peaks.inverseTransform()
    y, x = np.unravel_index(np.asarray(peaks.getPixels()).argmax(), fixed.shape)
    matrix = np.eye(3)
    matrix[:2, 2] = [(n + size // 2) % size - size // 2 for n in (x, y)]
    return matrix


def count(asked: dict[str, Any]) -> int:
    """Which call this is, over all processes; when it began is kept."""
    if not asked:
        return 0
    with (Path(asked["folder"]) / "calls").open("a+", encoding="ascii") as calls:
        calls.write(f"{time.time()}\n")
        calls.flush()
        calls.seek(0)
        return len(calls.readlines())


def fault(session: Session, asked: dict[str, Any], call: int) -> None:
    if asked and (call == asked["at"] or (asked["always"] and call > asked["at"])):
        with (Path(asked["folder"]) / "faults").open("a", encoding="ascii") as faults:
            faults.write(f"{time.time()} {os.getpid()}\n")
        session.job(lambda: FAULTS[asked["kind"]](), name=asked["kind"])


def unsafe() -> Any:
    from jpype import JClass

    field = JClass("sun.misc.Unsafe").class_.getDeclaredField("theUnsafe")
    field.setAccessible(True)
    return field.get(None)


def java(name: str) -> Any:
    from jpype import JClass

    return JClass(name)


def fill_heap() -> None:
    from jpype import JArray, JByte

    held = java("java.util.ArrayList")()
    while True:
        held.add(JArray(JByte)(4 << 20))


FAULTS: dict[str, Callable[[], Any]] = {
    "killed from outside (SIGKILL)": lambda: java("java.lang.Thread").sleep(60_000),  # until `Trial` kills it
    "SIGSEGV in the JVM": lambda: unsafe().putAddress(0, 0),
    "Runtime.halt(3)": lambda: java("java.lang.Runtime").getRuntime().halt(3),
    "System.exit(3)": lambda: java("java.lang.System").exit(3),
    "abort (SIGABRT)": os.abort,
    "sleep": lambda: java("java.lang.Thread").sleep(3_600_000),
    "endless loop": lambda: java("ij.macro.Interpreter")().run("while (true) x = 1;", ""),
    "frozen (SIGSTOP)": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "heap filled": fill_heap,
    "run killed (SIGKILL)": lambda: java("java.lang.Thread").sleep(60_000),
    "run stopped (SIGTERM)": lambda: java("java.lang.Thread").sleep(60_000),
    "run stopped (Ctrl-C)": lambda: java("java.lang.Thread").sleep(60_000),
}
ENDS = {"run killed (SIGKILL)": signal.SIGKILL, "run stopped (SIGTERM)": signal.SIGTERM, "run stopped (Ctrl-C)": signal.SIGINT}


class Trial(NamedTuple):
    kind: str
    at: int  # call
    always: bool = False


EARLY, LATE = 2, 9
TRIALS = [*(Trial(kind, EARLY) for kind in list(FAULTS)[:9]),
          *(Trial(kind, LATE) for kind in ("killed from outside (SIGKILL)", "SIGSEGV in the JVM", "sleep", "endless loop", "heap filled")),
          *(Trial(kind, LATE, always=True) for kind in ("SIGSEGV in the JVM", "sleep", "heap filled")),
          *(Trial(kind, EARLY) for kind in ENDS)]


class Told(NamedTuple):
    code: int
    heard_s: float  # from the fault to the first word of it, or to the end of the run
    again_s: float | None  # to the first call of a fresh Java
    word: str  # the last
    orphans: int
    litter: list[str]
    workspace: Path


def wandering(size: int) -> Volume:
    """Ten slices of one texture that changes a little, each shifted by whole pixels."""
    rng = np.random.default_rng(3)
    texture = rng.normal(size=(size, size))
    waves = np.fft.fftfreq(size)
    smooth = np.fft.ifft2(np.fft.fft2(texture) * np.exp(-200 * (waves[:, None] ** 2 + waves**2))).real
    slices = [np.roll(128 + 900 * smooth + rng.normal(0, 3, smooth.shape), rng.integers(-3, 4, 2), (0, 1)) for _ in range(10)]
    return Volume(np.clip(slices, 0, 255).astype(np.uint8), (8.0, 8.0, 8.0))


def run(workspace: str) -> None:
    """In a process of its own: the command, with this ImageJ's aligner in TurboReg's place."""
    import java_trials  # and not __main__, which the other process does not know

    from fibsem_ij.cli import main as fibsem
    from fibsem_ij.fiji import plugins

    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a run in the background has not
    shift: Any = java_trials.Shift  # no plugin's
    plugins.ALIGNERS["fiji-turboreg"] = shift
    fibsem(["run", "recipe.toml", workspace, "--workers", "2", "--progress", "none"])


def started(folder: Path, workspace: str, asked: dict[str, Any]) -> subprocess.Popen[str]:
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import java_trials; java_trials.run({workspace!r})"
    (folder / "tmp").mkdir(exist_ok=True)
    env = os.environ | {VARIABLE: json.dumps(asked), "TMPDIR": str(folder / "tmp")}
    return subprocess.Popen([sys.executable, "-c", code], cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def tried(folder: Path, n: int, trial: Trial) -> Told:
    place = folder / f"faults-{n}"
    place.mkdir()
    child = started(folder, f"ws-{n}", {"kind": trial.kind, "at": trial.at, "always": trial.always, "folder": str(place)})
    lines: list[tuple[float, str]] = []
    reader = threading.Thread(target=lambda: lines.extend((time.time(), line) for line in child.stderr or ()))
    reader.start()
    strike(place, trial, child)
    try:
        child.wait(LIMIT_S)
    finally:
        child.kill()
    ended = time.time()
    orphans = left_after(child.pid)
    reader.join()
    at = float((place / "faults").read_text(encoding="ascii").split()[0])
    words = [(when, line.strip()) for when, line in lines if "expected" in line or "stopped" in line] or [(ended, "")]
    calls = [float(line) for line in (place / "calls").read_text(encoding="ascii").split()]
    litter = [path.name for where in (folder, folder / "tmp") for path in where.iterdir() if path.name.startswith(("hs_err", "core"))]
    return Told(child.returncode, words[0][0] - at, next((call - at for call in calls if call > at), None), words[-1][1], orphans, litter,
                folder / f"ws-{n}")


def strike(place: Path, trial: Trial, child: subprocess.Popen[str]) -> None:
    """What comes from outside: to Java's process, or to the run."""
    if "outside" not in trial.kind and trial.kind not in ENDS:
        return
    until = time.time() + LIMIT_S
    while not (place / "faults").exists() and time.time() < until:
        time.sleep(0.05)
    time.sleep(0.5)
    pid = int((place / "faults").read_text(encoding="ascii").split()[1])
    os.kill(child.pid if trial.kind in ENDS else pid, ENDS.get(trial.kind, signal.SIGKILL))


def left_after(pid: int) -> int:
    """How many processes with a JVM that this one started are there GONE_S after its end."""
    until = time.time() + GONE_S
    while (left := len(javas_of(pid))) and time.time() < until:
        time.sleep(0.1)
    return left


def javas_of(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if any(b"fibsem_ij.fiji.served" in word for word in words) and f", {pid}, " in words[-2].decode():
            found.append(int(path.parent.name))
    return found


def results(workspace: Path) -> dict[str, bytes]:
    """What the run made; run.json says when, pairs.jsonl and the journals in which order."""
    return {path.relative_to(workspace).as_posix(): path.read_bytes() for path in sorted(workspace.rglob("*"))
            if path.is_file() and path.name not in ("run.json", "pairs.jsonl", ".slices")}


def laid_out(folder: Path, size: int) -> dict[str, bytes]:
    """The stack and its recipe, and what an undisturbed run makes of them."""
    files.write(folder / "raw.tif", wandering(size))
    (folder / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    with started(folder, "undisturbed", {}) as child:
        said = child.communicate(timeout=LIMIT_S)[1]
    if child.returncode:
        raise SystemExit(said)
    return results(folder / "undisturbed")
