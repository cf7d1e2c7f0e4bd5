"""Prediction: tiles leave no trace, slices are read once, threads neither hide an error nor outlive it."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from fibsem_ij.learn.network import Network, build
from fibsem_ij.learn.predict import Options, predict
from fibsem_ij.learn.scale import Scale

REACH = 28  # px, as far as the small U-Net looks, see below


def small(**config: Any) -> Network:
    config, module = build("unet", seed=3, **({"depth": 3, "base": 4} | config))
    return Network("unet", config, module.eval(), scale=Scale(100, 1 / 50, dtype="uint8"))


def stack(depth: int = 3, height: int = 150, width: int = 220) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(depth).integers(0, 256, (depth, height, width), np.uint8)


def predicted(src: Any, network: Network, *, forward: Any = None, slices: Any = None, **options: Any) -> dict[int, npt.NDArray[np.float32]]:
    kept: dict[int, npt.NDArray[np.float32]] = {}
    predict(src, network, kept.__setitem__, options=Options(**({"tile": 64, "device": "cpu"} | options)), forward=forward, slices=slices)
    assert not [t for t in threading.enumerate() if t.name.startswith("ThreadPoolExecutor")]
    return kept


def whole(src: npt.NDArray[Any], network: Network, z: int) -> npt.NDArray[np.float32]:
    with torch.inference_mode():
        out: npt.NDArray[np.float32] = network.module(torch.from_numpy(network.scale.forward(src[z]))[None, None])[0].numpy()
    return out


@pytest.mark.parametrize("shape", [(1, 1), (5, 200), (64, 64), (150, 220), (97, 33)])
def test_an_identity_gives_every_slice_back(shape: tuple[int, int]) -> None:
    src, network = stack(2, *shape), small()
    for blend, tolerance in (("centre", 0), ("cosine", 1e-6)):
        kept = predicted(src, network, forward=lambda x: x, blend=blend)
        for z in range(2):
            assert kept[z].shape == (1, *shape)
            assert kept[z].dtype == np.float32
            np.testing.assert_allclose(kept[z][0], network.scale.forward(src[z]), atol=tolerance, rtol=tolerance)


def test_a_slice_may_have_channels_of_its_own() -> None:
    """The network sees the grey values of three slices, then the two other channels of the middle one."""
    src = np.stack([stack(4, 40, 70), stack(4, 40, 70) // 2, 255 - stack(4, 40, 70)], axis=1)  # (z, c, y, x)
    network = small(inputs=5)
    kept = predicted(src, network, forward=lambda x: x, blend="centre")
    for z in range(4):
        seen = [src[max(z - 1, 0), 0], src[z, 0], src[min(z + 1, 3), 0], src[z, 1], src[z, 2]]
        np.testing.assert_array_equal(kept[z], network.scale.forward(np.stack(seen)))
    for inputs in (2, 4):
        with pytest.raises(ValueError, match=r"2k \+ 1 input slices"):
            predicted(src, small(inputs=inputs))


def test_the_small_network_looks_as_far_as_said() -> None:
    """What the tests of seams stand on: a changed pixel changes nothing beyond REACH."""
    _, module = build("unet", seed=3, depth=3, base=4)
    x = torch.zeros(1, 1, 160, 160, requires_grad=True)
    module.eval()(x)[0, 0, 80, 80].backward()
    assert x.grad is not None
    seen = x.grad[0, 0].nonzero() - 80
    assert 16 < int(seen.abs().max()) <= REACH


def test_centre_kept_tiles_are_the_whole_slice_in_one() -> None:
    src, network = stack(1, 256, 320), small()
    kept = predicted(src, network, tile=128, overlap=64, blend="centre")[0]
    np.testing.assert_allclose(kept, whole(src, network, 0), atol=1e-5)


def test_blended_tiles_leave_no_seams() -> None:
    """Across a tile's border the error against the whole slice has no larger step than elsewhere; without overlap it has."""
    src, network = stack(1, 256, 320), small()
    truth = whole(src, network, 0)

    def steps(**options: Any) -> tuple[float, float]:
        """The largest step of the error across the tiles' borders (multiples of 64 here), and elsewhere."""
        found = np.abs(np.diff(predicted(src, network, tile=128, **options)[0] - truth, axis=2)).max((0, 1))
        at = np.arange(1, 320) % 64 == 0
        return float(found[at].max()), float(found[~at].max())

    border, inside = steps(overlap=64)
    hard, _ = steps(overlap=0)
    assert border <= inside
    assert border < 0.02 * hard


