from __future__ import annotations

import csv
import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from toy import OPTIONS, Doubling, network

from fibsem_ij.learn.ahead import Ahead
from fibsem_ij.learn.history import History, Row, curve
from fibsem_ij.learn.schedule import rate_at
from fibsem_ij.learn.train import Options, train

PLAIN = Options(updates=12, every=3, batch=4, device="cpu")


class Watched(Doubling):
    """Keeps the weights it scores; scores as it is told to."""

    def __init__(self, *scores):
        self.scores, self.sizes, self.scored = list(scores), [], []

    def loss(self, module, batch, *, generator):
        assert module.training
        self.sizes.append(len(batch[0]))
        return super().loss(module, batch, generator=generator)

    def score(self, module):
        assert not module.training
        assert not torch.is_grad_enabled()
        self.scored.append({k: v.clone() for k, v in module.state_dict().items()})
        return self.scores.pop(0)


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_it_learns():
    untrained = Doubling().score(network().eval())
    history = train(network(), Doubling(), options=dataclasses.replace(OPTIONS, updates=100, every=40, rate=0.02, average=0.9))
    assert history.best.score > untrained / 5
    assert history.rows[-1].loss < history.rows[0].loss
    assert [row.update for row in history.rows] == [40, 80, 100]


def test_the_module_ends_with_the_weights_of_the_first_best_score():
    task, module = Watched(1, 3, 2, 3), network()
    history = train(module, task, options=PLAIN)
    assert same(module.state_dict(), task.scored[1])
    assert not module.training
    assert (history.best.update, history.best.score, history.stale) == (6, 3, 2)


def test_with_slack_later_weights_are_kept_until_they_are_clearly_worse():
    task, module = Watched(1, 3, 2.8, 2.4), network()
    history = train(module, task, options=dataclasses.replace(PLAIN, slack=0.5))
    assert same(module.state_dict(), task.scored[2])
    assert (history.kept.update, history.best.update) == (9, 6)
    assert history.plain()["kept"] == 9


@given(scores=st.lists(st.integers(0, 9), min_size=1), slack=st.integers(0, 3))
def test_what_is_kept_is_the_last_that_is_near_the_best_before_it(scores, slack):
    history = History([Row(n, 0.0, 0.0, 0.0, score) for n, score in enumerate(scores)], slack=slack)
    near = [n for n, score in enumerate(scores) if score > max(scores[:n], default=-1) - slack]
    assert history.kept.update == near[-1]
    assert slack or history.kept == history.best


def test_patience_ends_it():
    history = train(network(), Watched(1, 3, 2, 2.5, 9), options=dataclasses.replace(PLAIN, updates=100, patience=2))
    assert [row.score for row in history.rows] == [1, 3, 2, 2.5]


def test_a_budget_of_minutes_ends_it():
    history = train(network(), Doubling(), options=Options(minutes=0.01, every=10**6, device="cpu"))
    assert len(history.rows) == 1
    assert 0.6 <= history.rows[0].seconds < 60
    assert history.rows[0].rate < 1e-3, "the schedule follows the clock"


def test_averaged_weights_are_scored_and_kept_while_training_goes_on_with_its_own():
    def followed(average):
        module, task, after = network(), Watched(1), []
        options = dataclasses.replace(PLAIN, updates=5, every=5, average=average)
        train(module, task, options=options, progress=lambda _: after.append({k: v.clone() for k, v in module.state_dict().items()}))
        return after, task.scored[0], module.state_dict()

    after, scored, kept = followed(0.3)
    own, unaveraged, _ = followed(0.0)
    assert all(same(one, other) for one, other in zip(after, own, strict=True))
    assert same(scored, kept)
    assert same(unaveraged, own[-1])
    for name, mean in network().state_dict().items():
        if mean.is_floating_point():
            for n, weights in enumerate(after):
                decay = min(0.3, (1 + n) / (10 + n))
                mean = decay * mean + (1 - decay) * weights[name]
            torch.testing.assert_close(scored[name], mean)


class Diverging(Doubling):
    def loss(self, module, batch, *, generator):
        loss = super().loss(module, batch, generator=generator)
        self.updates = getattr(self, "updates", 0) + 1
        return loss * float("nan") if self.updates == 5 else loss


def test_a_loss_of_nan_says_when_and_what_to_do_and_loses_nothing():
    module, kept = network(), network()
    with pytest.raises(ValueError, match=r"got nan at update 4 with rate 0\.0005.*lower rate, 5e-05 say \(the weights of update 3"):
        train(module, Diverging(), options=dataclasses.replace(PLAIN, rate=5e-4, schedule="constant"))
    train(kept, Doubling(), options=dataclasses.replace(PLAIN, rate=5e-4, schedule="constant", updates=3))
    assert same(module.state_dict(), kept.state_dict())


def test_nan_in_the_data_is_told_from_a_rate_too_high():
    class Holed(Doubling):
        def batch(self, rng, size):
            x, truth = super().batch(rng, size)
            return x.index_fill(0, torch.tensor(0), float("nan")), truth

    with pytest.raises(ValueError, match=r"update 0 .*holds NaN or infinity already: clean the stack"):
        train(network(), Holed(), options=PLAIN)


