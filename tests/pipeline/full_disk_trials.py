"""python full_disk_trials.py FOLDER COUNT LAST: every writer, and every stage of a run, on a disk that becomes full.

One JSON line a trial: {"what": writer or stage, "said": the error, "problem": "" where all held}. COUNT: with how many amounts of free
room a writer is tried. LAST: the last stage to try, or "" for all. The disk is a small tmpfs, mounted by whoever may (anybody, within
`unshare -Urm`); where nobody may, a limit to the size of a file, which writers meet alike.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import small_recipe as small
import torch

from fibsem_ij import cli, files, render
from fibsem_ij.files import edit_log, fiji_transforms, meshes, networks, probabilities, rois, rounds, sidecar, tables
from fibsem_ij.files import transforms as transform_files
from fibsem_ij.learn import checkpoint
from fibsem_ij.learn.network import Network, build
from fibsem_ij.pipeline.pairs import Kept
from fibsem_ij.register.pairs import Pair
from fibsem_ij.volume import Labels, Transforms, Volume

SHARES = (0.0, 0.6, 0.3, 0.95)
PAGE = 4096
_BY_CHANCE = re.compile(rb"tensors-[0-9a-f]{16}|\d{4}-\d\d-\d\dT[\d:+]*")  # names and times
Write = Callable[[Path, int], Any]


class Disk:
    """`folder` may be filled so that no more than some bytes are free."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ballast = folder, folder / "ballast"
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", folder]
        self.mounted = bool(shutil.which("mount")) and subprocess.run(mount, capture_output=True).returncode == 0

    def fill(self, *, free: int) -> None:
        self.empty()
        if not self.mounted:
            resource.setrlimit(resource.RLIMIT_FSIZE, (free, resource.RLIM_INFINITY))
            return
        now = os.statvfs(self.folder)
        with self.ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, now.f_bavail - free // PAGE) * PAGE)

    def empty(self) -> None:
        self.ballast.unlink(missing_ok=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def size_of(self, held: dict[str, bytes]) -> int:
        """What these files take; of the largest one where only that counts."""
        sizes = [-(-len(data) // PAGE) * PAGE for data in held.values()]
        return sum(sizes) if self.mounted else max(map(len, held.values()))


def held(folder: Path) -> dict[str, bytes]:
    """All files, hidden ones too, without what chance and the clock decide."""
    return {_BY_CHANCE.sub(b"", str(path.relative_to(folder)).encode()).decode(): _BY_CHANCE.sub(b"", path.read_bytes())
            for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "ballast"}


def grey(seed: int, dtype: Any = np.uint8) -> Volume:
    pixels = np.random.default_rng(seed).integers(0, 250, (4, 300, 280)).astype(dtype)
    return Volume(pixels, (5, 4, 4), tuple("abcd"))


def labels(seed: int) -> Labels:
    return Labels(np.kron(grey(seed).data[:, :30, :28], np.ones((1, 10, 10), np.uint8)), (5, 4, 4), tuple("abcd"), {1: "cell"})


def stack(name: str, noun: Callable[[int], Volume]) -> tuple[str, Write]:
    return name, lambda path, seed: files.write(path, noun(seed))


def resumed(path: Path, seed: int) -> None:
    with files.create(path, shape=(4, 300, 280), dtype=np.uint8, resume=f"key {seed}") as out:
        for z in set(range(4)) - out.done:
            out[z] = grey(seed)[z]


def scores(path: Path, seed: int) -> None:
    with probabilities.create(path, names={0: "none", 1: "cell"}, shape=(4, 300, 280), resume=f"key {seed}") as out:
        for z in set(range(4)) - out.done:
            out[:, z] = np.stack([grey(seed)[z], 255 - grey(seed)[z]])


def table(seed: int) -> dict[str, Any]:
    return {"label": np.arange(900), "area_nm2": np.random.default_rng(seed).random(900)}


def moved(seed: int) -> Transforms:
    return Transforms(np.tile(np.eye(3), (40, 1, 1)) + np.random.default_rng(seed).random((40, 3, 3)) * [[.1], [.1], [0]], (30, 30))


def mesh(seed: int) -> meshes.Mesh:
    points = np.random.default_rng(seed).random((600, 3))
    return meshes.Mesh(points, np.arange(600).reshape(200, 3))


def net(seed: int) -> Network:
    torch.manual_seed(seed)
    return Network("unet", *build("unet", base=4, depth=2, inputs=1))


def trained(path: Path, seed: int) -> None:
    path.mkdir(exist_ok=True)
    module = net(seed).module
    checkpoint.save(path, checkpoint.Run(module, torch.optim.AdamW(module.parameters()), 1, update=seed), {})


def corrected(path: Path, seed: int) -> None:
    done = edit_log.read(path)
    edit_log.append(path, f"delete {seed}", np.random.default_rng(seed).integers(0, 10**9, (900, 4)), after=done[:seed])


def pairs(path: Path, seed: int) -> None:
    rng, kept = np.random.default_rng(seed), Kept(path, str)
    for z in range(6 * (seed + 1)):
        found = Pair(z, z + 1, np.eye(3), rng.random((4, 4)), 0.1, np.ones(64, np.float32), np.ones(64, np.float32))
        if (z, z + 1) not in kept:
            kept[z, z + 1] = found


WRITERS: dict[str, Write] = dict((
    stack("stack.tif", grey), stack("labels.tif", labels), stack("folder", grey), stack("classes", labels), stack("stack.zarr", grey),
    stack("labels.zarr", labels), stack("stack.mrc", grey), stack("stack.npy", grey), stack("stack.nrrd", grey),
    ("resumed.zarr", resumed), ("probabilities.zarr", scores),
    ("rois.zip", lambda path, seed: rois.write(path, rois.to_rois(labels(seed)))),
    ("one.roi", lambda path, seed: rois.write(path, rois.to_rois(labels(seed))[:1])),
    ("table.csv", lambda path, seed: tables.write(path, table(seed))),
    ("table.parquet", lambda path, seed: tables.write(path, table(seed))),
    ("measures.csv", lambda path, seed: sidecar.write(path, table(seed), {name: {"is": name * (seed + 1)} for name in table(seed)})),
    *((f"mesh{ending}", lambda path, seed: meshes.write(path, mesh(seed))) for ending in meshes.FORMATS),
    ("meshes", lambda path, seed: meshes.write_all(path, [(1, mesh(seed)), (2, mesh(seed + 5))], ending=".ply")),
    ("network", lambda path, seed: networks.write(path, net(seed))),
    ("networks", lambda path, seed: networks.write_all(path, [net(seed), net(seed + 5)])),
    ("training", trained),
    ("transforms.json", lambda path, seed: transform_files.write(path, moved(seed))),
    ("xml", lambda path, seed: fiji_transforms.write(path, moved(seed), names=[f"{z:02d}" for z in range(40)])),
    ("rounds.csv", lambda path, seed: rounds.append(path, drawn=seed + 1, slices=99, score=0.5)),
    ("corrected.zarr", corrected), ("pairs.jsonl", pairs),
    ("picture.png", lambda path, seed: render.save(path, np.repeat(grey(seed)[0][..., None], 3, 2))),
))


def writers(disk: Disk, count: int) -> Iterator[dict[str, str]]:
    """Each writes over an older result of its own, with some of the room that it needs; then with all of it."""
    place = disk.folder / "place"
    for name, write in WRITERS.items():
        afresh(place, name, write)
        before = held(place)
        write(place / name, 1)
        after = held(place)
        for share in SHARES[:count]:
            afresh(place, name, write)
            disk.fill(free=int(share * disk.size_of(after)) // PAGE * PAGE)
            said = refused(lambda name=name, write=write: write(place / name, 1))
            left = {path: data for path, data in held(place).items() if not path.startswith(f".{name}.unfinished")}
            disk.empty()
            problem = complaint(said, name) if said else "" if left == after else "no error, and another result"
            if said and left != before and not (name == "pairs.jsonl" and left[name].startswith(before[name])):
                problem = f"it left {[path for path in {**left, **before} if left.get(path) != before.get(path)]}"
            if not problem and not (again := refused(lambda name=name, write=write: write(place / name, 1))):
                problem = "" if held(place) == after else "written again, it is another result"
            elif not problem:
                problem = f"written again: {again}"
            yield {"what": name, "said": said, "problem": problem if said or share else "no error where nothing was free"}
        shutil.rmtree(place)


def afresh(place: Path, name: str, write: Write) -> None:
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    write(place / name, 0)


def refused(write: Callable[[], Any]) -> str:
    try:
        write()
    except OSError as error:
        return str(error)
    return ""


def complaint(said: str, name: str) -> str:
    """What is wrong with an error."""
    return "" if name.removesuffix("csv") in said and " free" in said and "make room" in said else f"an error that does not help: {said}"


def stages(disk: Disk, folder: Path, last: str) -> Iterator[dict[str, str]]:
    """One run after the other in one workspace: each finds the disk full in another stage, and goes on from the one before."""
    words = ["run", str(small.lay_out(folder)), str(disk.folder / "ws"), "--progress", "none", *(["--to", last] if last else [])]
    ws, room = disk.folder / "ws", dict[str, int]()
    assert ended(words, lambda stage: room.update({stage: shutil.disk_usage(disk.folder).free}))[0] == 0
    undisturbed = small.results(ws)
    shutil.rmtree(ws)
    for stage, then in zip(room, [*list(room.values())[1:], 0], strict=True):
        before: set[Path] = set()
        took = max(0, room[stage] - then) if then else 0
        free = took // 2 if disk.mounted else 2000

        def fill(now: str, stage: str = stage, free: int = free, before: set[Path] = before) -> None:
            if now == stage:
                before.update(ws.rglob("*"))
                disk.fill(free=free)

        code, said = ended(words, fill)
        disk.empty()
        line = said.splitlines()[-1]
        new = [path.name for path in {*ws.glob("[!.]*"), *ws.glob("[!.]*/[!.]*")} - before if path.name != "pairs.jsonl"]  # a line a pair
        problem = complaint(line, "/ws/") if code == 2 and line.startswith("fibsem-ij: ") and "Traceback" not in said else f"{code}: {said}"
        yield {"what": f"run: {stage}", "said": line, "problem": problem or (f"under a final name: {new}" if new else "")}
    code, said = ended(words, lambda _: None)
    same = code == 0 and small.results(ws) == undisturbed
    yield {"what": "run: gone on with", "said": "", "problem": "" if same else f"not the same bytes: {code} {said}"}


def ended(words: list[str], begins: Callable[[str], Any]) -> tuple[Any, str]:
    """Exit code and stderr of a command; `begins(stage)` is called when it says so."""
    stderr = io.StringIO()

    def said(line: str) -> None:
        print(line, file=stderr)
        if " runs" in line:
            begins(line.partition(" runs")[0])

    import_module("fibsem_ij.cli.run").say = said  # type: ignore[attr-defined]  # NB: the name `cli.run` is the function
    try:
        with contextlib.redirect_stderr(stderr), contextlib.redirect_stdout(io.StringIO()):
            cli.main(words)
    except SystemExit as end:
        return end.code or 0, stderr.getvalue()
    return 0, stderr.getvalue()


def main(folder: Path, count: int, last: str) -> None:
    disk = Disk(folder / "disk")
    print(json.dumps({"mounted": disk.mounted}), flush=True)
    try:
        for trial in chain(writers(disk, count), stages(disk, folder / "recipe", last)):
            print(json.dumps(trial), flush=True)
    finally:
        if disk.mounted:
            subprocess.run(["umount", disk.folder])


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
