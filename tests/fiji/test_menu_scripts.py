"""Every script of our menu through the real ScriptService with the real ImageJ, on small data, with the real Python behind it."""

from __future__ import annotations

import re
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fibsem_ij import fiji, files, measure, phantom, register
from fibsem_ij.cli import here, jobs
from fibsem_ij.fiji import FijiError, menu
from fibsem_ij.files import rois, tables, transforms
from fibsem_ij.objects import components as room
from fibsem_ij.volume import Labels, Volume

pytestmark = pytest.mark.timeout(240)
SCRIPTS = {name.rpartition("/")[2].removeprefix("FIBSEM_").removesuffix(".groovy"): path for name, path in menu.contents().items()
           if "FIBSEM_" in name}
# Which jobs a script runs, and what its dialog asks beside their keys.
JOBS = {
    "Register": "register", "Denoise": "denoise", "Draw_slices": "draw", "Train": "train", "Segment": "segment", "Cells": "cells",
    "Components": "components", "Measure": "measure", "ROI_set_to_labels": "from-rois", "Labels_to_ROI_set": "to-rois",
}  # fmt: skip
ASKED = {"Segment": {"here"}}


@pytest.fixture(scope="module")
def made() -> phantom.Specimen:
    return phantom.make((5, 64, 72), seed=2)


@pytest.fixture
def folder(tmp_path: Path, made: phantom.Specimen) -> Path:
    """A folder with a space, a bracket and a letter from elsewhere in its name."""
    place = tmp_path / "Zellen é [1]"
    place.mkdir()
    files.write(place / "raw.tif", made.raw)
    files.write(place / "cells.tif", blobs(made.raw))
    return place


@pytest.fixture
def run(session: fiji.Session) -> Iterator[Any]:
    """A script of the menu by its name; what it opens stays open until the test ends."""
    from jpype import JClass

    JClass("ij.Prefs").set("fibsem_ij.python", sys.executable)
    yield lambda name, **keys: session.script(SCRIPTS[name], leave_open=True, **keys).get("path")
    close_all()


def close_all() -> None:
    from fibsem_ij.fiji import windows

    for imp in windows.open_images():
        windows.close(imp)


def blobs(like: Volume) -> Labels:
    ids = np.zeros(like.shape, np.uint16)
    ids[:, 5:20, 5:20], ids[1:4, 30:50, 30:60], ids[2, 55:60, 2:9] = 1, 2, 3
    return Labels(ids, like.voxel_nm, like.names)


def opened() -> Any:
    from jpype import JClass

    return JClass("ij.WindowManager").getCurrentImage()


def ask(*words: object) -> Any:
    """The command line itself, in this process."""
    answer = here.ask([str(word) for word in words], lambda line: None)
    assert not answer.code, answer.error
    return answer.result


def test_dialogs_have_the_keys_and_defaults_of_the_command_line(session: fiji.Session) -> None:
    from jpype import JClass

    from fibsem_ij.fiji.script import _info, embedded_context

    context = session.ij.context() if session.ij is not None else embedded_context()
    for name, job in JOBS.items():
        keys = jobs.keys_of(job)
        inputs = {str(item.getName()): item for item in _info(context, SCRIPTS[name]).inputs()}
        assert set(inputs) - ASKED.get(name, set()) <= set(keys), name
        assert all(str(item.getLabel()) and str(item.getDescription()) for item in inputs.values()), name
        for key in set(inputs) & set(keys):
            default, wanted = inputs[key].getDefaultValue(), keys[key].default
            if keys[key].required or key == "interpolation":  # linear is what the command does where it is told none
                continue
            assert default is not None or not inputs[key].isRequired(), f"{name}: {key} cannot be left out"
            if isinstance(default, JClass("java.lang.Number")):
                assert float(default) == float(wanted), f"{name}: {key}"
            elif default is not None:
                assert str(default).lower() == str(wanted).lower(), f"{name}: {key}"


def test_nothing_is_kept_that_names_data() -> None:
    """SciJava fills a missing input with the last value of that name, of any script: files are never kept, the rest by names of our own."""
    for name, path in SCRIPTS.items():
        for line in re.findall(r"^#@ .*$", path.read_text(encoding="utf-8"), re.MULTILINE):
            assert "persist=false" in line or re.search(r'persistKey="fibsem\.\w+\.\w+"', line), f"{name}: {line}"


