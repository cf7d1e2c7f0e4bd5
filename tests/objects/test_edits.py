from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from fibsem_ij import files
from fibsem_ij.cli.labels import app
from fibsem_ij.files import edit_log, tables
from fibsem_ij.objects import edits
from fibsem_ij.volume import Labels

run = CliRunner()


def stack(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 6, (4, 7, 9)).astype(np.uint16)


@given(st.integers(0, 99), st.sampled_from(["merge", "delete", "reassign"]))
@settings(deadline=None, max_examples=40)
def test_every_edit_does_what_it_says_and_its_record_undoes_it(seed, kind):
    labels, out, back = stack(seed), np.zeros_like(stack()), np.zeros_like(stack())
    change = {"merge": edits.merge(2, [3, 5]), "delete": edits.delete([1, 4]), "reassign": edits.reassign(2, 9, first=1, last=2)}[kind]
    runs = edits.apply(labels, out, change)
    wanted = labels.copy()
    if kind == "merge":
        wanted[np.isin(labels, [3, 5])] = 2
    elif kind == "delete":
        wanted[np.isin(labels, [1, 4])] = 0
    else:
        wanted[1:3][labels[1:3] == 2] = 9
    np.testing.assert_array_equal(out, wanted)
    assert edits.was_done(out, runs)
    assert not edits.was_done(labels, runs)
    edits.apply(out, back, edits.undo(runs, shape=labels.shape))
    np.testing.assert_array_equal(back, labels)


def test_split_cuts_at_the_neck_and_takes_new_numbers():
    labels = np.zeros((5, 20, 50), np.uint8)
    labels[1:4, 4:16, 3:20] = labels[1:4, 4:16, 30:47] = 4
    labels[1:4, 9:11, 20:30] = 4
    labels[0, 0, 0] = 9
    out = np.zeros_like(labels)
    edits.apply(labels, out, edits.split(labels, 4, [(2, 10, 10), (2, 10, 40)]))
    assert set(np.unique(out)) == {0, 4, 9, 10}
    np.testing.assert_array_equal(out > 0, labels > 0)
    assert (out[1:4, 4:16, 3:20] == 4).all()
    assert (out[1:4, 4:16, 30:47] == 10).all()
    for wrong in ([(2, 10, 10)], [(2, 10, 10), (0, 0, 0)], [(2, 10, 10), (2, 10, 10)]):
        with pytest.raises(ValueError, match="seeds"):
            edits.split(labels, 4, wrong)


@pytest.mark.parametrize("name", ["a.tif", "a.zarr", "a.npy", "a"])
def test_on_disk_edits_are_logged_and_undone_one_by_one(tmp_path, name):
    path, labels = tmp_path / name, stack()
    files.write(path, Labels(labels, (3.0, 2.0, 1.0)))
    for args in (["merge", 2, 3], ["delete", 5], ["reassign", 2, 9, "--first", 0, "--last", 1]):
        run.invoke(app, ["edit", args[0], str(path), *map(str, args[1:])], catch_exceptions=False)
    assert [e["do"] for e in edit_log.read(path)] == ["merge 2 3", "delete 5", "reassign 2 9 --first 0 --last 1"]
    after = np.asarray(files.read_labels(path))
    assert 9 in after
    assert not {3, 5} & set(np.unique(after))
    for _ in range(3):
        run.invoke(app, ["edit", "undo", str(path)], catch_exceptions=False)
    found = files.read_labels(path)
    np.testing.assert_array_equal(np.asarray(found), labels)
    assert found.voxel_nm == (3.0, 2.0, 1.0)
    with pytest.raises(ValueError, match="to undo"):
        run.invoke(app, ["edit", "undo", str(path)], catch_exceptions=False)
    assert len(edit_log.read(path)) == 6


def protrusions() -> np.ndarray:
    """Cell 1; an island of it in slices 1 to 4 that meets its body in slice 5, seen from above; cell 9."""
    labels = np.zeros((8, 20, 30), np.uint16)
    labels[:, 10:18, 2:20], labels[:, 2:8, 22:28] = 1, 9
    labels[1:7, 2:6, 4:8], labels[5, 6:10, 4:8] = 1, 1
    return labels


EVENTS = {"z": [1, 5, 3, 6, 2], "track": [-1, -1, 0, -3, -3], "event": ["new", "joined", "bridged", "own", "new"],
          "iou": [0.0, 0.3, 0.0, 1.0, 0.0], "into": [0, 1, 0, 9, 0], "y": [3, 4, 0, 4, 4], "x": [5, 5, 0, 24, 24]}


