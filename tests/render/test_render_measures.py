"""Figures of a table: the right columns, in the right units and colours, in files that are read again."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from fibsem_ij.arrays.colours import colours_of
from fibsem_ij.render import columns
from fibsem_ij.render import measures as figures

RNG = np.random.default_rng(2)
N = 60
VOLUME = RNG.lognormal(18, 1.5, N)
TABLE = {
    "label": np.arange(1, N + 1), "voxels": (VOLUME / 100).astype(np.int64), "volume_nm3": VOLUME, "box_z_start": RNG.integers(0, 9, N),
    "centroid_y_nm": RNG.random(N), "sphericity": np.where(np.arange(N) == 4, np.nan, RNG.random(N)), "euler": RNG.integers(0, 3, N),
    "flat": np.ones(N), "cut": RNG.random(N) < 0.5, "parent": np.repeat([0, 3, 300], N // 3), "class": np.tile(["a", "b"], N // 2),
}


def test_columns_that_say_something_of_an_object_are_shown() -> None:
    assert columns.columns(TABLE) == ["volume_nm3", "sphericity", "euler"]
    assert columns.columns({"label": np.array([1]), "volume_nm3": np.array([2.0])}) == []
    assert columns.columns({}) == []
    assert "voxels" in columns.columns({"voxels": np.array([1, 2])}), "where no volume says the same"


@pytest.mark.parametrize(("name", "values", "label", "factor"), [
    ("volume_nm3", [1e8, 1e9], "volume (µm³)", 1e-9), ("volume_nm3", [1e3, 1e4], "volume (nm³)", 1), ("volume_nm3", [], "volume (nm³)", 1),
    ("surface_nm2", [5e5], "surface (µm²)", 1e-6), ("longest_path_nm", [2e3, np.nan], "longest path (µm)", 1e-3),
    ("volume_px3", [1e9], "volume (px³)", 1), ("grey_mean", [3], "grey mean", 1), ("px", [1e9], "px", 1),
])
def test_units_are_those_that_can_be_read(name: str, values: list[float], label: str, factor: float) -> None:
    shown, numbers = columns.axis(name, values)
    assert shown == label
    assert numbers == pytest.approx(np.array(values, float) * factor, nan_ok=True)


def test_a_histogram_holds_every_object_once() -> None:
    figure = figures.distributions(TABLE)
    assert [field.get_xlabel() for field in figure.axes] == ["volume (µm³)", "sphericity", "euler"]
    counts = [sum(bar.get_height() for bar in field.patches) for field in figure.axes]  # type: ignore[attr-defined]
    assert counts == [N, N - 1, N], "NaN has no place"
    assert [field.get_xscale() for field in figure.axes] == ["log", "linear", "linear"]
    middles = [bar.get_x() + bar.get_width() / 2 for bar in figure.axes[2].patches]  # type: ignore[attr-defined]
    assert middles == pytest.approx([0, 1, 2]), "a bar a number"


def test_groups_wear_the_label_colours_and_are_counted() -> None:
    field = figures.distributions(TABLE, names=["sphericity"], by="parent").axes[0]
    assert [text.get_text() for text in field.get_yticklabels()] == ["0 (20)", "3 (20)", "300 (20)"]
    for points, number in zip(field.collections[1:], (3, 300), strict=True):
        assert np.asarray(points.get_facecolor())[0, :3] == pytest.approx(colours_of(number) / 255)
    assert sum(len(np.asarray(points.get_offsets())) for points in field.collections) == N - 1
    many = {**TABLE, "parent": np.arange(N)}
    assert len(figures.distributions(many, names=["euler"], by="parent").axes[0].get_yticklabels()) == columns.GROUPS


def test_scatters_show_every_pair_and_its_rank_correlation() -> None:
    figure = figures.scatters(TABLE, x="volume_nm3", names=["sphericity"], by="class")
    (field,) = figure.axes
    assert (field.get_xlabel(), field.get_ylabel()) == ("volume (µm³)", "sphericity")
    known = np.isfinite(TABLE["sphericity"])
    expected = stats.spearmanr(VOLUME[known], TABLE["sphericity"][known]).statistic
    assert field.get_title("right") == f"rho {expected:.2f}"
    euler = figures.scatters(TABLE, x="volume_nm3", names=["euler"]).axes[0].get_title("right")
    assert euler == f"rho {stats.spearmanr(VOLUME, TABLE['euler']).statistic:.2f}", "ties share a rank"


def test_files_are_whole_and_the_same_again(tmp_path: Path) -> None:
    paths, again = (figures.draw(tmp_path / name, TABLE, names=["volume_nm3", "euler"], x="volume_nm3", by="class") for name in "ab")
    assert [path.name for path in paths] == ["distributions.png", "distributions.svg", "scatter.png", "scatter.svg"]
    with Image.open(paths[0]) as picture:
        assert min(picture.size) > 300
        assert np.asarray(picture.convert("L")).std() > 5
    root = ElementTree.fromstring(paths[1].read_text(encoding="utf-8"))
    assert "volume (µm³)" in "".join(root.itertext()), "text stays text"
    assert all(one.read_bytes() == other.read_bytes() for one, other in zip(paths, again, strict=True))


def test_summary_is_in_the_unit_of_the_column() -> None:
    told = dict(columns.summary(TABLE))
    assert told["volume_nm3"] == pytest.approx({"n": N, "mean": VOLUME.mean(), "sd": VOLUME.std(ddof=1), "min": VOLUME.min(),
                                                "median": np.median(VOLUME), "max": VOLUME.max()})
    assert told["sphericity"]["n"] == N - 1


def test_what_cannot_be_drawn_is_said() -> None:
    for table, arguments, said in ((TABLE, {"names": ["size"]}, "got 'size'"), (TABLE, {"by": "cell"}, "to group by"),
                                   (TABLE, {"names": ["class"]}, "expected numbers in class"),
                                   ({"label": np.array([1])}, {}, "got none in label")):
        with pytest.raises(ValueError, match=said):
            figures.distributions(table, **arguments)  # type: ignore[arg-type]
