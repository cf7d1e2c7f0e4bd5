"""JSON files that a person may edit: written with line breaks, read with errors that name the file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fibsem_ij.files.whole import write_text


def read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"expected {path}, it does not exist; check the name") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: expected JSON, got {error}; correct it in a text editor") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path}: expected a JSON object {{...}}, got {type(found).__name__}; correct it in a text editor")
    return found


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    write_text(path, as_json(content))


def as_json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [k for k, _ in pairs]
        raise ValueError(f"the key {next(k for k in keys if keys.count(k) > 1)!r} twice")
    return found
