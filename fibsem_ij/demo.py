"""`fibsem-ij demo FOLDER`: the house in one walk, on a phantom whose truth is known.

A specimen is made and recorded by a microscope that drifts. A recipe is run over a workspace: it aligns and cleans the stack, and waits
until cells are drawn. Somebody draws a few slices (here the truth does), the recipe goes on: cells are learned, followed through the
stack, numbered, measured. A real ImageJ opens label image and ROI set, measures and draws them, and everything is read back and compared
with what was sent. Each result is scored against the truth, and a report shows it all.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fibsem_ij import denoise, fiji, files, objects, phantom, pipeline, recipe, register, render
from fibsem_ij.files import probabilities, tables, transforms
from fibsem_ij.files import rois as roi_sets
from fibsem_ij.files.json_files import write_json
from fibsem_ij.files.whole import write_text
from fibsem_ij.phantom import Phantom
from fibsem_ij.volume import Labels, Transforms, Volume
from fibsem_ij.workspace import Workspace

SHAPE = (64, 400, 400)
DRAWN = 8  # slices
MINUTES = 1.8  # of both trainings: they show the way; ten each give what the methods can
_SHARES = {"denoise": 0.4, "segment": 0.6}
RECIPE = """# Cells with filopodia, in minutes: fibsem-ij recipes cells has the same in earnest.

[input]
src = "raw.tif"

[register]
interpolation = "nearest"       # keeps noise white, for the denoiser
canvas = "crop"                 # what all slices share: no black edges in which a network finds cells

[denoise]
method = "blindspot"
neighbours = 1
minutes = {denoise:.2g}

[segment]
preset = "cells"                # drawn objects become interior and boundary
layer = "cells"
minutes = {segment:.2g}

[objects]
how = "cells"
layer = "cells"

[measure]
groups = ["size", "surface", "hull", "topology", "grey"]

[output]
"""

# The image in front carries the ROIs as its overlay. The pictures and numbers are ImageJ's own.
_DRAW_AND_MEASURE = """
run("Enhance Contrast", "saturated=0.5");
run("Set Measurements...", "area mean centroid shape display redirect=None decimal=3");
Overlay.measure;
run("Flatten");
saveAs("PNG", getArgument());
close();
"""


def tell(folder: Path, *, seed: int, say: Callable[[str], None], minutes: float = MINUTES) -> dict[str, Any]:
    """Write the demo into a new or empty folder; what was found, for people and machines."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"expected a new or empty folder, got {folder}; name another one or remove it")
    ws = Workspace(folder / "workspace")
    (ws.folder / "pictures").mkdir(parents=True, exist_ok=True)
    say("A specimen: cells that touch, filopodia, nuclei, mitochondria; then the microscope's drift, noise and faults")
    specimen = phantom.make(SHAPE, seed=seed)
    _write(specimen, folder, minutes)
    say("A recipe over a workspace: fibsem-ij run recipe.toml workspace/")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        def run(**more: Any) -> None:
            pipeline.run(recipe.read(folder / "recipe.toml"), ws, executor=pool, say=lambda line: say(f"  {line}"), **more)

        run(last="segment fit")
        truth = _as_aligned(specimen, transforms.read(ws.transforms))
        drawn = _draw(truth, ws)
        say(f"Somebody draws the cells of {drawn} slices of {SHAPE[0]}, in workspace/drawn/cells/; fibsem-ij run goes on")
        run(last="output rois.zip")
        found = files.read_labels(ws.labels)
        z = _fullest(found, truth.bad)
        with fiji.Apart() as java:
            version, compared, measured = java.call(_in_imagej, ws, z, task="open labels.tif and rois.zip", tries=2)
        say(f"A real ImageJ {version} opened labels.tif and rois.zip")
        told = _scores(specimen, truth, ws)
        picture = _pictures(specimen, truth, ws, z)
        for what, same in compared.items():
            say(f"  {'the same' if same else 'DIFFERS '}  {what}")
        if not all(compared.values()):
            raise ValueError(f"expected everything back from ImageJ as it was sent, got {compared}; run fibsem-ij doctor")
        say("Against the truth: " + ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in told.items()))
        run()
    return {"folder": str(folder), "picture": str(picture), "report": str(ws.report), "slices": SHAPE[0], "drawn": drawn,
            "cells": len(_ids(found)), "rois": len(roi_sets.read(ws.rois)), "measured": measured, "imagej": version,
            "compared": compared, "scores": told}


def _write(specimen: Phantom, folder: Path, minutes: float) -> None:
    """What the microscope gives, the recipe, and beside them the truth."""
    files.write(folder / "raw.tif", specimen.raw)
    write_text(folder / "recipe.toml", RECIPE.format(**{name: share * minutes for name, share in _SHARES.items()}))
    (folder / "truth").mkdir()
    files.write(folder / "truth" / "clean.zarr", specimen.clean)
    files.write(folder / "truth" / "cells.zarr", specimen.cells)
    files.write(folder / "truth" / "classes.zarr", specimen.classes)
    transforms.write(folder / "truth" / "drift.json", specimen.drift)


def _as_aligned(specimen: Phantom, fitted: Transforms) -> Phantom:
    """The truth where the aligned slices have it: aligned pixel -> raw pixel -> specimen; 0 where they show nothing."""
    there = replace(fitted, matrices=np.linalg.inv(specimen.drift.matrices) @ fitted.matrices)
    shown = register.apply(np.ones(SHAPE, np.uint8), fitted, interpolation="nearest")

    def moved(noun: Any) -> Any:
        return noun.with_data(register.apply(noun, there) * shown)

    return replace(specimen, clean=moved(specimen.clean), cells=moved(specimen.cells), classes=moved(specimen.classes))


