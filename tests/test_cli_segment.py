"""The segmentation commands on real files, as a user meets them: drawn slices in, classes and scores out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from fibsem_ij import files, segment
from fibsem_ij.cli.objects import app as objects
from fibsem_ij.cli.segment import _options, app
from fibsem_ij.cli.training import state_of
from fibsem_ij.files import networks, probabilities, tables
from fibsem_ij.volume import Labels, Volume

CLASSES = {1: "blob", 3: "dark blob"}
NAMES = tuple(f"{z:04d}" for z in (0, 2, 3, 20, 21, 40, 60, 61, 80, 99))  # a folder with gaps
TINY = ("--updates", 8, "--patch", 32, "--base", 8, "--device", "cpu")
RNG = np.random.default_rng(5)


def discs(side: int, radius: int, numbers: list[int]) -> np.ndarray:
    """One in the middle of each square of `side` px, numbered in turn, moving a little from slice to slice."""
    y, x = np.mgrid[:64, :64]
    found = np.zeros((len(NAMES), 64, 64), np.uint8)
    for z in range(len(NAMES)):
        here = np.hypot((y - z % 3) % side - side / 2, (x + z % 2) % side - side / 2) < radius
        square = (y - z % 3) // side + (x + z % 2) // side + 1
        found[z] = np.where(here, np.array(numbers)[square % len(numbers)], 0)
    return found


TRUTH = discs(16, 6, [1, 3])
CELLS = discs(32, 12, [1, 2]) * np.uint16(7)
GREY = np.clip(np.choose(TRUTH, [120, 220, 0, 30]) + RNG.normal(0, 8, TRUTH.shape), 0, 255).astype(np.uint8)


def run(*argv: object, door: Any = app) -> Any:
    done = CliRunner().invoke(door, [str(a) for a in argv])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done


def told(*argv: object, door: Any = app) -> Any:
    return json.loads(run(*argv, "--json", door=door).stdout)


def layer(path: Path, labels: np.ndarray, chosen: list[int], classes: dict[int, str] | None = None) -> None:
    files.write(path, Labels(labels[chosen], None, tuple(NAMES[z] for z in chosen), classes or {}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files.write(tmp_path / "slices", Volume(GREY, (8.0, 4.0, 4.0), NAMES))
    layer(tmp_path / "drawn", TRUTH, [0, 3, 5, 8], CLASSES)
    layer(tmp_path / "test", TRUTH, [1, 6, 9], CLASSES)
    layer(tmp_path / "cells", CELLS, [0, 3, 5, 8])
    return tmp_path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that has learned the scene."""
    home = tmp_path_factory.mktemp("trained")
    files.write(home / "slices", Volume(GREY, (8.0, 4.0, 4.0), NAMES))
    layer(home / "drawn", TRUTH, [0, 3, 5, 8], CLASSES)
    said = told("fit", home / "slices", home / "drawn", home / "net", *TINY, "--updates", 100, "--log", home / "log")
    assert said["classes"] == {"1": "blob", "3": "dark blob"}
    assert said["networks"][0]["update"] == 100
    assert sorted(p.name for p in home.iterdir()) == ["drawn", "log", "net", "slices"]  # the state of the training went with its end
    assert (home / "log" / "history.csv").exists()
    return home / "net"


