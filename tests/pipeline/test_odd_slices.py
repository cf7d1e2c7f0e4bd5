"""Slices that a microscope spoils: the run completes, and the QC table says which they are and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_recipe as small

from fibsem_ij import files, phantom, pipeline, recipe
from fibsem_ij.cli import main
from fibsem_ij.files import tables, transforms
from fibsem_ij.volume import Labels, Volume
from fibsem_ij.workspace import Workspace

SPOILED = {3: "not finite", 6: "not finite", 9: "blank or faded", 12: "blank or faded", 15: "duplicated", 18: "not finite"}
DEPTH = 20


def spoil(pixels: Any) -> Any:
    pixels[3] = np.nan
    pixels[6, 10:20, 30:60] = np.inf
    pixels[9], pixels[12] = 0, 255
    pixels[15] = pixels[14]
    pixels[18, :40] = -np.inf
    return pixels


@pytest.mark.fault("NaN, Inf, all black, all white, taken twice: the run completes, the QC table and the report list them")
def test_a_run_over_spoiled_slices_completes_and_lists_them(tmp_path: Path, trials: Any) -> None:
    scene = phantom.Options(blank=0, half_blank=0, defocused=0, duplicate=0, walk_px=0.3, spacing_px=60, vesicles=0)
    made = phantom.make((DEPTH, 96, 112), seed=2, options=scene)
    files.write(tmp_path / "raw.zarr", Volume(spoil(np.asarray(made.raw, np.float32)), made.raw.voxel_nm))
    classes = np.where(np.isin(made.classes, list(small.NAMES)), made.classes, 0).astype(np.uint8)
    small.draw(tmp_path / "classes", Labels(classes, made.raw.voxel_nm, (), small.NAMES), (1, 4, 11))
    asked = small.RECIPE if trials.of(0, 1) else small.RECIPE.partition("[segment]")[0] + "[output]\nreport = false"
    text = asked.replace('"raw.tif"', '"raw.zarr"').replace("report = false", "report = true")
    ws = Workspace(tmp_path / "ws")
    pipeline.run(recipe.parse(text, folder=tmp_path), ws)
    fitted = transforms.read(ws.transforms)
    with pytest.raises(SystemExit):
        main(["register", "qc", str(ws.raw), str(ws.transforms), str(tmp_path / "qc"), "--json"])
    state, report = tables.read(tmp_path / "qc" / "quality.csv")["state"].tolist(), ws.report.read_text(encoding="utf-8")
    for z, why in SPOILED.items():
        listed = fitted.why.get(z) == why == state[z] and f"<td>{z}</td><td>{why}</td>" in report.replace(' class="n"', "")
        trials.add("" if listed else f"slice {z}, {why}: transforms.json says {fitted.why.get(z)}, quality.csv {state[z]}")
    assert set(fitted.bad) == set(SPOILED)
    assert all(np.isfinite(files.read(path)).all() for path in (ws.aligned, ws.clean))
