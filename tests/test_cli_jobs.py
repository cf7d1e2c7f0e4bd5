"""Jobs as Fiji's menu and macros name them, the worker that does them, and our files in a Fiji: without Java."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fibsem_ij import files
from fibsem_ij.cli import here, jobs, option_text
from fibsem_ij.fiji import FijiError, menu
from fibsem_ij.volume import Labels

pytestmark = pytest.mark.timeout(120)
CELLS = Labels(np.repeat(np.kron(np.arange(9, dtype=np.uint16).reshape(3, 3), np.ones((6, 6), np.uint16))[None], 3, 0), (10, 5, 5))


def quiet(line: str) -> None:
    pass


# Keys in one text, as ImageJ writes options


@given(st.dictionaries(st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True), st.text(max_size=20), max_size=4))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_text_is_read_as_it_was_written_or_not_written(keys: dict[str, str]) -> None:
    text = option_text.write(keys)
    if text:
        assert option_text.read(text) == keys
    elif keys:
        assert any(set(value) & set("[]") for value in keys.values())


@given(st.text(alphabet="ab=[] \\\"'\n", max_size=24))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_text_is_read_in_one_way_or_refused(text: str) -> None:
    try:
        keys = option_text.read(text)
    except ValueError:
        return
    assert sum(len(key) + len(value) for key, value in keys.items()) <= len(text) + 4 * len(keys)  # a bare key is `true`


def test_a_text() -> None:
    keys = {"src": "a [1] b.tif", "keep_trend": "true", "runs": "25", "bad": ""}
    assert option_text.read("src=[a [1] b.tif] keep_trend runs=25 bad=[]") == keys
    for text, said in (("src=a src=b", "once"), ("src=[a] b] x=1", "closes|key=value|space"), ("src=[a", "closes"), ("=3", "key=value"),
                       ("src=[a]b=c", "a space after src")):
        with pytest.raises(ValueError, match=said):
            option_text.read(text)


# Jobs


def test_every_key_of_every_job_is_a_parameter_of_its_commands() -> None:
    for name in jobs.names():
        for call in jobs.JOBS[name].calls:
            parameters = {param.name for param in here.command(call.words.split())[0].params}
            assert set(call.keys.split()) <= parameters, f"{name}: {call.words}"
        keys = set(jobs.keys_of(name))
        assert set(jobs.JOBS[name].opens) | set(jobs.JOBS[name].named) <= keys
        assert all(row["about"] != "None" for row in jobs.described(name)), name


def test_a_result_is_named_after_its_source_and_never_over_another(tmp_path: Path) -> None:
    files.write(tmp_path / "-cells.tif", CELLS)
    for expected in ("-cells-labels.tif", "-cells-labels-2.tif"):
        done = jobs.run("components", {"src": str(tmp_path / "-cells.tif"), "least_voxels": "", "fill_holes": "false"}, quiet)
        assert done.opens == (("labels", tmp_path / expected),)
    assert done.commands[0][:4] == ["objects", "components", "--", str(tmp_path / "-cells.tif")]
    with pytest.raises(ValueError, match="expected keys of components"):
        jobs.run("components", {"src": "x", "speed": "9"}, quiet)
    with pytest.raises(ValueError, match="without line breaks"):
        jobs.run("components", {"src": "a\nb"}, quiet)
    with pytest.raises(ValueError, match="as true or false"):
        jobs.run("components", {"src": "x", "fill_holes": "maybe"}, quiet)
    with pytest.raises(ValueError, match="for measure, got none; give labels="):
        jobs.run("measure", {}, quiet)


def test_the_page_tells_every_key() -> None:
    """Keys are API: docs/fiji.md is where they are promised."""
    page = (Path(__file__).parents[1] / "docs" / "fiji.md").read_text(encoding="utf-8")
    for name in jobs.names():
        section = page.partition(f"**{name}**")[2].partition("\n**")[0]
        assert section, f"{name} is not in docs/fiji.md"
        for row in [] if name.startswith("review-") else jobs.described(name):
            promised = rf"^\| `{row['key']}` \| .* \| {re.escape(row['default'])} \|$"
            assert re.search(promised, section, re.MULTILINE), f"{name}: {row['key']}"


# The worker


@pytest.fixture(scope="module")
def worker() -> Iterator[tuple[IO[str], IO[str]]]:
    with subprocess.Popen([sys.executable, "-m", "fibsem_ij", "worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8",
                          stderr=subprocess.DEVNULL) as process:
        assert process.stdin
        assert process.stdout
        yield process.stdin, process.stdout
        process.stdin.close()
        assert process.wait(30) == 0, "a worker ends at the end of its stdin"


def told(worker: tuple[IO[str], IO[str]], line: str) -> list[dict[str, Any]]:
    worker[0].write(line + "\n")
    worker[0].flush()
    lines = [json.loads(worker[1].readline())]
    while "ok" not in lines[-1]:
        lines.append(json.loads(worker[1].readline()))
    return lines


def test_a_worker_answers_as_the_command_line_does(worker: tuple[IO[str], IO[str]], tmp_path: Path) -> None:
    files.write(tmp_path / "zellen é.tif", CELLS)
    args = ["objects", "components", str(tmp_path / "zellen é.tif"), str(tmp_path / "out.tif")]
    *progress, last = told(worker, json.dumps({"id": "x", "args": args}))
    assert last == {"id": "x", "ok": True, "result": {"objects": 8, "path": str(tmp_path / "out.tif")}}
    assert [line["id"] for line in progress] == ["x"] * len(progress)
    assert 0 < progress[-1]["done"] <= progress[-1]["total"]
    assert not here.ask([*args[:3], str(tmp_path / "line.tif")], quiet).code
    assert (tmp_path / "out.tif").read_bytes() == (tmp_path / "line.tif").read_bytes()


def test_a_worker_outlives_bad_requests_and_runs_no_code(worker: tuple[IO[str], IO[str]], tmp_path: Path) -> None:
    macro = tmp_path / "macro.ijm"
    macro.write_text(f'File.saveString("x", "{tmp_path}/marker");', encoding="utf-8")
    for line, said in (
        ("rubbish", "args"), ("[" * 5000, "args"), ("{}", "args"), ('{"id": 1, "args": []}', "args"), ('{"id": 1, "args": [1]}', "args"),
        ('{"id": 1, "args": "objects"}', "args"), ("\\u0000", "args"), ("null", "args"),
        ('{"id": 1, "args": ["import os"]}', "a command of fibsem-ij"), ('{"id": 1, "args": ["worker"]}', "works on files"),
        (json.dumps({"id": 1, "args": ["fiji", "macro", str(macro)]}), "works on files"),
        (json.dumps({"id": 1, "args": ["fiji", "script", str(macro)]}), "works on files"),
        (json.dumps({"id": 1, "args": ["objects", "components", "none.tif", "out.tif"]}), "it does not exist"),
        (json.dumps({"id": 1, "args": ["objects", "components", "--nonsense"]}), "nonsense"),
        (json.dumps({"id": 1, "args": ["objects", "components", "a\0b.tif", "out.tif"]}), ""),
        (json.dumps({"id": 1, "args": ["fiji", "job", "components", "src=none.tif"]}), "it does not exist"),
    ):  # fmt: skip
        (answer,) = told(worker, line)
        assert not answer["ok"]
        assert said in answer["error"], answer
    assert not (tmp_path / "marker").exists()
    assert told(worker, '{"id": 2, "args": ["fiji", "jobs", "undo"]}')[-1]["ok"]


def test_a_request_is_cancelled_and_leaves_nothing(worker: tuple[IO[str], IO[str]], tmp_path: Path) -> None:
    files.write(tmp_path / "cells.tif", CELLS)
    line = json.dumps({"id": 7, "args": ["register", "fit", str(tmp_path / "cells.tif"), str(tmp_path / "t.json"), "--runs", "100000"]})
    worker[0].write(line + '\n{"cancel": 99}\n')
    worker[0].flush()
    (last,) = told(worker, '{"cancel": 7}')[-1:]
    assert last == {"id": 7, "ok": False, "error": "stopped"}
    assert [path.name for path in tmp_path.iterdir()] == ["cells.tif"]
    assert told(worker, '{"id": 8, "args": ["fiji", "jobs", "undo"]}')[-1]["ok"]


# In a Fiji


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """What `find_fiji` takes for a Fiji, with a file of somebody else's in its macros."""
    app = tmp_path / "My Fiji.app"
    jars = ("jars/ij-1.54p.jar", "jars/imagej-2.17.0.jar", "jars/imagej-legacy-2.0.1.jar")
    for name in (*jars, "macros/mine.ijm", "scripts/Plugins/Other_.py"):
        (app / name).parent.mkdir(parents=True, exist_ok=True)
        (app / name).touch()
    return app


