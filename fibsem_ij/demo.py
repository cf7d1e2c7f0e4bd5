"""`fibsem-ij demo FOLDER`: the house in one walk, on a phantom whose truth is known.

A specimen is made, recorded by a microscope that drifts, aligned again and denoised; its cells go to a real ImageJ as a label image
and as a ROI set, ImageJ measures and draws them, and everything is read back and compared with what was sent. They are measured
in 3D, and a report shows it all. As the rooms come, their stages join here.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from fibsem_ij import denoise, fiji, files, measure, phantom, register, render, report
from fibsem_ij.files import networks, sidecar, tables, transforms
from fibsem_ij.files import rois as roi_sets
from fibsem_ij.measure import columns
from fibsem_ij.phantom import Phantom
from fibsem_ij.volume import Labels, Transforms, Volume

SHAPE = (64, 400, 400)
MINUTES = 0.75  # of training: it shows the way; ten give what the method can

# The image in front carries the ROIs as its overlay. The pictures and numbers are ImageJ's own.
_DRAW_AND_MEASURE = """
run("Enhance Contrast", "saturated=0.5");
run("Set Measurements...", "area mean centroid shape display redirect=None decimal=3");
Overlay.measure;
run("Flatten");
saveAs("PNG", getArgument());
close();
"""


def tell(folder: Path, *, seed: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Write the demo into a new or empty folder; what was found, for people and machines."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"expected a new or empty folder, got {folder}; name another one or remove it")
    (folder / "pictures").mkdir(parents=True)
    say("A specimen: cells that touch, filopodia, nuclei, mitochondria; then the microscope's drift, noise and faults")
    specimen = phantom.make(SHAPE, seed=seed)
    rois = _write(specimen, folder)
    say(f"Written: raw.tif, labels.tif, rois.zip ({rois} ROIs), clean.zarr, labels.zarr, classes.zarr, drift.json")
    fitted, aligned, moved = _align(specimen, folder)
    say(f"Aligned: aligned.zarr, transforms.json; {moved['pair_px']:.2f} px a pair from the truth, bad slices found: {moved['bad']}")
    clean, updates = _denoise(specimen.raw, fitted, folder)
    say(f"Denoised: denoised.zarr, by a network that learned from this stack alone, in {updates} updates and {60 * MINUTES:.0f} s")
    described = _measure(specimen, folder)
    say(f"Measured: measures.csv, {described} columns for each cell, and measures.json, which says what they are")
    session = fiji.start()
    say(f"A real ImageJ {session.version} opens them")
    compared = _compare(specimen.cells, folder, session)
    z = _fullest(specimen)
    measured = _drawn_and_measured(specimen, folder, session, z)
    picture = _pictures(specimen, aligned, clean, folder / "pictures", z)
    for what, same in compared.items():
        say(f"  {'the same' if same else 'DIFFERS '}  {what}")
    if not all(compared.values()):
        raise ValueError(f"expected everything back from ImageJ as it was sent, got {compared}; run fibsem-ij doctor")
    say("A report of it all, with the cells in 3D")
    page = report.write(folder)
    return {"folder": str(folder), "picture": str(picture), "report": str(page), "slices": len(specimen.raw),
            "cells": len(_ids(specimen.cells)), "rois": rois, "updates": updates, "measured": measured, "imagej": session.version,
            "compared": compared, "register": moved}


def _write(specimen: Phantom, folder: Path) -> int:
    files.write(folder / "raw.tif", specimen.raw)
    files.write(folder / "labels.tif", specimen.cells)
    files.write(folder / "clean.zarr", specimen.clean)
    files.write(folder / "labels.zarr", specimen.cells)
    files.write(folder / "classes.zarr", specimen.classes)
    transforms.write(folder / "drift.json", specimen.drift)
    return roi_sets.write(folder / "rois.zip", roi_sets.each_roi(specimen.cells))


def _align(specimen: Phantom, folder: Path) -> tuple[Transforms, Volume, dict[str, Any]]:
    """The raw stack aligned, and how far from the true drift that is."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        fitted = register.fit(specimen.raw, executor=pool)
        aligned = specimen.raw.with_data(register.apply(specimen.raw, fitted, executor=pool))
    transforms.write(folder / "transforms.json", fitted)
    files.write(folder / "aligned.zarr", aligned)
    return fitted, aligned, {**register.score(fitted, specimen.drift), "bad": list(fitted.bad)}


