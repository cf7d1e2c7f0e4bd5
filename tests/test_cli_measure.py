"""fibsem-ij measure on real files: a table, what its columns mean, and tables of parents and of contacts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from fibsem_ij import files
from fibsem_ij.cli import app
from fibsem_ij.files import sidecar, tables
from fibsem_ij.volume import Labels, Volume

NM = (10.0, 5.0, 5.0)
SHAPE = (16, 40, 60)


def rods() -> np.ndarray:
    """Rods along x in two cells, two of them end to end; one outside."""
    found = np.zeros(SHAPE, np.uint16)
    for number, (z, y, x) in {3: (3, 5, 4), 4: (9, 12, 6), 8: (5, 20, 34), 9: (5, 20, 44), 500: (13, 36, 30)}.items():
        found[z:z + 2, y:y + 3, x:x + 10] = number
    return found


RODS = rods()
CELLS = np.zeros(SHAPE, np.uint8)
CELLS[1:12, 1:32, 1:30], CELLS[1:12, 1:32, 30:59] = 1, 2


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder we are in."""
    monkeypatch.chdir(tmp_path)
    files.write(tmp_path / "rods.tif", Labels(RODS, NM))
    files.write(tmp_path / "cells.tif", Labels(CELLS, NM))
    grey = np.random.default_rng(1).integers(0, 255, SHAPE).astype(np.uint8)
    files.write(tmp_path / "grey.tif", Volume(grey, NM))
    return tmp_path


