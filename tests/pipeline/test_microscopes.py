"""A run of what a microscope gave: its headers tell sizes, missing slices and the data bar."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from fibsem_ij import files, pipeline, recipe
from fibsem_ij.files import tables
from fibsem_ij.report import folder as gathering
from fibsem_ij.report import sections
from fibsem_ij.workspace import Workspace

sys.path.insert(0, str(Path(__file__).parents[1] / "files"))
import microscopes

INPUT = '[input]\nsrc = "slices"\n'
PIXELS = np.random.default_rng(2).integers(0, 255, (8, 46, 50), np.uint8)


def acquire(folder: Path, *, rows: int = 40, missing: int = 0) -> Path:
    """Slices as Thermo Fisher's xT writes them, the stage moving by 20 nm a slice."""
    (folder / "slices").mkdir()
    for z, pixels in enumerate(PIXELS):
        header = microscopes.thermo(0.004 + 2e-8 * (z + (z >= missing > 0)), rows=rows)
        microscopes.write(folder / "slices" / f"{z:04d}.tif", pixels, header)
    return folder


def run(folder: Path, more: str = "", place: str = "ws") -> tuple[dict[str, pipeline.Step], list[str]]:
    said: list[str] = []
    steps = pipeline.run(recipe.parse(INPUT + more, folder=folder), Workspace(folder / place), say=said.append)
    return {step.name: step for step in steps}, said


def test_headers_tell_sizes_gaps_and_the_data_bar(tmp_path: Path) -> None:
    acquire(tmp_path, missing=5)
    _, said = run(tmp_path)
    ws = Workspace(tmp_path / "ws")
    raw = files.read(ws.raw)
    assert raw.voxel_nm == (20, 4, 4)
    np.testing.assert_array_equal(np.asarray(raw), PIXELS[:, :40])
    assert "voxels of 20 x 4 x 4 nm (z, y, x), by the headers (Thermo Fisher)" in said
    assert "about 1 slice missing between 0004 and 0005 (40 nm)" in said
    assert any("6 rows of a data bar" in line for line in said)
    assert tables.read(ws.slices)["thickness_nm"].tolist()[1:] == [20, 20, 20, 20, 40, 20, 20]
    assert "Slices are 20 nm thick, nine in ten between 20 and 34:" in sections.stack(gathering.gather(ws.folder))
    assert "about 1 slice missing between 0004 and 0005" in sections.stack(gathering.gather(ws.folder))
    kept, _ = run(tmp_path, "databar = true")
    assert kept["input"].why == "databar is True, was False"
    assert files.read(ws.raw).shape == PIXELS.shape
    run(tmp_path, "copy = false", "linked")
    assert files.read(Workspace(tmp_path / "linked").raw).shape == PIXELS.shape, "a link is what it is"


def test_a_detector_of_janelia(tmp_path: Path) -> None:
    (tmp_path / "slices").mkdir()
    both = np.stack([PIXELS, 255 - PIXELS], 1).astype(np.int16) - 128
    for z, pixels in enumerate(both):
        microscopes.janelia(tmp_path / "slices" / f"M_{z}.dat", pixels, wd_mm=3 + 16e-6 * z)
    _, said = run(tmp_path, 'detector = "B"')
    raw = files.read(tmp_path / "ws" / "raw.zarr")
    np.testing.assert_array_equal(np.asarray(raw), both[:, 1])
    assert any("by the headers (Janelia)" in line for line in said)
    steps, _ = run(tmp_path)
    assert steps["input"].why == "detector is left out, was B"
    np.testing.assert_array_equal(np.asarray(files.read(tmp_path / "ws" / "raw.zarr")), both[:, 0])
    with pytest.raises(ValueError, match="leave copy out"):
        run(tmp_path, 'detector = "B"\ncopy = false', "linked")


def test_a_changed_magnification_stops_before_anything_is_done(tmp_path: Path) -> None:
    acquire(tmp_path)
    microscopes.write(tmp_path / "slices" / "0006.tif", PIXELS[6], microscopes.thermo(0.004 + 12e-8, pixel_m=(8e-9, 8e-9)))
    with pytest.raises(ValueError, match=r"slice 0006: .*got 8 x 8 nm"):
        run(tmp_path)
    assert not (tmp_path / "ws").exists()
    _, said = run(tmp_path, "voxel_nm = [20, 4, 4]")
    assert any("slice 0006" in line for line in said)
