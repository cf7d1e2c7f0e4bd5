"""The zip of an ImageJ ROI set: written whole, read with suspicion.

A ROI set comes from anybody, so nothing in it is believed before it is checked: no member is ever written to disk,
no more is inflated than a member declares, and what it may declare is capped by `Limits`.

Members are stored, not deflated: twice the bytes, a third of the time, and ImageJ reads both.
"""

from __future__ import annotations

import errno
import re
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fibsem_ij.files.whole import whole

_ENTRY = b"PK\1\2"  # each entry of a zip's directory begins with it
_ENTRY_BYTES = 46
_BLOCK = 1 << 20
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
_OUTSIDE = re.compile(r"^[/\\]|^[A-Za-z]:[/\\]|(^|[/\\])\.\.([/\\]|$)|\x00")
_NAME_CHARACTERS = 200  # a file name on every system, with room for "-1" and ".roi"
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, IndexError, OverflowError, struct.error)


@dataclass(frozen=True)
class Limits:
    """What a ROI set may ask for. Pass larger ones for a set whose source is trusted."""

    members: int = 500_000  # about 1.2 GB as ROIs in memory
    member_bytes: int = 1 << 28  # three labels at random over 6,000 x 4,000 pixels take 200 MB each
    total_bytes: int = 1 << 31
    ratio: int = 200  # inflated to file size; ROIs deflate to a half or a tenth, bombs to a thousandth


LIMITS = Limits()


def write_members(path: Path, members: Iterable[tuple[str, bytes]]) -> int:
    """The set replaces what was at `path` once it is whole; names are made safe, and unique with "-1". Returns how many."""
    taken: set[str] = set()
    with whole(path) as part, zipfile.ZipFile(part, "w") as archive:
        for name, data in members:
            if len(taken) == LIMITS.members:
                raise ValueError(f"{path}: expected at most {LIMITS.members} ROIs in a set, got more; write a set for each part")
            # A ZipInfo of its own date keeps the clock out: the same ROIs make the same file.
            archive.writestr(zipfile.ZipInfo(_free_name(name, taken) + ".roi"), data)
    return len(taken)


def _free_name(name: str, taken: set[str]) -> str:
    stem = _UNSAFE.sub("_", name)[:_NAME_CHARACTERS].strip(". ") or "roi"
    free, n = stem, 0
    while free.casefold() in taken:
        n += 1
        free = f"{stem}-{n}"
    taken.add(free.casefold())
    return free


def read_members(path: Path, *, limits: Limits = LIMITS) -> Iterator[tuple[str, bytes]]:
    """Name, without ".roi", and bytes of every member, one at a time."""
    with _named(str(path)):
        if _count_at_most(path, limits.members) > limits.members:
            raise ValueError(f"expected at most {limits.members} members, got more; if you trust it, pass larger Limits")
        archive = zipfile.ZipFile(path)
    with archive:
        members = [info for info in archive.infolist() if not info.filename.endswith("/")]
        _check(path, members, limits)
        for info in members:
            with _named(f"{path}, member {info.filename!r}"):
                data = _content(archive, info)
            yield info.filename[:-4], data


def _count_at_most(path: Path, enough: int) -> int:
    """An upper bound of the number of entries, found without the zip reader, which would hold a million of them in memory."""
    count, tail = path.stat().st_size // _ENTRY_BYTES, b""
    if count <= enough:
        return count
    count = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            count += (tail + block).count(_ENTRY)
            tail = block[1 - len(_ENTRY):]
    return count


def _check(path: Path, members: list[zipfile.ZipInfo], limits: Limits) -> None:
    twice = [name for name, n in Counter(info.filename for info in members).items() if n > 1]
    if twice:
        raise ValueError(f"{path}: expected member names that differ, got {twice[0]!r} twice; rename one of the ROIs")
    for info in members:
        with _named(f"{path}, member {info.filename!r}"):
            if _OUTSIDE.search(info.orig_filename):
                raise ValueError("expected a plain name, got one that leads outside the folder; do not trust this file")
            if not info.filename.lower().endswith(".roi"):
                raise ValueError("expected nothing but .roi members; this is not a ROI set, or take the member out")
            if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError("expected a stored or deflated member, got an encrypted or other one; save the set in ImageJ again")
            if info.file_size > limits.member_bytes:
                raise ValueError(f"expected at most {limits.member_bytes} bytes, it declares {info.file_size}; do not trust this file")
    total, size = sum(info.file_size for info in members), path.stat().st_size
    if total > limits.total_bytes or total > limits.ratio * size + _BLOCK:
        raise ValueError(f"{path}: expected at most {limits.total_bytes} bytes inflated and {limits.ratio} times the file, "
                         f"got {total} from {size}; if you trust it, pass larger Limits")


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    with archive.open(info) as member:
        # NB: read() without a size inflates everything that is there before it looks at the declared size.
        data = member.read(info.file_size)
    if len(data) != info.file_size:
        raise ValueError(f"expected {info.file_size} bytes, got {len(data)}; the file is damaged")
    return data


@contextmanager
def _named(where: str) -> Iterator[None]:
    """Whatever a damaged or hostile zip raises arrives as one ValueError that says where."""
    try:
        yield
    except _BROKEN as error:
        raise ValueError(f"{where}: {error}") from error
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise ValueError(f"{where}: expected offsets inside the file, got others; the file is damaged") from error