def test_apply_and_score(folder: Path, trained: Path) -> None:
    said = told("apply", folder / "slices", trained, folder / "out.tif", "--probabilities", folder / "p.zarr", "--least-voxels", "blob=5")
    assert said["classes"] == {"1": "blob", "3": "dark blob"}
    out, store = files.read_labels(folder / "out.tif"), probabilities.read(folder / "p.zarr")
    assert (out.voxel_nm, out.names, out.classes, out.dtype) == ((8.0, 4.0, 4.0), NAMES, CLASSES, np.uint8)
    assert (store.names, store.slice_names, store.voxel_nm) == (CLASSES, NAMES, (8.0, 4.0, 4.0))
    raw = segment.apply(files.read(folder / "slices"), networks.read_all(trained))
    np.testing.assert_array_equal(store[:], raw)
    np.testing.assert_array_equal(np.asarray(out), segment.labels(raw, ids=CLASSES, least_px=store.least_px, least_voxels={"blob": 5}))
    assert store.least_px == segment.least_drawn(networks.read_all(trained))
    assert set(store.least_px) == {"blob", "dark blob"}
    scores = told("score", folder / "out.tif", folder / "test", "--table", folder / "t.csv", "--pictures", folder / "p", "--image",
                  folder / "slices")
    assert scores["classes"]["blob"]["f1"] > 0.8
    assert scores["slices"] == 3
    table = tables.read(folder / "t.csv")
    assert table["slice"].tolist() == ["0002", "0002", "0060", "0060", "0099", "0099"]
    assert table["class"].tolist() == ["blob", "dark blob"] * 3
    assert sorted(p.name for p in (folder / "p").iterdir()) == ["class_1_blob.png", "class_3_dark_blob.png", "scores.png"]
    text = run("score", folder / "out.tif", folder / "test").stdout
    assert f"{scores['classes']['dark blob']['recall']:.3f}" in text
    assert "F1 over 3 slices: micro" in text


def test_label_makes_the_class_image_again(folder: Path, trained: Path) -> None:
    run("apply", folder / "slices", trained, folder / "a.zarr", "--probabilities", folder / "p.zarr")
    run("label", folder / "p.zarr", folder / "b.zarr")
    first, again = (np.asarray(files.read_labels(folder / name)) for name in ("a.zarr", "b.zarr"))
    np.testing.assert_array_equal(first, again)
    run("label", folder / "p.zarr", folder / "e.zarr", "--crumbs")
    kept, store = np.asarray(files.read_labels(folder / "e.zarr")), probabilities.read(folder / "p.zarr")
    np.testing.assert_array_equal(kept, segment.labels(store[:], ids=CLASSES))
    run("label", folder / "p.zarr", folder / "c.zarr", "--crumbs", "--how", "priority", "--priority", "dark blob", "--threshold", 0.01)
    third = np.asarray(files.read_labels(folder / "c.zarr"))
    assert np.array_equal(third == 3, store[1][:] >= 0.01 * 255)
    with pytest.raises(ValueError, match=r"--least-voxels as CLASS=N of blob, dark blob, got 'blot=3'"):
        run("label", folder / "p.zarr", folder / "d.zarr", "--least-voxels", "blot=3")
    assert not list(folder.glob(".*"))
    assert not (folder / "d.zarr").exists()


def test_slices_that_were_trained_on_are_left_out_and_near_ones_told(folder: Path, trained: Path) -> None:
    layer(folder / "all", TRUTH, list(range(len(NAMES))), CLASSES)
    layer(folder / "out", TRUTH, list(range(len(NAMES))), CLASSES)
    done = run("score", folder / "out", folder / "all", "--net", trained, "--json")
    assert json.loads(done.stdout)["slices"] == 6
    assert "0002, 0003, 0021: less than 10 slices from one" in done.stderr
    with pytest.raises(ValueError, match="was not trained on, got none"):
        run("score", folder / "out", folder / "drawn", "--net", trained)


