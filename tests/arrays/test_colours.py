import numpy as np
import pytest

from fibsem_ij.arrays.colours import as_lut, colours_of, glasbey, paint


def cielab(rgb):
    """sRGB 0..255 -> CIELAB under D65."""
    v = rgb / 255
    linear = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])
    xyz = linear @ to_xyz.T / (0.95047, 1.0, 1.08883)
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], 1)


def farthest_first(n):
    """The search that made the table, as its docstring tells it."""
    levels = np.arange(0, 256, 15)
    rgb = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(-1, 3)
    lab = cielab(rgb)
    seen = (lab[:, 0] >= 40) & (lab[:, 0] <= 95) & (np.hypot(lab[:, 1], lab[:, 2]) >= 20)
    rgb, lab = rgb[seen], lab[seen]
    greys = np.array([[0, 0, 0], [50, 0, 0], [100, 0, 0]])
    distance = ((lab - greys[:, None]) ** 2).sum(-1).min(0)
    chosen = []
    for _ in range(n):
        chosen.append(int(np.argmax(np.round(distance, 6))))
        distance = np.minimum(distance, ((lab - lab[chosen[-1]]) ** 2).sum(1))
    return rgb[chosen]


def test_the_search_makes_the_table_again():
    np.testing.assert_array_equal(glasbey()[1:], farthest_first(255))


def test_colours_differ_and_are_bright_on_black():
    lab = cielab(glasbey().astype(float))
    apart = np.linalg.norm(lab[:, None] - lab, axis=-1) + 1e9 * np.eye(256)
    assert apart.min() > 11  # 2.3 is just noticeable
    assert apart[:17, :17].min() > 38
    assert lab[1:, 0].min() >= 40
    assert not glasbey()[0].any()


def test_an_id_keeps_its_colour():
    table = glasbey()
    ids = [0, 1, 255, 256, 510, 511, 2**32 - 1]
    np.testing.assert_array_equal(colours_of(ids), table[[0, 1, 255, 1, 255, 1, 1 + (2**32 - 2) % 255]])
    np.testing.assert_array_equal(glasbey(300)[256:], table[1:45])
    np.testing.assert_array_equal(as_lut(), table.T)
    assert colours_of([]).shape == (0, 3)


def test_a_painted_slice_shows_each_label_in_its_colour():
    labels = np.array([[0, 7], [300, 2**40]], np.uint64)
    np.testing.assert_array_equal(paint(labels).reshape(-1, 3), colours_of(labels.reshape(-1)))


@pytest.mark.parametrize("ids", [[-1], [0.5]])
def test_what_is_no_id_is_refused(ids):
    with pytest.raises(ValueError, match="expected label ids"):
        colours_of(ids)