def inside(app: Path) -> set[str]:
    return {path.relative_to(app).as_posix() for path in app.rglob("*") if path.is_file()}


def test_installed_twice_and_taken_out_again(app: Path, tmp_path: Path) -> None:
    before = inside(app)
    menu.install(app)
    once = {name: (app / name).read_bytes() for name in inside(app)}
    assert {"scripts/Plugins/FIBSEM/FIBSEM_Register.groovy", "lib/fibsem_ij/Fibsem.groovy", "macros/fibsem/fibsem.ijm"} < set(once)
    assert once["lib/fibsem_ij/python.txt"].decode().strip() == sys.executable
    menu.install(app)
    assert {name: (app / name).read_bytes() for name in inside(app)} == once
    other = tmp_path / "python"
    other.touch()
    menu.install(app, python=other)
    assert (app / "lib/fibsem_ij/python.txt").read_text(encoding="utf-8").strip() == str(other)
    removed, left = menu.uninstall(app)
    assert (len(removed), left) == (len(once) - 1 - len(before), [])
    assert inside(app) == before
    with pytest.raises(FijiError, match="nothing to remove"):
        menu.uninstall(app)


def test_what_is_not_ours_stays(app: Path) -> None:
    theirs = app / "scripts/Plugins/FIBSEM/FIBSEM_Register.groovy"
    theirs.parent.mkdir()
    theirs.write_text("// mine", encoding="utf-8")
    before = inside(app)
    with pytest.raises(FijiError, match="it is not ours; move it away"):
        menu.install(app)
    assert inside(app) == before
    theirs.unlink()
    menu.install(app)
    theirs.write_text("// mine", encoding="utf-8")
    with pytest.raises(FijiError, match="somebody changed it"):
        menu.install(app)
    removed, left = menu.uninstall(app)
    assert left == [theirs]
    assert theirs.read_text(encoding="utf-8") == "// mine"
    assert theirs not in removed


