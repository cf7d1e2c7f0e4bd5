"""The Python of every page in docs/ runs as it stands, in a folder where what it names lies; only what takes minutes is cut short.

adding.md has a test of its own (test_adding.py), and so has clusters.md (pipeline/test_clusters_page.py).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fibsem_ij import files, phantom
from fibsem_ij.files import probabilities
from fibsem_ij.volume import Labels

DOCS = Path(__file__).parents[1] / "docs"
PAGES = {path.stem: re.findall(r"^```python\n(.*?)^```", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
         for path in sorted(DOCS.glob("*.md"))}
OF_THEIR_OWN = ("adding", "clusters")
SHORTER = {"minutes=10": "minutes=None, updates=2",  # a training
           "\nsession = fiji.start(": None}  # from here on a person works in a window: tests/fiji/test_review_in_imagej.py
DRAWN = (1, 4, 6)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pages name, of one small specimen."""
    folder = tmp_path_factory.mktemp("docs")
    made = phantom.make((8, 96, 112), seed=2, options=phantom.Options(blank=0, half_blank=0, defocused=0, duplicate=0, walk_px=0.3,
                                                                      spacing_px=60, vesicles=0))
    for name in ("slices", "noisy.tif", "slow.tif", "aligned.zarr", "workspace/raw.zarr", "workspace/aligned.zarr"):
        (folder / name).parent.mkdir(exist_ok=True)
        files.write(folder / name, made.raw)
    for name in ("cells.zarr", "workspace/labels.zarr"):
        files.write(folder / name, made.cells)
    classes = np.asarray(made.classes)
    mask = Labels((classes == 6).astype(np.uint8), made.raw.voxel_nm)
    for name in ("mitochondria.zarr", "mask.tif"):
        files.write(folder / name, mask)
    (folder / "drawn").mkdir()
    is_drawn = np.isin(np.arange(8), DRAWN)[:, None, None]
    files.write(folder / "drawn.tif", Labels(np.where(is_drawn, made.cells, 0).astype(np.uint16), made.raw.voxel_nm))
    files.write(folder / "drawn" / "classes", Labels(np.isin(classes, (1, 6))[list(DRAWN)].astype(np.uint8), made.raw.voxel_nm,
                                                     tuple(made.raw.names[z] for z in DRAWN), {1: "inside"}))
    with probabilities.create(folder / "probabilities.zarr", names={1: "interior", 2: "boundary"}, shape=made.raw.shape) as store:
        for z in range(8):
            inside = np.asarray(made.cells[z] > 0)
            store[:, z] = np.stack([inside, ~inside]).astype(np.uint8) * 255
    return folder


def test_pages_with_code_are_looked_at() -> None:
    """Indented Python would be looked at by nobody."""
    for path in DOCS.glob("*.md"):
        assert not re.search(r"^    (?:from|import) \w", path.read_text(encoding="utf-8"), re.MULTILINE), f"{path.name}: use ```python"


@pytest.mark.parametrize("page", [page for page, found in PAGES.items() if found and page not in OF_THEIR_OWN])
def test_the_python_of_the_page_runs(page: str, world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(world)
    for block in PAGES[page]:
        for words, instead in SHORTER.items():
            block = block.split(words)[0] if instead is None else block.replace(words, instead)
        names: dict[str, Any] = {}
        exec(compile(block, f"docs/{page}.md", "exec"), names)
