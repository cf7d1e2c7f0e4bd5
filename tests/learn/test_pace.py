"""A training takes all cores while that pays, and one less while another program has one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import torch
from toy import OPTIONS, Doubling, network

from fibsem_ij.learn import pace
from fibsem_ij.learn.train import train

QUIET, BUSY = {True: 0.12, False: 0.17}, {True: 1.6, False: 0.18}  # s an update with all cores, and without one: as measured


def on_a_machine(how: Callable[[int], dict[bool, float]], updates: int) -> tuple[list[bool], float]:
    """Which updates had all cores, and how long all took to the best that could be."""
    paced, taken, spent, best = pace.Pace(), [], 0.0, 0.0
    for n in range(updates):
        taken.append(paced.all_cores)
        seconds = how(n)[paced.all_cores]
        spent, best = spent + seconds, best + min(how(n).values())
        paced.took(seconds)
    return taken, spent / best


def test_on_a_quiet_machine_it_takes_all_cores() -> None:
    taken, ratio = on_a_machine(lambda n: QUIET, 1000)
    assert taken[:3] == [False] * 3, "how long it takes without is to be known"
    assert all(taken[3:])
    assert ratio < 1.01


def test_beside_a_busy_program_it_leaves_a_core_free_and_tries_ever_more_seldom() -> None:
    taken, ratio = on_a_machine(lambda n: BUSY, 4000)
    assert [n for n, all_cores in enumerate(taken) if all_cores] == [3, 104, 305, 706, 1507, 3108]
    assert ratio < 1.02


@pytest.mark.parametrize("busy", [range(500, 1000), range(700), range(300, 320)])
def test_it_follows_what_the_machine_does(busy: range) -> None:
    taken, ratio = on_a_machine(lambda n: BUSY if n in busy else QUIET, 4000)
    assert sum(taken[n] for n in busy) < 8
    assert all(taken[-1500:])
    assert ratio < 1.15


def test_one_slow_update_is_soon_forgotten() -> None:
    taken, ratio = on_a_machine(lambda n: {True: 5.0, False: 5.0} if n % 400 == 200 else QUIET, 4000)
    assert sum(taken) > 0.7 * 4000
    assert ratio < 1.15


@pytest.mark.parametrize(("minutes", "seen"), [(1.0, {True, False}), (None, {False})])
def test_what_is_to_repeat_has_the_same_cores_throughout(minutes: float | None, seen: set[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "cores", lambda: 2)
    before, found = torch.get_num_threads(), set()
    torch.set_num_threads(2)
    try:
        train(network(), Doubling(), options=dataclasses.replace(OPTIONS, updates=6, minutes=minutes),
              progress=lambda _: found.add(torch.get_num_threads() == 2))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert found == seen


def test_who_asked_for_fewer_threads_keeps_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "cores", lambda: 64)
    before, seen = torch.get_num_threads(), set()
    options = dataclasses.replace(OPTIONS, minutes=1.0, amp="bf16")
    train(network(), Doubling(), options=options, progress=lambda _: seen.add(torch.get_num_threads()))
    assert seen == {before}
