"""Every macro of ours through the real interpreter, with the real Python behind it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fibsem_ij import fiji, files, phantom
from fibsem_ij.arrays.colours import glasbey
from fibsem_ij.cli import here, option_text
from fibsem_ij.fiji import FijiError, menu
from fibsem_ij.volume import Labels

pytestmark = pytest.mark.timeout(240)
MACROS = {path.stem: path for name, path in menu.contents().items() if name.startswith(menu.MACROS)}
OUTER = 'lines = split(getArgument(), "\\n"); return runMacro(lines[0], substring(getArgument(), lengthOf(lines[0]) + 1));'


@pytest.fixture
def run(session: fiji.Session) -> Callable[..., Any]:
    """A macro of ours, run by another as a user does it: runMacro(file, argument)."""
    from jpype import JClass

    JClass("ij.Prefs").set("fibsem_ij.python", sys.executable)
    return lambda name, argument, **how: session.macro(OUTER, f"{MACROS[name]}\n{argument}", **how)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "Zellen é"
    place.mkdir()
    made = phantom.make((5, 48, 56), seed=2)
    ids = np.zeros(made.raw.shape, np.uint16)
    ids[:, 5:20, 5:20], ids[1:4, 30:44, 30:50], ids[2, 40:46, 2:9] = 1, 2, 3
    files.write(place / "raw.tif", made.raw)
    files.write(place / "cells.tif", Labels(ids, made.raw.voxel_nm, made.raw.names))
    return place


def test_macros_give_the_bytes_of_the_command_line(run: Any, folder: Path) -> None:
    for name, src, out, more in (
        ("register", "src=[{}/raw.tif]", "out=[{}/macro.tif]", "model=rigid runs=2"),
        ("components", "src=[{}/cells.tif]", "out=[{}/macro.tif]", "least_voxels=50"),
        ("measure", "labels=[{}/cells.tif]", "table=[{}/macro.csv]", "skeleton"),
        ("to-rois", "labels=[{}/cells.tif]", "rois=[{}/macro.zip]", ""),
    ):
        text = f"{src} {out} {more}".replace("{}", str(folder))
        made = Path(option_text.read(text)[out.partition("=")[0]])
        done = run("fibsem", f"{name} {text}")
        assert done.value == str(made), done.log
        assert [image.shape for image in done.opened] == ([(5, 48, 56)] if made.suffix == ".tif" else [])
        again = made.with_stem("line")
        line = [f"{key}={again if value == str(made) else value}" for key, value in option_text.read(text).items()]
        assert not here.ask(["fiji", "job", name, *line], lambda line: None).code
        assert made.read_bytes() == again.read_bytes(), name


def test_what_a_script_did_is_one_line_of_a_macro(run: Any, session: fiji.Session, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script logs the line that does the same; run as it stands, but for where our macros are, it gives the same bytes."""
    from fibsem_ij.fiji import script

    said: list[Any] = []
    listening = script.listening

    @contextmanager
    def overheard(**how: Any) -> Iterator[Any]:
        with listening(**how) as heard:
            yield heard
        said.append(heard)

    monkeypatch.setattr(script, "listening", overheard)
    path = folder / 'a "quoted" name.tif'
    shutil.copy(folder / "cells.tif", path)
    keys = {"src": path, "fill_holes": True, "least_voxels": 50.0}
    out = Path(session.script(menu.contents()["scripts/Plugins/FIBSEM/FIBSEM_Components.groovy"], **keys)["path"])
    first = out.read_bytes()
    out.unlink()
    line = next(line for line in said[-1].log.splitlines() if line.startswith("runMacro("))
    assert session.macro("return " + line.replace("fibsem/fibsem.ijm", str(MACROS["fibsem"]))).value == str(out)
    assert out.read_bytes() == first


