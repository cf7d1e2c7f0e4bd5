"""Tiles: they cover every slice, weigh 1 at every pixel, and an identity put together again is the slice."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fibsem_ij.arrays import tiles


@st.composite
def cuts(draw: st.DrawFn, least: int = 1) -> dict[str, object]:
    grid = draw(st.sampled_from([1, 2, 8]))
    tile = grid * draw(st.integers(least, 24))
    overlap = draw(st.integers(0, tile - grid * least))
    return {"tile": tile, "overlap": overlap, "grid": grid, "blend": draw(st.sampled_from(tiles.BLENDS))}


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 400), cuts())
def test_weights_sum_to_one_everywhere(length: int, cut: dict[str, int]) -> None:
    spans = tiles.spans(length, **cut)
    total = np.zeros(tiles.padded(length, grid=cut["grid"]))
    for span in spans:
        total[span.where] += span.weights  # NB: past the end the lengths would differ, an error
    assert np.abs(total - 1).max() < 1e-6
    assert len({len(span.weights) for span in spans}) == 1
    assert all(span.start % cut["grid"] == 0 for span in spans)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 400), cuts())
def test_neighbours_share_the_overlap_and_no_tile_is_too_many(length: int, cut: dict[str, int]) -> None:
    spans = tiles.spans(length, **cut)
    steps = [b.start - a.start for a, b in pairwise(spans)]
    assert all(0 < step <= cut["tile"] - cut["overlap"] for step in steps)
    assert not steps or max(steps) - min(steps) <= cut["grid"]
    stride = max((cut["tile"] - cut["overlap"]) // cut["grid"], 1) * cut["grid"]
    whole, tile = tiles.padded(length, grid=cut["grid"]), len(spans[0].weights)
    assert len(spans) == 1 or (len(spans) - 2) * stride + cut["tile"] < whole
    assert tile <= cut["tile"]
    smaller = tile - cut["grid"]
    assert len(spans) == 1 or (len(spans) - 1) * (smaller - -(-cut["overlap"] // cut["grid"]) * cut["grid"]) + smaller < whole


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 90), st.integers(1, 90), cuts(least=4))
def test_an_identity_gives_the_slice_back(height: int, width: int, cut: dict[str, int]) -> None:
    image = np.random.default_rng(height * 100 + width).normal(100, 50, (height, width)).astype(np.float32)
    source = tiles.pad(image, grid=cut["grid"])
    out = np.zeros_like(source)
    for row, col in product(tiles.spans(height, **cut), tiles.spans(width, **cut)):
        out[row.where, col.where] += source[row.where, col.where] * (row.weights[:, None] * col.weights)
    out = out[:height, :width]
    if cut["blend"] == "centre":
        np.testing.assert_array_equal(out, image)
    else:
        np.testing.assert_allclose(out, image, rtol=1e-6, atol=1e-6)


def test_the_cosine_window_is_nowhere_zero_flat_inside_and_has_no_step() -> None:
    first, middle, last = tiles.spans(1280, tile=512, overlap=128)
    for span in (first, middle, last):
        assert span.weights.min() > 0
        assert np.abs(np.diff(span.weights)).max() < 1.6 / 128  # the steepest of sin^2 over 128 px is pi / 2 / 128
    assert (middle.weights[128:384] == 1).all()
    assert first.weights[0] == last.weights[-1] == 1


def test_the_centre_keeps_the_middle_third_and_the_edges() -> None:
    spans = tiles.spans(480 + 4 * 160, tile=480, overlap=320, blend="centre", grid=32)
    kept = [(int(s.weights.argmax()), int(s.weights.sum())) for s in spans]
    assert kept == [(0, 320), (160, 160), (160, 160), (160, 160), (160, 320)]


def test_tiles_are_no_larger_than_their_number_wants() -> None:
    spans = tiles.spans(768, tile=512, overlap=64, grid=32)
    assert [span.where for span in spans] == [slice(0, 416), slice(352, 768)]


def test_a_slice_smaller_than_a_tile_is_one_small_tile() -> None:
    (span,) = tiles.spans(70, tile=512, overlap=64, grid=32)
    assert span.where == slice(0, 96)
    assert (span.weights == 1).all()


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 2, 16, 32]))
def test_padding_mirrors_at_the_end_and_leaves_the_slice(height: int, width: int, grid: int) -> None:
    image = np.arange(height * width, dtype=np.uint16).reshape(height, width)
    padded = tiles.pad(image, grid=grid)
    assert padded.dtype == image.dtype
    assert all(n % grid == 0 for n in padded.shape)
    np.testing.assert_array_equal(padded[:height, :width], image)
    if 1 < height < padded.shape[0]:
        np.testing.assert_array_equal(padded[height], padded[height - 2])


@pytest.mark.parametrize("wrong", [{"overlap": 512}, {"overlap": 500}, {"overlap": -1}, {"tile": 500}, {"tile": 0}, {"blend": "hann"}])
def test_what_makes_no_tiles_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        tiles.spans(1000, **({"tile": 512, "overlap": 64, "grid": 32} | wrong))
