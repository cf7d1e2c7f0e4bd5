"""report.html: one page that shows a workspace, with the numbers and the recipe; it needs no network and no other file.

A report shows what is in the folder, whatever made it, and says what it could not read. It is made anew from the folder each time;
nothing else is kept. `folder` finds what there is, `sections` shows it, `page` is the page.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from fibsem_ij.files.whole import write_text
from fibsem_ij.report import decisions, page, plots, sections
from fibsem_ij.report.folder import REPORT, Found, describe, gather

Progress = Callable[[int, int], None]


def write(workspace: Path, out: Path | None = None, *, progress: Progress | None = None) -> Path:
    """Write the page, beside what it shows unless `out` says where else."""
    out = out or workspace / REPORT
    write_text(out, html(gather(workspace), progress=progress))
    return out


def html(found: Found, *, progress: Progress | None = None) -> str:
    parts = []
    for n, (title, section) in enumerate(_SECTIONS):
        with found.minding(title):
            parts.append((title, section(found)))
        if progress:
            progress(n + 1, len(_SECTIONS))
    shown = [(title, content) for title, content in parts if content]
    if all(title == _PROBLEMS for title, _ in shown):
        told = f" ({'; '.join(found.problems)})" if found.problems else ""
        raise ValueError(f"{found.folder}: expected something to show (raw.zarr, transforms.json, labels.tif, measures.csv, ...), got none "
                         f"of it{told}; name a workspace")
    name = found.folder.resolve().name
    now = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
    subtitle = describe(found.stack) if found.stack else "A workspace of fibsem_ij"
    foot = f"fibsem_ij {version('fibsem-ij')}, {now}. Everything on this page is in it; it needs no network."
    return page.page(name, subtitle, _tiles(found), shown, foot)


def _tiles(found: Found) -> list[tuple[str, str]]:
    """The few numbers that say what this is."""
    tiles = []
    if stack := found.stack:
        tiles.append(("slices", f"{len(stack):,}"))
        if stack.voxel_nm:
            z, y, x = (n * size / 1000 for n, size in zip(stack.shape, stack.voxel_nm, strict=True))
            tiles.append(("µm, x × y × z", f"{x:.3g} × {y:.3g} × {z:.3g}"))
    if found.transforms:
        tiles.append(("bad slices", str(len(found.transforms.bad))))
    for name, told in found.scores.items():
        if isinstance(told.get("f1_micro"), float):
            tiles.append((f"F1, {name}", f"{told['f1_micro']:.3f}"))
    rows = {name: len(next(iter(found.tables[name].values()), ())) for name in _measured(found)}
    shown = [name for name in rows if rows[name]][:2]
    return [*tiles, *((f"rows in {name}", f"{rows[name]:,}") for name in shown)]


def _objects(found: Found) -> str:
    return sections.objects(found) + "".join(decisions.part(name, table) for name, table in found.tables.items()
                                             if decisions.is_log(name, table))


def _measures(found: Found) -> str:
    return "".join(plots.measures(name, found.tables[name], found.meanings[name]) for name in _measured(found))


def _measured(found: Found) -> list[str]:
    """The tables of objects, our own first."""
    others = [name for name, table in found.tables.items() if not decisions.is_log(name, table)]
    return sorted(others, key=lambda name: not name.startswith("measures"))


_PROBLEMS = "What could not be read"
_SECTIONS: tuple[tuple[str, Callable[[Found], str]], ...] = (
    ("Stack", sections.stack),
    ("Alignment", sections.alignment),
    ("Training", sections.training),
    ("Drawings", sections.drawings),
    ("Classes", sections.classes),
    ("Scores", sections.scores),
    ("Objects", _objects),
    ("Measures", _measures),
    ("Pictures in the folder", sections.pictures),
    ("Recipe", sections.recipe),
    (_PROBLEMS, sections.problems),
)
