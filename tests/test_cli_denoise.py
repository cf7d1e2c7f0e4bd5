"""The denoising commands on real files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift
from typer.testing import CliRunner

from fibsem_ij import denoise, files
from fibsem_ij.cli.denoise import app
from fibsem_ij.cli.training import state_of
from fibsem_ij.denoise.truth import onto
from fibsem_ij.files import networks, transforms
from fibsem_ij.verbs.denoise import registered
from fibsem_ij.volume import Transforms, Volume

RNG = np.random.default_rng(4)
FIELD = gaussian_filter(RNG.standard_normal((4, 64, 64)), (2, 3, 3))
CLEAN = np.rint(128 + 40 * np.tanh(4 * FIELD / FIELD.std())).astype(np.uint8)


def scan(clean: np.ndarray, sd: float = 20.0) -> np.ndarray:
    return np.clip(np.rint(clean + RNG.normal(0, sd, clean.shape)), 0, 255).astype(np.uint8)


def run(*argv: object) -> str:
    done = CliRunner().invoke(app, [str(a) for a in argv])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    noisy = scan(CLEAN)
    files.write(tmp_path / "noisy.tif", Volume(noisy, (8, 4, 4)))
    files.write(tmp_path / "clean.tif", Volume(CLEAN))
    (tmp_path / "scans").mkdir()
    for z in (2, 10, 9):  # natural order: 2, 9, 10
        files.write(tmp_path / "scans" / f"field{z}", Volume(np.stack([scan(CLEAN[z % 4]) for _ in range(3)])))
    return tmp_path


def test_fit_apply_score(folder: Path) -> None:
    told = json.loads(run("fit", folder / "noisy.tif", folder / "net", "--scans", folder / "scans", "--aligned", "--updates", 50,
                          "--base", 4, "--log", folder / "log", "--json"))
    assert (told["method"], told["updates"]) == ("supervised", 50)
    assert not list(folder.glob(".*"))  # the state of the training went with its end
    assert (folder / "log" / "history.csv").exists()
    run("apply", folder / "noisy.tif", folder / "net", folder / "out.tif", "--residual", folder / "residual.tif")
    out, residual = files.read(folder / "out.tif"), files.read(folder / "residual.tif")
    noisy = files.read(folder / "noisy.tif")
    assert (out.dtype, out.voxel_nm, residual.dtype) == (np.uint8, noisy.voxel_nm, np.float32)
    assert np.array_equal(np.asarray(residual), np.asarray(noisy).astype(np.float32) - np.asarray(out))
    before = json.loads(run("score", folder / "noisy.tif", folder / "clean.tif", "--json"))
    after = json.loads(run("score", folder / "out.tif", folder / "clean.tif", "--pictures", folder / "p", "--noisy", folder / "noisy.tif",
                           "--json"))
    assert after["psnr"] > before["psnr"] + 0.3
    assert Path(after["picture"]).exists()


def test_without_truth_it_is_blindspot_and_a_vae_says_how_sure_it_is(folder: Path) -> None:
    assert json.loads(run("fit", folder / "noisy.tif", folder / "blind", "--updates", 3, "--base", 2, "--json"))["method"] == "blindspot"
    run("fit", folder / "noisy.tif", folder / "vae", "--method", "vae", "--updates", 3, "--base", 2, "--neighbours", 1)
    run("apply", folder / "noisy.tif", folder / "vae", folder / "out.zarr", "--uncertainty", folder / "unsure.tif", "--draws", 2)
    assert files.read(folder / "unsure.tif").shape == CLEAN.shape
    assert networks.read(folder / "vae").voxel_nm == (8, 4, 4)


def test_nothing_is_written_over_the_noisy_stack(folder: Path) -> None:
    before = (folder / "noisy.tif").read_bytes()
    run("fit", folder / "noisy.tif", folder / "net", "--updates", 2, "--base", 2)
    for argv in (["noisy.tif"], ["out.tif", "--residual", folder / "out.tif"]):
        with pytest.raises(ValueError, match="of its own"):
            run("apply", folder / "noisy.tif", folder / "net", folder / argv[0], *argv[1:])
    assert (folder / "noisy.tif").read_bytes() == before


def test_bad_slices_are_read_off_the_transforms(folder: Path) -> None:
    depth = len(CLEAN)
    transforms.write(folder / "t.json", Transforms(np.tile(np.eye(3), (depth, 1, 1)), CLEAN.shape[1:], bad=(1,), why={1: "given"}))
    run("fit", folder / "noisy.tif", folder / "net", "--updates", 2, "--base", 2, "--neighbours", 1, "--transforms", folder / "t.json")
    assert networks.read(folder / "net").record["bad"] == [1]
    run("apply", folder / "noisy.tif", folder / "net", folder / "out.tif", "--transforms", folder / "t.json")
    assert files.read(folder / "out.tif").shape == CLEAN.shape


def test_fit_goes_on_where_it_stopped(folder: Path) -> None:
    """A training stopped in the library leaves the state that the command looks for."""
    seen = []

    def stop(told: dict[str, object]) -> None:
        seen.append(told["update"])
        if told["update"] == 4:
            raise KeyboardInterrupt

    options = denoise.Options(method="blindspot", updates=6, base=2)
    state = state_of(folder / "net", options, folder / "noisy.tif", None, None, False, ())
    with pytest.raises(KeyboardInterrupt):
        denoise.fit(files.read(folder / "noisy.tif"), options=options, state=state, progress=stop)
    assert seen == [1, 2, 3, 4]
    for name in ("net", "straight"):
        run("fit", folder / "noisy.tif", folder / name, "--updates", 6, "--base", 2)
    net, straight = (networks.read(folder / name) for name in ("net", "straight"))
    assert all(np.array_equal(a, b) for a, b in zip(net.module.state_dict().values(), straight.module.state_dict().values(), strict=True))
    assert not list(folder.glob(".*"))


def test_a_training_on_other_stacks_starts_afresh(folder: Path) -> None:
    options = denoise.Options(method="blindspot")
    first = state_of(folder / "net", options, folder / "noisy.tif")
    first.mkdir()
    assert state_of(folder / "net", options, folder / "noisy.tif") == first
    assert first.exists()
    assert state_of(folder / "net", options, folder / "clean.tif") != first
    assert not first.exists()


def test_truth_of_scans_that_moved(tmp_path: Path) -> None:
    large = gaussian_filter(RNG.standard_normal((160, 160)), 3)
    clean = 128 + 40 * np.tanh(4 * large / large.std())
    moves = [(0, 0), (2.5, -1), (-1.2, 3), (0.4, 0.7), (-2, -2)]
    scans = scan(np.stack([shift(clean, move, order=3, mode="nearest") for move in moves]))
    files.write(tmp_path / "scans.tif", Volume(scans))
    inner = np.s_[8:-8, 8:-8]
    errors = {}
    for name, more in (("registered", ()), ("as they are", ("--aligned",)), ("mean", ("--trim", 0))):
        run("truth", tmp_path / "scans.tif", tmp_path / "truth.tif", *more)
        errors[name] = float(np.square(files.read(tmp_path / "truth.tif")[0][inner] - clean[inner]).mean())
    assert errors["mean"] < errors["registered"] < errors["as they are"] * 0.7
    moved = registered(scans)
    assert np.array_equal(moved[0], scans[0])
    assert np.isfinite(moved).all()


def test_a_name_that_is_taken_is_refused_before_the_training(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"the file .*noisy\.tif"):
        run("fit", folder / "noisy.tif", folder / "noisy.tif", "--minutes", 60)
    (folder / "mine").mkdir()
    (folder / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"got notes\.txt"):
        run("fit", folder / "noisy.tif", folder / "mine", "--minutes", 60)
    assert not list(folder.glob(".*"))


def test_a_slow_scan_that_lies_beside_the_fast_one_is_put_onto_it() -> None:
    """And is left as it is, to the last bit, where it lies there already."""
    field = gaussian_filter(RNG.standard_normal((3, 128, 128)), (0, 2, 2))
    clean = 128 + 40 * np.tanh(2 * field / field.std())
    noisy, slow = scan(clean), scan(clean, sd=5)
    moved = np.stack([shift(plane, (2.4, -3 - z), order=3, mode="nearest") for z, plane in enumerate(slow.astype(float))])
    inner = np.s_[:, 12:-12, 12:-12]
    put = onto(noisy, moved.astype(np.float32) * 7, registered, slices=range(3), bad=[1])
    off = [np.square(np.asarray(stack)[inner] - 7 * clean[inner]).mean((1, 2)) for stack in (put, moved * 7)]
    assert (off[0] < off[1] / 4).tolist() == [True, False, True]
    assert onto(noisy, slow, registered, slices=range(3)) is slow


def test_a_folder_of_single_slices_is_one_field(tmp_path: Path) -> None:
    stack = scan(np.repeat(CLEAN[:1], 5, axis=0))
    (tmp_path / "field").mkdir()
    for n, plane in enumerate(stack):
        files.write(tmp_path / "field" / f"scan{n}.tif", Volume(plane[None]))
    run("truth", tmp_path / "field", tmp_path / "truth.tif", "--aligned")
    assert np.array_equal(np.asarray(files.read(tmp_path / "truth.tif"))[0], np.median(stack, axis=0).astype(np.uint8))