def test_a_second_expert_is_told_beside(folder: Path) -> None:
    layer(folder / "out", TRUTH, list(range(len(NAMES))), CLASSES)
    layer(folder / "second", np.roll(TRUTH, 2, 2), [1, 6], CLASSES)
    said = told("score", folder / "out", folder / "test", "--second-expert", folder / "second", "--pictures", folder / "p")
    assert said["classes"]["blob"]["f1"] == 1
    assert 0.5 < said["second_expert"]["classes"]["blob"]["f1"] < 1
    assert said["second_expert"]["slices"] == 2
    ignored = told("score", folder / "out", folder / "test", "--ignore", "blob")
    assert list(ignored["classes"]) == ["dark blob"]
    assert "components" not in told("score", folder / "out", folder / "test", "--thin", "blob")["classes"]["blob"]
    layer(folder / "blobs", np.where(TRUTH == 1, 1, 0).astype(np.uint8), [1, 6], {1: "blob"})
    layer(folder / "other", TRUTH, [1, 6], {1: "dark blob", 3: "blob"})
    with pytest.raises(ValueError, match="class 1 to have one name, got 'blob' and 'dark blob'"):
        run("score", folder / "out", folder / "test", "--second-expert", folder / "other")
    done = run("score", folder / "out", folder / "blobs", "--json")
    assert list(json.loads(done.stdout)["classes"]) == ["blob"]
    assert "dark blob: not named in the drawings, so not judged" in done.stderr
    assert json.loads(done.stdout)["classes"]["blob"]["precision"] == 1
    layer(folder / "third", TRUTH, [0], CLASSES)
    with pytest.raises(ValueError, match=r"second expert .* same slices"):
        run("score", folder / "out", folder / "test", "--second-expert", folder / "third")


def test_several_networks_and_one_a_class(folder: Path) -> None:
    drawn = (folder / "slices", folder / "drawn")
    assert len(told("fit", *drawn, folder / "three", *TINY, "--trainings", 3, "--keep", 2)["networks"]) == 2
    assert [p.name for p in sorted((folder / "three").iterdir())] == ["01", "02"]
    assert len(told("fit", *drawn, folder / "each", *TINY, "--per-class", "--neighbours", 1)["networks"]) == 2
    for name, exclusive in (("three", True), ("each", False)):
        run("apply", folder / "slices", folder / name, folder / f"{name}.tif", "--probabilities", folder / f"{name}.zarr")
        run("label", folder / f"{name}.zarr", folder / "again.tif")
        run("label", folder / f"{name}.zarr", folder / "way.tif", "--how", "argmax" if exclusive else "threshold")
        first, again, way = (files.read_labels(folder / file) for file in (f"{name}.tif", "again.tif", "way.tif"))
        assert first.classes == CLASSES
        assert np.array_equal(first, again)
        assert np.array_equal(first, way)
        assert probabilities.read(folder / f"{name}.zarr").exclusive == exclusive
    run("fit", *drawn, folder / "three", *TINY, "--context", 2)  # one network takes the place of the two
    assert [p.name for p in sorted((folder / "three").iterdir())] == ["network.json", "weights.safetensors"]
    (folder / "each" / "01" / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"got 01/notes\.txt"):
        run("fit", *drawn, folder / "each", "--minutes", 60)


def test_drawn_objects_give_what_cells_are_followed_by(folder: Path) -> None:
    run("fit", folder / "slices", folder / "cells", folder / "net", "--preset", "cells", "--boundary-px", 3, *TINY)
    run("apply", folder / "slices", folder / "net", folder / "out.zarr", "--probabilities", folder / "p.zarr")
    assert probabilities.read(folder / "p.zarr").classes == ("interior", "boundary")
    said = told("cells", folder / "p.zarr", folder / "cells.tif", "--drawn", folder / "cells", door=objects)
    assert said["drawn"] == 4
    np.testing.assert_array_equal(files.read_labels(folder / "cells.tif")[3], CELLS[3])
    with probabilities.create(folder / "q.zarr", names={1: "interior", 2: "edge"}, shape=GREY.shape) as store:
        for z in range(len(GREY)):
            store[:, z] = np.stack([GREY[z]] * 2)
    with pytest.raises(ValueError, match=r"q\.zarr: expected the classes interior and boundary, got interior, edge and no boundary"):
        run("cells", folder / "q.zarr", folder / "cells.tif", "--drawn", folder / "cells", door=objects)


