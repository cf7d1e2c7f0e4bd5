"""docs/adding.md, done as it says: its package is built and installed, and what it brings is put to the tests that ours pass."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from fibsem_ij import files, measure, recipe, register, segment, sockets
from fibsem_ij.cli import app
from fibsem_ij.files import tables
from fibsem_ij.pipeline import fingerprints
from fibsem_ij.volume import Labels, Volume

HERE = Path(__file__).parent
PAGE = (HERE.parent / "docs" / "adding.md").read_text(encoding="utf-8")
LABELS = np.kron(np.arange(8, dtype=np.uint16).reshape(2, 2, 2), np.ones((5, 24, 24), np.uint16))


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module", autouse=True)
def finer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The page's package, installed into a folder that is looked into while this file runs."""
    folder = tmp_path_factory.mktemp("finer")
    (folder / "src" / "finer").mkdir(parents=True)
    (folder / "src" / "finer" / "__init__.py").touch()
    for block in blocks("python"):
        (folder / "src" / block.split("\n")[0].removeprefix("# ")).write_text(block, encoding="utf-8")
    (folder / "src" / "pyproject.toml").write_text(blocks("toml")[0], encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    subprocess.run([*pip, "--target", folder / "site", folder / "src"], check=True, timeout=120)
    with pytest.MonkeyPatch.context() as patch:
        for path in (folder / "site", *(HERE / name for name in ("learn", "register", "measure"))):
            patch.syspath_prepend(path)
        sockets.plugged.cache_clear()
        yield folder / "site"
    sockets.plugged.cache_clear()


def test_each_way_is_told_in_few_lines() -> None:
    assert max(len(section.splitlines()) for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)) < 40


def test_the_network_passes_what_ours_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contract: Any = importlib.import_module("test_segmentation_nets")
    monkeypatch.setitem(contract.SMALL, "narrow", {"width": 8})
    monkeypatch.setitem(contract.LEARNS, "narrow", (1e-2, 60, 0.12, 0.95))
    contract.test_any_size_and_any_number_of_slices("narrow", 3)
    contract.test_every_slice_counts_and_the_output_is_raw("narrow")
    contract.test_one_patch_is_learned_by_heart("narrow")
    contract.test_channels_last_and_made_fast_it_says_the_same("narrow")
    contract.test_it_predicts_a_stack_in_tiles("narrow")
    contract.test_the_source_and_the_state_dict_stand_alone(tmp_path, "narrow", monkeypatch)


def test_the_aligner_passes_what_ours_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    contract: Any = importlib.import_module("test_aligners")
    monkeypatch.setitem(contract.ALIGNERS, "phase", (sockets.load("aligners", "phase"), 0.2))
    contract.test_known_motions_are_recovered("phase", "translation")
    contract.test_the_same_seed_gives_the_same_runs_and_another_seed_others("phase")


def test_the_measure_passes_what_ours_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contract: Any = importlib.import_module("test_measure_door")
    monkeypatch.setattr(contract, "EVERY", measure.Options(groups=("size", "profile")))
    monkeypatch.setattr(contract, "SHAPE", ("size", "profile"))
    contract.test_every_column_is_defined(LABELS)
    contract.test_on_disk_and_slice_by_slice_is_as_in_memory(LABELS, tmp_path)
    contract.test_a_stack_without_objects_has_a_table_without_rows()
    contract.test_a_stack_of_any_form((5, 1, 9))


def test_the_command_line_has_them_by_name(tmp_path: Path) -> None:
    def call(*words: object) -> str:
        done = CliRunner().invoke(app, [*map(str, words), "--progress", "none"])
        assert not done.exception, done.exception
        return done.stdout

    rng = np.random.default_rng(0)
    grey = (20 * LABELS + rng.integers(0, 60, LABELS.shape)).astype(np.uint8)
    files.write(tmp_path / "raw.tif", Volume(grey, (8, 4, 4)))
    files.write(tmp_path / "labels.zarr", Labels(LABELS, (8, 4, 4)))
    files.write(tmp_path / "drawn.tif", Labels((LABELS > 4).astype(np.uint8), (8, 4, 4), classes={1: "late"}))

    call("measure", tmp_path / "labels.zarr", tmp_path / "table.csv", "--groups", "profile")
    assert tables.read(tmp_path / "table.csv")["widest_area_nm2"].tolist() == [24 * 24 * 16] * 7
    assert "largest area" in json.loads((tmp_path / "table.json").read_text(encoding="utf-8"))["columns"]["widest_area_nm2"]["is"]
    call("register", "fit", tmp_path / "raw.tif", tmp_path / "t.json", "--aligner", "phase", "--model", "translation", "--runs", 3)
    assert json.loads((tmp_path / "t.json").read_text(encoding="utf-8"))["model"] == "translation"
    call("segment", "fit", tmp_path / "raw.tif", tmp_path / "drawn.tif", tmp_path / "net", "--network", "narrow", "--updates", 2)
    call("segment", "apply", tmp_path / "raw.tif", tmp_path / "net", tmp_path / "found.tif")
    assert files.read_labels(tmp_path / "found.tif").shape == LABELS.shape


def test_recipes_know_them_and_see_when_they_change(finer: Path) -> None:
    read = recipe.parse('[register]\naligner = "phase"\n[segment]\nnetwork = "narrow"\n[measure]\ngroups = ["profile"]\n')
    assert read.register
    assert read.register.options.aligner == "phase"
    before = fingerprints.code("measure", "measures:profile")
    with (finer / "finer" / "profile.py").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    fingerprints.code.cache_clear()
    assert fingerprints.code("measure", "measures:profile") != before


def test_what_is_not_there_or_does_not_load_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"expected an aligner of turboreg, sift, phase .*did you mean 'phase'"):
        register.Options(aligner="phases")
    with pytest.raises(ValueError, match="did you mean 'narrow'"):
        segment.Options(network="narow")
    with pytest.raises(ValueError, match="spectrum, profile, got 'shape'"):
        measure.Options(groups=("shape",))
    monkeypatch.setitem(sys.modules, "finer.phase", None)
    with pytest.raises(ValueError, match=r"expected finer.phase:Phase for phase, .*got ModuleNotFoundError.*uninstall"):
        register.fit(np.random.default_rng(0).integers(0, 255, (4, 64, 64), dtype=np.uint8),
                     options=register.Options(aligner="phase", model="translation"))