def test_register_denoise_and_measure_as_in_python_and_on_the_command_line(run: Any, folder: Path, made: phantom.Specimen) -> None:
    src = folder / "raw.tif"
    assert run("Register", src=src, model="rigid", runs=2) == str(folder / "raw-aligned.tif")
    fitted = register.fit(files.read(src), options=register.Options(model="rigid", runs=2))
    by_python = folder / "python.tif"
    files.write(by_python, made.raw.with_data(register.apply(files.read(src), fitted)))
    transforms.write(folder / "python.json", fitted)
    ask("register", "fit", src, folder / "line.json", "--model", "rigid", "--runs", 2)
    ask("register", "apply", src, folder / "line.json", folder / "line.tif")
    same(folder / "raw-aligned.tif", by_python, folder / "line.tif")
    same(folder / "raw-aligned-transforms.json", folder / "python.json", folder / "line.json")

    assert opened().getTitle() == "raw-aligned.tif"
    assert run("Denoise", noisy=src, updates="2", minutes=0.5, net=folder / "net") == str(folder / "raw-clean.tif")
    assert run("Denoise", noisy=src, net=folder / "net") == str(folder / "raw-clean-2.tif")  # applied, not trained; never over the first
    same(folder / "raw-clean.tif", folder / "raw-clean-2.tif")

    assert run("Measure", labels=folder / "cells.tif") == str(folder / "cells-measures.csv")
    ask("measure", folder / "cells.tif", folder / "told.csv")
    table = measure.apply(files.read_labels(folder / "cells.tif"))
    tables.write(folder / "table.csv", table)
    same(folder / "cells-measures.csv", folder / "told.csv", folder / "table.csv")


def test_components_and_roi_sets_as_in_python_and_on_the_command_line(run: Any, session: fiji.Session, folder: Path) -> None:
    src = folder / "cells.tif"
    assert run("Components", src=src, least_voxels=50.0) == str(folder / "cells-labels.tif")
    shown = session.from_fiji(opened(), labels=True)
    assert (shown.voxel_nm, shown.names) == (files.read(src).voxel_nm, files.read(src).names)
    assert opened().getProcessor().isColorLut()
    ask("objects", "components", src, folder / "line.tif", "--least-voxels", 50)
    stack = files.read(src)
    with files.create(folder / "python.tif", shape=stack.shape, dtype=np.uint32, voxel_nm=stack.voxel_nm, names=stack.names,
                      labels=True) as sink:
        room.components(stack, sink, options=room.Options(least_voxels=50))
    same(folder / "cells-labels.tif", folder / "line.tif", folder / "python.tif")

    assert run("Labels_to_ROI_set", labels=src) == str(folder / "cells-rois.zip")
    ask("labels", "to-rois", src, folder / "line.zip")
    rois.write(folder / "python.zip", rois.to_rois(files.read_labels(src)))
    same(folder / "cells-rois.zip", folder / "line.zip", folder / "python.zip")
    assert run("ROI_set_to_labels", rois=folder / "cells-rois.zip", like=folder / "raw.tif") == str(folder / "raw-labels.tif")
    assert np.array_equal(files.read_labels(folder / "raw-labels.tif"), files.read_labels(src))
    assert run("ROI_set_to_labels", rois=folder / "cells-rois.zip", like=folder / "raw.tif", out=folder / "drawn") == str(folder / "drawn")
    assert opened().getStack().isVirtual()
    assert [path.stem for path in sorted((folder / "drawn").glob("*.tif"))] == list(files.read(src).names)


