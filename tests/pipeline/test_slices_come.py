"""A run while the microscope is at work: slices that come later extend the workspace, and the bytes are those of a run on all of them."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import small_recipe as small

from fibsem_ij import files, pipeline, recipe
from fibsem_ij.files import tables, transforms
from fibsem_ij.pipeline import growing, source
from fibsem_ij.register import pairs
from fibsem_ij.volume import Labels, Transforms, Volume
from fibsem_ij.workspace import Workspace

ALIGN = ('[input]\nsrc = "slices"\ngaps = true\nvoxel_nm = [8, 4, 4]\n'
         '[register]\nruns = 2\nmodel = "translation"\ninterpolation = "nearest"\n')
NETWORKS = ("denoise fit", "segment fit")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "WAIT", 0.05)


def texture(depth: int = 8, side: int = 96) -> Any:
    """Slices that resemble their neighbours, and wander."""
    rng = np.random.default_rng(5)
    field = cv2.GaussianBlur(rng.normal(size=(depth, side + 20, side + 20)).cumsum(0).transpose(1, 2, 0), (0, 0), 3).transpose(2, 0, 1)
    shifts = rng.integers(0, 8, (depth, 2))
    moved = np.stack([plane[y:y + side, x:x + side] for plane, (y, x) in zip(field, shifts, strict=True)])
    return np.clip(128 + 40 * (moved - moved.mean()) / moved.std(), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def eight() -> Any:
    return texture()


def give(folder: Path, pixels: Any, zs: Iterable[int], *, written: float = 1.7e9) -> None:
    """Slices as a microscope left them, some time ago."""
    (folder / "slices").mkdir(exist_ok=True)
    for z in zs:
        path = folder / "slices" / f"{z:04d}.tif"
        files.write(path, Volume(pixels[z:z + 1]))
        os.utime(path, (written + z, written + z))


def run(folder: Path, place: str = "ws", text: str = ALIGN, **more: Any) -> tuple[dict[str, pipeline.Step], list[str]]:
    said: list[str] = []
    steps = pipeline.run(recipe.parse(text, folder=folder), Workspace(folder / place), say=said.append, **more)
    return {step.name: step for step in steps}, said


def ran(steps: dict[str, pipeline.Step]) -> list[str]:
    return [name for name, step in steps.items() if step.runs]


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The pairs that are fitted meanwhile."""
    asked: list[tuple[int, int]] = []
    real = pairs._fit_chunk

    def counted(*args: Any, jobs: Any, **more: Any) -> Any:
        asked.extend(jobs[args[1]][1])
        return real(*args, jobs=jobs, **more)

    monkeypatch.setattr(pairs, "_fit_chunk", counted)
    return asked


@pytest.mark.timeout(180)
def test_a_whole_recipe_goes_on_wherever_slices_come(tmp_path: Path) -> None:
    """At the start, between and at the end; what was drawn stays on its slices."""
    small.lay_out(tmp_path)
    raw = np.asarray(files.read(tmp_path / "raw.tif"))
    text = small.RECIPE.replace('src = "raw.tif"', 'src = "slices"\ngaps = true\nvoxel_nm = [8, 4, 4]')
    give(tmp_path, raw, (1, 4, 5, 6))
    run(tmp_path, text=text)
    give(tmp_path, raw, (0, 3, 7))
    planned = pipeline.plan(recipe.parse(text, folder=tmp_path), Workspace(tmp_path / "ws"))
    first: dict[str, int] = {}
    steps, said = run(tmp_path, text=text, progress=lambda stage, done, _: first.setdefault(stage, done) and None)
    assert "input runs: 3 slices came: 0000, 0003, 0007" in said
    assert [(step.name, step.does) for step in planned] == [(step.name, step.does) for step in steps.values()]
    assert [name for name, step in steps.items() if step.does == "kept"] == list(NETWORKS)
    assert steps["denoise fit"].why == "slices came since it learned; move networks/denoise away to have it learn anew"
    assert first["input"] > 4, "what is there is not copied again"
    assert tables.read(Workspace(tmp_path / "ws").rounds)["round"].tolist() == [1]
    shutil.copytree(tmp_path / "ws" / "networks", tmp_path / "fresh" / "networks")
    shutil.copy(tmp_path / "ws" / "rounds.csv", tmp_path / "fresh")
    run(tmp_path, "fresh", text)
    fresh, ours = small.results(tmp_path / "fresh"), small.results(tmp_path / "ws")
    assert fresh.keys() == ours.keys()
    assert [name for name in fresh if fresh[name] != ours[name]] == []
    assert ran(run(tmp_path, text=text)[0]) == []
    changed, _ = run(tmp_path, text=text.replace("updates = 4", "updates = 3"), last="denoise")
    assert "denoise fit" in ran(changed), "another option is another reason"
    by_hand(Workspace(tmp_path / "ws"))
    give(tmp_path, raw, (2,))
    steps, _ = run(tmp_path, text=text.replace("updates = 4", "updates = 3"))
    assert str(steps["objects"]).startswith("objects waits for labels.zarr to be moved away, or to get the slices that came")
    assert steps["measure"].does == "waits"
    shutil.rmtree(tmp_path / "ws" / "labels.zarr")
    assert ran(run(tmp_path, text=text.replace("updates = 4", "updates = 3"))[0])[0] == "objects"


