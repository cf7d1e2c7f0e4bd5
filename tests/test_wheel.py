"""The wheel holds what the tree holds and works away from it. `make wheel` does the same with an environment of its own and the demo."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from fibsem_ij import recipe
from fibsem_ij.fiji import menu

ROOT = Path(__file__).parents[1]
DATA = ("fiji_scripts", "macros")  # beside the package in the tree, inside it in the wheel


def pip(*words: object) -> None:
    quietly = ("--quiet", "--no-deps", "--disable-pip-version-check")
    subprocess.run([sys.executable, "-m", "pip", *map(str, words), *quietly], check=True, timeout=120)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", ROOT, "--no-build-isolation", "--wheel-dir", folder)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    pip("install", wheel, "--target", wheel.parent / "installed")
    return wheel.parent / "installed"


def tree(folder: Path) -> dict[str, Path]:
    """Name in the wheel -> file."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.parent.name != "__pycache__")
    return {path.relative_to(folder.parent).as_posix(): path for path in found}


def test_the_wheel_holds_the_tree_and_nothing_else(wheel: Path) -> None:
    wanted = tree(ROOT / "fibsem_ij")
    for name in DATA:
        wanted |= {f"fibsem_ij/{inside}": path for inside, path in tree(ROOT / name).items()}
    with zipfile.ZipFile(wheel) as packed:
        held = {name: packed.read(name) for name in packed.namelist() if ".dist-info/" not in name}
    assert held.keys() == wanted.keys()
    assert all(held[name] == path.read_bytes() for name, path in wanted.items())


def test_it_works_away_from_the_tree(installed: Path, tmp_path: Path) -> None:
    def call(*words: str) -> str:
        alone = {**os.environ, "PYTHONPATH": str(installed)}
        command = [sys.executable, "-m", "fibsem_ij", *words]
        done = subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "fibsem-ij demo" in call("demo", "--help")
    assert all(name in call("recipes") for name in recipe.ready())
    call("recipes", "organelles", "recipe.toml")
    assert (tmp_path / "recipe.toml").read_text(encoding="utf-8") == recipe.ready_text("organelles")

    fiji = tmp_path / "Fiji.app"
    (fiji / "jars").mkdir(parents=True)
    for jar in ("ij-1.54p.jar", "imagej-2.16.0.jar", "imagej-legacy-2.0.1.jar"):
        (fiji / "jars" / jar).touch()
    call("fiji", "install", str(fiji))
    for name, ours in menu.contents().items():
        assert (fiji / name).read_bytes() == ours.read_bytes(), name
    assert json.loads(call("fiji", "uninstall", str(fiji), "--json"))["left"] == []
