"""The live session, on a virtual display: what a person sees, draws and selects comes back."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable

import pytest

pytestmark = pytest.mark.timeout(240)
Run = Callable[..., subprocess.CompletedProcess[str]]

LIVE = """
import json, tempfile
from pathlib import Path
import numpy as np, roifile
from jpype import JClass
from fibsem_ij import fiji
from fibsem_ij.files import rois as roi_files
from fibsem_ij.volume import Labels, Volume

seen = {}
session = fiji.start(mode="interactive")
rng = np.random.default_rng(0)
volume = Volume(rng.integers(0, 255, (4, 120, 160)).astype(np.uint8), (20.0, 4.0, 4.0), ("a", "b", "c", "d"))
ids = np.zeros(volume.shape, np.uint32)
ids[0, 20:60, 30:80] = 1
ids[0, 30:40, 40:50] = 0
ids[0, 33:36, 43:46] = 2
ids[1, 70:110, 90:150] = 3
labels = Labels(ids, volume.voxel_nm, volume.names)
sent = [(roi.name, roi.tobytes()) for roi in roi_files.to_rois(labels)]

seen["nothing yet"] = session.active() is None and session.rois() == ([], [])
imp = session.show(volume, labels, sent)
toolbar = JClass("ij.IJ").getInstance()
seen["the tools are there"] = toolbar.isShowing() and toolbar.getWidth() > 300 and toolbar.getMenuBar().getMenuCount() > 5
front = session.active()
seen["in front"] = front.title == "volume" and np.array_equal(front.image, volume) and front.z == 0
seen["no selection"] = front.selection is None
manager = session.rois().manager
back = roi_files.from_rois([roifile.ImagejRoi.frombytes(content) for _, content in manager], shape=ids.shape)
seen["manager"] = np.array_equal(back, ids) and [name for name, _ in manager] == [name for name, _ in sent]

roi_manager = JClass("ij.plugin.frame.RoiManager").getInstance2()
with tempfile.TemporaryDirectory() as folder:
    saved = Path(folder) / "saved by ImageJ.zip"
    roi_manager.runCommand("Save", str(saved))
    seen["the manager's own zip"] = np.array_equal(roi_files.from_rois(roi_files.read(saved), shape=ids.shape), ids)

imp.setRoi(10, 20, 30, 40)
imp.setSlice(3)
imp.getRoi().setLocation(50, 60)
front = session.active()
moved = roifile.ImagejRoi.frombytes(front.selection[1])
seen["moved selection"] = (front.z, moved.left, moved.top, moved.right, moved.bottom) == (2, 50, 60, 80, 100)

roi_manager.getRoi(0).setLocation(0, 0)
moved = roifile.ImagejRoi.frombytes(session.rois().manager[0][1])
seen["moved in the manager"] = (moved.left, moved.top) == (0, 0)
imp.setOverlay(session.to_overlay(sent[:1]))
seen["overlay"] = [name for name, _ in session.rois().overlay] == [sent[0][0]]

for said, code in (
    ("Undefined identifier in line 2", "x = 1;\\nfoo(3);"),
    ('Unrecognized command: "Nope"', 'run("Nope");'),
    ("no cells", 'exit("no cells");'),
    ("Undefined", 'eval("foo(3);");'),
):
    try:
        session.macro(code)
        seen["macro error " + said] = False
    except fiji.FijiError as error:
        seen["macro error " + said] = said in str(error)
try:
    session.command("Nope")
    seen["command error"] = False
except fiji.FijiError as error:
    seen["command error"] = "did you mean" in str(error)
seen["a message does not block"] = "hello" in session.macro('showMessage("hello"); print("x");').log
seen["the log"] = session.macro('print("one");\\nprint("two");').log.split() == ["one", "two"]
blurred = session.command("Gaussian Blur...", volume, sigma=2)
seen["a command without a dialog"] = blurred.shape == volume.shape and session.command("Gaussian Blur...", volume) is not None
opened = session.macro('newImage("t", "8-bit ramp", 9, 8, 2); setBatchMode(true); newImage("u", "8-bit ramp", 9, 8, 2);').opened
seen["opened"] = [image.shape for image in opened] == [(2, 8, 9), (2, 8, 9)]
seen["closed"] = [str(t) for t in JClass("ij.WindowManager").getImageTitles()] == ["labels", "volume"]
seen["the volume is untouched"] = np.array_equal(session.from_fiji(imp), volume)
session.close()
seen["all closed"] = session.active() is None
print(json.dumps(seen))
"""


def test_a_live_session(python: Run, display: str) -> None:
    done = python(LIVE, env=dict(os.environ) | {"DISPLAY": display}, timeout=150)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert [what for what, right in seen.items() if not right] == []
    assert len(seen) == 21