def by_hand(ws: Workspace) -> None:
    labels = files.read_labels(ws.labels)
    edited = np.asarray(labels).copy()
    edited[edited == 1] = 0
    files.write(ws.labels, Labels(edited, labels.voxel_nm, labels.names))


def test_only_new_slices_are_copied_fitted_and_resampled(tmp_path: Path, eight: Any, fitted: list[tuple[int, int]]) -> None:
    give(tmp_path, eight, range(6))
    run(tmp_path)
    fitted.clear()
    ws = Workspace(tmp_path / "ws")
    old = {path: path.stat().st_ino for store in (ws.raw, ws.aligned) for path in store.glob("0/[0-3]/*/*")}
    give(tmp_path, eight, range(6, 8))
    steps, said = run(tmp_path)
    assert steps["input"].why == "2 slices came: 0006, 0007"
    assert sorted(fitted) == [(4, 6), (5, 6), (5, 7), (6, 7)]
    assert any("slices that were placed moved by up to" in line for line in said)
    assert len(old) == 8
    assert [path for path in old if path.is_relative_to(ws.raw) and path.stat().st_ino != old[path]] == []
    run(tmp_path, "fresh")
    assert small.results(tmp_path / "fresh") == small.results(tmp_path / "ws")
    assert ran(run(tmp_path)[0]) == []


def test_killed_while_slices_came_it_goes_on(tmp_path: Path, eight: Any, fitted: list[tuple[int, int]]) -> None:
    give(tmp_path, eight, range(5))
    run(tmp_path)
    fitted.clear()
    give(tmp_path, eight, range(5, 8))

    def stop(stage: str, done: int, _: int) -> None:
        if (stage, done) == ("register apply", 6):
            raise RuntimeError("stopped here")

    with pytest.raises(RuntimeError, match="stopped here"):
        run(tmp_path, progress=stop)
    steps, _ = run(tmp_path)
    assert ran(steps) == ["register apply"]
    assert len(set(fitted)) == len(fitted) == 6
    run(tmp_path, "fresh")
    assert small.results(tmp_path / "fresh") == small.results(tmp_path / "ws")


