"""Orientation: closed forms of the tensor and of its anisotropy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fibsem_ij.measure import fibres

RNG = np.random.default_rng(3)


def test_angles() -> None:
    axes = [[0, 0, 1], [0, 0, -1], [1, 0, 0], [0, 1, 1], [0, 1e-9, 1], [np.nan, 0, 0]]
    np.testing.assert_allclose(fibres.angles(axes, (0, 0, 2)), [0, 0, 90, 45, np.degrees(1e-9), np.nan], rtol=1e-12)
    assert fibres.angles(np.zeros((0, 3)), (1, 0, 0)).shape == (0,)
    with pytest.raises(ValueError, match="the x axis is 0, 0, 1"):
        fibres.angles(axes, (0, 0, 0))


@pytest.mark.parametrize(("axes", "values", "anisotropy"), [
    ([[0, 1, 0], [0, -1, 0]], (1, 0, 0), 1),
    ([[0, 1, 0], [0, 0, 1]], (.5, .5, 0), np.sqrt(.5)),
    (np.eye(3), (1 / 3, 1 / 3, 1 / 3), 0)])
def test_populations(axes: np.ndarray, values: tuple[float, ...], anisotropy: float) -> None:
    got = fibres.population(axes)
    np.testing.assert_allclose(got["eigenvalues"], values, atol=1e-12)
    np.testing.assert_allclose(got["fractional_anisotropy"], anisotropy, atol=1e-9)


def test_any_way_at_all_and_about_a_direction() -> None:
    u = RNG.normal(size=(200_000, 3))
    assert fibres.population(u)["fractional_anisotropy"] < .01
    got = fibres.population(u * (.05, .05, 1))
    np.testing.assert_allclose(got["main_axis"], (0, 0, 1), atol=.01)
    assert got["fractional_anisotropy"] > .9


@given(seed=st.integers(0, 2**20))
def test_heads_and_tails_are_the_same_and_a_turn_turns_the_axis(seed: int) -> None:
    rng = np.random.default_rng(seed)
    u = rng.normal(size=(20, 3)) * (3, 2, 1)
    got, flipped = fibres.population(u), fibres.population(u * rng.choice([-1, 1], (20, 1)))
    np.testing.assert_allclose(got["tensor"], flipped["tensor"], atol=1e-12)
    turned = fibres.population(u[:, [1, 0, 2]] * (1, -1, 1))
    np.testing.assert_allclose(got["eigenvalues"], turned["eigenvalues"], atol=1e-12)
    np.testing.assert_allclose(np.trace(got["tensor"]), 1)


def test_only_what_is_long_and_has_an_axis() -> None:
    axes = [[1, 0, 0], [0, 1, 0], [np.nan] * 3]
    got = fibres.population(axes, lengths=[[9, 2, 2], [3, 2, 2], [0, 0, 0]])
    assert (got["fibres"], got["main_axis"]) == (1, [1, 0, 0])
    np.testing.assert_allclose(fibres.population(axes, weights=[3, 1, 1])["eigenvalues"], [.75, .25, 0])
    assert fibres.population(np.zeros((0, 3)))["fractional_anisotropy"] is None