def test_draw_train_segment_and_cells(run: Any, folder: Path, made: phantom.Specimen) -> None:
    src = folder / "raw.tif"
    assert run("Draw_slices", src=src, count=2) == str(folder / "raw-to_draw")
    assert opened().getStackSize() == 2
    assert opened().getStack().isVirtual()
    drawn = np.where(np.isin(np.arange(5), (1, 3))[:, None, None], made.classes, 0).astype(np.uint8)
    files.write(folder / "drawn.tif", Labels(drawn, made.raw.voxel_nm, made.raw.names, made.classes.classes))
    assert run("Train", src=src, drawn=folder / "drawn.tif", net=folder / "net", updates="2") == str(folder / "net")
    assert run("Segment", src=src, net=folder / "net") == str(folder / "raw-classes.tif")
    whole = files.read_labels(folder / "raw-classes.tif")
    assert run("Segment", src=src, net=folder / "net", slices="1,3", out=folder / "two.tif") == str(folder / "two.tif")
    two = files.read_labels(folder / "two.tif")
    assert np.array_equal(two, np.asarray(whole)[[1, 3]])
    assert two.names == (whole.names[1], whole.names[3])
    cells = np.asarray(files.read_labels(folder / "cells.tif"))
    files.write(folder / "some.tif", Labels(np.where(np.isin(np.arange(5), (0, 2, 4))[:, None, None], cells, 0).astype(np.uint16)))
    files.write(folder / "mask.tif", Volume((cells > 0).astype(np.uint8)))
    assert run("Cells", src=folder / "mask.tif", drawn=folder / "some.tif") == str(folder / "mask-cells.tif")
    assert np.array_equal(np.asarray(files.read_labels(folder / "mask-cells.tif")), cells)


def test_edits_as_on_the_command_line(run: Any, folder: Path) -> None:
    labels, line = folder / "cells.tif", folder / "line.tif"
    shutil.copy(labels, line)
    for keys, words in (
        ({"edit": "merge", "numbers": "1 3"}, ["merge", line, 1, 3]),
        ({"edit": "split", "numbers": "2", "seeds": "2,35,35 2,35,55"}, ["split", line, 2, "2,35,35", "2,35,55"]),
        ({"edit": "reassign", "numbers": "1", "to": "9", "first": "0", "last": "1"}, ["reassign", line, 1, 9, "--first", 0, "--last", 1]),
        ({"edit": "renumber"}, ["renumber", line]),
        ({"edit": "delete", "numbers": "4"}, ["delete", line, 4]),
        ({"edit": "undo"}, ["undo", line]),
    ):
        assert run("Edit_labels", labels=labels, **keys) == str(labels)
        ask("labels", "edit", *words)
        same(labels, line)
    assert len((folder / "cells.tif.edits.jsonl").read_text(encoding="utf-8").splitlines()) == 6


def test_the_image_in_front(run: Any, session: fiji.Session, folder: Path, made: phantom.Specimen, tmp_path: Path) -> None:
    from jpype import JClass

    ij = JClass("ij.IJ")
    ij.openImage(str(folder / "cells.tif")).show()
    assert run("Components") == str(folder / "cells-labels.tif"), "the file of an unchanged image is used, not a copy"
    close_all()

    imp = session.to_fiji(blobs(made.raw))  # has no file
    imp.setTitle('"); print("x')
    imp.show()
    path = Path(run("Components"))
    assert path.parent.name.startswith("fibsem_ij-")
    assert files.read_labels(path).voxel_nm == made.raw.voxel_nm
    assert str(imp.getTitle()) == '"); print("x', "writing a copy renames nothing"
    close_all()

    ij.openImage(str(folder / "cells.tif")).show()
    opened().getCalibration().pixelDepth *= 2
    path = Path(run("Measure"))
    assert path.parent.name.startswith("fibsem_ij-"), "a voxel size that was corrected counts"
    close_all()

    files.write(folder / "slices", made.raw)
    virtual = JClass("ij.plugin.FolderOpener").open(str(folder / "slices"), "virtual")
    virtual.show()
    assert virtual.getStack().isVirtual()
    assert run("Draw_slices", count=2) == str(folder / "slices-to_draw"), "the folder of a virtual stack is used"
    close_all()
    ij.openVirtual(str(folder / "raw.tif")).show()
    assert run("Draw_slices", count=1) == str(folder / "raw-to_draw")
    (folder / "slices" / f"{made.raw.names[0]}.tif").unlink()
    close_all()
    virtual.show()
    with pytest.raises(FijiError, match="a virtual stack"):
        run("Draw_slices", count=2)
    close_all()
    with pytest.raises(FijiError, match="no open image"):
        run("Register")
    ij.createImage("colour", "RGB black", 8, 8, 1).show()
    with pytest.raises(FijiError, match="a grey stack"):
        run("Components")