def run(*argv: object) -> Any:
    done = CliRunner().invoke(app, ["measure", *(str(a) for a in argv)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done


def test_a_table_and_what_its_columns_mean(folder: Path) -> None:
    assert run("rods.tif", folder / "measures.csv").stdout.startswith("5 objects in")
    table, said = tables.read(Path("measures.csv")), json.loads((folder / "measures.json").read_text(encoding="utf-8"))
    assert next(iter(table)) == "label"
    assert table["label"].tolist() == [3, 4, 8, 9, 500]
    np.testing.assert_allclose(table["volume_nm3"], 60 * 250)
    assert list(said["columns"]) == list(table)
    assert said["columns"]["volume_nm3"]["unit"] == "nm3"
    assert all(meaning["is"] for meaning in said["columns"].values())
    assert (said["table"], said["rows"], said["labels"], said["voxel_nm"]) == ("measures.csv", 5, "rods.tif", list(NM))


def test_all_relations_at_once(folder: Path) -> None:
    moved = np.roll(RODS, 2, 2)
    files.write(Path("later.tif"), Labels(np.where(moved == 4, 0, moved), NM))
    told = json.loads(run("rods.tif", "m.parquet", "--parent", "cells.tif", "--parents-table", "cells.csv",
                          "--nearest", "--contacts-table", "touching.csv", "--axis", "0,1,1", "--later", "later.tif",
                          "--groups", "size,surface", "--json").stdout)
    table = tables.read(Path("m.parquet"))
    assert table["parent"].tolist() == [1, 1, 2, 2, 0]
    assert table["nearest_id"].tolist() == [4, 3, 9, 8, 8]
    np.testing.assert_allclose(table["nearest_distance_nm"][2:4], 0)
    np.testing.assert_allclose(table["axis_angle_deg"], 45)
    assert table["later_id"].tolist() == [3, 0, 8, 9, 500]
    assert told["displacement"] == {"matched": 4, "mean": [0, 0, 10], "rms_about_mean": 0}
    assert told["fibres"]["fractional_anisotropy"] == pytest.approx(1)
    assert (told["objects"], told["with_parent"]) == (5, 4)
    held = tables.read(Path("cells.csv"))
    assert held["children"].tolist() == [2, 2]
    np.testing.assert_allclose(held["volume_fraction"], [120 / (11 * 31 * 29)] * 2)
    touching = tables.read(Path("touching.csv"))
    assert (touching["label"].tolist(), touching["other"].tolist()) == ([8], [9])
    np.testing.assert_allclose(touching["contact_surface_nm2"], 2 * 3 * 50, rtol=.1)
    for name, found in (("m.parquet", table), ("cells.csv", held), ("touching.csv", touching)):
        assert list(sidecar.read(Path(name))["columns"]) == list(found)
    assert sidecar.read(Path("m.parquet"))["fibres"] == told["fibres"]


def test_against_another_class_and_grey(folder: Path) -> None:
    run("rods.tif", "m.csv", "--against", "cells.tif", "--image", "grey.tif", "--levels", 8, "--span", "0,255")
    table = tables.read(Path("m.csv"))
    assert table["nearest_id"].tolist() == [1, 1, 2, 2, 2]
    np.testing.assert_allclose(table["grey_mean"][0], files.read(Path("grey.tif"))[:][RODS == 3].mean())
    assert "glcm_contrast" in table


def test_without_a_voxel_size_and_with_one_given(folder: Path) -> None:
    for path, labels in (("rods.npy", RODS), ("cells.npy", CELLS)):
        np.save(path, labels)
    files.write(Path("coarse.tif"), Labels(RODS, (20.0, 10.0, 10.0)))
    run("rods.npy", "px.csv", "--groups", "size", "--parent", "cells.npy")
    run("rods.npy", "nm.csv", "--groups", "size", "--parent", "cells.npy", "--voxel-nm", "10,5,5")
    px, nm = tables.read(Path("px.csv")), tables.read(Path("nm.csv"))
    np.testing.assert_allclose(px["volume_px3"] * 250, nm["volume_nm3"])
    run("rods.npy", "far.csv", "--groups", "size", "--later", "coarse.tif", "--voxel-nm", "10,5,5")  # which has a size of its own
    np.testing.assert_allclose(tables.read(Path("far.csv"))["displacement_z_nm"], nm["centroid_z_nm"])
    assert {"membrane_distance_px", "membrane_distance_nm"} <= {*px, *nm}


def test_classes_have_their_names(folder: Path) -> None:
    files.write(Path("classes.tif"), Labels(CELLS, NM, classes={1: "nucleus", 2: "resin"}))
    run("classes.tif", "m.csv", "--groups", "size")
    assert tables.read(Path("m.csv"))["class"].tolist() == ["nucleus", "resin"]


def test_an_empty_label_image(folder: Path) -> None:
    files.write(Path("nothing.tif"), Labels(np.zeros(SHAPE, np.uint8), NM))
    told = run("nothing.tif", "m.csv", "--parent", "cells.tif", "--nearest", "--axis", "0,0,1", "--contacts-table",
               "c.csv", "--parents-table", "p.csv", "--later", "rods.tif", "--skeleton")
    assert told.stdout.startswith("0 objects in")
    assert {len(column) for column in tables.read(folder / "m.csv").values()} == {0}
    assert tables.read(Path("p.csv"))["children"].tolist() == [0, 0]


@pytest.mark.parametrize(("argv", "error"), [
    (["m.tif"], "a table to write"),
    (["none/m.csv"], "expected the folder"),
    (["m.csv", "--against", "cells.tif", "--nearest"], "--against or --nearest"),
    (["m.csv", "--parents-table", "p.csv"], "expected --parent with"),
    (["m.csv", "--contacts-table", "m.parquet"], "tables of different names"),
    (["m.csv", "--parent", "small.tif"], "of one shape"),
    (["m.csv", "--axis", "x"], "expected --axis as a direction"),
    (["m.csv", "--axis", "0,0,0"], "other than 0,0,0"),
    (["m.csv", "--span", "5"], "two grey values"),
    (["m.csv", "--groups", "shape"], "expected groups of"),
    (["m.csv", "--groups", "hull", "--axis", "0,0,1"], "add size to --groups"),
    (["transforms.csv"], "notes of an older table")])
def test_what_is_refused_leaves_nothing_behind(folder: Path, argv: list[str], error: str) -> None:
    files.write(folder / "small.tif", Labels(CELLS[1:], NM))
    (folder / "transforms.json").write_text('{"matrices": []}', encoding="utf-8")
    before = sorted(folder.rglob("*"))
    with pytest.raises((ValueError, FileNotFoundError), match=error):
        run("rods.tif", *argv)
    assert sorted(folder.rglob("*")) == before


def test_a_table_written_again(folder: Path) -> None:
    for groups in ("size", "size,surface"):
        run("rods.tif", "m.csv", "--groups", groups)
    assert list(sidecar.read(Path("m.csv"))["columns"]) == list(tables.read(Path("m.csv")))
