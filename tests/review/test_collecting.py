"""Out to a small stack and back: nothing corrected changes no byte; what is corrected is kept, logged, and can be undone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from roifile import ROI_TYPE, ImagejRoi
from typer.testing import CliRunner
from workspaces import CELLS, CLASSES, DEPTH, KINDS, SIDE, VOXEL, prints, workspace

from fibsem_ij import files, review
from fibsem_ij.cli.edits import app as edits_app
from fibsem_ij.cli.labels import app as labels_app
from fibsem_ij.cli.review import app
from fibsem_ij.files import drawn, rois, tables, transforms
from fibsem_ij.review import listing, opened, running, versions
from fibsem_ij.review.listing import Entry
from fibsem_ij.volume import Labels, Volume
from fibsem_ij.workspace import Workspace

ASKED = [Entry(5, "0005", "objects", 0.9, "object 3 is odd"), Entry(9, "0009", "segmentation", 0.8, "unsure"),
         Entry(7, "0007", "objects", 0.7, "odd"), Entry(14, "0014", "registration", 0.6, "lies aside")]
ORDER = [4, 5, 6, 7, 8, 9, 10, 13, 14, 15]  # the windows of 5, 7 and 9 meet


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    found = workspace(tmp_path)
    listing.write(found.queue, ASKED)
    return found


@pytest.fixture
def open_place(place: Workspace) -> Workspace:
    review.open_(place)
    return place


def run(*argv: object, door: Any = app, code: int = 0) -> Any:
    done = CliRunner().invoke(door, [str(a) for a in argv])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done


def edit_rois(place: Workspace, change: Any) -> None:
    """As a person saves a changed set."""
    found = rois.read(place.review / "rois.zip")
    rois.write(place.review / "rois.zip", change(found) or found)


def box(name: str) -> Any:
    """A rectangle that a person drew on the second slice."""
    return ImagejRoi(roitype=ROI_TYPE.RECT, top=60, left=2, bottom=70, right=12, name=name, position=2)


def paint(place: Workspace, name: str, change: Any) -> None:
    """As ImageJ saves a painted stack: other names, no record of ours."""
    labels = files.read_labels(place.review / f"{name}.tif")
    pixels = np.array(labels)
    change(pixels)
    files.write(place.review / f"{name}.tif", Volume(pixels, labels.voxel_nm))


def test_the_small_stack_shows_the_slices_with_their_neighbours(open_place: Workspace) -> None:
    folder = open_place.review
    told = opened.read(folder)
    assert [position.z for position in told.positions] == ORDER
    assert told.positions[1].label == "0005 objects: object 3 is odd"
    assert told.positions[0].label == "0004 beside"
    stack = files.read(folder / "stack.tif")
    raw = files.read(open_place.aligned)
    assert stack.names == tuple(position.label for position in told.positions)
    assert stack.voxel_nm == pytest.approx(VOXEL)
    for n, z in enumerate(ORDER):
        np.testing.assert_array_equal(stack[n], raw[z])
    np.testing.assert_array_equal(np.asarray(files.read_labels(folder / "labels.tif")), CELLS[ORDER])
    classes = files.read_labels(folder / "classes.tif")
    np.testing.assert_array_equal(np.asarray(classes), KINDS[ORDER])
    assert classes.classes == CLASSES
    back = rois.from_rois(rois.read(folder / "rois.zip"), shape=stack.shape)
    np.testing.assert_array_equal(np.asarray(back), CELLS[ORDER])


def test_few_slices_and_a_limit_of_bytes(place: Workspace) -> None:
    assert [p.z for p in review.open_(place, slices=1, context=0).positions] == [5]
    assert [p.z for p in review.open_(place, context=2).positions] == [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]
    each = SIDE * SIDE * (1 + 4 + 1)
    assert [p.z for p in review.open_(place, most_bytes=4 * each).positions] == [4, 5, 6]
    assert [p.z for p in review.open_(place, most_bytes=1).positions] == [5]
    assert run("open", place.folder, "--slices", 2, "--json").stdout.startswith('{"positions": [{"z": 4, "name": "0004", "told": ""}')


def test_without_labels_there_is_a_stack_to_look_at_and_to_place(tmp_path: Path) -> None:
    place = workspace(tmp_path, labels=None, classes=False, events=False)
    listing.write(place.queue, ASKED)
    told = review.open_(place)
    assert (told.rois, dict(told.slices)) == (None, {})
    point = ImagejRoi.frompoints([[10, 10]], name="src", position=1)
    other = ImagejRoi.frompoints([[14, 9]], name="dst", position=1)
    point.roitype = other.roitype = ROI_TYPE.POINT
    rois.write(place.review / "rois.zip", [point, other])
    assert review.collect(place).placed == ("0005",)
    np.testing.assert_allclose(transforms.read(place.transforms).matrices[5], [[1, 0, -4], [0, 1, 1], [0, 0, 1]])
    assert not review.collect(place)
    assert len(list((place.review / ".versions").glob("rois-*.zip"))) == 1  # what was collected is kept


def test_nothing_corrected_changes_no_byte(open_place: Workspace) -> None:
    before = prints(open_place.folder)
    assert not review.collect(open_place)
    told = json.loads(run("collect", open_place.folder, "--json").stdout)
    assert told == {"drawn": [], "voxels": {}, "placed": [], "good": 0, "ran": [], "next": []}
    assert prints(open_place.folder) == before


def test_files_saved_again_unchanged_change_nothing_that_matters(open_place: Workspace) -> None:
    """Other bytes, the same pixels and outlines, as when ImageJ saves what it opened."""
    before = {name: known for name, known in prints(open_place.folder).items() if not name.startswith("review/")}
    edit_rois(open_place, lambda found: found[::-1])
    paint(open_place, "labels", lambda pixels: None)
    paint(open_place, "classes", lambda pixels: None)
    assert not review.collect(open_place)
    assert before.items() <= prints(open_place.folder).items()


@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_an_edit_of_one_roi_changes_that_object_on_that_slice(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    place = workspace(tmp_path_factory.mktemp("one"), classes=False)
    listing.write(place.queue, ASKED[:2])
    review.open_(place)
    found = rois.read(place.review / "rois.zip")
    k = data.draw(st.integers(0, len(found) - 1))
    number, n = rois.ids([found[k]])[0], found[k].position - 1
    how = data.draw(st.sampled_from(["moved", "redrawn", "deleted"]))
    dy, dx = data.draw(st.tuples(st.integers(-15, 15), st.integers(-15, 15)).filter(lambda step: step != (0, 0)))
    if how == "moved":
        found[k] = rois.moved([found[k]], lambda _, points: points + np.array([dx, dy]), depth=99)[0]
    elif how == "redrawn":
        found[k] = ImagejRoi(roitype=ROI_TYPE.OVAL, top=30 + dy, left=30 + dx, bottom=45 + dy, right=50 + dx, name=found[k].name,
                             position=n + 1)
    else:
        del found[k]
    rois.write(place.review / "rois.zip", found)
    z = [position.z for position in opened.read(place.review).positions][n]
    done = review.collect(place)
    now = np.asarray(files.read_labels(place.labels))
    changed = now != CELLS
    assert done.voxels == {"labels": changed.sum()}
    assert set(np.argwhere(changed)[:, 0].tolist()) == {z}
    assert ((now[changed] == number) | (CELLS[changed] == number)).all()
    np.testing.assert_array_equal(files.read_labels(place.drawn / "cells" / f"{z:04d}.tif")[0], now[z])
    run("undo", place.labels, door=edits_app)
    np.testing.assert_array_equal(np.asarray(files.read_labels(place.labels)), CELLS)


def test_a_corrected_slice_is_drawn_and_the_older_version_kept(tmp_path: Path) -> None:
    place = workspace(tmp_path, classes=False)
    listing.write(place.queue, [Entry(2, "0002", "objects", 0.9, "odd")])
    review.open_(place)
    before = (place.drawn / "cells" / "0002.tif").read_bytes()
    edit_rois(place, lambda found: [roi for roi in found if (roi.position, rois.ids([roi])[0]) != (2, 300)])
    done = review.collect(place, who="Anna B.")
    assert done.drawn == ("drawn/cells/0002.tif",)
    kept = list((place.drawn / "cells" / ".versions").glob("0002-*-Anna_B..tif"))
    assert [path.read_bytes() for path in kept] == [before]
    line = json.loads((place.drawn / "cells" / ".versions" / "log.jsonl").read_text())
    assert (line["who"], line["file"], line["kept"]) == ("Anna B.", "0002.tif", kept[0].name)
    assert line["at"].startswith("20")
    layer = drawn.read(place.drawn / "cells", files.read(place.aligned), classes=False)  # the layer is still one
    assert sorted(layer.slices) == [2, 11]
    np.testing.assert_array_equal(layer.slices[2], np.where(CELLS[2] == 300, 0, CELLS[2]))
    labels_before = prints(tmp_path)
    assert not review.collect(place)  # the same again
    assert prints(tmp_path) == labels_before


def test_painted_labels_and_a_new_object(open_place: Workspace) -> None:
    def change(pixels: np.ndarray) -> None:
        pixels[1, 60:70, 60:70] = 301  # slice 5
        pixels[5][pixels[5] == 3] = 0  # slice 9

    paint(open_place, "labels", change)
    done = review.collect(open_place)
    now = np.asarray(files.read_labels(open_place.labels))
    wanted = CELLS.copy()
    wanted[5, 60:70, 60:70] = 301
    wanted[9][wanted[9] == 3] = 0
    np.testing.assert_array_equal(now, wanted)
    assert done.drawn == ("drawn/cells/0005.tif", "drawn/cells/0009.tif")
    assert files.read_labels(open_place.drawn / "cells").dtype == np.uint16  # of one kind with the others
    assert not review.collect(open_place)


def test_an_outline_without_a_number_is_a_new_object_of_the_whole_stack(tmp_path: Path) -> None:
    labels = CELLS.copy()
    labels[0, :3, :3] = 900  # far from the review
    place = workspace(tmp_path, labels=labels, classes=False)
    listing.write(place.queue, ASKED[:1])
    review.open_(place)
    edit_rois(place, lambda found: [*found, box("0002-0065-0007")])
    review.collect(place)
    assert (files.read_labels(place.labels)[5][60:70, 2:12] == 901).all()


def test_classes_are_corrected_by_outline_and_by_paint(place: Workspace) -> None:
    review.open_(place, layer="classes")
    found = rois.read(place.review / "rois.zip")
    assert {roi.name.rsplit("-", 1)[1] for roi in found} == set(CLASSES.values())
    edit_rois(place, lambda found: [*found, box("Mitochondrion-1")])
    paint(place, "classes", lambda pixels: pixels[5].__setitem__(slice(0, 4), 2))
    before = (place.drawn / "classes" / "0011.tif").read_bytes()
    done = review.collect(place)
    assert done.drawn == ("drawn/classes/0005.tif", "drawn/classes/0009.tif")
    assert done.voxels == {}
    layer = drawn.read(place.drawn / "classes", files.read(place.aligned), classes=True)
    assert sorted(layer.slices) == [2, 5, 9, 11]
    wanted = KINDS[5].copy()
    wanted[60:70, 2:12] = 1
    np.testing.assert_array_equal(layer.slices[5], wanted)
    assert (layer.slices[9][:4] == 2).all()
    assert (place.drawn / "classes" / "0011.tif").read_bytes() == before
    shown = files.read_labels(place.review / "classes.tif")
    np.testing.assert_array_equal(shown[1], wanted)  # what is drawn goes before what was found
    assert not review.collect(place)
    place.network("segment").mkdir(parents=True)
    fit, apply = running.commands(place, done)
    assert fit == (f"fibsem-ij segment fit {place.aligned} {place.drawn / 'classes'} {place.network('segment')} --start "
                   f"{place.network('segment')} "
                   "--minutes 3")
    assert apply.startswith(f"fibsem-ij segment apply {place.aligned} ")


def test_class_numbers_are_those_of_the_drawing(tmp_path: Path) -> None:
    place = workspace(tmp_path, labels=None, events=False)
    files.write(place.folder / "drawn" / "classes", Labels(np.array([0, 7, 4], np.uint8)[KINDS[[2, 11]]], VOXEL, ("0002", "0011"),
                                                           {7: "mitochondrion", 4: "membrane", 9: "vesicle"}))
    listing.write(place.queue, ASKED[:1])
    review.open_(place)
    np.testing.assert_array_equal(files.read_labels(place.review / "classes.tif")[1], np.array([0, 7, 4])[KINDS[5]])
    paint(place, "classes", lambda pixels: pixels[1].__setitem__(slice(0, 3), 9))
    assert review.collect(place).drawn == ("drawn/classes/0005.tif",)
    paint(place, "classes", lambda pixels: pixels[1].__setitem__(slice(0, 3), 1))
    with pytest.raises(ValueError, match=r"slice 0005: expected classes 7 \(mitochondrion\).* got 1"):
        review.collect(place)


def test_nudges_and_landmarks_change_one_matrix(open_place: Workspace) -> None:
    before = transforms.read(open_place.transforms)
    tables.write(open_place.review / "nudges.csv", {"slice": np.array(["0014"]), "dx": [2.5], "dy": [np.nan], "angle": [0.0]})
    points = [ImagejRoi.frompoints([[10, 10], [40, 12]], name="0005-src"), ImagejRoi.frompoints([[12, 9], [42, 11]], name="0005-dst")]
    for n, roi in enumerate(points, 1):
        roi.roitype, roi.position = ROI_TYPE.POINT, n  # drawn on different slices
    edit_rois(open_place, lambda found: [*found, *points])
    done = review.collect(open_place, who="anna")
    after = transforms.read(open_place.transforms)
    assert done.placed == ("0005", "0014")
    others = [z for z in range(DEPTH) if z not in (5, 14)]
    np.testing.assert_array_equal(after.matrices[others], before.matrices[others])
    np.testing.assert_allclose(after.matrices[14], [[1, 0, -2.5], [0, 1, 0], [0, 0, 1]])
    np.testing.assert_allclose(after.matrices[5], [[1, 0, -2], [0, 1, 1], [0, 0, 1]], atol=1e-12)
    assert done.voxels == {}
    kept = list((open_place.folder / ".versions").glob("transforms-*-anna.json"))
    assert len(kept) == 1
    np.testing.assert_array_equal(transforms.read(kept[0]).matrices, before.matrices)
    assert not review.collect(open_place)
    assert any(line.startswith("fibsem-ij register apply") for line in running.commands(open_place, done))


def test_the_command_nudges(place: Workspace) -> None:
    told = json.loads(run("nudge", place.folder, "0011", "--dx", "-3", "--dy", "1.5", "--json").stdout)
    assert told["placed"] == ["0011"]
    np.testing.assert_allclose(transforms.read(place.transforms).matrices[11], [[1, 0, 3], [0, 1, -1.5], [0, 0, 1]])
    with pytest.raises(ValueError, match="expected the name of a slice"):
        run("nudge", place.folder, "99", "--dx", "1")
    with pytest.raises(ValueError, match="say where the slice shall go"):
        run("nudge", place.folder, "0011")


def test_a_drawn_slice_that_was_put_elsewhere_is_told(place: Workspace) -> None:
    assert review.nudge(place, "11", dx=1, dy=0, angle=0).warnings == (
        "drawn/cells/0011.tif was drawn on the slice as it lay before; look whether it still fits",
        "drawn/classes/0011.tif was drawn on the slice as it lay before; look whether it still fits")


def test_good_slices_by_roi_and_by_name(open_place: Workspace) -> None:
    edit_rois(open_place, lambda found: [*found, box("good-1")])
    stack = files.read(open_place.review / "stack.tif")
    names = tuple("good" if n == 5 else name for n, name in enumerate(stack.names))
    files.write(open_place.review / "stack.tif", Volume(np.asarray(stack), VOXEL, names))
    before = prints(open_place.folder)
    assert review.collect(open_place).good == 2
    assert {entry.z for entry in listing.read(open_place.queue) if entry.good} == {5, 9}
    changed = {name for name, known in prints(open_place.folder).items() if before.get(name) != known}
    assert not any(name.startswith(("labels.zarr", "drawn", "classes.zarr", "transforms")) for name in changed)
    assert [p.z for p in review.open_(open_place).positions if p.told] == [7, 14]


@pytest.mark.parametrize(("spoil", "error"), [
    (lambda place: edit_rois(place, lambda found: found[:3]), "expected outlines in every slice that had some"),
    (lambda place: edit_rois(place, lambda found: [*found, line(3)]), "expected an area, got a ROI of type line"),
    (lambda place: edit_rois(place, lambda found: [*found, line(77)]), "expected a slice of 1 to 10, got 77"),
    (lambda place: files.write(place.review / "labels.tif", Volume(np.zeros((3, 9, 9), np.uint8))), "save the whole stack under that name"),
    (lambda place: (place.review / "labels.tif").write_bytes(b"II*\0no tiff"), "labels.tif"),
    (lambda place: (place.review / "rois.zip").write_bytes(b"PK no zip"), "rois.zip"),
    (lambda place: (place.review / "nudges.csv").write_text("slice,dx,dy\n0044,1,2\n"), "expected the name of a slice of the review"),
    (lambda place: (place.review / "nudges.csv").write_text("slice,dx,dy\n0005,one,2\n"), "expected one row of numbers"),
    (lambda place: (place.review / "nudges.csv").write_text("slice,dx\n0005,1\n"), "none called dy"),
    (lambda place: (place.review / "review.json").write_text("{}"), "expected the record of review open"),
])
def test_what_is_wrong_is_refused_and_nothing_changes(open_place: Workspace, spoil: Any, error: str) -> None:
    spoil(open_place)
    before = prints(open_place.folder)
    with pytest.raises(ValueError, match=error):
        review.collect(open_place)
    assert prints(open_place.folder) == before


def line(position: int) -> Any:
    return ImagejRoi(roitype=ROI_TYPE.LINE, top=0, left=0, bottom=9, right=9, x1=0, y1=0, x2=9, y2=9, name="line", position=position)


def test_one_slice_corrected_in_two_ways_is_refused(open_place: Workspace) -> None:
    edit_rois(open_place, lambda found: [roi for roi in found if (roi.position, rois.ids([roi])[0]) != (2, 300)])
    paint(open_place, "labels", lambda pixels: pixels[1].__setitem__(slice(0, 4), 5))
    with pytest.raises(ValueError, match="slice 0005 corrected in one place"):
        review.collect(open_place)
    paint(open_place, "labels", lambda pixels: pixels[1].__setitem__(slice(None), np.where(CELLS[5] == 300, 0, CELLS[5])))
    assert review.collect(open_place).drawn == ("drawn/cells/0005.tif",)  # the same way twice


def test_corrections_are_not_written_over_and_do_not_meet_other_labels(open_place: Workspace) -> None:
    paint(open_place, "labels", lambda pixels: pixels[1].__setitem__(slice(0, 4), 5))
    with pytest.raises(ValueError, match=r"got changes in labels\.tif; run review collect first"):
        review.open_(open_place)
    labels = CELLS.copy()
    labels[5, -3:, -3:] = 5
    files.write(open_place.labels, Labels(labels, VOXEL))
    with pytest.raises(ValueError, match="slice 0005 has changed since"):
        review.collect(open_place)
    review.open_(open_place, anew=True)
    np.testing.assert_array_equal(files.read_labels(open_place.review / "labels.tif")[1], labels[5])


def test_drawn_layers_that_slices_cannot_be_added_to(tmp_path: Path) -> None:
    place = workspace(tmp_path, labels=None, events=False)
    listing.write(place.queue, ASKED[:1])
    for path in (place.drawn / "classes").glob("*.tif"):
        path.rename(path.with_suffix(".tiff"))
    review.open_(place)
    paint(place, "classes", lambda pixels: pixels[1].__setitem__(slice(0, 3), 1))
    with pytest.raises(ValueError, match=r"expected slices called NAME\.tif"):
        review.collect(place)


def test_versions_of_one_second_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "0001.tif"
    for text in ("a", "b", "c"):
        with versions.replacing(path, did="x", who="me"):
            path.write_text(text)
    kept = sorted((tmp_path / ".versions").glob("0001-*"))
    assert sorted(p.read_text() for p in kept) == ["a", "b"]
    assert path.read_text() == "c"
    assert len((tmp_path / ".versions" / "log.jsonl").read_text().splitlines()) == 3


def test_labels_edit_is_the_same_log(open_place: Workspace) -> None:
    paint(open_place, "labels", lambda pixels: pixels[1].__setitem__(slice(0, 4), 5))
    review.collect(open_place)
    run("edit", "merge", open_place.labels, 3, 300, door=labels_app)
    run("edit", "undo", open_place.labels, door=labels_app)
    run("edit", "undo", open_place.labels, door=labels_app)
    np.testing.assert_array_equal(np.asarray(files.read_labels(open_place.labels)), CELLS)


@pytest.mark.parametrize("form", [".zip", ".tif"])
def test_a_layer_drawn_as_rois_or_as_a_stack_becomes_a_folder_and_loses_nothing(tmp_path: Path, form: str) -> None:
    place = workspace(tmp_path, labels=None, events=False)
    shutil.rmtree(place.drawn / "classes")
    theirs = np.where(np.isin(np.arange(DEPTH), [2, 11])[:, None, None], np.array([0, 2, 1], np.uint8)[KINDS], 0).astype(np.uint8)
    (place.drawn / "names.json").write_text('{"2": "mitochondrion", "1": "membrane"}')  # other numbers than the class image
    alone = place.drawn / f"classes{form}"
    if form == ".zip":
        rois.write(alone, rois.to_rois(theirs))
    else:
        files.write(alone, Labels(theirs, VOXEL))
    kept = alone.read_bytes()
    listing.write(place.queue, ASKED[:1])
    review.open_(place)
    assert not review.collect(place)
    assert not (place.drawn / "classes").exists()
    paint(place, "classes", lambda pixels: pixels[1].__setitem__(slice(0, 3), 1))
    done = review.collect(place)
    assert done.drawn == ("drawn/classes/0002.tif", "drawn/classes/0011.tif", "drawn/classes/0005.tif")
    layer = drawn.read(place.drawn / "classes", files.read(place.aligned), classes=True)
    assert sorted(layer.slices) == [2, 5, 11]
    for z in (2, 11):
        np.testing.assert_array_equal(layer.slices[z], KINDS[z])
    assert alone.read_bytes() == kept


def test_classes_without_names_are_shown_by_number(tmp_path: Path) -> None:
    place = workspace(tmp_path, labels=None, classes=False, events=False)
    files.write(place.classes, Labels(KINDS, VOXEL))
    listing.write(place.queue, ASKED[:1])
    review.open_(place)
    np.testing.assert_array_equal(files.read_labels(place.review / "classes.tif")[1], KINDS[5])
