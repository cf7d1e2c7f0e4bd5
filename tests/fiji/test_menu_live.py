"""Our menu on a virtual display: what a person sees after a job, and edits by pointing at objects."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(240)
Run = Callable[..., subprocess.CompletedProcess[str]]

LIVE = """
import json, os, sys, traceback
from pathlib import Path
sys.excepthook = lambda *error: (traceback.print_exception(*error), sys.stderr.flush(), os._exit(1))  # open windows would keep Java alive
import numpy as np
from jpype import JClass, JInt
from fibsem_ij import fiji, files
from fibsem_ij.arrays.colours import as_lut
from fibsem_ij.fiji import menu
from fibsem_ij.volume import Labels, Volume

folder = Path(os.environ["FOLDER"])
ids = np.zeros((4, 120, 160), np.uint16)
ids[:, 20:60, 30:80], ids[1:, 70:110, 90:150], ids[:, 5:15, 100:150] = 1, 2, 3
labels = folder / "labels.tif"
files.write(labels, Labels(ids, (20.0, 4.0, 4.0), ("a", "b", "c", "d")))

seen = {}
session = fiji.start(mode="interactive")
JClass("ij.Prefs").set("fibsem_ij.python", sys.executable)
ij, manager, windows = JClass("ij.IJ"), JClass("ij.plugin.frame.RoiManager"), JClass("ij.WindowManager")
scripts = {path.stem: path for path in menu.contents().values()}
macros = scripts["fibsem"].parent
run = lambda name, **keys: session.script(scripts["FIBSEM_" + name], leave_open=True, **keys)["path"]
numbers = lambda: set(np.unique(np.asarray(files.read_labels(labels))).tolist())
pixel = lambda: int(imp.getStack().getProcessor(2).get(120, 90))

ij.openImage(str(labels)).show()
imp = windows.getCurrentImage()
seen["rois written"] = run("Labels_to_ROI_set") == str(folder / "labels-rois.zip")
seen["rois in the manager"] = manager.getInstance2().getCount() == 11
seen["table written"] = run("Measure") == str(folder / "labels-measures.csv")
seen["table in Results"] = list(session.table()["label"]) == [1, 2, 3]
back = run("ROI_set_to_labels")  # of the manager, on the image in front
seen["rois to labels"] = back == str(folder / "labels-labels.tif") and np.array_equal(files.read_labels(back), ids)
drawn = windows.getCurrentImage()
lut = drawn.getLuts()[0]
seen["colours"] = [[int(part(JInt(i))) for part in (lut.getRed, lut.getGreen, lut.getBlue)] for i in (0, 1, 3)] \\
    == as_lut()[:, [0, 1, 3]].T.tolist()
seen["calibration"] = session.from_fiji(drawn).voxel_nm == (20.0, 4.0, 4.0)
drawn.close()

windows.setCurrentWindow(imp.getWindow())
points = JClass("ij.gui.PointRoi")(50.0, 40.0)
imp.setSlice(2)
imp.setRoi(points)
points.addPoint(imp, 120.0, 90.0)
seen["merged by points"] = run("Edit_labels", edit="merge") == str(labels) and numbers() == {0, 1, 3}
seen["seen at once"] = pixel() == 1 and windows.getImageCount() == 1 and int(imp.getCurrentSlice()) == 2
imp.deleteRoi()
manager.getInstance2().select(int([i for i in range(11) if str(manager.getInstance2().getName(i)).endswith("L0003")][0]))
seen["deleted by a roi"] = run("Edit_labels", edit="delete") is not None and numbers() == {0, 1}
run("Edit_labels", edit="undo")
run("Edit_labels", edit="undo")
seen["undone twice"] = np.array_equal(files.read_labels(labels), ids)
seen["logged"] = len((folder / "labels.tif.edits.jsonl").read_text().splitlines()) == 4

imp.setRoi(points)
imp.setSlice(2)
argument = f"{macros}/edit_labels.ijm"
merged = session.macro('return runMacro(getArgument(), "merge");', argument, leave_open=True)
seen["merged by the macro"] = numbers() == {0, 1, 3}
count = session.macro('return runMacro(getArgument(), "%s");' % (folder / "labels-rois.zip"), f"{macros}/load_rois.ijm", leave_open=True)
seen["rois by the macro"] = count.value == "11"
manager.getInstance2().reset()
workspace = folder / "workspace"
workspace.mkdir()
grey = Volume(np.random.default_rng(0).integers(0, 255, ids.shape).astype(np.uint8), (20.0, 4.0, 4.0))
files.write(workspace / "raw.zarr", grey)
files.write(workspace / "labels.zarr", Labels(ids, (20.0, 4.0, 4.0)))
(workspace / "review.csv").write_text("z,name,stage,score,reason,good\\n2,0002,objects,0.9,it splits,\\n")
run("Review", workspace=str(workspace), step="open")
seen["a review opens"] = str(windows.getCurrentImage().getTitle()) == "stack.tif" and manager.getInstance2().getCount() == 9
painted = next(each for each in map(windows.getImage, windows.getIDList()) if each.getStackSize() == 3 and each.getTitle() == "labels.tif")
painted.getStack().getProcessor(2).setf(3, 4, 7.0)
painted.changes = True
run("Review", workspace=str(workspace), step="collect")
seen["what was painted is collected"] = [int(files.read_labels(workspace / "labels.zarr")[z][4, 3]) for z in range(4)] == [0, 0, 7, 0]
refused = run("Components", src=str(folder / "none.tif"))
seen["a failure is told, and no file"] = refused is None
robot = JClass("java.awt.Robot")()
robot.delay(500)
screen = robot.createScreenCapture(JClass("java.awt.Rectangle")(JClass("java.awt.Toolkit").getDefaultToolkit().getScreenSize()))
JClass("javax.imageio.ImageIO").write(screen, "png", JClass("java.io.File")(str(folder / "screen.png")))
print(json.dumps(seen), flush=True)
os._exit(0)
"""


def test_our_menu_in_front_of_a_person(python: Run, display: str, tmp_path: Path) -> None:
    done = python(LIVE, env=dict(os.environ) | {"DISPLAY": display, "FOLDER": str(tmp_path)}, timeout=200)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert [what for what, right in seen.items() if not right] == []
    assert len(seen) == 17
    assert (tmp_path / "screen.png").stat().st_size > 10_000