def _draw(truth: Phantom, ws: Workspace) -> int:
    """Whole cells in a few slices, the first and the last good one among them; how many slices."""
    good = [z for z in range(len(truth.cells)) if z not in truth.bad]
    chosen = [good[n] for n in np.linspace(0, len(good) - 1, DRAWN).round().astype(int)]
    ws.drawn.mkdir(exist_ok=True)
    data = np.stack([truth.cells[z] for z in chosen]).astype(np.uint16)
    files.write(ws.layer("cells"), Labels(data, truth.cells.voxel_nm, tuple(truth.cells.names[z] for z in chosen)))
    return len(chosen)


def _scores(specimen: Phantom, truth: Phantom, ws: Workspace) -> dict[str, float]:
    """Of each stage, in scores.json of the workspace."""
    good = [z for z in range(len(truth.cells)) if z not in truth.bad]
    inner = np.s_[good, 24:-24, 24:-24]  # beyond the drift of any slice
    aligned, clean = (denoise.score(files.read(path)[inner], np.asarray(truth.clean)[inner])["psnr"] for path in (ws.aligned, ws.clean))
    found = objects.score(files.read_labels(ws.labels)[inner], np.asarray(truth.cells)[inner])
    told = {"register_pair_px": register.score(transforms.read(ws.transforms), specimen.drift)["pair_px"], "psnr_aligned": aligned,
            "psnr_clean": clean, "cells_dice": found["object_dice"], "cells_recall": found["object_recall"],
            "cells_adapted_rand_error": found["adapted_rand"]}
    write_json(ws.folder / "scores.json", told)
    return told


def _in_imagej(session: fiji.Session, ws: Workspace, z: int) -> tuple[str, dict[str, bool], int]:
    """Its version, what came back from it unharmed, and how many cells it measured."""
    cells = files.read_labels(ws.labels)
    return session.version, _compare(cells, ws, session), _drawn_and_measured(cells, ws, session, z)


def _compare(cells: Labels, ws: Workspace, session: fiji.Session) -> dict[str, bool]:
    """What came back from ImageJ against what was sent."""
    crossed = session.from_fiji(session.to_fiji(cells))
    opened = session.macro("open(getArgument());", str(ws.labels_tif.resolve())).opened[0]
    overlay = session.to_overlay(roi_sets.to_bytes(roi_sets.read(ws.rois)))
    drawn = roi_sets.from_rois(roi_sets.from_bytes(session.from_overlay(overlay)), shape=cells.shape)
    return {
        "labels through ImageJ's memory: every pixel, voxel size and slice name": _same(crossed, cells),
        "labels.tif as ImageJ opens it: every pixel, voxel size and slice name": _same(opened, cells),
        "rois.zip through ImageJ's decoder and back to labels: every pixel": np.array_equal(drawn.data, np.asarray(cells)),
    }


def _same(got: Volume, sent: Volume) -> bool:
    voxels = got.voxel_nm is not None and sent.voxel_nm is not None and np.allclose(got.voxel_nm, sent.voxel_nm, rtol=1e-6)
    return voxels and got.names == sent.names and np.array_equal(np.asarray(got), np.asarray(sent))


def _drawn_and_measured(cells: Labels, ws: Workspace, session: fiji.Session, z: int) -> int:
    """One slice with the ROIs of its cells: pictures/imagej.png and imagej.csv are ImageJ's. How many it measured."""
    clean = files.read(ws.clean)
    imp = session.to_fiji(Volume(clean[z][None], clean.voxel_nm, (clean.names[z],)))
    imp.setOverlay(session.to_overlay(roi_sets.to_bytes(roi_sets.to_rois(cells[z][None]))))
    session.macro(_DRAW_AND_MEASURE, str((ws.folder / "pictures" / "imagej.png").resolve()), images=[imp])
    told = session.table()
    tables.write(ws.folder / "imagej.csv", told)
    return len(next(iter(told.values())))


def _fullest(cells: Labels, bad: Any) -> int:
    """The good slice with the most cells."""
    return max((z for z in range(len(cells)) if z not in bad), key=lambda z: len(_ids(cells, z)))


def _ids(labels: Labels, z: int | None = None) -> Any:
    return np.setdiff1d(np.asarray(labels) if z is None else labels[z], [0])


def _pictures(specimen: Phantom, truth: Phantom, ws: Workspace, z: int) -> Path:
    raw, clean, cells = specimen.raw, files.read(ws.clean), files.read_labels(ws.labels)
    row = raw.shape[1] // 2
    learned = probabilities.read(ws.probabilities).of("interior")
    sheet = render.sheet([
        (f"slice {raw.names[z]} as the microscope gives it", render.grey(raw[z])),
        ("aligned and denoised", render.grey(clean[z], like=raw[z])),
        (f"interior, learned from {DRAWN} drawn slices", render.grey(learned[z])),
        (f"its {len(_ids(cells, z))} cells, in ImageJ's colours", render.overlay(clean[z], cells[z])),
        ("along z: drift, charging, faults", render.grey(render.reslice(raw, y=row))),
        ("along z: aligned and denoised", render.grey(render.reslice(clean, y=row), like=raw[z])),
        ("along z: the cells that were found", render.overlay(render.reslice(clean, y=row), render.reslice(cells, y=row))),
        ("along z: the truth", render.overlay(render.reslice(truth.clean, y=row), render.reslice(truth.cells, y=row))),
    ], columns=4, title=f"fibsem_ij demo: {len(raw)} slices, {len(_ids(cells))} cells, {len(specimen.bad)} bad slices")
    return render.save(ws.folder / "pictures" / "overview.png", sheet)
