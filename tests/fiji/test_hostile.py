"""Hostile names are data or refused; none is ever run."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import roifile

from fibsem_ij import fiji
from fibsem_ij.fiji import FijiError
from fibsem_ij.volume import Volume

pytestmark = pytest.mark.timeout(240)
PIECES = [
    '"', "'", "]", "[", "\\", "\n", "\r", "\t", "\0", ";", "=", "&", "$", "`", "%s", "é", "細胞", "\u202e", "\u2028", "\ud800", "😀", " ",
    "/", "..", "sigma=9", " stack", "*/", "//", "<html>", "${x}", "x",
]  # fmt: skip


def hostile_names(marker: Path) -> list[str]:
    """200 names; every third tries to write `marker`."""
    rng = random.Random(0)
    attacks = [
        f'");File.saveString("x","{marker}");//', f'"+File.saveString("x","{marker}")+"', f'");exec("touch","{marker}");("',
        f"] sigma=1 [{marker}", f'\n"); File.saveString("x", "{marker}");', f"eval('File.saveString(\"x\",\"{marker}\")')",
        f"${{new File('{marker}').text='x'}}",
    ]  # fmt: skip
    noise = ["".join(rng.choices(PIECES, k=rng.randint(1, 8))) for _ in range(200)]
    return [name + attacks[i % len(attacks)] if i % 3 == 0 else name for i, name in enumerate(noise)]


def attempt(call: Callable[[], object]) -> object:
    try:
        return call()
    except FijiError:
        return None


@pytest.mark.fault("hostile: names of slices, ROIs, titles and options as macro text: none is run")
def test_no_name_is_ever_run(session: fiji.Session, tmp_path: Path, trials: Any) -> None:
    marker = tmp_path / "marker"
    pixels = np.arange(16, dtype=np.uint8).reshape(1, 4, 4)
    roi = roifile.ImagejRoi.frompoints([[1, 1], [3, 1], [3, 3]]).tobytes()
    safe = dict.fromkeys(["argument", "title", "slice", "roi", "option", "command"], 0)
    script = tmp_path / "echo.groovy"
    script.write_text("#@ String text\n#@output String out\nout = text\n", encoding="utf-8")
    for name in hostile_names(marker):
        encodable = not any(0xD800 <= ord(c) < 0xE000 for c in name)
        if encodable:
            assert session.macro("return getArgument();", name).value == name
            assert session.script(script, text=name)["out"] == name
            safe["argument"] += 1
        imp = attempt(lambda name=name: session.to_fiji(Volume(pixels), title=name))
        if imp is not None:
            assert str(imp.getTitle()) == name
            session.macro("title = getTitle(); rename(title); return title;", images=[imp])
            safe["title"] += 1
        volume = attempt(lambda name=name: session.from_fiji(session.to_fiji(Volume(pixels, names=(name,)))))
        if volume is not None and name.strip():
            assert volume.names == (name.strip(),)
            safe["slice"] += 1
        overlay = attempt(lambda name=name: session.to_overlay([(name, roi)]))
        if overlay is not None:
            assert session.from_overlay(overlay)[0][0] == name
            safe["roi"] += 1
        if attempt(lambda name=name: session.command("Gaussian Blur...", Volume(pixels), sigma=2, title=name)) is not None:
            safe["option"] += 1
        assert attempt(lambda name=name: session.command(name, Volume(pixels))) is None
        assert not marker.exists(), name
        trials.add()
    assert all(count for kind, count in safe.items() if kind != "command"), safe


@pytest.mark.fault("hostile: names of slices, ROIs, titles and options as macro text: none is run")
def test_an_option_cannot_set_another(session: fiji.Session) -> None:
    image = Volume(np.random.default_rng(0).integers(0, 255, (1, 16, 16)).astype(np.uint8))
    truth = session.command("Gaussian Blur...", image, sigma=1)
    for value in ("x sigma=9", "x] sigma=9", "&x"):
        with pytest.raises(FijiError, match="option title"):
            session.command("Gaussian Blur...", image, title=value, sigma=1)
    with pytest.raises(FijiError, match="option name"):
        session.command("Gaussian Blur...", image, **{"sigma=9 x": 1})
    assert np.array_equal(session.command("Gaussian Blur...", image, title="x 9", sigma=1), truth)
