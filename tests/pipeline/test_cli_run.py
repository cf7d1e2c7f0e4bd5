"""`fibsem-ij run` and `fibsem-ij recipes` as a user meets them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import small
from typer.testing import CliRunner

from fibsem_ij import recipe
from fibsem_ij.cli import app

DOCS = Path(__file__).parents[2] / "docs" / "run.md"


def call(*argv: object) -> str:
    done = CliRunner().invoke(app, list(map(str, argv)))
    if done.exception:
        raise done.exception
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.lay_out(tmp_path_factory.mktemp("cli")).parent


def test_ready_recipes_are_listed_and_written(tmp_path: Path) -> None:
    assert "organelles" in call("recipes")
    assert "[segment]" in call("recipes", "cells")
    assert "fibsem-ij run" in call("recipes", "align", tmp_path / "r.toml")
    assert recipe.read(tmp_path / "r.toml").register is not None
    with pytest.raises(ValueError, match="is there already"):
        call("recipes", "align", tmp_path / "r.toml")


def test_the_recipe_of_the_page_is_one() -> None:
    block, = re.findall(r"^```toml\n(.*?)^```", DOCS.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    read = recipe.parse(block)
    assert all((read.register, read.denoise, read.segment, read.objects, read.measure, read.output))


def test_a_run_tells_machines_what_it_did(folder: Path) -> None:
    told = json.loads(call("run", folder / "recipe.toml", folder / "ws", "--to", "register", "--json", "--progress", "none"))
    does = {step["stage"]: step["does"] for step in told["steps"]}
    assert [does[name] for name in ("input", "register fit", "register apply", "measure")] == ["runs"] * 3 + ["left out"]
    again = json.loads(call("run", folder / "recipe.toml", folder / "ws", "--to", "register fit", "--json", "--src", folder / "raw.tif"))
    assert {step["does"] for step in again["steps"][:2]} == {"up to date"}


def test_a_dry_run_does_nothing_and_tells_sizes_and_times(folder: Path) -> None:
    told = json.loads(call("run", folder / "recipe.toml", folder / "dry", "--dry", "--json"))["steps"]
    assert not (folder / "dry").exists()
    by_name = {one["stage"]: one for one in told}
    assert by_name["segment apply"]["shape"] == [2, 8, 96, 112]
    voxels = 8 * 96 * 112
    assert 0.3 * voxels < by_name["register apply"]["disk_bytes"] < 1.2 * voxels
    assert all(one["memory_bytes"] > 1e8 for one in told)
    assert 0 < by_name["register fit"]["seconds"] < 60
    text = call("run", folder / "recipe.toml", folder / "dry", "--dry")
    assert "free" in text.splitlines()[-1]


def test_a_dry_run_of_fifty_gigavoxels_reads_next_to_nothing(tmp_path: Path) -> None:
    """A sparse file: what is not asked for does not exist. How long it takes is for benchmarks/planning.py to say."""
    shape = (2526, 3511, 5728)
    np.lib.format.open_memmap(tmp_path / "raw.npy", "w+", np.uint8, shape).flush()
    (tmp_path / "recipe.toml").write_text('[input]\nsrc = "raw.npy"\ncopy = false\n[objects]\nthreshold = 5\n', encoding="utf-8")
    told = json.loads(call("run", tmp_path / "recipe.toml", tmp_path / "ws", "--dry", "--json"))["steps"]
    assert told[1]["shape"] == list(shape)
    assert (tmp_path / "raw.npy").stat().st_blocks * 512 < 1e8