def test_killed_when_a_result_had_just_got_its_name(tmp_path: Path, eight: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    give(tmp_path, eight, (1, 2, 4, 5))
    run(tmp_path)
    give(tmp_path, eight, (0, 3, 6))
    real, left = growing.Before.compared, ["input", "register fit", "register apply"]

    def killed(self: growing.Before, *args: Any, **more: Any) -> Any:
        if self.stage.name in left:
            left.remove(self.stage.name)
            raise RuntimeError("killed here")
        return real(self, *args, **more)

    monkeypatch.setattr(growing.Before, "compared", killed)
    for _ in range(3):
        with pytest.raises(RuntimeError, match="killed here"):
            run(tmp_path)
    run(tmp_path)
    run(tmp_path, "fresh")
    assert small.results(tmp_path / "fresh") == small.results(tmp_path / "ws")
    told = json.loads((tmp_path / "ws" / "run.json").read_text(encoding="utf-8"))["stages"]
    assert [len(told[name]["grew"]) for name in ("input", "register fit", "register apply")] == [1, 1, 1]


def test_numbers_of_slices_are_not_left_to_mean_others(tmp_path: Path, eight: Any) -> None:
    text = ALIGN + "reference = 2\n"
    give(tmp_path, eight, (1, 2, 3, 4))
    run(tmp_path, text=text)
    give(tmp_path, eight, (5,))
    (tmp_path / "ws" / "drawn").mkdir()
    (tmp_path / "ws" / "drawn" / "cells.zip").touch()
    assert not any("are still those you mean" in line for line in run(tmp_path, text=text)[1])
    give(tmp_path, eight, (0,))
    with pytest.raises(ValueError, match=r"since cells.zip in drawn counts them, got 0000 before 0001"):
        run(tmp_path, text=text)
    (tmp_path / "ws" / "drawn" / "cells.zip").unlink()
    assert any("look whether 2 in [register] are" in line for line in run(tmp_path, text=text)[1])


def test_a_slice_that_is_gone_or_another_is_named(tmp_path: Path, eight: Any, fitted: list[tuple[int, int]]) -> None:
    give(tmp_path, eight, range(7))
    run(tmp_path)
    fitted.clear()
    give(tmp_path, np.roll(eight, 1, axis=1), (3,), written=1.71e9)
    steps, _ = run(tmp_path)
    assert steps["input"].why == "0003 changed"
    assert sorted(fitted) == [(1, 3), (2, 3), (3, 4), (3, 5)]
    before = small.results(tmp_path / "ws")
    for z in (0, 1, 2, 5):
        (tmp_path / "slices" / f"{z:04d}.tif").unlink()
    with pytest.raises(ValueError, match=r"expected 0000 to 0002, 0005 in the source as before, got no such file; put"):
        run(tmp_path)
    assert small.results(tmp_path / "ws") == before
    shutil.rmtree(tmp_path / "ws" / "raw.zarr")
    run(tmp_path)
    assert len(files.read(tmp_path / "ws" / "aligned.zarr")) == 3


def test_a_slice_that_is_being_written_is_left_for_the_next_run(tmp_path: Path, eight: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    give(tmp_path, eight, range(5))
    last, growing = tmp_path / "slices" / "0005.tif", tmp_path / "slices" / "0004.tif"
    whole = growing.read_bytes()
    last.write_bytes(whole[:-500])
    _, said = run(tmp_path)
    assert "0005: still being written; left for the next run" in said
    assert len(files.read(tmp_path / "ws" / "raw.zarr")) == 5
    give(tmp_path, eight, (5,))
    steps, _ = run(tmp_path)
    assert steps["input"].why == "1 slice came: 0005"
    os.utime(last, (1, 1))
    last.write_bytes(whole[:-500])
    os.utime(last, (1, 1))
    with pytest.raises(ValueError, match=r"0005.tif.*cut"):
        run(tmp_path)
    last.write_bytes(whole)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(time, "sleep", lambda _: last.write_bytes(whole + b"more"))
        found = source.listed(recipe.parse(ALIGN, folder=tmp_path), wait=1)
    assert found.left == ("0005",)
    assert list(found.slices) == [f"{z:04d}" for z in range(5)]


def test_slices_that_are_placed_may_stay(tmp_path: Path, eight: Any) -> None:
    text = ALIGN + "hold = true\n"
    give(tmp_path, eight, (1, 2, 3, 5))
    run(tmp_path, text=text)
    ws = Workspace(tmp_path / "ws")
    before, old = transforms.read(ws.transforms), np.asarray(files.read(ws.aligned))
    give(tmp_path, eight, (0, 4, 6, 7))
    first: dict[str, int] = {}
    run(tmp_path, text=text, progress=lambda stage, done, _: first.setdefault(stage, done) and None)
    now = transforms.read(ws.transforms)
    assert first["register apply"] > 4, "they are not resampled again"
    assert np.array_equal(now.matrices[[1, 2, 3, 5]], before.matrices)
    assert np.array_equal(np.asarray(files.read(ws.aligned))[[1, 2, 3, 5]], old)
    run(tmp_path, "fresh", ALIGN)
    fresh = transforms.read(Workspace(tmp_path / "fresh").transforms)
    apart = (now.matrices - fresh.matrices)[:, :2, 2]
    assert np.abs(apart - apart[1]).max() < 0.5, "and the others lie where they would have"


def test_transforms_changed_by_hand_stay_when_slices_come(tmp_path: Path, eight: Any) -> None:
    give(tmp_path, eight, range(6))
    run(tmp_path)
    ws = Workspace(tmp_path / "ws")
    found = transforms.read(ws.transforms)
    matrices = found.matrices.copy()
    matrices[:, 0, 2] += 3
    transforms.write(ws.transforms, Transforms(matrices, found.canvas, found.model, found.voxel_nm, found.spread_px))
    give(tmp_path, eight, (6, 7))
    steps, _ = run(tmp_path)
    assert steps["register fit"].why == "slices came; transforms.json was changed by hand: what it says of the others stays"
    now = transforms.read(ws.transforms)
    assert np.array_equal(now.matrices[:6], matrices)
    steps_between = np.diff(now.matrices[:, 0, 2])
    run(tmp_path, "fresh")
    assert np.abs(steps_between - np.diff(transforms.read(tmp_path / "fresh" / "transforms.json").matrices[:, 0, 2])).max() < 0.5
    assert ran(run(tmp_path)[0]) == []


def test_what_is_remembered_is_small_and_plain(tmp_path: Path, eight: Any) -> None:
    give(tmp_path, eight, range(4))
    run(tmp_path)
    told = json.loads((tmp_path / "ws" / "run.json").read_text(encoding="utf-8"))["stages"]["input"]
    assert list(told["slices"]) == ["0000", "0001", "0002", "0003"]
    assert told["grew"] == []
    lines = (tmp_path / "ws" / "pairs.jsonl").read_text(encoding="ascii").splitlines()
    assert [(json.loads(line)["fixed"], json.loads(line)["moving"]) for line in sorted(lines, key=lambda line: json.loads(line)["fixed"])]
    assert len(lines) == 5


def test_a_workspace_from_before_slices_were_remembered(tmp_path: Path, eight: Any) -> None:
    give(tmp_path, eight, range(4))
    run(tmp_path)
    path = tmp_path / "ws" / "run.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    for stage in told["stages"].values():
        stage.pop("slices", None)
        stage.pop("grew")
    for key in ("databar", "detector"):
        told["stages"]["input"]["options"].pop(key)
    told["stages"]["input"]["reads"] = {"slices": "another"}
    path.write_text(json.dumps(told), encoding="utf-8")
    steps, _ = run(tmp_path)
    assert (ran(steps), steps["input"].why) == (["input"], "slices changed")
    give(tmp_path, eight, (4,))
    assert run(tmp_path)[0]["input"].why == "1 slice came: 0004"
