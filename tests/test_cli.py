"""The command line as a user meets it: a process of its own, real files, real ImageJ, good input and bad."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fibsem_ij import files, phantom
from fibsem_ij.files import tables, transforms
from fibsem_ij.volume import Labels, Transforms, Volume

RNG = np.random.default_rng(3)
CELLS = Labels(np.kron(RNG.integers(0, 9, (4, 6, 7)), np.ones((1, 9, 9))).astype(np.uint32), (10, 5, 5), ("0001", "0002", "0010", "0011"))


def fibsem(*argv: object, folder: Path, code: int = 0, limit: int = 150) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([sys.executable, "-m", "fibsem_ij", *map(str, argv)], cwd=folder, capture_output=True, text=True,
                          timeout=limit, encoding="utf-8")
    assert done.returncode == code, f"{argv}: code {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.parametrize("form", [".tif", ".zarr", ".npy", ".mrc", ""])
def test_labels_to_rois_and_back(tmp_path: Path, form: str) -> None:
    files.write(tmp_path / f"cells{form}", CELLS)
    told = json.loads(fibsem("labels", "to-rois", f"cells{form}", "rois.zip", "--json", folder=tmp_path).stdout)
    assert told["rois"] == sum(len(np.unique(plane)) - (plane == 0).any() for plane in CELLS.data)
    fibsem("labels", "from-rois", "rois.zip", f"back{form}", "--like", f"cells{form}", folder=tmp_path)
    back = files.read_labels(tmp_path / f"back{form}")
    assert np.array_equal(np.asarray(back), CELLS.data)
    assert (back.voxel_nm, back.names) == (CELLS.voxel_nm, CELLS.names)


def test_labels_to_imagej(tmp_path: Path) -> None:
    files.write(tmp_path / "cells.zarr", CELLS)
    fibsem("labels", "to-imagej", "cells.zarr", "cells.tif", folder=tmp_path)
    assert np.array_equal(np.asarray(files.read_labels(tmp_path / "cells.tif")), CELLS.data)
    fibsem("labels", "to-imagej", "cells.zarr", "other.tif", "--voxel-nm", "8,4,4", folder=tmp_path)
    assert files.read(tmp_path / "other.tif").voxel_nm == pytest.approx((8, 4, 4))


def test_progress_is_one_json_object_a_line(tmp_path: Path) -> None:
    files.write(tmp_path / "cells.tif", CELLS)
    lines = fibsem("labels", "to-rois", "cells.tif", "rois.zip", "--progress", "json", folder=tmp_path).stderr.splitlines()
    assert [json.loads(line) for line in lines] == [{"stage": "to-rois", "done": z + 1, "total": 4} for z in range(4)]


@pytest.fixture(scope="module")
def drifting() -> phantom.Phantom:
    return phantom.make((10, 128, 160), seed=2, options=phantom.Options(blank=0, half_blank=0, defocused=0, duplicate=0))


@pytest.mark.timeout(120)
def test_register_from_end_to_end(tmp_path: Path, drifting: phantom.Phantom) -> None:
    """A stack, its labels and its ROI set, aligned by the same transforms; two runs on any number of workers are the same."""
    files.write(tmp_path / "raw", drifting.raw)
    transforms.write(tmp_path / "truth.json", drifting.drift)
    told = json.loads(fibsem("register", "fit", "raw", "t.json", "--model", "affine", "--json", folder=tmp_path).stdout)
    assert told["bad"] == []
    fibsem("register", "fit", "raw", "again.json", "--workers", "1", folder=tmp_path)
    assert (tmp_path / "t.json").read_bytes() == (tmp_path / "again.json").read_bytes()
    (tmp_path / "known.csv").write_text("z,tx,ty\n3,40,-25\n", encoding="utf-8")
    fibsem("register", "fit", "raw", "held.json", "--model", "translation", "--anchors", "known.csv", folder=tmp_path)
    np.testing.assert_allclose(transforms.read(tmp_path / "held.json").matrices[3, :2, 2], (40, -25), atol=0.05)
    score = json.loads(fibsem("register", "score", "t.json", "truth.json", "--json", folder=tmp_path).stdout)
    assert score["pair_px"] < 0.6
    shown = json.loads(fibsem("register", "qc", "raw", "t.json", "qc", "--json", folder=tmp_path).stdout)
    assert len(tables.read(tmp_path / "qc" / "quality.csv")["worst"]) == len(drifting.raw)
    assert np.asarray(Image.open(tmp_path / shown["picture"])).std() > 25
    fibsem("register", "to-fiji", "t.json", "xml", "--like", "raw", folder=tmp_path)
    fibsem("register", "from-fiji", "xml", "back.json", "--like", "raw", folder=tmp_path)
    assert json.loads(fibsem("register", "score", "t.json", "back.json", "--json", folder=tmp_path).stdout)["drift_px"] < 1e-6
    fibsem("register", "invert", "t.json", "undo.json", "--like", "raw", folder=tmp_path)
    there, back = transforms.read(tmp_path / "t.json"), transforms.read(tmp_path / "undo.json")
    np.testing.assert_allclose(back.matrices @ there.matrices, np.tile(np.eye(3), (10, 1, 1)), atol=1e-6)
    assert back.canvas == drifting.raw.shape[1:]
    fibsem("register", "apply", "raw", "t.json", "aligned.tif", folder=tmp_path)
    aligned = files.read(tmp_path / "aligned.tif")
    assert (aligned.shape, aligned.names) == (drifting.raw.shape, drifting.raw.names)
    assert aligned.voxel_nm == pytest.approx(drifting.raw.voxel_nm)
    middle = np.s_[:, 30:-30, 30:-30]
    truth = np.asarray(drifting.clean)[middle].ravel()
    before, after = (np.corrcoef(np.asarray(stack)[middle].ravel(), truth)[0, 1] for stack in (drifting.raw, aligned))
    assert after > before + 0.1


@pytest.mark.timeout(120)
def test_labels_and_rois_move_alike(tmp_path: Path) -> None:
    matrices = np.tile(np.eye(3), (4, 1, 1))
    matrices[:, :2, 2] = [(0, 0), (3, -2), (-4, 5), (1, 1)]
    transforms.write(tmp_path / "t.json", Transforms(matrices, CELLS.shape[1:]))
    files.write(tmp_path / "cells.tif", CELLS)
    fibsem("labels", "to-rois", "cells.tif", "cells.zip", folder=tmp_path)
    fibsem("register", "apply", "cells.tif", "t.json", "moved.tif", "--labels", folder=tmp_path)
    fibsem("register", "apply", "cells.zip", "t.json", "moved.zip", folder=tmp_path)
    fibsem("labels", "from-rois", "moved.zip", "drawn.tif", "--like", "moved.tif", folder=tmp_path)
    moved = np.asarray(files.read_labels(tmp_path / "moved.tif"))
    assert np.array_equal(moved, np.asarray(files.read_labels(tmp_path / "drawn.tif"))), "whole pixels, so the ROIs are exact"
    expected = np.zeros_like(CELLS.data[1])
    expected[2:, :-3] = CELLS.data[1][:-2, 3:]  # out[y, x] = src[y - 2, x + 3]
    assert np.array_equal(moved[1], expected)


def test_what_a_user_can_mend_is_one_line(tmp_path: Path) -> None:
    files.write(tmp_path / "cells.tif", CELLS)
    whole = (tmp_path / "cells.tif").read_bytes()
    (tmp_path / "cut.tif").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.tif").write_bytes(b"")
    (tmp_path / "text.zip").write_text("no zip", encoding="utf-8")
    (tmp_path / "bad.ijm").write_text("run('No Such Command');", encoding="utf-8")
    files.write(tmp_path / "grey.tif", Volume(np.linspace(0, 0.9, 50, dtype=np.float32).reshape(2, 5, 5)))
    for argv, says in [
        (("labels", "to-rois", "missing.tif", "r.zip"), "missing.tif"),
        (("labels", "to-rois", "cut.tif", "r.zip"), "cut.tif"),
        (("labels", "to-rois", "empty.tif", "r.zip"), "empty"),
        (("labels", "to-rois", "grey.tif", "r.zip"), "expected whole"),
        (("labels", "to-imagej", "cells.tif", "out.png"), ".tif"),
        (("labels", "to-imagej", "cells.tif", "out.tif", "--voxel-nm", "4,4"), "4,4"),
        (("labels", "from-rois", "text.zip", "o.tif", "--like", "cells.tif"), "text.zip"),
        (("fiji", "script", "x.groovy", "novalue"), "key=value"),
        (("fiji", "macro", "bad.ijm"), "No Such Command"),
        (("register", "fit", "missing", "t.json"), "missing"),
        (("register", "fit", "grey.tif", "t.json"), "at least 32 x 32"),
        (("register", "fit", "cells.tif", "t.json", "--bad", "two"), "two"),
        (("register", "fit", "cells.tif", "t.json", "--anchors", "known.csv"), "known.csv"),
        (("register", "apply", "cells.tif", "missing.json", "o.tif"), "missing.json"),
        (("register", "fit", "cells.tif", "t.json", "--aligner", "fiji-sift", "--home", "."), "expected home to be a Fiji"),
        (("demo", "."), "empty folder"),
        (("nothing",), "nothing"),
    ]:
        told = fibsem(*argv, folder=tmp_path, code=2).stderr.strip()
        assert says in told, f"{argv} says {told!r}"
        assert argv[0] == "nothing" or len(told.splitlines()) == 1, told
    assert not list(tmp_path.glob("r.zip")), "a failed command leaves nothing"


@pytest.mark.timeout(200)
def test_macro_and_script(tmp_path: Path) -> None:
    (tmp_path / "add.ijm").write_text("return '' + (1 + parseInt(getArgument()));", encoding="utf-8")
    assert fibsem("fiji", "macro", "add.ijm", "41", folder=tmp_path).stdout == "42\n"
    (tmp_path / "add.groovy").write_text("#@ Integer number\n#@output Integer sum\nsum = number + 1\n", encoding="utf-8")
    assert json.loads(fibsem("fiji", "script", "add.groovy", "number=41", "--json", folder=tmp_path).stdout) == {"sum": 42}


@pytest.mark.timeout(600)
def test_the_demo_shows_something(tmp_path: Path) -> None:
    told = json.loads(fibsem("demo", "new", "--minutes", 0.5, "--json", folder=tmp_path, limit=560).stdout)
    assert all(told["compared"].values())
    assert told["measured"] > 10
    assert told["scores"]["register_pair_px"] < 0.2
    assert told["scores"]["psnr_clean"] > told["scores"]["psnr_aligned"] + 1
    assert told["scores"]["cells_recall"] > 0.7, "of a training of seconds, on a machine that may be busy"
    for name in ("overview.png", "imagej.png"):
        picture = np.asarray(Image.open(tmp_path / "new" / "workspace" / "pictures" / name).convert("RGB"))
        assert picture.std() > 25, f"{name} is blank"
        assert (np.ptp(picture, axis=-1) > 60).mean() > 0.01, f"{name} has no colour"
    assert len(files.read(tmp_path / "new" / "raw.tif")) == told["slices"]
    page = (tmp_path / "new" / "workspace" / "report.html").read_text(encoding="utf-8")
    assert "cells_dice" in page or "cells dice" in page, "the report shows the scores"
    fibsem("demo", "new", folder=tmp_path, code=2)


@pytest.mark.timeout(200)
def test_the_doctor_tells_what_works(tmp_path: Path) -> None:
    found = {f["what"]: f for f in json.loads(fibsem("doctor", "--json", folder=tmp_path).stdout)}
    assert {"Python", "torch", "Java", "ImageJ", "Fiji", "ImageJ windows", "3D pictures"} <= set(found)
    assert found["ImageJ"]["ok"], found["ImageJ"]
    assert "0.500" in found["ImageJ"]["found"], "it made ImageJ blur a ramp"
    told = fibsem("doctor", "--home", "nowhere", folder=tmp_path, code=1).stdout
    assert "nowhere" in told.replace("\n", "")