@pytest.mark.parametrize("threads", [2, 5, 19])
def test_tiles_side_by_side_are_the_tiles_one_by_one(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the last bit where a tile has one thread; and torch has its threads back."""
    monkeypatch.setattr("fibsem_ij.learn.predict.computes_in_bf16", lambda device: True)
    src, network, before = stack(2), small(), torch.get_num_threads()
    at_work = set[int]()

    def seen(x: Tensor) -> Tensor:
        at_work.add(threading.get_ident())
        assert torch.get_num_threads() == max(1, threads // 8)
        out: Tensor = network.module(x)
        return out

    torch.set_num_threads(1)
    try:
        alone = predicted(src, network, forward=network.module, bf16=True)
        torch.set_num_threads(threads)
        together = predicted(src, network, forward=seen, bf16=True)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert threading.get_ident() not in at_work
    for z, values in alone.items():
        np.testing.assert_allclose(together[z], values, atol=0 if threads < 16 else 0.05)


@pytest.mark.parametrize("inputs", [3, 5])
def test_neighbours_come_in_order_and_the_end_slices_repeat(inputs: int) -> None:
    src, network = stack(4, 40, 50), small(inputs=inputs)
    k = inputs // 2
    for z, out in predicted(src, network, forward=lambda x: x, blend="centre").items():
        for channel, n in enumerate(range(z - k, z + k + 1)):
            np.testing.assert_array_equal(out[channel], network.scale.forward(src[np.clip(n, 0, 3)]))


class Deep:
    """A stack that lies nowhere, counts what is read, and knows how many slices are under way."""

    def __init__(self, depth: int) -> None:
        self.shape, self.dtype, self.read, self.most, self.kept = (depth, 32, 48), np.dtype(np.uint8), Counter[int](), 0, 0

    def __getitem__(self, z: int) -> npt.NDArray[np.uint8]:
        self.read[z] += 1
        self.most = max(self.most, len(self.read) - self.kept)
        return np.full(self.shape[1:], z % 256, np.uint8)

    def keep(self, z: int, out: npt.NDArray[np.float32]) -> None:
        assert z == self.kept, "in order"
        self.kept += 1


@pytest.mark.parametrize(("inputs", "batch"), [(1, 1), (5, 1), (1, 4)])
def test_every_slice_is_read_once_and_few_are_held_at_any_depth(inputs: int, batch: int) -> None:
    network, most = small(inputs=inputs), []
    for depth in (40, 160):
        src = Deep(depth)
        predict(src, network, src.keep, options=Options(tile=64, batch=batch, device="cpu"), forward=lambda x: x[:, :1])
        assert src.kept == depth
        assert set(src.read.values()) == {1}
        most.append(src.most)
    assert max(most) <= inputs // 2 + batch + 3 + 4  # ahead, in the batch, read ahead, waiting to be written


def test_reading_and_writing_go_on_while_the_network_works() -> None:
    read, ran = threading.Event(), threading.Event()
    src = stack(6, 32, 32)

    class Told:
        shape, dtype = src.shape, src.dtype

        def __getitem__(self, z: int) -> npt.NDArray[np.uint8]:
            if z == 1:
                read.set()
            slice_: npt.NDArray[np.uint8] = src[z]
            return slice_

    forwards = []

    def forward(x: Tensor) -> Tensor:
        assert read.wait(20), "slice 1 is read while the network has slice 0"
        forwards.append(1)
        if len(forwards) == 2:
            ran.set()
        return x

    def keep(z: int, _: npt.NDArray[np.float32]) -> None:
        assert z or ran.wait(20), "the network has slice 1 while slice 0 is written"

    predict(Told(), small(), keep, options=Options(tile=64, device="cpu"), forward=forward)


def test_the_same_bits_every_time_and_near_the_same_in_batches() -> None:
    src, network = stack(), small(outputs=2)
    first, again, batches = predicted(src, network), predicted(src, network), predicted(src, network, batch=5)
    for z in range(3):
        np.testing.assert_array_equal(first[z], again[z])
        np.testing.assert_allclose(first[z], batches[z], atol=1e-5)


def test_the_activation_is_applied() -> None:
    src, network = stack(1), small(outputs=3)
    raw = predicted(src, network)[0]
    for name in ("softmax", "sigmoid"):
        made = predicted(src, Network("unet", network.config, network.module, scale=network.scale, activation=name))[0]
        assert 0 <= made.min() < made.max() <= 1
        assert (np.abs(made.sum(0) - 1).max() < 1e-5) == (name == "softmax")
        assert np.corrcoef(raw[0].ravel(), made[0].ravel())[0, 1] > 0.5


def test_flips_are_the_mean_over_the_mirrored_slices() -> None:
    src, network = stack(1, 64, 64), small()
    turned = [(slice(None, None, a), slice(None, None, b)) for a in (1, -1) for b in (1, -1)]
    mean = np.mean([whole(src[:, a, b], network, 0)[:, a, b] for a, b in turned], 0)
    np.testing.assert_allclose(predicted(src, network, flips=True)[0], mean, atol=1e-5)


def test_only_the_slices_asked_for() -> None:
    src, network = stack(5), small()
    every = predicted(src, network)
    some = predicted(src, network, slices=[3, 1])
    assert list(some) == [3, 1]
    for z, out in some.items():
        np.testing.assert_array_equal(out, every[z])
    assert predicted(src, network, slices=[]) == {}


def test_the_network_is_left_as_it_was() -> None:
    network = small()
    network.module.train()
    before = {name: tensor.clone() for name, tensor in network.module.state_dict().items()}
    predicted(stack(), network)
    predicted(stack(), network, forward=lambda x: x)
    assert network.module.training
    for name, tensor in network.module.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_where_memory_runs_out_the_batch_is_halved() -> None:
    sizes: list[int] = []

    def forward(x: Tensor) -> Tensor:
        sizes.append(len(x))
        if len(x) > 3:
            raise torch.OutOfMemoryError("device out of memory")
        return x

    src, network = stack(), small()
    kept = predicted(src, network, forward=forward, batch=16)
    assert sizes[:3] == [16, 8, 4]
    assert max(sizes[3:]) == 2
    np.testing.assert_allclose(kept[2][0], network.scale.forward(src[2]), atol=1e-6)


class Torn:
    shape, dtype = (9, 64, 64), np.dtype(np.uint8)

    def __getitem__(self, z: int) -> npt.NDArray[np.uint8]:
        if z == 5:
            raise OSError("cannot read")
        return np.zeros((64, 64), np.uint8)




@pytest.mark.parametrize(("what", "error"), [("read", OSError), ("net", RuntimeError), ("write", OSError), ("nan", ValueError),
                                             ("memory", ValueError), ("shape", ValueError), ("interrupt", KeyboardInterrupt)])
def test_an_error_names_its_slice_and_leaves_no_thread(what: str, error: type[BaseException]) -> None:
    src = np.zeros((9, 64, 64), np.uint8)
    src[5] = 255
    kept = []

    def keep(z: int, _: npt.NDArray[np.float32]) -> None:
        if what == "write" and z == 5:
            raise OSError("disk full")
        kept.append(z)

    def forward(x: Tensor) -> Tensor:
        if x.max() < 3 or what in ("read", "write"):
            return x
        match what:
            case "nan":
                return x * torch.nan
            case "memory":
                raise torch.OutOfMemoryError("out of memory")
            case "shape":
                return x[:, :, 1:]
            case "interrupt":
                raise KeyboardInterrupt
        raise RuntimeError("shapes cannot be multiplied")

    with pytest.raises(error) as caught:
        predict(Torn() if what == "read" else src, small(), keep, options=Options(tile=64, device="cpu"), forward=forward)
    if what != "interrupt":
        assert "slice 5" in f"{caught.value} {getattr(caught.value, '__notes__', '')}"
    assert kept[:3] == [0, 1, 2]
    assert 5 not in kept
    assert not [t for t in threading.enumerate() if t.name.startswith("ThreadPoolExecutor")]


@pytest.mark.parametrize("wrong", [{"tile": 100}, {"tile": 0}, {"batch": 0}, {"overlap": 512}, {"blend": "mean"}])
def test_options_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Options(**wrong)


def test_what_is_no_stack_is_refused() -> None:
    for src, network, slices in ((stack()[0], small(), None), (stack(), small(inputs=2), None), (stack(), small(), [3])):
        with pytest.raises(ValueError, match="expected"):
            predicted(src, network, slices=slices)