def _denoise(raw: Volume, fitted: Transforms, folder: Path) -> tuple[Volume, int]:
    """The aligned stack denoised with what its neighbours say, and how many updates that was."""
    white = raw.with_data(register.apply(raw, fitted, interpolation="nearest"))  # resampled otherwise, noise is no longer white
    network = denoise.fit(white, options=denoise.Options(method="blindspot", neighbours=1, minutes=MINUTES))
    clean = white.with_data(denoise.apply(white, network))
    networks.write(folder / "network", network)
    files.write(folder / "denoised.zarr", clean)
    return clean, int(network.record["history"]["rows"][-1]["update"])


def _measure(specimen: Phantom, folder: Path) -> int:
    """One row a cell, in 3D; how many columns."""
    options = measure.Options(groups=(*measure.Options().groups, "grey"))
    found = measure.apply(specimen.cells, image=specimen.clean, options=options)
    voxel_nm = specimen.cells.voxel_nm
    sidecar.write(folder / "measures.csv", found, columns.described(found, voxel_nm=voxel_nm), voxel_nm=voxel_nm)
    return len(found)


def _compare(cells: Labels, folder: Path, session: fiji.Session) -> dict[str, bool]:
    """What came back from ImageJ against what was sent."""
    crossed = session.from_fiji(session.to_fiji(cells))
    opened = session.macro("open(getArgument());", str((folder / "labels.tif").resolve())).opened[0]
    overlay = session.to_overlay(roi_sets.to_bytes(roi_sets.read(folder / "rois.zip")))
    drawn = roi_sets.from_rois(roi_sets.from_bytes(session.from_overlay(overlay)), shape=cells.shape)
    return {
        "labels through ImageJ's memory: every pixel, voxel size and slice name": _same(crossed, cells),
        "labels.tif as ImageJ opens it: every pixel, voxel size and slice name": _same(opened, cells),
        "rois.zip through ImageJ's decoder and back to labels: every pixel": np.array_equal(drawn.data, cells.data),
    }


def _same(got: Volume, sent: Volume) -> bool:
    voxels = got.voxel_nm is not None and sent.voxel_nm is not None and np.allclose(got.voxel_nm, sent.voxel_nm, rtol=1e-6)
    return voxels and got.names == sent.names and np.array_equal(np.asarray(got), np.asarray(sent))


def _drawn_and_measured(specimen: Phantom, folder: Path, session: fiji.Session, z: int) -> int:
    """One slice with the ROIs of its cells: pictures/imagej.png and imagej.csv are ImageJ's. How many it measured.

    A slice of the truth: the raw ones drift, and cells lie where the specimen is.
    """
    src = Volume(specimen.clean[z][None], specimen.clean.voxel_nm, (specimen.clean.names[z],))
    here = roi_sets.to_rois(specimen.cells[z][None])
    imp = session.to_fiji(src)
    imp.setOverlay(session.to_overlay(roi_sets.to_bytes(here)))
    session.macro(_DRAW_AND_MEASURE, str((folder / "pictures" / "imagej.png").resolve()), images=[imp])
    told = session.table()
    tables.write(folder / "imagej.csv", told)
    return len(next(iter(told.values())))


def _fullest(specimen: Phantom) -> int:
    """The good slice with the most cells."""
    return max((z for z in range(len(specimen.raw)) if z not in specimen.bad), key=lambda z: len(_ids(specimen.cells, z)))


def _ids(labels: Labels, z: int | None = None) -> Any:
    return np.setdiff1d(np.asarray(labels) if z is None else labels[z], [0])


def _pictures(specimen: Phantom, aligned: Volume, denoised: Volume, folder: Path, z: int) -> Path:
    raw, clean, cells = specimen.raw, specimen.clean, specimen.cells
    row = raw.shape[1] // 2
    organelles = np.where(specimen.classes[z] > 1, specimen.classes[z], 0)  # resin and cytoplasm stay grey
    sheet = render.sheet([
        (f"slice {raw.names[z]} as the microscope gives it", render.grey(raw[z])),
        ("aligned and denoised", render.grey(denoised[z], like=raw[z])),
        ("what is there: membranes and organelles", render.overlay(clean[z], organelles, fill=0.5)),
        (f"its {len(_ids(cells, z))} cells, in ImageJ's colours", render.overlay(clean[z], cells[z])),
        ("along z: drift, charging, faults", render.grey(render.reslice(raw, y=row))),
        ("along z: aligned", render.grey(render.reslice(aligned, y=row))),
        ("along z: aligned and denoised", render.grey(render.reslice(denoised, y=row), like=raw[z])),
        ("along z: the truth and its cells", render.overlay(render.reslice(clean, y=row), render.reslice(cells, y=row))),
    ], columns=4, title=f"fibsem_ij demo: {len(raw)} slices, {len(_ids(cells))} cells, {len(specimen.bad)} bad slices")
    return render.save(folder / "overview.png", sheet)