@pytest.mark.parametrize("upside_down", [False, True])
def test_a_decision_is_taken_back_by_its_row(tmp_path, upside_down):
    labels, events = protrusions(), {name: np.array(column) for name, column in EVENTS.items()}
    if upside_down:
        labels, events["z"] = labels[::-1].copy(), 7 - events["z"]
    path = tmp_path / "cells.npy"
    files.write(path, Labels(labels))
    tables.write(tmp_path / "cells.npy.events.csv", events)
    wanted = {2: labels.copy(), 3: labels.copy(), 4: labels.copy()}
    zs = slice(3, 7) if upside_down else slice(1, 5)
    wanted[2][zs, 2:6, 4:8] = 10
    wanted[3][events["z"][2]] = 0
    wanted[4][labels == 9] = 0
    for row, after in wanted.items():
        run.invoke(app, ["edit", "undo-event", str(path), str(row)], catch_exceptions=False)
        np.testing.assert_array_equal(np.asarray(files.read_labels(path)), after)
        run.invoke(app, ["edit", "undo", str(path)], catch_exceptions=False)
        np.testing.assert_array_equal(np.asarray(files.read_labels(path)), labels)


def test_a_decision_that_cannot_be_taken_back_is_told_with_the_remedy(tmp_path):
    labels, events = protrusions(), {name: np.array(column) for name, column in EVENTS.items()}
    for row, told in ((0, "row from 1"), (6, "row from 1"), (1, "see row 2"), (5, "see row 4")):
        with pytest.raises(ValueError, match=told):
            edits.undo_event(labels, events, row)
    with pytest.raises(ValueError, match="reassign"):
        edits.undo_event(np.where(labels == 1, 2, labels), events, 2)
    with pytest.raises(ValueError, match="split"):
        edits.island(labels, 1, (2, 12, 5))
    path = tmp_path / "cells.npy"
    files.write(path, Labels(labels))
    tables.write(tmp_path / "old.csv", {name: column for name, column in events.items() if name not in "yx"})
    with pytest.raises(ValueError, match="without x, y"):
        run.invoke(app, ["edit", "undo-event", str(path), "2", "--events", str(tmp_path / "old.csv")], catch_exceptions=False)


def test_numbers_without_gaps_on_request(tmp_path):
    path, labels = tmp_path / "a.npy", np.where(stack() == 3, 70, stack()).astype(np.uint16)
    files.write(path, Labels(labels))
    run.invoke(app, ["edit", "renumber", str(path)], catch_exceptions=False)
    found = np.asarray(files.read_labels(path))
    np.testing.assert_array_equal(np.unique(found), range(6))
    np.testing.assert_array_equal(found == 5, labels == 70)
    run.invoke(app, ["edit", "undo", str(path)], catch_exceptions=False)
    np.testing.assert_array_equal(np.asarray(files.read_labels(path)), labels)


def test_a_record_whose_edit_never_came_is_dropped_and_a_cut_line_too(tmp_path):
    path, labels = tmp_path / "a.npy", stack()
    files.write(path, Labels(labels))
    run.invoke(app, ["edit", "merge", str(path), "1", "2"], catch_exceptions=False)
    entries, before = edit_log.read(path), np.asarray(files.read_labels(path))
    runs = edits.apply(before, np.zeros_like(before), edits.delete([4]))
    edit_log.append(path, "delete 4", runs, after=entries)  # and here the crash
    with edit_log.log_of(path).open("a") as file:
        file.write('{"edit": 3, "do": "de')
    run.invoke(app, ["edit", "undo", str(path)], catch_exceptions=False)
    np.testing.assert_array_equal(np.asarray(files.read_labels(path)), labels)
    assert [e["do"] for e in edit_log.read(path)] == ["merge 1 2", "undo merge 1 2"]


def test_what_was_changed_since_is_not_undone_and_nonsense_is_refused():
    labels, out = stack(), np.zeros_like(stack())
    runs = edits.apply(labels, out, edits.merge(2, [3]))
    with pytest.raises(ValueError, match="changed since"):
        edits.apply(labels, out, edits.undo(runs, shape=labels.shape))
    with pytest.raises(ValueError, match="background"):
        edits.apply(labels, out, edits.delete([0]))
    with pytest.raises(ValueError, match="uint16 holds"):
        edits.apply(labels, out, edits.reassign(2, 70_000, first=0, last=3))
    with pytest.raises(ValueError, match="first <= last"):
        edits.reassign(2, 3, first=3, last=1)
