"""A recipe over a workspace: what runs and why, what is kept, and the same bytes whoever computes them."""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_recipe as small

from fibsem_ij import files, pipeline, recipe, review
from fibsem_ij.files import rois as roi_sets
from fibsem_ij.files import tables, transforms
from fibsem_ij.pipeline import workers
from fibsem_ij.review import running
from fibsem_ij.volume import Labels, Transforms, Volume
from fibsem_ij.workspace import Workspace

ALL = ("input", "register fit", "register apply", "denoise fit", "denoise apply", "segment fit", "segment apply", "segment label",
       "objects", "measure", "output labels.tif", "output rois.zip")


def run(folder: Path, place: str = "ws", *, change: tuple[str, str] | None = None, **more: Any) -> dict[str, pipeline.Step]:
    text = (folder / "recipe.toml").read_text(encoding="utf-8")
    if change:
        assert change[0] in text
        text = text.replace(*change)
    return {step.name: step for step in pipeline.run(recipe.parse(text, folder=folder), Workspace(folder / place), **more)}


def ran(steps: dict[str, pipeline.Step]) -> tuple[str, ...]:
    return tuple(name for name, step in steps.items() if step.runs)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recipe and its finished workspace `ws`."""
    folder = tmp_path_factory.mktemp("recipe")
    small.lay_out(folder)
    with ThreadPoolExecutor(2) as pool:
        assert ran(run(folder, executor=pool)) == ALL
    return folder


@pytest.fixture
def mine(done: Path, tmp_path: Path) -> Path:
    """A copy of it to change."""
    return Path(shutil.copytree(done, tmp_path / "mine"))


def test_everything_is_there_and_belongs_together(done: Path) -> None:
    ws = Workspace(done / "ws")
    labels = files.read_labels(ws.labels)
    assert labels.voxel_nm == files.read(done / "raw.tif").voxel_nm
    assert np.array_equal(files.read_labels(ws.labels_tif), labels)
    assert np.array_equal(roi_sets.from_rois(roi_sets.read(ws.rois), shape=labels.shape).data, labels.data)
    table = tables.read(ws.measures)
    assert len(table["label"]) > 2
    assert table["label"].tolist() == sorted(set(np.unique(labels)) - {0})
    assert set(table["class"]) <= {"cytoplasm", "mitochondrion"}
    assert tables.read(ws.rounds)["drawn"].tolist() == [len(small.DRAWN)]
    assert not list(ws.folder.glob(".*")), "nothing is left over"
    told = json.loads(ws.run.read_text(encoding="utf-8"))
    assert tuple(told["stages"]) == ALL
    assert told["seeds"] == {"register": 1, "denoise": 1, "segment": 1}
    assert len(told["slices"]["aligned.zarr"].split()) == len(labels)
    assert {"versions", "git", "recipe"} <= told.keys()


def test_a_second_run_does_nothing(mine: Path) -> None:
    before, said = small.results(mine / "ws"), []
    assert ran(run(mine, say=said.append)) == ()
    assert said == [f"{name} is up to date" for name in ALL]
    assert small.results(mine / "ws") == before
    assert [step.does for step in pipeline.plan(recipe.read(mine / "recipe.toml"), Workspace(mine / "ws"))] == ["up to date"] * len(ALL)


def test_one_worker_makes_the_same_bytes(mine: Path) -> None:
    run(mine, "other")
    assert small.results(mine / "other") == small.results(mine / "ws")


@pytest.mark.timeout(120)
def test_processes_make_the_same_bytes(mine: Path) -> None:
    with workers.pool("processes", 2) as pool:
        run(mine, "other", last="register", executor=pool.slices)
    theirs = small.results(mine / "ws")
    assert [name for name, data in small.results(mine / "other").items() if theirs[name] != data] == []
    with pytest.raises(ValueError, match="threads, processes or dask"), workers.pool("thread"):
        pass


def test_slices_that_are_finished_are_not_done_again(mine: Path) -> None:
    """Stopped at the fifth slice of each stage that goes slice by slice, and gone on with."""
    stages = ("input", "register apply", "denoise apply", "segment apply")
    for name in stages:
        def stop(stage: str, done: int, _: int, name: str = name) -> None:
            if stage == name and done == 5:
                raise RuntimeError("stopped here")

        with pytest.raises(RuntimeError, match="stopped here"):
            run(mine, "half", progress=stop)
    first: dict[str, int] = {}
    said: list[str] = []
    run(mine, "half", say=said.append, progress=lambda stage, done, _: first.setdefault(stage, done) and None)
    assert first["segment apply"] > 5, "up to two more were on their way to the disk"
    assert "register fit" not in first
    assert "segment apply runs: it was stopped, and goes on" in said
    assert small.results(mine / "half") == small.results(mine / "ws")


@pytest.mark.parametrize(("change", "runs"), [
    (("least_voxels = 20", "least_voxels = 0"), ALL[8:]),
    (('"size", "grey"', '"size"'), ("measure",)),
    (('interpolation = "nearest"', 'interpolation = "linear"'), ALL[2:]),
])
def test_a_changed_option_runs_what_depends_on_it(mine: Path, change: tuple[str, str], runs: tuple[str, ...]) -> None:
    text = recipe.parse((mine / "recipe.toml").read_text(encoding="utf-8").replace(*change), folder=mine)
    planned = pipeline.plan(text, Workspace(mine / "ws"))
    assert tuple(step.name for step in planned if step.runs) == runs
    if len(runs) < 6:
        steps = run(mine, change=change)
        assert ran(steps) == runs
        assert " is " in steps[runs[0]].why
        assert ", was " in steps[runs[0]].why


def test_a_result_that_stays_the_same_stops_the_rest(mine: Path) -> None:
    """What is copied again and is the same is no reason for more."""
    os.utime(mine / "raw.tif", (1, 1))
    assert ran(run(mine)) == ("input",)


def test_transforms_corrected_by_hand_are_kept_and_carry_through(mine: Path) -> None:
    ws = Workspace(mine / "ws")
    found = transforms.read(ws.transforms)
    matrices = found.matrices.copy()
    matrices[3, 0, 2] += 5
    transforms.write(ws.transforms, Transforms(matrices, found.canvas, found.model, found.voxel_nm, found.spread_px))
    byhand = ws.transforms.read_bytes()
    steps = run(mine, last="register")
    assert (steps["register fit"].does, steps["register fit"].why) == ("kept", "transforms.json was changed by hand")
    assert ran(steps) == ("register apply",)
    assert steps["register apply"].why == "register fit's result changed"
    assert steps["denoise fit"].does == "left out"
    assert ws.transforms.read_bytes() == byhand
    assert ran(run(mine, last="register")) == ()


def test_labels_corrected_by_hand_are_kept_and_carry_through(mine: Path) -> None:
    ws = Workspace(mine / "ws")
    labels = files.read_labels(ws.labels)
    edited = np.asarray(labels).copy()
    edited[edited == 1] = 0
    files.write(ws.labels, Labels(edited, labels.voxel_nm, labels.names))
    steps = run(mine)
    assert steps["objects"].does == "kept"
    assert ran(steps) == ("measure", "output labels.tif", "output rois.zip")
    assert 1 not in tables.read(ws.measures)["label"]
    again = run(mine, change=("least_voxels = 20", "least_voxels = 60"))
    assert again["objects"].does == "kept", "what a person did is not lost"
    assert "move it away" in again["objects"].why
    assert np.array_equal(files.read_labels(ws.labels), edited)


def test_what_was_corrected_in_the_review_carries_through(mine: Path) -> None:
    ws = Workspace(mine / "ws")
    review.queue(ws)
    z = review.open_(ws, slices=1, context=0).positions[0].z
    painted = files.read_labels(ws.review / "labels.tif")
    pixels = np.asarray(painted).copy()
    gone = pixels.max()
    pixels[pixels == gone] = 0
    files.write(ws.review / "labels.tif", Volume(pixels, painted.voxel_nm))
    before = np.asarray(files.read_labels(ws.labels)).copy()
    assert review.collect(ws, who="anna").voxels == {"labels": (before[z] == gone).sum()}
    steps = {step.name: step for step in running.rerun(ws, say=lambda _: None)}
    assert steps["objects"].does == "kept"
    assert ran(steps) == ("measure", "output labels.tif", "output rois.zip")
    before[z][before[z] == gone] = 0
    assert np.array_equal(files.read_labels(ws.labels_tif), before)


def draw_another(mine: Path) -> Workspace:
    ws = Workspace(mine / "ws")
    small.draw(ws.drawn / "new", files.read_labels(mine / "truth.zarr"), (2,))
    shutil.move(ws.drawn / "new" / "0002.tif", ws.layer("classes") / "0002.tif")
    shutil.rmtree(ws.drawn / "new")
    return ws


def test_another_drawn_slice_begins_another_round(mine: Path) -> None:
    ws = draw_another(mine)
    steps = run(mine)
    assert ran(steps)[0] == "segment fit"
    assert steps["segment fit"].why == "drawn/classes changed"
    told = tables.read(ws.rounds)
    assert (told["round"].tolist(), told["drawn"].tolist()) == ([1, 2], [3, 4])


def test_a_round_goes_on_from_the_network_of_the_last_one_where_the_recipe_asks_for_it(mine: Path) -> None:
    def weights(place: str) -> bytes:
        return (mine / place / "networks" / "segment" / "weights.safetensors").read_bytes()

    def told(place: str) -> Any:
        return json.loads((mine / place / "run.json").read_text(encoding="utf-8"))["stages"]["segment fit"]

    asked: dict[str, Any] = {"change": ("[segment]", '[segment]\nstart = "last"'), "last": "segment fit"}
    assert ran(run(mine, **asked)) == (), "to ask for it is no reason to train"
    draw_another(mine)
    for place in ("again", "stopped", "afresh"):
        shutil.copytree(mine / "ws", mine / place)
    first = told("ws")["writes"]["networks/segment"]
    assert ran(run(mine, **asked)) == ran(run(mine, "again", **asked)) == ("segment fit",)
    assert told("ws")["start"] == first
    assert weights("again") == weights("ws"), "the same past, the same bytes"

    def stop(stage: str, done: int, _: int) -> None:
        if stage == "segment fit" and done > 600:
            raise RuntimeError("stopped here")

    with pytest.raises(RuntimeError, match="stopped here"):
        run(mine, "stopped", progress=stop, **asked)
    run(mine, "stopped", **asked)
    assert (weights("stopped"), told("stopped")["start"]) == (weights("ws"), first)
    run(mine, "afresh", last="segment fit")
    assert weights("afresh") != weights("ws")
    assert "start" not in told("afresh")


def test_a_network_to_start_from_that_does_not_fit(mine: Path) -> None:
    """The last one is done without, and that is told; one that was named is an error, and its name is wrong before anything runs."""
    said: list[str] = []
    text = (mine / "recipe.toml").read_text(encoding="utf-8").replace("base = 4, depth = 2}", "base = 2, depth = 2}")
    (mine / "recipe.toml").write_text(text, encoding="utf-8")
    shutil.copytree(mine / "ws" / "networks" / "segment", mine / "older")
    run(mine, change=("[segment]", '[segment]\nstart = "last"'), last="segment fit", say=said.append)
    assert [line for line in said if line.startswith("started afresh: expected a network")]
    with pytest.raises(ValueError, match="got resunet that differs; give the same options"):
        run(mine, change=("[segment]", '[segment]\nstart = "older"'), last="segment fit")
    with pytest.raises(FileNotFoundError, match=r"\[segment\] start: expected .*newer, it does not exist"):
        run(mine, change=("[segment]", '[segment]\nstart = "newer"'))
    assert run(mine, last="segment fit")["segment fit"].why == "it was stopped, and goes on"


def test_what_is_removed_is_made_again_and_what_was_there_is_kept(mine: Path, tmp_path: Path) -> None:
    (mine / "ws" / "measures.csv").unlink()
    steps = run(mine)
    assert ran(steps) == ("measure",)
    assert steps["measure"].why == "measures.csv is not there"
    (tmp_path / "mine" / "new").mkdir()
    shutil.copy(mine / "ws" / "transforms.json", mine / "new")
    steps = run(mine, "new", last="register")
    assert (steps["register fit"].does, ran(steps)) == ("kept", ("input", "register apply"))


def test_it_waits_for_drawings_and_goes_on_when_they_come(mine: Path) -> None:
    steps = run(mine, "waiting", change=('drawn = "classes"', ""), last="measure")
    assert [step.does for step in steps.values()].count("waits") == 5
    assert str(steps["segment fit"]) == "segment fit waits for something drawn in drawn/classes"
    shutil.copytree(mine / "classes", mine / "waiting" / "drawn" / "classes")
    assert ran(run(mine, "waiting", change=('drawn = "classes"', ""), last="segment fit")) == ("segment fit",)


def test_cells_and_nuclei_and_links(mine: Path) -> None:
    cells = (("[objects]\nleast_voxels = 20", '[objects]\nhow = "cells"\ndrawn = "cells"'),
             ('drawn = "classes"', 'preset = "cells"\nlayer = "cells"\ndrawn = "cells"'))
    text = small.RECIPE
    for change in cells:
        assert change[0] in text
        text = text.replace(*change)
    (mine / "recipe.toml").write_text(text, encoding="utf-8")
    assert ran(run(mine, "of-cells")) == tuple(name for name in ALL if name != "segment label")
    assert (mine / "of-cells" / "labels.zarr.events.csv").exists()
    for how, more in (("nuclei", "least = 100\nmost = 900"), ("link", 'of = "cytoplasm"'),
                      ("components", 'of = "cytoplasm"\nthreshold = 90')):
        text = small.RECIPE.replace("[objects]\nleast_voxels = 20", f'[objects]\nhow = "{how}"\n{more}')
        (mine / "recipe.toml").write_text(text, encoding="utf-8")
        assert "objects" in ran(run(mine, last="objects"))


def test_a_stack_may_stay_where_it_is(mine: Path) -> None:
    steps = run(mine, "linked", change=('src = "raw.tif"', 'src = "raw.tif"\ncopy = false'), last="register fit")
    assert ran(steps) == ("input", "register fit")
    assert (mine / "linked" / "raw.tif").is_symlink()
    assert Workspace(mine / "linked").raw.name == "raw.tif"
    assert (mine / "linked" / "transforms.json").read_bytes() == (mine / "ws" / "transforms.json").read_bytes()


def test_a_glob_of_slices_is_copied_again_when_a_slice_changes(mine: Path) -> None:
    files.write(mine / "slices", files.read(mine / "raw.tif"))
    change = ('src = "raw.tif"', 'src = "slices/00*.tif"')
    assert ran(run(mine, "glob", change=change, last="input")) == ("input",)
    assert ran(run(mine, "glob", change=change, last="input")) == ()
    os.utime(mine / "slices" / "0003.tif", (1, 1))
    assert ran(run(mine, "glob", change=change, last="input")) == ("input",)
    with pytest.raises(ValueError, match="the pattern"):
        run(mine, "glob", change=(change[0], change[1] + "\ncopy = false"))


def test_the_copy_of_the_recipe_runs_too(mine: Path) -> None:
    ws = Workspace(mine / "ws")
    pipeline.run(recipe.read(mine / "recipe.toml"), ws)
    assert ran({step.name: step for step in pipeline.run(recipe.read(ws.recipe), ws)}) == ()
    (mine / "raw.tif").unlink()
    assert ran({step.name: step for step in pipeline.run(recipe.read(ws.recipe), ws)}) == (), "the microscope's disk was taken away"


def test_a_recipe_that_was_edited_in_the_workspace_is_not_lost(mine: Path) -> None:
    pipeline.run(recipe.read(mine / "recipe.toml"), Workspace(mine / "ws"), last="input")
    (mine / "ws" / "recipe.toml").write_text("# mine\n" + small.RECIPE, encoding="utf-8")
    (mine / "recipe.toml").write_text("# other\n" + small.RECIPE, encoding="utf-8")
    pipeline.run(recipe.read(mine / "recipe.toml"), Workspace(mine / "ws"), last="input")
    assert (mine / "ws" / "recipe-1.toml").read_text(encoding="utf-8").startswith("# mine")


@pytest.mark.parametrize(("change", "says"), [
    (('src = "raw.tif"', 'src = "row.tif"'), "row.tif"),
    (('src = "raw.tif"', ""), "src = "),
    (('drawn = "classes"', 'drawn = "nothing"'), "nothing"),
    (('drawn = "classes"', 'drawn = "wrong"'), "96 x 112"),
    (('drawn = "classes"', 'drawn = "classes"\npriority = ["mitochondria"]'), "did you mean 'mitochondrion'"),
    (('drawn = "classes"', 'drawn = "classes"\nleast_voxels = {cytoplsm = 5}'), "did you mean 'cytoplasm'"),
])
def test_what_is_wrong_is_refused_before_anything_is_done(mine: Path, change: tuple[str, str], says: str) -> None:
    files.write(mine / "wrong", Labels(np.ones((1, 90, 100), np.uint8), names=("0003",), classes={1: "cytoplasm"}))
    with pytest.raises((ValueError, FileNotFoundError), match=says):
        run(mine, "refused", change=change)
    assert not (mine / "refused").exists()


def test_a_full_disk_a_wrong_stage_and_a_wrong_place_are_refused(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="did you mean 'register'"):
        run(mine, first="registr")
    with pytest.raises(FileNotFoundError, match="make it first"):
        run(mine, "no/where")
    with pytest.raises(ValueError, match="the file"):
        run(mine, "raw.tif")
    with pytest.raises(ValueError, match="does not hold the workspace"):
        run(mine, "classes")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**6, 10**6 - 10, 10))
    with pytest.raises(OSError, match=r"free, got 0\.0 kB; make room"):
        run(mine, "refused")
    assert not (mine / "refused").exists()
