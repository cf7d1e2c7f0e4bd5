"""The review where the person is: ImageJ opens the small stack as it is meant, and what ImageJ edits and saves is collected exactly."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fibsem_ij import fiji, files, review
from fibsem_ij.files import rois
from fibsem_ij.review import listing
from fibsem_ij.review.listing import Entry
from fibsem_ij.volume import Labels, Volume

pytestmark = pytest.mark.timeout(240)
Run = Callable[..., subprocess.CompletedProcess[str]]

VOXEL = (20.0, 4.0, 4.0)
CELLS = np.zeros((9, 60, 80), np.uint32)
CELLS[:, 10:30, 10:30] = 1
CELLS[:, 14:20, 14:20] = 0  # a hole
CELLS[:, 35:55, 40:70] = 2


@pytest.fixture
def place(tmp_path: Path) -> review.Workspace:
    found = review.Workspace(tmp_path)
    grey = np.random.default_rng(0).integers(0, 255, CELLS.shape).astype(np.uint8)
    files.write(found.aligned, Volume(grey, VOXEL))
    files.write(found.labels, Labels(CELLS, VOXEL))
    listing.write(found.queue, [Entry(4, "0004", "objects", 0.9, "object 1 is odd"), Entry(7, "0007", "objects", 0.8, "odd")])
    review.open_(found)
    return found


MACRO = """
open(getArgument() + "/labels.tif");
setSlice(2);
getVoxelSize(w, h, d, unit);
label = getInfo("slice.label");
setColor(7);
fillRect(50, 2, 8, 6);
makeRectangle(40, 35, 30, 20);
run("Set...", "value=0 slice");
saveAs("Tiff", getArgument() + "/labels.tif");
return label + "|" + nSlices + "|" + d + " " + unit;
"""


def test_imagej_opens_paints_and_saves_the_label_image(session: fiji.Session, place: review.Workspace) -> None:
    said = session.macro(MACRO, str(place.review)).value
    assert said == "0004 objects: object 1 is odd|6|20 nm"
    done = review.collect(place)
    wanted = CELLS.copy()
    wanted[4, 2:8, 50:58] = 7
    wanted[4][CELLS[4] == 2] = 0
    np.testing.assert_array_equal(np.asarray(files.read_labels(place.labels)), wanted)
    assert done.voxels == {"labels": int((wanted != CELLS).sum())}
    assert not review.collect(place)


def test_imagej_saves_what_it_opened_and_nothing_changes(session: fiji.Session, place: review.Workspace) -> None:
    session.macro('open(getArgument() + "/labels.tif"); saveAs("Tiff", getArgument() + "/labels.tif"); close();'
                  'open(getArgument() + "/stack.tif"); saveAs("Tiff", getArgument() + "/stack.tif");', str(place.review))
    assert not review.collect(place)


LIVE = """
import json, os, threading, time
from pathlib import Path
import numpy as np
from jpype import JClass
from fibsem_ij import fiji, files, review
from fibsem_ij.cli.review import _shown

place = review.Workspace(Path(os.environ["PLACE"]))
cells = np.array(files.read_labels(place.labels))
seen = {}
session = fiji.start(mode="interactive")
imp = review.show(place, session)
seen["in front"] = str(imp.getStack().getSliceLabel(2)) == "0004 objects: object 1 is odd"
before = {path.name: path.read_bytes() for path in place.review.iterdir()}
seen["looking keeps nothing"] = review.keep(place, session) == []
seen["no byte"] = {path.name: path.read_bytes() for path in place.review.iterdir()} == before
manager = JClass("ij.plugin.frame.RoiManager").getInstance2()
moved = [k for k in range(manager.getCount()) if str(manager.getName(k)).startswith("0002-") and "L0001" in str(manager.getName(k))][0]
manager.getRoi(moved).translate(5, 3)
imp.setSlice(5)
imp.setRoi(2, 40, 12, 9)
manager.runCommand("Add")
seen["added with its slice"] = str(manager.getName(manager.getCount() - 1)).startswith("0005-")
painted = JClass("ij.WindowManager").getImage("labels")
painted.setSlice(6)
pixels = painted.getProcessor()  # NB: asked again, it forgets the rectangle
pixels.setColor(2.0)
pixels.setRoi(0, 0, 9, 7)
pixels.fill()
manager.runCommand("Deselect")
manager.runCommand("Save", str(place.review / "rois.zip"))  # as a person does
seen["kept, but for what was saved"] = review.keep(place, session) == ["labels.tif"]
done = review.collect(place, who="anna")
wanted = cells.copy()
wanted[4][cells[4] == 1] = 0
wanted[4][np.roll(cells[4] == 1, (3, 5), (0, 1))] = 1
wanted[7, 40:49, 2:14] = 3  # a new object: the next number of the stack
wanted[8, 0:7, 0:9] = 2
seen["collected"] = np.array_equal(np.asarray(files.read_labels(place.labels)), wanted)
manager.reset()
outlines = (place.review / "rois.zip").read_bytes()
review.keep(place, session)
seen["a closed manager is no stack without objects"] = (place.review / "rois.zip").read_bytes() == outlines
session.close()


def person() -> None:
    windows = JClass("ij.WindowManager")
    while windows.getImage("volume") is None or manager.getCount() < 2:
        time.sleep(0.2)
    time.sleep(1)
    manager.getRoi(0).translate(1, 0)
    windows.getImage("volume").close()


threading.Thread(target=person).start()
seen["shown until its window is closed"] = _shown(place, None) == ["rois.zip"]
print(json.dumps(seen))
"""


def test_the_live_session(python: Run, display: str, place: review.Workspace) -> None:
    done = python(LIVE, env=dict(os.environ) | {"DISPLAY": display, "PLACE": str(place.folder)}, timeout=150)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert [what for what, right in seen.items() if not right] == []
    assert rois.read(place.review / "rois.zip")
