"""What a format has no place for, kept beside the file in NAME.json: the record of stored.py, and voxel_nm where need be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from fibsem_ij.files.json_files import as_json, read_json
from fibsem_ij.files.stored import checked_record
from fibsem_ij.files.whole import whole


def read_beside(path: Path) -> dict[str, Any]:
    file = _beside(path)
    return checked_record(read_json(file), str(file)) if file.exists() else {}


@contextmanager
def whole_with(path: Path, record: Mapping[str, Any]) -> Iterator[Path]:
    """As `whole`, with `record` beside it where there is something to say.

    NB: it is on disk before the pixels have their name, as the disk may be full; and an older one never speaks for the new pixels.
    """
    with whole(_beside(path)) if record else nullcontext() as told, whole(path, instead_of=_beside(path)) as part:
        yield part
        if told:
            told.write_text(as_json(record), encoding="utf-8", newline="\n")


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".json")
