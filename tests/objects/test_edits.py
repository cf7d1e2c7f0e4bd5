from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from fibsem_ij import files
from fibsem_ij.cli.labels import app
from fibsem_ij.files import edit_log
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
