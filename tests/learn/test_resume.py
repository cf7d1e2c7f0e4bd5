"""A training stopped anywhere and started again ends with the bits of one that was not."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from toy import OPTIONS, Doubling, network

from fibsem_ij.learn import interrupt
from fibsem_ij.learn.train import train

STEPS = sorted(int(n) for n in np.random.default_rng(5).choice(np.arange(1, 24), 5, replace=False))


class Stop(Exception):
    pass


def trained(state=None, *, task=None, stop_at=None, error=Stop, **changes):
    module = network()

    def progress(told):
        if told["update"] == stop_at:
            raise error

    history = train(module, task or Doubling(), options=dataclasses.replace(OPTIONS, **changes), state=state, progress=progress)
    return module.state_dict(), [(row.update, row.rate, row.loss, row.score) for row in history.rows]


@pytest.fixture(scope="module")
def unstopped():
    return trained()


def assert_same(found, expected):
    assert found[1] == expected[1]
    assert found[0].keys() == expected[0].keys()
    assert all(torch.equal(found[0][name], expected[0][name]) for name in expected[0])


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("error", [Stop, KeyboardInterrupt])
def test_stopped_and_resumed_it_ends_with_the_same_bits(tmp_path, unstopped, step, error):
    with pytest.raises(error):
        trained(tmp_path, stop_at=step, error=error)
    if error is KeyboardInterrupt:
        assert json.loads((tmp_path / "training.json").read_text())["update"] == step, "asked to stop, it saves before it does"
    assert_same(trained(tmp_path), unstopped)
    assert_same(trained(tmp_path), unstopped)  # done already: only the best weights come back


def test_stopped_twice_without_averaging_or_channels_last(tmp_path):
    plain = {"average": 0.0, "channels_last": False, "schedule": "steps"}
    for step in (7, 16):
        with pytest.raises(Stop):
            trained(tmp_path, stop_at=step, **plain)
    assert_same(trained(tmp_path, **plain), trained(**plain))


def test_killed_and_resumed_it_ends_with_the_same_bits(tmp_path, unstopped):
    script = Path(__file__).with_name("toy.py")
    with subprocess.Popen([sys.executable, str(script), str(tmp_path)], stdout=subprocess.PIPE, text=True) as child:
        for line in child.stdout:
            if int(line) >= 13:
                child.kill()
                break
    assert child.returncode == -signal.SIGKILL
    assert 10 <= json.loads((tmp_path / "training.json").read_text())["update"] < 24
    assert_same(trained(tmp_path), unstopped)


class Pressed(Doubling):
    """Ctrl-C in the middle of update 8."""

    updates = 0

    def loss(self, module, batch, *, generator):
        self.updates += 1
        if self.updates == 8:
            signal.raise_signal(signal.SIGINT)
        return super().loss(module, batch, generator=generator)


def test_ctrl_c_waits_for_the_end_of_the_update_and_saves(tmp_path, unstopped):
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, task=Pressed())
    assert json.loads((tmp_path / "training.json").read_text())["update"] == 8
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert_same(trained(tmp_path), unstopped)


def test_a_second_ctrl_c_does_not_wait():
    with interrupt.held() as pressed:
        signal.raise_signal(signal.SIGINT)
        assert pressed()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_a_longer_budget_goes_on_from_the_end(tmp_path):
    trained(tmp_path, updates=10)
    assert [row[0] for row in trained(tmp_path, updates=20)[1]] == [5, 10, 15, 20]


def test_a_smaller_budget_ends_at_once_with_a_score(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, stop_at=8, error=KeyboardInterrupt)
    assert [row[0] for row in trained(tmp_path, updates=6)[1]] == [5, 8]


@pytest.fixture
def state(tmp_path):
    with pytest.raises(Stop):
        trained(tmp_path, stop_at=12)
    return tmp_path


def test_the_folder_holds_one_state_and_nothing_beside(state, unstopped):
    (state / "tensors-0123456789abcdef.safetensors").write_bytes(b"of a save that was killed")
    (state / "training.json.part").write_bytes(b"{")
    (state / "notes.txt").write_text("mine")
    assert_same(trained(state), unstopped)
    assert [path.suffix for path in sorted(state.iterdir())] == [".txt", ".safetensors", ".json"]


def test_other_options_are_refused_by_name(state):
    with pytest.raises(ValueError, match=r"rate 0\.001 \(now 0\.1\).*give these, or give another state folder"):
        trained(state, rate=0.1)


def test_another_network_is_refused(state):
    with pytest.raises(ValueError, match="weights of this network, got those of another"):
        train(torch.nn.Conv2d(1, 1, 3), Doubling(), options=OPTIONS, state=state)


def test_torn_tensors_are_refused(state):
    tensors = next(state.glob("*.safetensors"))
    tensors.write_bytes(tensors.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"safetensors: expected the tensors.*torn.*remove this one"):
        trained(state)
    tensors.unlink()
    with pytest.raises(FileNotFoundError, match="start afresh"):
        trained(state)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"format": "another", "version": 1}', "\xff", "[" * 10_000])
def test_a_foreign_or_torn_training_json_is_refused(state, text):
    (state / "training.json").write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=r"training\.json: expected .*start afresh"):
        trained(state)


@pytest.mark.parametrize(("key", "value"), [("version", 2), ("format", "another"), ("tensors", "../../elsewhere.safetensors"),
                                            ("update", "12"), ("rows", [{"a": 1}]), ("options", None), ("losses", 3)])
def test_a_changed_training_json_is_refused(state, key, value):
    content = json.loads((state / "training.json").read_text())
    (state / "training.json").write_text(json.dumps(content | {key: value}))
    with pytest.raises(ValueError, match=r"training\.json: expected .*start afresh"):
        trained(state)