def test_a_score_of_nan_is_refused():
    with pytest.raises(ValueError, match="expected a score, got nan at update 3"):
        train(network(), Watched(float("nan")), options=PLAIN)


class Small(Watched):
    """A device with memory for `room` patches."""

    room = 2

    def loss(self, module, batch, *, generator):
        if len(batch[0]) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return super().loss(module, batch, generator=generator)


def test_out_of_memory_halves_the_batch_and_says_so(tmp_path):
    task, told = Small(1, 2, 3, 4), []
    history = train(network(), task, options=dataclasses.replace(PLAIN, batch=8), progress=told.append, state=tmp_path)
    assert task.sizes == [2] * 12
    assert [note.split("; ")[1] for note in history.notes] == ["batch of 4 from here on", "batch of 2 from here on"]
    assert told[0]["notes"] == tuple(history.notes)


def test_out_of_memory_for_one_patch_is_an_error():
    task = Small(1)
    task.room = 0
    with pytest.raises(ValueError, match="memory for a batch of one, cpu ran out; take smaller patches"):
        train(network(), task, options=PLAIN)


def test_an_error_while_drawing_comes_through():
    class Broken(Doubling):
        def batch(self, rng, size):
            raise FileNotFoundError("raw.zarr: gone")

    with pytest.raises(FileNotFoundError, match="gone"):
        train(network(), Broken(), options=PLAIN)


def test_batch_n_depends_on_seed_and_n_alone():
    with Ahead(Doubling().batch, seed=7, device=torch.device("cpu"), channels_last=True) as ahead:
        found = [ahead.take(n, size) for n, size in ((3, 2), (4, 2), (5, 3), (9, 2))]
    for (n, size), batch in zip(((3, 2), (4, 2), (5, 3), (9, 2)), found, strict=True):
        expected = Doubling().batch(np.random.default_rng([7, n]), size)
        assert all(torch.equal(a, b) for a, b in zip(batch, expected, strict=True))


def test_the_callers_random_numbers_are_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(network(), Doubling(), options=PLAIN)
    assert torch.equal(torch.rand(3), expected)


def test_seeds_differ():
    one, other = network(), network()
    train(one, Doubling(), options=PLAIN)
    train(other, Doubling(), options=dataclasses.replace(PLAIN, seed=2))
    assert not same(one.state_dict(), other.state_dict())


def test_bf16_is_close():
    module = network()
    history = train(module, Doubling(), options=dataclasses.replace(PLAIN, amp="bf16"))
    exact = train(network(), Doubling(), options=dataclasses.replace(PLAIN, amp="off"))
    assert history.rows[-1].score == pytest.approx(exact.rows[-1].score, rel=0.05)
    assert history.rows[-1].score != exact.rows[-1].score
    assert all(p.dtype == torch.float32 for p in module.parameters())


def test_progress_log_and_curve(tmp_path):
    told = []
    history = train(network(), Doubling(), options=PLAIN, log=tmp_path / "log", progress=told.append)
    assert [t["update"] for t in told] == list(range(1, 13))
    assert told[-1]["position"] == 1
    assert told[0]["score"] is None
    assert (told[-1]["score"], told[-1]["best"]) == (history.rows[-1].score, history.best.score)
    with (tmp_path / "log" / "history.csv").open() as file:
        rows = [Row(int(r.pop("update")), **{k: float(v) for k, v in r.items()}) for r in csv.DictReader(file)]
    assert rows == history.rows
    with Image.open(tmp_path / "log" / "curve.png") as picture:
        assert picture.size == (720, 600)
    assert not list((tmp_path / "log").glob("*.part"))


def test_a_curve_needs_a_row(tmp_path):
    with pytest.raises(ValueError, match="at least one validation"):
        curve(History(), tmp_path / "curve.png")


@pytest.mark.parametrize(("schedule", "expected"), [("constant", [1, 1, 1, 1, 1]), ("cosine", [1, 0.853553, 0.5, 0.146447, 0]),
                                                    ("steps", [1, 1, 0.1, 0.01, 0.01])])
def test_the_rate(schedule, expected):
    found = [rate_at(p, 100, rate=1.0, schedule=schedule, drops=(0.5, 0.75)) for p in (0, 0.25, 0.5, 0.75, 1)]
    assert found == pytest.approx(expected, abs=1e-6)


def test_the_rate_warms_up_in_a_straight_line():
    assert [rate_at(0, n, rate=1.0, schedule="constant", warmup=3) for n in range(5)] == [0.25, 0.5, 0.75, 1, 1]


@pytest.mark.parametrize(("options", "said"), [
    ({}, "neither minutes nor updates"), ({"minutes": 0}, "minutes above 0"), ({"updates": 5, "batch": 0}, "batch above 0"),
    ({"updates": 5, "rate": float("nan")}, "rate above 0"), ({"updates": 5, "schedule": "linear"}, "schedule as one of cosine"),
    ({"updates": 5, "average": 1.0}, "average from 0"), ({"updates": 5, "clip": -1.0}, "clip of 0 or more"),
    ({"updates": 5, "amp": "fp16"}, "amp as one of"), ({"updates": 5, "seed": -1}, "seed of 0 or more")])
def test_options_that_make_no_sense(options, said):
    with pytest.raises(ValueError, match=said):
        Options(**options)
