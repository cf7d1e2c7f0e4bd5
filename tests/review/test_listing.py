"""The queue: a fault planted in each stage is found there, first, with its reason; streamed, comparable, and good slices stay good."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner
from workspaces import CELLS, CLASSES, DEPTH, KINDS, SIDE, VOXEL, grey, prints, shares, store, workspace

from fibsem_ij import files
from fibsem_ij.cli.review import app
from fibsem_ij.files import tables, transforms
from fibsem_ij.review import denoising, listing, objects, registration, segmentation
from fibsem_ij.review.listing import Entry
from fibsem_ij.review.ranking import doubts, scored
from fibsem_ij.volume import Labels, Transforms, Volume


def worst(evidence: Any) -> tuple[int, str]:
    """The slice with the highest score of one kind, and the reason."""
    usual, scores = scored(evidence)
    z = int(scores.argmax())
    return z, evidence.says(z, usual)


def kind(found: list[Any], name: str) -> Any:
    return next(one for one in found if one.kind == name)


def test_an_unsure_slice_a_flicker_and_a_disagreement() -> None:
    found = shares()
    found[:, 6] = 110  # nothing is sure
    found[0, 10] = 0  # the mitochondrion is gone
    found[:, 13] = np.roll(found[:, 13], 9, axis=2)  # elsewhere than before and after
    told = segmentation.evidence(found, CLASSES)
    assert worst(kind(told, "unsure"))[0] == 6
    assert worst(kind(told, "flickers")) == (10, "mitochondrion is gone here, and there before and after")
    others = np.where(np.isin(range(DEPTH), (6, 10)), np.nan, kind(told, "disagrees").values)
    z, reason = worst(replace(kind(told, "disagrees"), values=others))
    assert z == 13
    assert "another class in both neighbours" in reason
    assert scored(kind(told, "disagrees"))[1][[12, 14]].max() < 0.62  # a slice beside an odd one is not odd


def test_classes_alone_tell_of_neighbours() -> None:
    kinds = KINDS.copy()
    kinds[9][kinds[9] == 1] = 2
    told = segmentation.evidence(kinds, CLASSES)
    assert np.isnan(kind(told, "unsure").values).all()
    assert worst(kind(told, "flickers"))[0] == 9


def test_bad_slices_are_passed_over_and_looks_come_in_any_order(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    found = shares()
    blank = found.copy()
    blank[:, [5, 9]] = 0
    with ThreadPoolExecutor(4) as pool:
        told = segmentation.evidence(blank, CLASSES, bad=(5, 9), executor=pool)
    kept = [z for z in range(DEPTH) if z not in (5, 9)]
    alone = segmentation.evidence(found[:, kept], CLASSES)
    for name in ("unsure", "disagrees", "flickers"):
        np.testing.assert_allclose(kind(told, name).values[kept], kind(alone, name).values)
        assert np.isnan(kind(told, name).values[[5, 9]]).all()


def test_objects_that_vanish_double_or_appear_once() -> None:
    for z, change, reason in ((7, (3, 0), "object 3 is gone here, and there before and after"),
                              (11, (0, 77), "object 77 is here, and neither before nor after"), (4, (300, 5), "object 300 is gone")):
        labels = CELLS.copy()
        old, new = change
        here = labels[z] == old if old else np.pad(np.ones((14, 14), bool), ((0, SIDE - 14), (SIDE - 14, 0)))
        labels[z][here] = new
        told = objects.evidence(labels)[0]
        assert worst(told)[0] == z
        assert worst(told)[1].startswith(reason)
    assert scored(objects.evidence(CELLS)[0])[1].max() < 0.6  # growth is nothing odd


def test_events_are_told_in_words() -> None:
    events = {"z": np.array([4, 4, 4, 9, 12]), "event": np.array(["joined", "joined", "new", "other side", "turned green"]),
              "into": np.array([5, 5, 0, 3, 8])}
    told = objects.of_events(events, DEPTH)
    assert worst(told) == (4, "a piece meets object 5 (2 times); a piece begins that nothing was carried into")
    assert told.says(12, 0) == "turned green of object 8"
    with pytest.raises(ValueError, match="slices 0 to 3, got one in 4"):
        objects.of_events(events, 4)
    with pytest.raises(ValueError, match="columns z, event and into"):
        objects.of_events({"z": events["z"]}, DEPTH)


def test_structure_in_what_was_taken_away() -> None:
    noisy = grey().astype(np.float32)
    clean = noisy - np.random.default_rng(1).normal(0, 6, noisy.shape).astype(np.float32)
    clean[8] = 150  # everything was taken for noise
    told = denoising.evidence(noisy, clean)[0]
    assert worst(told)[0] == 8
    assert told.values[8] > 0.5
    assert np.abs(np.delete(told.values, 8)).max() < 0.05  # white noise is not like itself
    assert denoising.structure(noisy[0], noisy[0]) == 0
    with pytest.raises(ValueError, match="denoise again"):
        denoising.evidence(noisy, clean[:3])


def test_a_slice_that_lies_aside_a_spread_and_bad_slices() -> None:
    src = grey()
    src[6] = np.roll(src[6], 4, axis=1)
    spread = np.full(DEPTH, 0.02)
    spread[12] = 1.5
    why = {2: "blank", 3: "blank", 4: "blank", 9: "duplicated"}
    fitted = Transforms(np.tile(np.eye(3), (DEPTH, 1, 1)), (SIDE, SIDE), spread_px=spread, bad=tuple(why), why=why)
    told = registration.evidence(src, fitted)
    assert worst(kind(told, "residual"))[0] in (6, 7)
    assert worst(kind(told, "spread")) == (12, "the runs disagree by 1.50 px, usually by 0.02")
    bad = [doubt for doubt in doubts(told) if doubt.kind == "bad"]
    assert [(doubt.z, doubt.reason) for doubt in bad] == [
        (2, "blank, and so are the 2 after it; left out and bridged"), (9, "duplicated; left out and bridged")]


@pytest.fixture
def faulty(tmp_path: Path) -> Any:
    """A fault in each stage: slice 5 is gone from the objects, 8 unsure, 13 badly denoised, 6 misplaced."""
    labels = CELLS.copy()
    labels[5][labels[5] == 3] = 0
    place = workspace(tmp_path, labels=labels)
    found = np.where(shares() > 127, np.uint8(253), np.uint8(1))  # a good segmentation, but for one slice
    found[:, 8] = 100
    store(place.probabilities, found)
    clean = grey().astype(np.float32) - np.random.default_rng(1).normal(0, 4, CELLS.shape)
    clean[13] = 140
    files.write(place.clean, Volume(np.clip(clean, 0, 255).astype(np.uint8), VOXEL))
    spread = np.full(DEPTH, 0.02)
    spread[15] = 2
    transforms.write(place.transforms, replace(transforms.read(place.transforms), spread_px=spread))
    return place


def test_the_queue_finds_the_fault_of_each_stage(faulty: Any) -> None:
    listed = listing.queue(faulty)
    first = {}
    for entry in listed:
        first.setdefault(entry.stage, entry.z)
    assert first == {"registration": 15, "denoising": 13, "segmentation": 8, "objects": 5}
    assert {(entry.stage, entry.z) for entry in listed[:4]} == set(first.items())
    assert [e.score for e in listed] == sorted((e.score for e in listed), reverse=True)
    assert listing.read(faulty.queue) == listed
    table = tables.read(faulty.queue)
    assert list(table) == ["z", "name", "stage", "score", "reason", "good"]
    before = prints(faulty.folder)
    listing.queue(faulty)
    assert prints(faulty.folder) == before  # the same twice
    assert [entry.stage for entry in listing.queue(faulty, stages=["objects"], count=1)] == ["objects"]


def test_good_slices_stay_good(faulty: Any) -> None:
    listed = listing.queue(faulty)
    text = faulty.queue.read_text()
    line = next(line for line in text.splitlines() if line.startswith("8,"))
    faulty.queue.write_text(text.replace(line, line.replace("False", "x")))  # as a person writes
    assert [entry.z for entry in listing.read(faulty.queue) if entry.good] == [8]
    again = listing.queue(faulty)
    assert ("segmentation", 8) not in {(entry.stage, entry.z) for entry in again}
    assert [entry.z for entry in listing.read(faulty.queue) if entry.good] == [8]
    assert listing.mark_good(faulty.queue, [(5, "0005"), (3, "0003")]) >= 1
    assert {5, 3, 8} <= {entry.z for entry in listing.read(faulty.queue) if entry.good}
    assert not {5, 3} & {entry.z for entry in listing.queue(faulty)}
    assert len(listed) > 4


def test_only_what_is_there_is_looked_at(tmp_path: Path) -> None:
    place = workspace(tmp_path, labels=None, classes=False, events=False)
    assert {entry.stage for entry in listing.queue(place)} <= {"registration"}
    place.transforms.unlink()
    with pytest.raises(FileNotFoundError, match="expected results to review"):
        listing.queue(place)
    with pytest.raises(ValueError, match="expected stages of registration"):
        listing.queue(place, stages=["registering"])
    with pytest.raises(FileNotFoundError, match="expected a workspace folder"):
        listing.queue(listing.Workspace(tmp_path / "none"))


def test_a_queue_that_somebody_broke(tmp_path: Path) -> None:
    path = tmp_path / "review.csv"
    listing.write(path, [Entry(3, "1003", "objects", 0.7, "a, b"), Entry(4, "1004", "objects", 0.6, "c")])
    assert [entry.name for entry in listing.read(path)] == ["1003", "1004"]
    path.write_text("z,name,stage\n1,0001,objects\n")
    with pytest.raises(ValueError, match=r"review\.csv: expected columns"):
        listing.read(path)
    path.write_text("z,name,stage,reason\none,0001,objects,x\n")
    with pytest.raises(ValueError, match="slice numbers in column z"):
        listing.read(path)
    listing.write(path, [])
    assert listing.read(path) == []


def test_the_command_line(faulty: Any) -> None:
    done = CliRunner().invoke(app, ["queue", str(faulty.folder), "--count", "5", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert len(told["entries"]) == 5
    assert told["path"] == str(faulty.queue)
    done = CliRunner().invoke(app, ["queue", str(faulty.folder), "--stage", "objects"])
    assert "object 3 is gone here, and there before and after" in done.stdout


def test_memory_is_a_few_slices_whatever_the_depth() -> None:
    """Slices of 1 MB, 40 of them: never more than some of them in memory."""
    import tracemalloc

    class Deep:
        shape, dtype = (40, 1024, 1024), np.dtype(np.uint8)

        def __getitem__(self, z: int) -> np.ndarray:
            return np.full((1024, 1024), z % 3, np.uint8)

    tracemalloc.start()
    segmentation.evidence(Deep(), CLASSES)
    objects.evidence(Labels(Deep()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6
