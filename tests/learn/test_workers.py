"""Networks applied by workers: the same numbers as here, each slice sent with what it sees; a GPU for each."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fibsem_ij import denoise, segment
from fibsem_ij.arrays.processes import processes
from fibsem_ij.learn import workers
from fibsem_ij.learn.workers import Part, Workers, at_work, spread

GREY = np.random.default_rng(1).integers(0, 256, (9, 40, 56), np.uint8)
FEW: dict[str, Any] = {"minutes": None, "updates": 4, "every": 4, "patch": 32, "batch": 2, "device": "cpu"}


@pytest.fixture(scope="module")
def two() -> Iterator[Workers]:
    with processes(2) as pool:
        yield Workers(pool, 2)


@pytest.mark.parametrize(("method", "neighbours", "bad"), [("blindspot", 1, (4, 5)), ("vae", 0, ())])
def test_a_stack_is_denoised_the_same(two: Workers, method: str, neighbours: int, bad: tuple[int, ...]) -> None:
    network = denoise.fit(GREY, options=denoise.Options(method=method, neighbours=neighbours, depth=2, base=4, **FEW))
    names = ("residual", "uncertainty") if method == "vae" else ("residual",)
    here, there = ({name: np.zeros(GREY.shape, np.float32) for name in names} for _ in range(2))
    told: list[tuple[int, int]] = []
    clean = denoise.apply(GREY, network, bad=bad, **here)
    again = denoise.apply(GREY, network, bad=bad, workers=two, progress=lambda *now: told.append(now), **there)
    np.testing.assert_array_equal(again, clean)
    for name in names:
        np.testing.assert_array_equal(there[name], here[name])
    assert told[-1] == (9, 9)
    out = np.full_like(GREY, 77)
    denoise.apply(GREY, network, out, bad=bad, done={0, 3}, workers=two)
    assert [int(z) for z in np.flatnonzero((out != clean).any((1, 2)))] == [0, 3]


def test_a_stack_is_segmented_the_same(two: Workers) -> None:
    drawn = {z: (GREY[z] > 128).astype(np.uint8) + (GREY[z] > 200) for z in (1, 4, 7)}
    options = segment.Options(neighbours=1, grain=(0.01,), context=2, flips=True, config={"depth": 2, "base": 4}, **FEW | {"patch": 16})
    networks = segment.fit(GREY, drawn, names={1: "some", 2: "more"}, options=options)
    np.testing.assert_array_equal(segment.apply(GREY, networks, workers=two), whole := segment.apply(GREY, networks))
    some = [0, 2, 3, 4, 8]
    np.testing.assert_array_equal(segment.apply(GREY, networks, slices=some, workers=two), whole[:, some])


def test_an_error_there_names_the_slice_here(two: Workers) -> None:
    network = denoise.fit(GREY.astype(np.float32), options=denoise.Options(depth=2, base=4, method="blindspot", **FEW))
    dark = GREY.astype(np.float32)
    dark[6, 3, 3] = np.nan
    for told in ({}, {"workers": two}):
        with pytest.raises(ValueError, match=r"slice 6 .*finite"):
            denoise.apply(dark, network, **told)
    with pytest.raises(ValueError, match="slice 6: far too bright"):
        spread(_refuse, [(GREY, range(9))], lambda zs, made: None, neighbours=1, workers=two)


def _refuse(part: Part, zs: range) -> None:
    if 6 in zs:
        raise ValueError("slice 6: far too bright")


@given(depth=st.integers(1, 30), neighbours=st.integers(0, 3), share=st.integers(1, 9), data=st.data())
def test_parts_have_each_slice_once_with_its_neighbours(depth: int, neighbours: int, share: int, data: st.DataObject) -> None:
    wanted = sorted(data.draw(st.sets(st.integers(0, depth - 1))))
    src = np.arange(depth)[:, None, None] * np.ones((1, 2, 2), int)
    found = []
    for zs, (part, same) in workers._tasks([(src, wanted)], neighbours, share):
        assert zs == same
        assert len(zs) <= share
        assert part.shape == src.shape
        assert [int(part[n][0, 0]) for z in zs for n in range(max(0, z - neighbours), min(depth, z + neighbours + 1))] == \
            [n for z in zs for n in range(max(0, z - neighbours), min(depth, z + neighbours + 1))]
        with pytest.raises(IndexError, match="which this part has"):
            part[zs.start - neighbours - 1]
        found += zs
    assert found == wanted


def test_where_there_are_several_gpus_each_has_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "gpus", lambda: ("3", "GPU-8ab"))
    for device, slices in (("cpu", 100), ("auto", 3)):
        with at_work(None, device, slices) as found:
            assert found is None, "what was asked for is one device; or few slices, which are done sooner so"
    with at_work(None, "auto", 100) as found:
        assert found
        assert found.count == 2
        assert set(found.executor.map(_gpu, range(8))) == {"3", "GPU-8ab"}
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        _stopped_at_work()
    assert time.monotonic() - began < 2.5, "who stops it waits for nobody"


def _stopped_at_work() -> None:
    with at_work(None, "auto", 100) as found:
        assert found
        found.executor.submit(time.sleep, 3)
        raise KeyboardInterrupt


def _gpu(_: int) -> str:
    time.sleep(0.3)
    return os.environ["CUDA_VISIBLE_DEVICES"]
