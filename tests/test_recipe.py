"""Recipes: what is left out has the room's default, and what is not known is named, with what it is nearest to."""

from __future__ import annotations

from pathlib import Path

import pytest

from fibsem_ij import measure, recipe, register, segment


def test_a_key_left_out_has_the_default_of_its_room() -> None:
    read = recipe.parse("[register]\nruns = 5\n[segment]\npreset = 'sparse'\nrate = 1\n[measure]\n[output]\n")
    assert read.register is not None
    assert read.register.options == register.Options(runs=5)
    assert read.segment is not None
    assert read.segment.options == segment.Options(**{**vars(segment.preset("sparse")), "rate": 1.0})
    assert read.measure is not None
    assert read.measure.options == measure.Options()
    assert read.denoise is None
    assert read.objects is None


def test_values_come_in_the_types_of_the_options() -> None:
    read = recipe.parse("[input]\nvoxel_nm = [8, 4, 4]\n[register]\nbad = [3, 4]\n[denoise]\nupdates = 20\n"
                        "[denoise.augment]\nnoise = 1\n[segment]\nbase = 8\nignore = ['outside']\nweights = {ER = 2}\n"
                        "[segment.least_voxels]\nER = 100\n[objects]\nhow = 'components'\nleast_voxels = {ER = 5.0}\n")
    assert read.input.voxel_nm == (8.0, 4.0, 4.0)
    assert read.register is not None
    assert read.register.options.bad == (3, 4)
    assert read.denoise is not None
    assert read.denoise.options.augment.noise == 1.0
    assert read.denoise.options.minutes is None, "updates alone: the clock does not count"
    assert read.segment is not None
    assert read.segment.options.config == {"base": 8, "fold": 2}
    assert read.segment.least_voxels == {"ER": 100}
    assert read.plain()["objects"]["least_voxels"] == {"ER": 5.0}


@pytest.mark.parametrize(("text", "says"), [
    ("[regster]\n", "did you mean 'register'"),
    ("[register]\nmodle = 'rigid'\n", r"\[register\].*'modle'.*did you mean 'model'"),
    ("[segment]\npatches = 5\n", "did you mean 'patch'"),
    ("[segment]\npreset = 'organelle'\n", "did you mean 'organelles'"),
    ("[objects]\nhow = 'component'\n", "did you mean 'components'"),
    ("[objects]\nhow = 'nuclei'\nlayer = 'x'\n", "'layer'"),
    ("[register]\nruns = 'many'\n", r"\[register\] runs: expected a whole number, got 'many'"),
    ("[register]\nruns = 2.5\n", "whole number"),
    ("[register]\nruns = true\n", "whole number"),
    ("[register]\naligner = 'turbreg'\n", "did you mean 'turboreg'"),
    ("[register]\nmodel = 'afine'\n", r"\[register\].*expected model as one of"),
    ("[input]\nvoxel_nm = [4, 4]\n", "a list of 3"),
    ("[input]\ncopy = 1\n", "true or false"),
    ("[denoise.augment]\nnoize = 1\n", "did you mean 'noise'"),
    ("[segment]\nweights = 3\n", "a table"),
    ("runs = 5\n", "runs"),
    ("register = 5\n", r"write \[register\]"),
    ("[register\n", "line 1"),
])
def test_what_is_not_known_is_named_with_the_nearest(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        recipe.parse(text)


def test_the_ready_recipes_are_read(tmp_path: Path) -> None:
    found = recipe.ready()
    assert set(found) == {"organelles", "nuclei", "cells", "denoise", "align"}
    for name, what in found.items():
        assert len(what) > 20
        (tmp_path / "recipe.toml").write_text(recipe.ready_text(name), encoding="utf-8")
        assert recipe.read(tmp_path / "recipe.toml").folder == tmp_path
    with pytest.raises(ValueError, match="did you mean 'nuclei'"):
        recipe.ready_text("nuclii")


def test_a_missing_recipe_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="fibsem-ij recipes"):
        recipe.read(tmp_path / "none.toml")
