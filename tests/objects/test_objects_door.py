"""The room's door, and its commands on real files."""

from __future__ import annotations

import json

import numpy as np
import pytest
from test_cells import DRAWN, SEEN, TRUTH
from typer.testing import CliRunner

from fibsem_ij import files, objects
from fibsem_ij.cli.labels import app as labels_app
from fibsem_ij.cli.objects import app
from fibsem_ij.files import tables
from fibsem_ij.volume import Labels, Volume

run = CliRunner()


def told(*args: object) -> dict[str, object]:
    return json.loads(run.invoke(app, [*map(str, args), "--json"], catch_exceptions=False).stdout)


def test_the_three_verbs():
    stack = np.zeros_like(TRUTH)
    for z, labels in DRAWN.items():
        stack[z] = labels
    fitted = objects.fit(stack)
    assert sorted(fitted) == sorted(DRAWN)
    log: list[objects.Table] = []
    found = objects.apply(SEEN[0], fitted, boundary=SEEN[1], log=log.append)
    assert len(log) == 1
    score = objects.score(found, TRUTH)
    assert score["adapted_rand"] < 0.05
    assert score["object_recall"] == 1
    assert objects.score(TRUTH, TRUTH) == {"dice": 1, "iou": 1, "object_dice": 1, "object_recall": 1, "adapted_rand": 0, "split_bits": 0,
                                           "merged_bits": 0, "ids_switched": 0, "tracks_broken": 0}
    linked = objects.apply(TRUTH > 0, fitted)
    assert objects.score(linked, TRUTH)["dice"] > 0.99
    assert sorted(objects.fit({**DRAWN, 6: TRUTH[6] * 0})) == sorted(DRAWN)  # an empty slice of a folder is not drawn either
    with pytest.raises(ValueError, match="draw some"):
        objects.fit(stack * 0)


def test_no_result_takes_the_place_of_its_source_and_what_cannot_be_is_told(tmp_path):
    mask, grey = tmp_path / "mask.npy", tmp_path / "grey.npy"
    files.write(mask, Volume((TRUTH > 0).astype(np.uint8)))
    files.write(grey, Volume(SEEN[0].astype(np.float32)))
    before = mask.read_bytes()
    for args, told_ in ((("link", mask, mask), "name of its own"), (("components", mask, mask), "name of its own"),
                        (("nuclei", mask, mask), "name of its own"), (("cells", mask, mask, "--drawn", grey), "name of its own"),
                        (("link", grey, tmp_path / "l.npy"), "threshold it"), (("nuclei", grey, tmp_path / "n.npy"), "give the voxel size"),
                        (("nuclei", grey, tmp_path / "n.npy", "--crops", mask), "expected a folder")):
        result = run.invoke(app, [*map(str, args)])
        assert told_ in str(result.exception), args
    assert mask.read_bytes() == before
    assert not (tmp_path / "n.npy").exists()


def test_cells_and_scores_on_the_command_line(tmp_path):
    for name, stack in zip(("interior", "boundary"), SEEN, strict=True):
        files.write(tmp_path / f"{name}.npy", Volume(stack, (10.0, 5.0, 5.0)))
    files.write(tmp_path / "drawn", Labels(np.stack(list(DRAWN.values())).astype(np.uint16), None, ("0000", "0012")))
    files.write(tmp_path / "truth.npy", Labels(TRUTH.astype(np.uint16)))
    out = tmp_path / "cells.zarr"
    said = told("cells", tmp_path / "interior.npy", out, "--boundary", tmp_path / "boundary.npy", "--drawn", tmp_path / "drawn")
    assert said["drawn"] == 2
    found = files.read_labels(out)
    assert found.voxel_nm == (10.0, 5.0, 5.0)
    before = objects.apply(SEEN[0], DRAWN, boundary=SEEN[1])
    np.testing.assert_array_equal(np.asarray(found), before)
    events = tables.read(tmp_path / "cells.zarr.events.csv")
    assert list(events) == ["z", "track", "event", "iou", "into", "y", "x"]
    assert sum(said["events"].values()) == len(events["z"])
    assert told("score", out, tmp_path / "truth.npy")["adapted_rand"] < 0.05
    row = events["event"].tolist().index("joined") + 1
    run.invoke(labels_app, ["edit", "undo-event", str(out), str(row)], catch_exceptions=False)
    apart = np.asarray(files.read_labels(out))
    assert (apart != before).any((1, 2)).nonzero()[0].tolist() == [2, 3, 4, 5]  # the island, until it meets its cell
    assert (apart[3:6, 8:13, 37:42] == 3).all()
    files.write(tmp_path / "other", Labels(TRUTH[:2].astype(np.uint16), None, ("0000", "0099")))
    with pytest.raises(ValueError, match="0099"):
        told("cells", tmp_path / "interior.npy", out, "--drawn", tmp_path / "other")


def test_components_links_and_nuclei_on_the_command_line(tmp_path):
    mask = tmp_path / "mask.tif"
    files.write(mask, Volume((TRUTH > 0).astype(np.uint8) * 200))
    assert told("components", mask, tmp_path / "parts.tif", "--threshold", 128, "--connectivity", 6)["objects"] == 1
    assert told("components", mask, tmp_path / "none.tif", "--least-voxels", 10**9)["objects"] == 0
    cut = told("components", mask, tmp_path / "cut.tif", "--split-px", 2)
    assert cut["objects"] == int(np.max(files.read_labels(tmp_path / "cut.tif")))
    files.write(tmp_path / "classes.tif", Labels(np.where(TRUTH == 2, 2, TRUTH > 0).astype(np.uint8)))
    for least, count in (("1:999999", 1), ("1:999999,2:999999", 0), ("2:9", 2)):
        assert told("components", tmp_path / "classes.tif", tmp_path / "parts.tif", "--least-voxels", least)["objects"] == count
    with pytest.raises(ValueError, match="1:500,2:80"):
        told("components", mask, tmp_path / "none.tif", "--least-voxels", "1:many")
    assert told("link", mask, tmp_path / "linked.zarr")["objects"] == 1
    y, x = np.mgrid[:96, :96]
    ring = np.where(np.abs(np.hypot(y - 48, x - 50) - 24) < 3, 60, 170)
    files.write(tmp_path / "grey.npy", Volume(np.stack([ring] * 5).astype(np.uint8), (10.0, 10.0, 10.0)))
    said = told("nuclei", tmp_path / "grey.npy", tmp_path / "nuclei.tif", "--least", 300, "--most", 800, "--voxel-nm", "60,10,10",
                "--crops", tmp_path / "crops", "--crop-px", 60)
    assert said["nuclei"] == 1
    offsets = tables.read(tmp_path / "crops" / "crops.csv")
    crop = np.asarray(files.read(tmp_path / "crops" / "0001.tif"))
    y, x = int(offsets["y"][0]), int(offsets["x"][0])
    np.testing.assert_array_equal(crop, np.stack([ring] * 5)[:, y:y + 60, x:x + 60])