def test_an_older_version_leaves_no_file_behind_and_a_false_record_removes_none(app: Path) -> None:
    menu.install(app)
    record = app / "lib/fibsem_ij/installed.json"
    said = json.loads(record.read_text(encoding="utf-8"))
    old = app / "macros/fibsem/old.ijm"
    old.write_bytes(b"// of an older version")
    said["files"]["macros/fibsem/old.ijm"] = [menu._sum(b"// of an older version")]
    record.write_text(json.dumps(said), encoding="utf-8")
    menu.install(app)
    assert not old.exists()
    mine = app / "macros/mine.ijm"
    for name in ("macros/mine.ijm", "macros/fibsem/../mine.ijm", str(mine), "..\\mine.ijm"):
        record.write_text(json.dumps({"files": {name: [menu._sum(b"")]}}), encoding="utf-8")
        with pytest.raises(FijiError, match="expected files of ours"):
            menu.uninstall(app)
        assert mine.exists()
    record.write_text("[]", encoding="utf-8")
    with pytest.raises(FijiError, match="by hand"):
        menu.uninstall(app)


def test_no_fiji_no_installation(tmp_path: Path) -> None:
    for command in ("install", "uninstall"):
        done = subprocess.run([sys.executable, "-m", "fibsem_ij", "fiji", command, str(tmp_path)], capture_output=True, text=True,
                              env=dict(os.environ), timeout=60)
        assert done.returncode == 2
        assert "the folder that holds `jars` and `plugins`" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_python_that_is_none_is_refused(app: Path) -> None:
    before = inside(app)
    with pytest.raises(FijiError, match="which is no file; give the executable"):
        menu.install(app, python=app / "none")
    assert inside(app) == before