def test_what_goes_wrong_is_said(run: Any, session: fiji.Session, folder: Path) -> None:
    from jpype import JClass

    for argument, said in (
        (f"components src=[{folder}/none.tif]", "it does not exist; check the name"),
        ("nothing src=x", "expected a job of register"),
        (f"components src=[{folder}/cells.tif] src=x", "each key once"),
        (f"components src=[{folder}/cells.tif] speed=9", "got speed"),
        ("settings python=[/no/such/python]", "expected a Python that has fibsem-ij"),
    ):
        done = run("fibsem", argument)
        assert done.value == "[aborted]"
        assert said in done.log, done.log
    for python, said in (("/no/such/python", "there is none"), ("", "expected a Python, got none")):
        JClass("ij.Prefs").set("fibsem_ij.python", python)
        assert said in session.macro(OUTER, f"{MACROS['fibsem']}\ncomponents src=x").log


@pytest.mark.fault("hostile: names of slices, ROIs, titles and options as macro text: none is run")
def test_names_are_data(run: Any, tmp_path: Path) -> None:
    """Whatever a name holds: it is that file, or the macro says why not; nothing in it is run and no other key is set."""
    marker = tmp_path / "marker"
    files.write(tmp_path / "cells.tif", Labels(np.ones((1, 4, 4), np.uint16)))
    worked = 0
    for name in ['a"b', "a]b", "[a] b", '$(touch marker)");exec("touch","marker");("', "x] rois=[y", "細胞"]:
        if sys.platform == "win32" and set(name) & set('"\\'):
            continue
        shutil.copy(tmp_path / "cells.tif", tmp_path / f"{name}.tif")
        done = run("fibsem", f"to-rois labels=[{tmp_path}/{name}.tif] rois=[{tmp_path}/out.zip]")
        if done.value == "[aborted]":
            assert "]" in name
            assert "FIBSEM: expected" in done.log
        else:
            assert done.value == str(tmp_path / "out.zip")
            worked += 1
        assert not marker.exists()
        assert not (Path.cwd() / "marker").exists()
        assert not (tmp_path / "y").exists()
    assert worked >= 4 or sys.platform == "win32"


def test_the_small_helpers(run: Any, session: fiji.Session, folder: Path) -> None:
    done = run("colour_labels", str(folder / "cells.tif"), leave_open=True)
    from jpype import JClass, JInt

    imp = JClass("ij.WindowManager").getCurrentImage()
    lut = imp.getProcessor().getLut()
    assert [[int(part(JInt(i))) for part in (lut.getRed, lut.getGreen, lut.getBlue)] for i in range(256)] == glasbey().tolist()
    assert (done.value, imp.getDisplayRangeMax()) == ("255", 255.0)

    queue = folder / "review.csv"
    queue.write_text('z,name,stage,score,reason,good\n3,0003,objects,0.9,"it splits, here",\n1,0001,objects,0.8,,\n', encoding="utf-8")
    shown = [(run("next_review", str(queue)).value, int(imp.getCurrentSlice())) for _ in range(3)]
    assert [z for _, z in shown] == [4, 2, 4]
    assert shown[0][0] == '1 of 2: 3,0003,objects,0.9,"it splits, here",'
    assert "expected a queue" in run("next_review", str(folder / "none.csv")).log

    imp.setRoi(JClass("ij.gui.PointRoi")(10.0, 10.0))
    imp.setSlice(3)
    assert run("edit_labels", "delete", leave_open=True).value == str(folder / "cells.tif")
    assert set(np.unique(np.asarray(files.read_labels(folder / "cells.tif")))) == {0, 2, 3}
    assert run("edit_labels", "undo", leave_open=True).value == str(folder / "cells.tif")
    assert set(np.unique(np.asarray(files.read_labels(folder / "cells.tif")))) == {0, 1, 2, 3}
    assert "multi-point" in run("edit_labels", "merge", leave_open=True).log
    from fibsem_ij.fiji import windows

    for each in windows.open_images():
        windows.close(each)
    with pytest.raises(FijiError, match=r"HeadlessException"):
        run("load_rois", str(folder / "cells.tif"))
