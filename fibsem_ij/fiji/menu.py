"""Our scripts and macros inside a Fiji: put there, and taken away again without a trace.

    Fiji.app/scripts/Plugins/FIBSEM/FIBSEM_*.groovy     the menu Plugins > FIBSEM
    Fiji.app/lib/fibsem_ij/*.groovy                     what they share: a place that makes no menu entry, and that an update site may serve
    Fiji.app/lib/fibsem_ij/python.txt                   the Python they call
    Fiji.app/lib/fibsem_ij/installed.json               what was written, with checksums
    Fiji.app/macros/fibsem/*.ijm                        runMacro("fibsem/fibsem.ijm", ...)

The names have a prefix because a command's name is the whole of it in a macro, and ImageJ has a Measure of its own. A file that is not
ours, or that somebody changed, is never written over or removed.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from fibsem_ij.fiji.errors import FijiError
from fibsem_ij.fiji.gateway import find_fiji

LIB, MACROS = "lib/fibsem_ij", "macros/fibsem"
_RECORD, _PYTHON = f"{LIB}/installed.json", f"{LIB}/python.txt"
_OURS = (LIB, MACROS, "scripts/Plugins/FIBSEM")


def contents() -> dict[str, Path]:
    """Where in a Fiji -> our file; from the wheel, else from the checkout."""
    package = Path(__file__).parents[1]
    root = package if (package / "fiji_scripts").is_dir() else package.parent
    scripts, macros = root / "fiji_scripts", root / "macros"
    found = {path.relative_to(scripts).as_posix(): path for path in sorted(scripts.rglob("*.groovy"))}
    found |= {f"{MACROS}/{path.name}": path for path in sorted(macros.glob("*.ijm"))}
    if not found:
        raise FijiError(f"expected our scripts beside {package}, found none; install fibsem-ij again")
    return found


def install(home: str | Path, *, python: str | Path = sys.executable) -> list[Path]:
    """Write all into the Fiji at `home`, over an older version of ours; the files."""
    fiji = _fiji(home)
    python = Path(python).absolute()  # NB: not resolved, the link is what knows its environment
    if not python.is_file():
        raise FijiError(f"expected a Python, got {python}, which is no file; give the executable")
    new = {name: path.read_bytes() for name, path in contents().items()} | {_PYTHON: f"{python}\n".encode()}
    old = _recorded(fiji)
    for name, content in new.items():
        _may_write(fiji / name, content, old.get(name))
    sums = {name: _sum(content) for name, content in new.items()}
    # Both are on record while files change, so that what was cut short can be undone or repeated.
    _write(fiji / _RECORD, _as_json({name: [*old.get(name, []), *([sums[name]] if name in sums else [])] for name in {**old, **sums}}))
    for name, content in new.items():
        _write(fiji / name, content)
    for name in old.keys() - new.keys():
        _remove(fiji / name, old[name])
    _write(fiji / _RECORD, _as_json({name: [each] for name, each in sums.items()}))
    return [fiji / name for name in new]


def uninstall(home: str | Path) -> tuple[list[Path], list[Path]]:
    """Remove what `install` wrote: the files removed, and those that were left because somebody changed them."""
    fiji = _fiji(home)
    if not (fiji / _RECORD).is_file():
        raise FijiError(f"expected our scripts in {fiji}, got no {_RECORD}; there is nothing to remove")
    recorded = _recorded(fiji)
    there = [fiji / name for name in recorded if (fiji / name).is_file()]
    for name, sums in recorded.items():
        _remove(fiji / name, sums)
    (fiji / _RECORD).unlink()
    for folder in _OURS:
        if (fiji / folder).is_dir() and not any((fiji / folder).iterdir()):
            (fiji / folder).rmdir()
    return [path for path in there if not path.exists()], [path for path in there if path.exists()]


def _fiji(home: str | Path) -> Path:
    found = find_fiji(home)
    if found is None:
        raise FijiError("expected the folder of a Fiji, got none; name the folder that holds jars and plugins")
    return found


def _recorded(fiji: Path) -> dict[str, list[str]]:
    """Name -> the checksums of what we wrote under it. NB: a record may have been tampered with; it names files to remove."""
    path = fiji / _RECORD
    if not path.is_file():
        return {}
    try:
        said = json.loads(path.read_text(encoding="utf-8"))["files"]
        found = {str(name): [str(each) for each in sums] for name, sums in said.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FijiError(f"expected the record of an installation in {path}, got {type(error).__name__}; remove {LIB} by hand") from error
    for name in found:
        if ".." in PurePosixPath(name).parts or "\\" in name or not name.startswith(tuple(f"{folder}/" for folder in _OURS)):
            raise FijiError(f"expected files of ours in {path}, got {name!r}; remove {LIB} by hand")
    return found


def _may_write(path: Path, content: bytes, ours: list[str] | None) -> None:
    if path.is_file() and path.read_bytes() != content and _sum(path.read_bytes()) not in (ours or ()):
        whose = "somebody changed it" if ours else "it is not ours"
        raise FijiError(f"expected to write {path}, but {whose}; move it away and try again")


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _remove(path: Path, sums: list[str]) -> None:
    if path.is_file() and _sum(path.read_bytes()) in sums:
        path.unlink()


def _as_json(files: Mapping[str, list[str]]) -> bytes:
    return json.dumps({"files": dict(sorted(files.items()))}, indent=1).encode() + b"\n"


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
