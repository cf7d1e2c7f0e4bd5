"""What a kill left in a workspace: parts of results go, and a result that was just being replaced has its name again.

What a later run goes on from, `.NAME.unfinished` and `.STAGE.KEY.state`, stays.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from fibsem_ij.workspace import Workspace

_LEFT = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{8}\.(part|old)|\..+\.link")


def settle(workspace: Workspace) -> None:
    for folder in (workspace.folder, workspace.networks, workspace.drawn):
        for path in sorted(folder.glob(".*")):
            if found := _LEFT.fullmatch(path.name):
                _settle(path, path.with_name(found["name"]) if found[2] == "old" else path)


def _settle(path: Path, name: Path) -> None:
    if not name.exists():
        path.rename(name)
    elif path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