def test_fit_goes_on_where_it_stopped(folder: Path) -> None:
    """A training stopped in the library leaves the state that the command looks for."""

    def stop(said: dict[str, Any]) -> None:
        if said["update"] == 5:
            raise KeyboardInterrupt

    options = _options("quick", 8, updates=8, patch=32, device="cpu")
    state = state_of(folder / "net", options, folder / "slices", folder / "drawn", None)
    drawn = {z: TRUTH[z] for z in (0, 3, 5, 8)}
    with pytest.raises(KeyboardInterrupt):
        segment.fit(files.read(folder / "slices"), drawn, names=CLASSES, options=options, state=state, progress=stop)
    for name in ("net", "straight"):
        run("fit", folder / "slices", folder / "drawn", folder / name, *TINY)
    net, straight = (networks.read(folder / name).module.state_dict() for name in ("net", "straight"))
    assert all(torch.equal(net[key], straight[key]) for key in net)
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize("more", [(), ("--probabilities", "p.zarr")])
def test_an_apply_that_fails_leaves_nothing(folder: Path, trained: Path, more: tuple[str, ...]) -> None:
    broken = folder / "slices" / f"{NAMES[7]}.tif"
    broken.write_bytes(broken.read_bytes()[:-3000])
    before = sorted(folder.iterdir())
    with pytest.raises(ValueError, match=NAMES[7]):
        run("apply", folder / "slices", trained, folder / "out.tif", *(folder / m if m.endswith("zarr") else m for m in more))
    assert sorted(folder.iterdir()) == before


def test_mistakes_are_told_before_the_training(folder: Path) -> None:
    fit = ("fit", folder / "slices", folder / "drawn")
    with pytest.raises(ValueError, match=r"a preset of quick, .*, got 'slow'"):
        run(*fit, folder / "net", "--preset", "slow")
    with pytest.raises(ValueError, match=r"the file .*0000\.tif"):
        run(*fit, folder / "slices" / "0000.tif", "--minutes", 60)
    with pytest.raises(ValueError, match=r"got 'resnet'.*did you mean 'resunet'"):
        run(*fit, folder / "net", "--network", "resnet")
    with pytest.raises(ValueError, match=r"class ids .* another kind of layer|ids with a name"):
        run("fit", folder / "slices", folder / "cells", folder / "net")
    names = folder / "drawn" / "names.json"
    names.write_text(json.dumps({**CLASSES, 9: "axon"}))
    assert "axon (9) has a name and is drawn nowhere" in run(*fit, folder / "net", *TINY).stderr


@pytest.mark.parametrize(("more", "error"), [(("--priority", "blot"), "--priority of blob, dark blob, got 'blot'"),
                                             (("--least-voxels", "blob"), "--least-voxels as CLASS=N of blob, dark blob, got 'blob'")])
def test_mistakes_are_told_before_the_network_runs(folder: Path, trained: Path, more: tuple[str, ...], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        run("apply", folder / "slices", trained, folder / "out.tif", "--probabilities", folder / "p.zarr", *more)
    assert not (folder / "p.zarr").exists()


def test_a_seed_of_0_is_a_seed() -> None:
    assert _options("quick", None, seed=0).seed == 0
    assert _options("quick", 8, grain=None, ignore=(), per_class=False).config == {"base": 8, "fold": 2}


def test_choose_says_what_to_draw_and_copies_it(folder: Path) -> None:
    said = told("choose", folder / "slices", 3, "--copies", folder / "todraw")
    assert said["names"] == [NAMES[z] for z in said["z"]]
    copies = files.read(folder / "todraw")
    assert copies.names == tuple(said["names"])
    np.testing.assert_array_equal(np.asarray(copies), GREY[said["z"]])
    assert "(slice 2 in Fiji)" in run("choose", folder / "slices", 3).stdout
    assert len(told("choose", folder / "slices", 4, "--how", "diverse")["z"]) == 4
    shutil.rmtree(folder / "todraw")


def test_weights_of_an_encoder_are_for_one_network(folder: Path) -> None:
    (folder / "weights.safetensors").write_bytes(b"no weights")
    given = ["fit", folder / "slices", folder / "drawn", folder / "net", "--encoder", folder / "weights.safetensors"]
    with pytest.raises(ValueError, match="--encoder with --network efficientunet, got resunet"):
        run(*given)
    with pytest.raises(ValueError, match=r"weights\.safetensors: expected safetensors, got another file"):
        run(*given, "--network", "efficientunet")
    assert not (folder / "net").exists()
