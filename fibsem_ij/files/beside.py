"""What a format has no place for, kept beside the file in NAME.json: the record of stored.py, and voxel_nm where need be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fibsem_ij.files.json_files import read_json, write_json
from fibsem_ij.files.stored import checked_record
from fibsem_ij.files.whole import whole


def read_beside(path: Path) -> dict[str, Any]:
    file = _beside(path)
    return checked_record(read_json(file), str(file)) if file.exists() else {}


@contextmanager
def whole_with(path: Path, record: Mapping[str, Any]) -> Iterator[Path]:
    """As `whole`, with `record` beside it where there is something to say."""
    with whole(path) as part:
        yield part
        _beside(path).unlink(missing_ok=True)  # NB: first, so that an older one never speaks for the new pixels
    if record:
        write_json(_beside(path), dict(record))


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".json")
