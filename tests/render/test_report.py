"""The page of a workspace: it shows what is there, says what it cannot read, needs nothing outside itself, and opens in a browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fibsem_ij import files, report
from fibsem_ij.arrays import class_scores
from fibsem_ij.files import rounds, sidecar, tables, transforms
from fibsem_ij.report.folder import gather
from fibsem_ij.report.page import number
from fibsem_ij.volume import Labels, Transforms, Volume

VOXEL = (20.0, 10.0, 10.0)
CLASSES = {1: "mitochondrion", 2: "<script>alert(1)</script>"}
Browser = Callable[..., tuple[str, str]]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Something of everything, small."""
    folder = tmp_path_factory.mktemp("work") / "cell & co"
    (folder / "drawn" / "organelles").mkdir(parents=True)
    (folder / "network").mkdir()
    (folder / "pictures").mkdir()
    rng = np.random.default_rng(0)
    grey = (rng.integers(90, 160, (8, 48, 64)) + 40 * np.hypot(*np.mgrid[-1:1:48j, -1:1:64j])).astype(np.uint8)
    labels, classes = np.zeros(grey.shape, np.uint16), np.zeros(grey.shape, np.uint8)
    labels[1:7, 4:20, 4:24], labels[2:6, 24:44, 30:60] = 3, 300
    classes[labels == 3], classes[labels == 300] = 1, 2
    files.write(folder / "raw.tif", Volume(grey, VOXEL))
    files.write(folder / "aligned.zarr", Volume(grey, VOXEL))
    files.write(folder / "labels.zarr", Labels(labels, VOXEL))
    files.write(folder / "classes.zarr", Labels(classes, VOXEL, classes=CLASSES))
    files.write(folder / "drawn" / "organelles", Labels(classes[2:4], VOXEL, ("0002", "0003"), classes=CLASSES))
    matrices = np.tile(np.eye(3), (8, 1, 1))
    matrices[:, 0, 2] = np.arange(8)
    transforms.write(folder / "transforms.json", Transforms(matrices, (48, 64), bad=(5,), why={5: "blank"}))
    rows = [{"update": k, "seconds": 10.0 * k, "rate": 0.001, "loss": 1 / k, "score": k / 9} for k in range(1, 6)]
    network = {"name": "resunet", "task": "segment", "record": {"history": {"rows": rows, "notes": ["halved"]}}}
    (folder / "network" / "network.json").write_text(json.dumps(network))
    table = {"label": np.arange(1, 31), "volume_nm3": rng.lognormal(18, 1, 30), "sphericity": rng.random(30)}
    sidecar.write(folder / "measures.csv", table, {name: {"unit": "", "is": f"What {name} is."} for name in table})
    found = np.roll(classes, 2, 2)
    told = class_scores.score(found, {2: classes[2]}, names=CLASSES)
    (folder / "scores.json").write_text(json.dumps(told))
    for drawn, score in ((5, 0.61), (9, 0.7)):
        rounds.append(folder / "rounds.csv", drawn=drawn, slices=2500, score=score)
    (folder / "recipe.toml").write_text('[register]\nmodel = "affine" # <b>not bold</b>\n')
    (folder / "broken.csv").write_text("a,b\n1\n")
    Image.fromarray(grey[0]).save(folder / "pictures" / "mine.png")
    return folder


