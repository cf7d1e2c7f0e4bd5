"""A store that is filled over several runs: what was written is found again, what was lost is known, and the bytes are the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fibsem_ij import files
from fibsem_ij.files import journal, probabilities
from fibsem_ij.files.whole import unfinished

STACK = np.random.default_rng(4).integers(0, 255, (6, 40, 50), np.uint8)


class Stopped(Exception):
    pass


def fill(path: Path, *, stop: int = 6, key: str = "a", **more: Any) -> list[int]:
    """Write slices until `stop`; which were found, and the order of those written."""
    written = []
    with files.create(path, shape=STACK.shape, dtype="uint8", resume=key, **more) as out:
        for z in set(range(6)) - out.done:
            if z >= stop:
                raise Stopped
            out[z] = STACK[z]
            written.append(z)
    return written


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != journal.NAME}


def test_what_was_written_is_not_written_again(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        fill(tmp_path / "a.zarr", stop=4)
    assert not (tmp_path / "a.zarr").exists()
    assert fill(tmp_path / "a.zarr") == [4, 5]
    assert fill(tmp_path / "b.zarr") == [0, 1, 2, 3, 4, 5]
    assert np.array_equal(files.read(tmp_path / "a.zarr"), STACK)
    assert journal.read(tmp_path / "a.zarr") == ("a", {z: journal.checksum(STACK[z]) for z in range(6)})
    assert not unfinished(tmp_path / "a.zarr").exists()


def test_another_key_begins_anew(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        fill(tmp_path / "a.zarr", stop=4)
    assert fill(tmp_path / "a.zarr", key="b") == [0, 1, 2, 3, 4, 5]


def test_slices_that_were_lost_or_changed_are_written_again(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        fill(tmp_path / "a.zarr", stop=5)
    part = unfinished(tmp_path / "a.zarr")
    chunks = sorted(path for path in (part / "0").rglob("*") if path.is_file() and not path.name.startswith("."))
    chunks[0].unlink()
    chunks[1].write_bytes(chunks[2].read_bytes())
    chunks[3].write_bytes(chunks[3].read_bytes()[:-7])
    lines = (part / journal.NAME).read_text()
    (part / journal.NAME).write_text(lines[:-9])  # the last line was cut: that of slice 3 or 4, which are written at a time
    assert sorted(fill(tmp_path / "a.zarr")) == sorted({0, 1, 3, 5, int(lines.splitlines()[-1].split()[0])})
    assert np.array_equal(files.read(tmp_path / "a.zarr"), STACK)


def test_probabilities_go_on_too(tmp_path: Path) -> None:
    shares = np.stack([STACK, 255 - STACK])
    names = {1: "one", 2: "two"}
    stopped = probabilities.create(tmp_path / "p.zarr", names=names, shape=STACK.shape, resume="k")
    out = stopped.__enter__()
    for z in range(3):
        out[:, z] = shares[:, z]
    out[0, 3] = shares[0, 3]
    assert not stopped.__exit__(Stopped, Stopped(), None)
    with probabilities.create(tmp_path / "p.zarr", names=names, shape=STACK.shape, resume="k") as out:
        assert out.done == {0, 1, 2}
        for z in range(3, 6):
            out[:, z] = shares[:, z]
    assert np.array_equal(probabilities.read(tmp_path / "p.zarr")[:, 2], shares[:, 2])
    with probabilities.create(tmp_path / "p.zarr", names=names, shape=STACK.shape) as out:  # over one of ours
        for z in range(6):
            out[:, z] = shares[:, z]


def test_a_killed_process_leaves_what_it_wrote(tmp_path: Path) -> None:
    code = ("import os, sys, numpy as np\nfrom fibsem_ij import files\n"
            "with files.create(sys.argv[1], shape=(6, 40, 50), dtype='uint8', resume='a') as out:\n"
            "    for z in range(3): out[z] = np.load(sys.argv[2])[z]\n    os._exit(9)")
    np.save(tmp_path / "s.npy", STACK)
    assert subprocess.run([sys.executable, "-c", code, tmp_path / "k.zarr", tmp_path / "s.npy"], timeout=60).returncode == 9
    assert fill(tmp_path / "k.zarr") in ([3, 4, 5], [2, 3, 4, 5], [1, 2, 3, 4, 5])  # two are under way at a time
    assert fill(tmp_path / "n.zarr") == [0, 1, 2, 3, 4, 5]
    ours, fresh = bytes_of(tmp_path / "k.zarr"), bytes_of(tmp_path / "n.zarr")
    assert {name: data for name, data in ours.items() if name != ".zattrs"} == {n: d for n, d in fresh.items() if n != ".zattrs"}


def test_only_a_store_is_filled_over_several_runs(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.zarr"):
        fill(tmp_path / "a.tif")
