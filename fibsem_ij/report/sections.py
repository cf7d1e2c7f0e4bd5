"""The parts of a report, in the order of the work: stack, alignment, training, classes, objects, measures, and what else there is.

Each is a function of the workspace that returns its HTML, or nothing where there is nothing to show. Slices are read one at a time and
shrunk; of a stack no more than some slices, a row and a column of each, and a coarse copy of the labels are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from fibsem_ij import render
from fibsem_ij.arrays.slices import middle
from fibsem_ij.files import drawn
from fibsem_ij.render.meshes import opened
from fibsem_ij.render.objects import View, picture
from fibsem_ij.report import acquired, page, plots
from fibsem_ij.report.folder import Found, describe
from fibsem_ij.volume import Labels, Volume

_WIDE_PX, _DETAIL_PX, _TALL_PX = 720, 256, 960
_SHOWN = 6  # slices of a montage
_FILL = 0.38
_CLASS_SLICES = 3
_SHEET_VOXELS = 2**27  # of the raw stack; past that the quality sheet is left to `register qc`
_PICTURES, _PICTURE_BYTES = 24, 8_000_000


def stack(found: Found) -> str:
    """Each stage at the same place: a slice, its middle pixel by pixel, and cuts along z."""
    if not found.grey:
        return ""
    stages, first = list(found.grey.items()), next(iter(found.grey.values()))
    z = len(first) // 2
    rows: dict[str, list[str]] = {f"Slice {first.names[z]}": [], "The middle of it, pixel by pixel": [],
                                  "xz through the middle, z downwards": [], "yz through the middle, z downwards": []}
    for name, src in stages:
        with found.minding(name):
            for row, picture in zip(rows.values(), _views(src, min(z, len(src) - 1)), strict=True):
                row.append(page.figure(picture, name))
    facts = page.table(("stack", "what it is", "white noise in that slice, sd in grey values"),
                       [(found.paths[name].name, describe(src), _noise(src, min(z, len(src) - 1))) for name, src in stages])
    facts += acquired.part(found.slices)
    return facts + "".join(page.heading(title) + page.grid(row, len(stages)) for title, row in rows.items() if row)


def _noise(src: Volume, z: int) -> float | None:
    """Of a grey value in the middle; none where a slice has no noise, is too small or cannot be read."""
    from fibsem_ij.denoise.noise import Noise

    try:
        plane = src[z]
        return float(np.sqrt(Noise.of(plane[None], slices=[0]).variance(np.median(plane.astype(np.float64)))))
    except (ValueError, OSError):
        return None


def _views(src: Volume, z: int) -> list[render.RGB]:
    inner = middle(src, z, _DETAIL_PX)  # lends its range: the black that an alignment leaves at the edges is no grey value
    cuts = [render.reslice(src, voxel_nm=src.voxel_nm, **how) for how in ({"y": src.shape[1] // 2}, {"x": src.shape[2] // 2})]
    planes = [render.shrunk(src[z], _WIDE_PX), inner, *(render.shrunk(cut, _TALL_PX) for cut in cuts)]
    return [render.grey(plane, like=inner) for plane in planes]


def alignment(found: Found) -> str:
    fitted = found.transforms
    if not fitted:
        return ""
    raw = found.grey.get("raw")
    small = raw is not None and raw.shape[0] == len(fitted) and np.prod(raw.shape) <= _SHEET_VOXELS
    measured: Mapping[str, Any] | None = None
    sheet = ""
    if raw is not None and small:
        from fibsem_ij.register.quality import quality
        from fibsem_ij.render.registration import registration_sheet

        measured = quality(raw, fitted)
        sheet = page.folded("Quality sheet: cuts before and after, and the slices to doubt first",
                            page.figure(registration_sheet(raw, fitted, measured), "Magenta and green are where two neighbours differ.",
                                        drawing=True))
    words = f"{len(fitted)} slices, {fitted.model} transforms, onto {fitted.canvas[0]} x {fitted.canvas[1]} pixels."
    bad = [(str(z), fitted.why.get(z, "")) for z in fitted.bad]
    listed = page.heading("Left out and bridged") + page.table(("slice", "why"), bad) if bad else ""
    curves = page.plot(plots.drift(fitted, measured), "What the transforms do to each slice; red: bad")
    return page.text(words) + curves + listed + sheet


def training(found: Found) -> str:
    parts = []
    for name, said in found.networks.items():
        rows, facts = said["rows"], f"{said['name']}, {said['task']}"
        if rows:
            best = max(rows, key=lambda row: row["score"])
            facts += (f"; {rows[-1]['update']} updates in {rows[-1]['seconds'] / 60:.1f} minutes, best score {best['score']:.4g} "
                      f"at update {best['update']}")
        parts += [page.heading(name), page.text(facts), *map(page.text, said["notes"])]
        if len(rows) > 2:
            parts.append(page.plot(plots.curve(rows), "Over the minutes; the dashed line is the best, which was kept"))
    if found.rounds and len(found.rounds["round"]) > 1:
        parts += [page.heading("Rounds of drawing"), page.plot(plots.rounds(found.rounds), "Numbers are rounds: draw on while it rises")]
    return "".join(parts)


def classes(found: Found) -> str:
    parts = []
    for name, labels in found.classes.items():
        with found.minding(name):
            figures = _over(found, labels, _CLASS_SLICES, _WIDE_PX)
            parts += [page.text(f"{found.paths[name].name}: {describe(labels)}"), page.grid(figures, len(figures)),
                      page.chips(labels.classes)]
    return "".join(parts)


def _over(found: Found, labels: Labels, count: int, largest_px: int) -> list[str]:
    """Slices spread through a stack, with the labels over them."""
    src, figures = found.under(labels), []
    for z in render.evenly(len(labels), count):
        plane = np.zeros(labels.shape[1:], np.uint8) if src is None else src[z]
        figures.append(page.figure(render.shrunk_overlay(plane, labels[z], largest_px, fill=_FILL), f"slice {labels.names[z]}"))
    return figures


def drawings(found: Found) -> str:
    """A drawn slice of each layer, alone and with what was found there."""
    parts = []
    for name, path in found.drawn.items():
        with found.minding(f"drawn/{name}"):
            if found.stack is None:
                raise ValueError("expected the stack that it was drawn on, got none; put it beside it")
            stack, layer = _layer([*reversed(found.grey.values())] or [found.stack], path)
            where = [stack.names[z] for z in sorted(layer.slices)]
            listed = f"{', '.join(where[:20])}{', ...' if len(where) > 20 else ''}"
            figures = _drawn(found, name, layer, stack)
            parts += [page.text(f"{name}: {len(where)} slices drawn ({listed})"), page.grid(figures, max(2, min(len(figures), 3))),
                      page.chips(layer.names)]
    return "".join(parts)


def _layer(stacks: Sequence[Volume], path: Path) -> tuple[Volume, drawn.Drawn]:
    """What was drawn, and on which stack: the first that it fits."""
    *others, last = stacks
    for stack in others:
        with suppress(ValueError):
            return stack, drawn.read(path, stack, classes=(path / "names.json").exists())
    return last, drawn.read(path, last, classes=(path / "names.json").exists())


def _drawn(found: Found, name: str, layer: drawn.Drawn, stack: Volume) -> list[str]:
    z = max(layer.slices, key=lambda z: int(np.count_nonzero(layer.slices[z])))
    src = found.under(stack)
    plane = np.zeros(stack.shape[1:], np.uint8) if src is None else src[z]
    figures = [page.figure(render.shrunk_overlay(plane, layer.slices[z], _WIDE_PX, fill=_FILL), f"{name}: drawn in slice {stack.names[z]}")]
    for other, labels in (found.classes if layer.names else found.objects).items():
        if labels.shape == stack.shape:
            small = (render.shrunk_labels(these, _WIDE_PX) for these in (layer.slices[z], labels[z]))
            both = render.outlines(render.shrunk(plane, _WIDE_PX), *small)
            figures.append(page.figure(both, f"blue: drawn, red: found ({found.paths[other].name}), violet: both"))
    return figures


def scores(found: Found) -> str:
    """What `segment score --json` and its like told."""
    parts = []
    for name, told in found.scores.items():
        parts.append(page.heading(name))
        plain = [(key.replace("_", " "), value) for key, value in told.items() if isinstance(value, int | float)]
        if isinstance(by_class := told.get("classes"), dict):
            keys = ("f1", "precision", "recall", "iou", "share")
            parts.append(page.table(("class", *keys), [(which, *(_number(one, key) for key in keys)) for which, one in by_class.items()]))
        parts += [page.table(("over all", "value"), plain)] if plain else []
        if isinstance(told.get("confusion"), dict):
            parts.append(_confusion(told["confusion"]))
    return "".join(parts)


def _number(one: Any, key: str) -> float | None:
    value = one.get(key) if isinstance(one, dict) else None
    return float(value) if isinstance(value, int | float) else None


def _confusion(told: Mapping[str, Any]) -> str:
    try:
        pixels, names = np.array(told["pixels"], np.float64), [str(name) for name in told["classes"]]
        share = pixels / np.maximum(pixels.sum(1, keepdims=True), 1)
        matrix = page.matrix(names, share.tolist())
    except (KeyError, TypeError, ValueError):
        return ""
    return page.heading("Confusion: of each drawn class (row), what share was found as") + matrix


def objects(found: Found) -> str:
    parts = []
    for name, labels in found.objects.items():
        with found.minding(name):
            thin = opened(found.paths[name])
            parts.append(page.heading(found.paths[name].name) + page.text(f"{describe(labels)}; {thin.caption}."))
            parts.append(page.grid(_over(found, labels, _SHOWN, _WIDE_PX // 2), 3))
            with found.minding(f"3D picture of {name}"):
                shown = picture(thin.labels, view=View(paper="clear"))
                parts.append(page.grid([page.figure(shown, f"{name}: {thin.caption}", drawing=True)], 1))
            parts.append(page.grid(_cuts(labels, found.under(labels)), 2))
    return "".join(parts)


def _cuts(labels: Labels, src: Volume | None) -> list[str]:
    figures = []
    for how, axis in (({"y": labels.shape[1] // 2}, "xz"), ({"x": labels.shape[2] // 2}, "yz")):
        cut = render.reslice(labels, voxel_nm=labels.voxel_nm, **how)
        plane = np.zeros(cut.shape, np.uint8) if src is None else render.reslice(src, voxel_nm=labels.voxel_nm, **how)
        figures.append(page.figure(render.shrunk_overlay(plane, cut, _TALL_PX), f"{axis} through the middle, z downwards"))
    return figures


def pictures(found: Found) -> str:
    """Those that lie in the folder, as they are."""
    kept = [path for path in found.pictures if path.stat().st_size <= _PICTURE_BYTES][:_PICTURES]
    left = len(found.pictures) - len(kept)
    figures = [page.figure(path.read_bytes(), _place(found, path)) for path in kept]
    more = page.text(f"{left} more in the folder, too many or too large for this page.") if left else ""
    return page.grid(figures, 2 if len(figures) > 1 else 1) + more if figures else ""


def _place(found: Found, path: Path) -> str:
    return path.relative_to(found.folder).as_posix()


def recipe(found: Found) -> str:
    return "".join(page.folded(name, page.code(content), is_open=name.endswith(".toml")) for name, content in found.recipes.items())


def problems(found: Found) -> str:
    return page.table(("what", "why"), [problem.split(": ", 1) for problem in found.problems]) if found.problems else ""