@pytest.fixture(scope="module")
def page(workspace: Path) -> Path:
    return report.write(workspace)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    """Runs a real browser without a window and without a network: what it printed, and what it logged."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        reason = "no chromium here: install it (Debian: chromium) to test the report in a browser"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)

    def run(*arguments: str) -> tuple[str, str]:
        profile = tmp_path_factory.mktemp("profile")
        quiet = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                 "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr",
                 "--hide-scrollbars", f"--user-data-dir={profile}")
        done = subprocess.run([found, *quiet, *arguments], capture_output=True, encoding="utf-8", errors="replace", timeout=120, check=True)
        return done.stdout, done.stderr

    return run


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def test_every_part_of_the_workspace_is_shown(page: Path) -> None:
    html = text_of(page)
    titles = re.findall("<h2>(.*?)</h2>", html)
    assert titles == ["Stack", "Alignment", "Training", "Drawings", "Classes", "Scores", "Objects", "Measures", "Pictures in the folder",
                      "Recipe", "What could not be read"]
    for words in ("cell &amp; co", "8 x 48 x 64 uint8, voxel 20 x 10 x 10 nm", "0.64 × 0.48 × 0.16", "blank", "resunet, segment", "halved",
                  "best score 0.5556 at update 5", "0002, 0003", "mitochondrion", "2 objects", "What sphericity is.", "pictures/mine.png",
                  "model = &quot;affine&quot;", "Rounds of drawing", "broken.csv", "line 2"):
        assert words in html, words


def test_nothing_that_a_file_says_becomes_html(page: Path) -> None:
    html = text_of(page)
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert "<b>not bold" not in html


def test_all_is_inside_and_well_formed(page: Path) -> None:
    html = text_of(page)
    sources = re.findall(r'(?:src|href)="(.*?)"', html) + re.findall(r"url\((.*?)\)", html)
    assert sources
    assert all(source.startswith(("data:image/", "#")) for source in sources), "no address"
    assert "default-src 'none'" in html
    targets = [source[1:] for source in sources if source.startswith("#")]
    assert all(f'id="{target}"' in html for target in targets), "links and clips lead somewhere"

    class Balance(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in ("meta", "img", "br"):
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    balance = Balance()
    balance.feed(html)
    assert balance.open == []


def test_a_workspace_with_one_thing_in_it_is_a_page_and_one_with_nothing_is_not(tmp_path: Path) -> None:
    tables.write(tmp_path / "measures.csv", {"label": [1, 2], "volume_nm3": [3.0, 4.0]})
    html = text_of(report.write(tmp_path, tmp_path / "out.html"))
    assert re.findall("<h2>(.*?)</h2>", html) == ["Measures"]
    assert not (tmp_path / "report.html").exists()
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="something to show"):
        report.write(tmp_path / "empty")
    (tmp_path / "empty" / "raw.tif").write_bytes(b"II*\0")
    with pytest.raises(ValueError, match=r"raw\.tif"):
        report.write(tmp_path / "empty")
    with pytest.raises(FileNotFoundError, match="workspace folder"):
        report.write(tmp_path / "nowhere")


def test_drawings_are_read_on_the_stack_that_they_fit(tmp_path: Path) -> None:
    files.write(tmp_path / "raw.tif", Volume(np.full((4, 50, 60), 90, np.uint8), VOXEL))
    files.write(tmp_path / "aligned.zarr", Volume(np.full((4, 40, 48), 90, np.uint8), VOXEL))
    cells = np.zeros((1, 40, 48), np.uint16)
    cells[0, 5:20, 5:20] = 3
    (tmp_path / "drawn").mkdir()
    files.write(tmp_path / "drawn" / "cells", Labels(cells, VOXEL, ("0002",)))
    html = text_of(report.write(tmp_path))
    assert "cells: 1 slices drawn (0002)" in html
    assert "could not be read" not in html


def test_files_that_are_something_else_are_problems_not_ends(tmp_path: Path) -> None:
    tables.write(tmp_path / "measures.csv", {"label": [1, 2], "volume_nm3": [3.0, 4.0]})
    (tmp_path / "net").mkdir()
    for name, content in (("net/network.json", '{"record": {"history": {"rows": [{"loss": "x"}]}}}'), ("scores.json", "[1]"),
                          ("more_scores.json", '{"classes": {"a": 3}, "confusion": {"pixels": [[1]]}}'), ("transforms.json", "{}"),
                          ("measures.json", '{"columns": [1]}'), ("labels.tif", "no")):
        (tmp_path / name).write_text(content)
    html = text_of(report.write(tmp_path))
    assert "What could not be read" in html
    for name in ("scores.json", "transforms.json", "labels.tif", "net"):
        assert name in html.split("What could not be read")[-1], name


def test_a_damaged_slice_costs_its_stack_and_no_other(tmp_path: Path) -> None:
    labels = np.zeros((3, 20, 24), np.uint16)
    labels[1, 4:9, 5:12] = 8
    for name in ("cells", "nuclei"):
        files.write(tmp_path / f"{name}.zarr", Labels(labels))
    chunk = tmp_path / "nuclei.zarr" / "0" / "1" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:20])
    html = text_of(report.write(tmp_path))
    assert re.findall("<h2>(.*?)</h2>", html) == ["Objects", "What could not be read"]
    shown, said = html.split("What could not be read</h2>")
    assert "1 object; x 24, y 20, z 3 px" in shown
    assert "slice 1: expected" in said


def test_the_cleanest_stack_of_the_same_shape_lies_under_labels(workspace: Path) -> None:
    found = gather(workspace)
    assert list(found.grey) == ["raw", "aligned"]
    assert list(found.objects) == ["labels"]
    assert list(found.classes) == ["classes"]
    assert found.under(found.objects["labels"]) is found.grey["aligned"]
    assert found.under(Volume(np.zeros((1, 2, 3), np.uint8))) is None


@pytest.mark.parametrize(("value", "shown"), [(None, "–"), (float("nan"), "–"), (3.0, "3"), (1234567, "1,234,567"), (0.123456, "0.1235"),
                                              (4.2e9, "4.200e+09"), (1.5e-5, "1.500e-05"), (12345.67, "12,345.7"), ("a", "a"), (0.0, "0")])
def test_numbers_are_short(value: float | str | None, shown: str) -> None:
    assert number(value) == shown


def test_a_browser_shows_it_in_light_and_dark_without_complaint(page: Path, chromium: Browser, tmp_path: Path) -> None:
    shots = []
    for scheme in ("light", "dark"):
        out = tmp_path / f"{scheme}.png"
        _, log = chromium(f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}", "--window-size=1280,3000",
                          f"--screenshot={out}", page.as_uri())
        assert "CONSOLE" not in log, "no error, and nothing that the policy had to stop"
        with Image.open(out) as shot:
            shots.append(np.asarray(shot.convert("RGB")).astype(int))
    light, dark = shots
    assert light[5, 5].min() > 230
    assert dark[5, 5].max() < 40
    for shot in shots:
        bands = shot.reshape(10, 300, 1280, 3)
        assert (bands.std((1, 2)).max(-1) > 5).all(), "something everywhere"


def test_a_browser_loads_every_picture(page: Path, chromium: Browser, tmp_path: Path) -> None:
    """A copy without the policy may run a script, which asks."""
    ask = ("<script>onload = () => document.title = JSON.stringify([...document.images].map(i => i.complete * i.naturalWidth)"
           ".concat([...document.querySelectorAll('svg')].map(s => s.getBoundingClientRect().width)))</script>")
    html = re.sub(r'<meta http-equiv="Content-Security-Policy".*?>', ask, text_of(page), count=1)
    (tmp_path / "asked.html").write_text(html, encoding="utf-8")
    dom, _ = chromium("--dump-dom", (tmp_path / "asked.html").as_uri())
    widths = json.loads(re.search("<title>(.*?)</title>", dom)[1])  # type: ignore[index]
    assert len(widths) == html.count("<img ") + html.count("<svg ") >= 20
    assert min(widths) >= 8


def test_decisions_are_a_log_and_no_measures(tmp_path: Path) -> None:
    """What was decided while cells were followed: how often what, and first what least in common decided."""
    rows = [(1, "new", 0.0, 0), (2, "joined", 0.8, 4), (2, "joined", 0.1, 5), (3, "bridged", 0.0, 0), (4, "other side", 0.4, 6)]
    z, event, iou, into = (list(column) for column in zip(*rows, strict=True))
    log = {"z": z, "track": [-n for n in range(5)], "event": event, "iou": iou, "into": into, "y": [7] * 5, "x": [9] * 5}
    tables.write(tmp_path / "labels.zarr.events.csv", log)
    tables.write(tmp_path / "imagej.csv", {"label": [1, 2], "Area": [3.0, 4.0]})
    tables.write(tmp_path / "measures.csv", {"label": [1, 2], "volume_nm3": [3.0, 4.0]})
    html = text_of(report.write(tmp_path))
    objects, measures = html.split("Decisions (labels.zarr.events.csv)")[1].split("<h3>measures.csv", 1)
    assert re.search(r"joined</td><td>it met a cell</td><td class=n>2<", objects)
    assert re.findall(r"<tr><td class=n>(\d)</td><td class=n>\d</td><td class=n>7<", objects) == ["3", "5", "2"], "rows of the file, from 1"
    assert "imagej.csv" in measures, "our own measures come first"
    assert "events" not in measures
    tables.write(tmp_path / "labels.zarr.events.csv", {"label": [1]})
    assert "Decisions" not in text_of(report.write(tmp_path))
