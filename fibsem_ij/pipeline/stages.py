"""The stages of a recipe, in order: what each reads and writes, what decides about its result, and what does it.

A flat list, made of the recipe and of the names of the workspace; nothing is read here. A stage is named by its command.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fibsem_ij import sockets
from fibsem_ij.pipeline import numbered
from fibsem_ij.pipeline.fingerprints import plain
from fibsem_ij.pipeline.grey import (
    denoise_apply,
    denoise_fit,
    read_input,
    register_apply,
    register_fit,
    segment_apply,
    segment_fit,
    segment_label,
)
from fibsem_ij.pipeline.job import Job
from fibsem_ij.recipe import Recipe
from fibsem_ij.recipe.tables import LAST, Cells, Components, Link, Nuclei
from fibsem_ij.workspace import Workspace

_SEEN = ("voxel_nm", "databar", "detector")  # what of [input] decides about the pixels and their size
_LEARNING = ("arrays", "learn", "volume.py")
_NOT_THE_RESULT = ("device", "home", "heap", "drawn", "copy", "src", "flips", "draws", "leave", "tile")  # of all of a table


@dataclass(frozen=True)
class Stage:
    name: str
    reads: tuple[Path, ...]
    writes: tuple[Path, ...]
    work: Callable[[Job], None]
    options: dict[str, Any] = field(default_factory=dict)  # what of the recipe decides about the result
    code: tuple[str, ...] = ()  # parts of the house whose code does, and "aligners:NAME" of other packages
    drawn: Path | None = None  # the layer it waits for, where none is brought in
    learns: bool = False  # what it makes is as good for slices that come later
    start: Path | None = None  # its own last result, where it goes on from that: no reason to run, but written down

    @property
    def table(self) -> str:
        return self.name.split()[0]


def stages(recipe: Recipe, ws: Workspace, *, made: Collection[Path] = ()) -> list[Stage]:
    """`made`: what earlier runs made here. Where the recipe leaves a stage out, a file of its name that they did not make is used."""
    def there(path: Path) -> bool:
        return path.exists() and path not in made

    raw = _raw(recipe, ws)
    found = [Stage("input", (recipe.path(recipe.input.src),), (raw,), read_input, _only(recipe, "input", *_SEEN))] \
        if recipe.input.src and recipe.path(recipe.input.src) != raw else []
    aligned = ws.aligned if recipe.register or there(ws.aligned) else raw
    grey = ws.clean if recipe.denoise or there(ws.clean) else aligned
    fitted = (ws.transforms,) if recipe.register or there(ws.transforms) else ()
    if recipe.register:
        found += _register(recipe, ws, raw)
    if recipe.denoise:
        found += _denoise(recipe, ws, aligned, fitted)
    if recipe.segment:
        found += _segment(recipe, ws, grey)
    if recipe.objects:
        found.append(_objects(recipe, ws, grey, classes=there(ws.classes) or bool(recipe.segment)))
    if recipe.measure:
        found.append(_measure(recipe, ws, grey))
    return found + (_output(recipe, ws, [path for stage in found for path in stage.writes]) if recipe.output else [])


def _raw(recipe: Recipe, ws: Workspace) -> Path:
    src = Path(recipe.input.src)
    if not recipe.input.src:
        return ws.raw
    return ws.folder / ("raw.zarr" if recipe.input.copy else f"raw{src.suffix.lower()}")


def _register(recipe: Recipe, ws: Workspace, raw: Path) -> list[Stage]:
    table = recipe.register
    assert table
    known = (recipe.path(table.anchors),) if table.anchors else ()
    code = ("register", "arrays", "volume.py")
    return [Stage("register fit", (raw, *known), (ws.transforms,), register_fit,
                  _but(recipe, "register", "anchors", "interpolation", "even_out", "hold"), (*code, *_plugged("aligners", table.aligner))),
            Stage("register apply", (raw, ws.transforms), (ws.aligned,), register_apply,
                  _only(recipe, "register", "interpolation", "even_out"), code)]


def _denoise(recipe: Recipe, ws: Workspace, grey: Path, fitted: tuple[Path, ...]) -> list[Stage]:
    table = recipe.denoise
    assert table
    truth = tuple(recipe.path(said) for said in (table.clean, table.scans) if said)
    code, net = ("denoise", *_LEARNING), ws.network("denoise")
    return [Stage("denoise fit", (grey, *fitted, *truth), (net,), denoise_fit, _but(recipe, "denoise", "clean", "scans"), code,
                  learns=True),
            Stage("denoise apply", (grey, *fitted, net), (ws.clean,), denoise_apply,
                  _only(recipe, "denoise", "flips", "draws", "leave"), code)]


def _segment(recipe: Recipe, ws: Workspace, grey: Path) -> list[Stage]:
    table = recipe.segment
    assert table
    code, net, layer = ("segment", *_LEARNING, *_plugged("networks", table.options.network)), ws.network("segment"), ws.layer(table.layer)
    label = ("how", "threshold", "priority", "crumbs", "least_voxels")
    beside = layer.with_name("names.json")  # of a ROI set or a label stack
    named = [recipe.path(said) for said in (table.encoder, table.start) if said not in ("", LAST)]
    known = (*named, *((beside,) if layer.is_file() and beside.exists() else ()))
    found = [Stage("segment fit", (grey, layer, *known), (net,), segment_fit,
                   _but(recipe, "segment", "encoder", "start", "layer", "preset", "base", *label), code,
                   drawn=None if table.drawn else layer, learns=True, start=net if table.start == LAST else None),
             Stage("segment apply", (grey, net), (ws.probabilities,), segment_apply, _only(recipe, "segment", "flips", "tile"), code)]
    if table.options.boundary_px is None:
        found.append(Stage("segment label", (ws.probabilities,), (ws.classes,), segment_label, _only(recipe, "segment", *label), code))
    return found


def _objects(recipe: Recipe, ws: Workspace, grey: Path, *, classes: bool) -> Stage:
    table = recipe.objects
    options, code = _but(recipe, "objects", "layer"), ("objects", "arrays", "volume.py")
    match table:
        case Cells():
            layer = ws.layer(table.layer)
            return Stage("objects", (ws.probabilities, layer), (ws.labels,), numbered.cells, options, code,
                         drawn=None if table.drawn else layer)
        case Components():
            reads = (grey,) if not classes else (ws.probabilities,) if table.of and table.options.threshold is not None else (ws.classes,)
            return Stage("objects", reads, (ws.labels,), numbered.components, options, code)
        case Link():
            drawn = ws.layer(table.layer) if table.layer else None
            return Stage("objects", (ws.classes, *([drawn] if drawn else [])), (ws.labels,), numbered.link, options, code,
                         drawn=None if table.drawn else drawn)
        case Nuclei() | None:
            return Stage("objects", (grey,), (ws.labels,), numbered.nuclei, options, code)


def _measure(recipe: Recipe, ws: Workspace, grey: Path) -> Stage:
    from fibsem_ij.measure import groups

    assert recipe.measure
    asked = recipe.measure.options.groups
    image = (grey,) if any(map(groups.needs_image, asked)) else ()
    classes = (ws.classes,) if isinstance(recipe.objects, Components) and not recipe.objects.of and recipe.segment else ()
    return Stage("measure", (ws.labels, *image, *classes), (ws.measures,), numbered.measure, _but(recipe, "measure"),
                 ("measure", "arrays", "volume.py", *_plugged("measures", *asked)))


def _output(recipe: Recipe, ws: Workspace, written: list[Path]) -> list[Stage]:
    table = recipe.output
    assert table
    found = []
    if table.labels_tif and recipe.objects:
        found.append(Stage("output labels.tif", (ws.labels,), (ws.labels_tif,), numbered.labels_tif, {}, ("files", "volume.py")))
    if table.rois and recipe.objects:
        found.append(Stage("output rois.zip", (ws.labels,), (ws.rois,), numbered.rois, {}, ("files", "arrays")))
    if table.report:
        found.append(Stage("output report", tuple(written), (ws.report,), numbered.report, {}, ("report", "render")))
    return found


def _plugged(kind: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{kind}:{name}" for name in names if name in sockets.plugged(kind))


def _only(recipe: Recipe, table: str, *names: str) -> dict[str, Any]:
    said = plain(recipe.plain()[table])
    return {name: said[name] for name in names}


def _but(recipe: Recipe, table: str, *names: str) -> dict[str, Any]:
    return {name: value for name, value in plain(recipe.plain()[table]).items() if name not in (*names, *_NOT_THE_RESULT)}