def test_failures_say_what_python_said(run: Any, folder: Path, tmp_path: Path) -> None:
    from jpype import JClass

    with pytest.raises(FijiError, match="it does not exist; check the name"):
        run("Components", src=folder / "none.tif")
    with pytest.raises(FijiError, match="count from 1 to 5 slices"):
        run("Draw_slices", src=folder / "raw.tif", count=77)
    broken = tmp_path / "a python"
    broken.write_text("#!/bin/sh\necho not this one >&2\nexit 3\n", encoding="utf-8")
    broken.chmod(0o755)
    prefs = JClass("ij.Prefs")
    if sys.platform != "win32":
        prefs.set("fibsem_ij.python", str(broken))
        with pytest.raises(FijiError, match=r"code 3.*FIBSEM Settings.*not this one"):
            run("Components", src=folder / "cells.tif")
    prefs.set("fibsem_ij.python", str(tmp_path / "none"))
    with pytest.raises(FijiError, match="there is none; choose the Python"):
        run("Components", src=folder / "cells.tif")


def test_escape_stops_a_job_and_the_next_one_runs(run: Any, folder: Path) -> None:
    from jpype import JClass

    def escape() -> None:
        time.sleep(2)
        JClass("ij.IJ").setKeyDown(JClass("java.awt.event.KeyEvent").VK_ESCAPE)

    threading.Thread(target=escape).start()
    began = time.monotonic()
    with pytest.raises(FijiError, match="stopped"):
        run("Denoise", noisy=folder / "raw.tif", net=folder / "net", minutes=5.0)
    assert time.monotonic() - began < 60
    assert not (folder / "net").exists()
    assert run("Components", src=folder / "cells.tif") == str(folder / "cells-labels.tif")


def test_names_are_data(run: Any, tmp_path: Path) -> None:
    """Whatever a file is called, it is opened under that name or refused; nothing in a name is run."""
    marker = tmp_path / "marker"
    names = ['a"b', "a'b", "a]b", "[a", "a b=c", "$(touch marker)", "`touch marker`", "; touch marker", "-rf", "--help", "細胞", "ünï",
             '");exec("touch","marker");("', "x] out=[y", "%PATH%", "a\nb"]
    files.write(tmp_path / "cells.tif", Labels(np.ones((1, 4, 4), np.uint16)))
    for name in names:
        if sys.platform == "win32" and set(name) & set('"*?<>|\n'):
            continue
        shutil.copy(tmp_path / "cells.tif", tmp_path / f"{name}.tif")
        if "\n" in name:
            with pytest.raises(FijiError, match="control characters"):
                run("Labels_to_ROI_set", labels=tmp_path / f"{name}.tif")
        else:
            assert run("Labels_to_ROI_set", labels=tmp_path / f"{name}.tif") == str(tmp_path / f"{name}-rois.zip")
        assert not marker.exists()
        assert not (Path.cwd() / "marker").exists()


def test_an_installed_copy_knows_its_python(run: Any, session: fiji.Session, folder: Path, tmp_path: Path) -> None:
    from jpype import JClass

    app = tmp_path / "My Fiji é.app"
    for name in ("ij-1.54p.jar", "imagej-2.17.0.jar", "imagej-legacy-2.0.1.jar"):
        (app / "jars").mkdir(parents=True, exist_ok=True)
        (app / "jars" / name).touch()
    menu.install(app)
    JClass("ij.Prefs").set("fibsem_ij.python", "")
    with pytest.raises(FijiError, match="the path of a Python, got none"):
        run("Components", src=folder / "cells.tif")
    script = app / "scripts/Plugins/FIBSEM/FIBSEM_Components.groovy"
    assert session.script(script, src=folder / "cells.tif")["path"] == str(folder / "cells-labels.tif")


def test_settings_and_help(run: Any, session: fiji.Session) -> None:
    from jpype import JClass

    with pytest.raises(FijiError, match="look for bin/python"):
        run("Settings", python=Path(__file__).parent)
    told = session.script(SCRIPTS["Settings"], python=Path(sys.executable).parents[1])
    assert "ok  ImageJ:" in told["report"]
    assert Path(str(JClass("ij.Prefs").get("fibsem_ij.python", ""))).parent == Path(sys.executable).parent
    text = session.script(SCRIPTS["Help"])["text"]
    assert all(f"{name}: " in text for name in jobs.names())
    assert "keep_trend" in text


def same(first: Path, *others: Path) -> None:
    for other in others:
        assert first.read_bytes() == other.read_bytes(), f"{first.name} is not {other.name}"
