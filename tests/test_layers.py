"""The law of layers (design): who may import whom, where torch, Java and file formats may be named, and that the
front door loads none of them. Read from the source itself, so a new file is under the law the moment it exists."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "fibsem_ij"
ROOMS = ("register", "denoise", "segment", "objects", "measure")
TOP = ("cli", "doctor", "demo", "workspace", "pipeline", "review", "render", "report", "recipe", "verbs", "phantom")

# What a part of the house may import of the house.
MAY: dict[str, set[str]] = {
    "volume": set(),
    "sockets": set(),
    "arrays": {"volume"},
    "learn": {"volume", "sockets", "arrays"},
    **{room: {"volume", "sockets", "arrays", "learn"} for room in ROOMS},
    "files": {"volume", "arrays", "learn"},
    "fiji": {"volume", "arrays"},
    **{top: {"volume", "sockets", "arrays", "learn", *ROOMS, "files", "fiji", *TOP} for top in TOP},
    "__init__": {"volume"},
    "__main__": {"cli"},
}
JAVA, FORMATS = {"scyjava", "jpype", "imagej", "imglyb", "jgo"}, {"tifffile", "zarr", "ome_zarr", "roifile", "mrcfile"}
SOURCES = sorted(PACKAGE.rglob("*.py"))


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    """Full dotted names that a file imports anywhere, functions included; `from a import b` counts as a.b."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import; write the full name, so that the law can be read"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_imports_only_what_its_layer_may(path: Path) -> None:
    part, names = part_of(path), imports_of(path)
    assert part in MAY, f"{part} has no place in the law of layers: give it one in this test, or move it"
    house = {name.split(".")[1] for name in names if name.startswith("fibsem_ij.")} - {part}
    house = {name for name in house if name in MAY}
    assert house <= MAY[part], f"{part} may not import {sorted(house - MAY[part])}"
    outside = {name.split(".")[0] for name in names}
    if part != "fiji":
        assert not outside & JAVA, "Java lives in fiji/"
    if part != "files":
        assert not outside & FORMATS, "file formats live in files/"
    if part not in ("learn", "denoise", "segment", "register", "doctor") and path.name != "networks.py":
        assert "torch" not in outside, "torch lives in learn/ and the rooms that need it"
    if part == "volume":
        assert outside <= {"__future__", "collections", "dataclasses", "types", "typing", "numpy", "numpy.typing"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_says_what_it_is_for_and_stays_readable(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    assert ast.get_docstring(tree), "a module opens with what it is for"
    assert len(source.splitlines()) <= 250, "past 250 lines: find the two ideas in it"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or node.lineno) - node.lineno < 60, f"{node.name} is longer than 60 lines"


def loaded_by(*argv: str) -> set[str]:
    code = "import sys, runpy\nsys.argv = sys.argv[1:]\ntry: exec(sys.argv.pop(0))\nexcept SystemExit: pass\nprint('\\n'.join(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True, timeout=60, check=True)
    return {line.split(".")[0] for line in run.stdout.splitlines()}


HEAVY = JAVA | FORMATS | {"torch", "numba", "numpy", "scipy", "skimage", "cv2", "matplotlib", "pyvista", "vtkmodules", "pyarrow"}


def test_the_front_door_loads_nothing_heavy() -> None:
    assert not loaded_by("import fibsem_ij, fibsem_ij.fiji, fibsem_ij.files") & (HEAVY - {"numpy"})
    assert not loaded_by("import fibsem_ij") & HEAVY


def test_help_loads_nothing_heavy() -> None:
    assert not loaded_by("from fibsem_ij.cli import main; sys.argv = ['fibsem-ij', '--help']; main()") & HEAVY
