"""The project's own files agree with each other, and the README's examples run as they stand."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fibsem_ij.cli import commands

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_conda_lists_what_pyproject_lists() -> None:
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    pip = next(entry["pip"] for entry in conda if isinstance(entry, dict))
    assert set(pip) - {"--editable .[export]"} == set(PYPROJECT["project"]["dependencies"])
    assert f"python{PYPROJECT['project']['requires-python']}" in conda


def test_every_runtime_dependency_is_used() -> None:
    """A dependency that no source file names is one that users install for nothing."""
    named = {"connected-components-3d": "cc3d", "opencv-python-headless": "cv2", "pyimagej": "imagej", "jpype1": "jpype",
             "pillow": "PIL"}
    promised = {"scikit-image"}  # users of 0.1 are told that it is there; measures and segmentation stand on it
    source = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "fibsem_ij").rglob("*.py"))
    for requirement in PYPROJECT["project"]["dependencies"]:
        name = re.split(r"[<>=;\[ ]", requirement)[0]
        assert name in promised or re.search(rf"\b{named.get(name, name)}\b", source), f"nothing in fibsem_ij uses {name}"


def test_ci_runs_what_the_readme_tells() -> None:
    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").rstrip().endswith("exec make test")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in readme
    assert "make test" in readme


README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


@pytest.mark.timeout(120)
def test_the_examples_of_the_readme_run(tmp_path: Path) -> None:
    """As a new user would: the Python example in a new folder, then the macro on the file that it wrote."""
    (python,), (macro,) = blocks("python"), blocks("ijm")
    run([sys.executable, "-c", python], tmp_path)
    (tmp_path / "smooth.ijm").write_text(macro, encoding="utf-8")
    mean = float(run([sys.executable, "-m", "fibsem_ij", "fiji", "macro", "smooth.ijm", str(tmp_path / "raw.tif")], tmp_path))
    assert 60 < mean < 220


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    return done.stdout


def each_command(found: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, inside in getattr(found, "commands", {}).items():
        yield from each_command(inside, (*words, name))
    if not hasattr(found, "commands"):
        yield words, found


def test_every_command_has_help_with_an_example_that_it_understands() -> None:
    for words, command in each_command(commands()):
        name = " ".join(("fibsem-ij", *words))
        examples = re.findall(rf"{name}\b([^;\n]*)", command.help or "")
        assert examples, f"the help of `{name}` has no example; write one, as the others have"
        for example in examples:
            command.make_context(name, shlex.split(example))  # raises where an option or an argument is not its own


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_exists_with_its_options(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    lines = re.findall(r"^ {4,}(?:\.venv/bin/)?(fibsem-ij [a-z].*(?:\n {8,}\[--.*)*)", text, re.MULTILINE)
    lines += re.findall(r"`(fibsem-ij [a-z][^`]*)`", text)
    for line in lines:
        found = commands()
        for word in line.replace("|", " | ").split()[1:]:
            if hasattr(found, "commands"):
                assert word in found.commands, f"{page.name} names a command that is none: {line}"
                found = found.commands[word]
        known = {option for param in getattr(found, "params", ()) for option in param.opts}
        assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", line)) <= known, f"{page.name} names an option that is none: {line}"
