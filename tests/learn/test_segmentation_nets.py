"""What every segmentation network promises, asked of each; and what each of the newer ones says of itself."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import save_file
from small_networks import SEGMENTATION, SMALL, parameters
from torch import Tensor, nn
from torch.nn import functional

from fibsem_ij.learn.export import to_onnx, to_source, to_state_dict
from fibsem_ij.learn.fast import fast
from fibsem_ij.learn.nets import GENERATIVE, NETS
from fibsem_ij.learn.nets.transformer import Transformer
from fibsem_ij.learn.network import Network, build, configure
from fibsem_ij.learn.predict import Options, predict
from fibsem_ij.learn.scale import Scale

LEARNS: dict[str, tuple[float, int, float, float]] = {  # rate, updates; the loss below and the share right above which it ends
    "unet": (1e-2, 80, 0.1, 0.99), "resunet": (1e-2, 80, 0.1, 0.99), "efficientunet": (1e-2, 40, 0.12, 0.95),
    "transunet": (3e-3, 45, 0.12, 0.95), "setr": (1e-2, 100, 0.12, 0.95), "msdnet": (1e-2, 40, 0.12, 0.95)}


def small(name: str, *, seed: int = 1, **config: Any) -> Network:
    """With statistics and weights of batch normalisation that are not those it starts with."""
    config, module = build(name, seed=seed, **SMALL[name] | config)
    noise = torch.Generator().manual_seed(2)
    for norm in (m for m in module.modules() if isinstance(m, nn.BatchNorm2d)):
        assert norm.running_mean is not None
        assert norm.running_var is not None
        for tensor in (norm.weight.data, norm.running_var):
            tensor.uniform_(0.7, 1.4, generator=noise)
        for tensor in (norm.bias.data, norm.running_mean):
            tensor.normal_(0, 0.3, generator=noise)
    return Network(name, config, module.eval(), Scale(100, 1 / 50, dtype="uint8"))


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3))


def test_every_segmentation_network_is_asked() -> None:
    assert SEGMENTATION.keys() == LEARNS.keys() == NETS.keys() - set(GENERATIVE)
    assert SMALL.keys() == NETS.keys()


@pytest.mark.parametrize(("name", "config", "millions"), [
    ("efficientunet", {}, 33.44), ("transunet", {}, 7.37), ("transunet", {"base": 64, "dim": 768, "depth": 12, "heads": 12}, 103.23),
    ("setr", {}, 7.14), ("setr", {"dim": 768, "depth": 12, "heads": 12, "base": 256}, 88.89), ("msdnet", {}, 0.05)])
def test_the_counts(name: str, config: dict[str, Any], millions: float) -> None:
    assert round(parameters(name, **config) / 1e6, 2) == millions


@pytest.mark.parametrize(("depth", "width", "inputs"), [(100, 1, 1), (13, 2, 3)])
def test_the_count_of_a_mixed_scale_dense_network(depth: int, width: int, inputs: int) -> None:
    kernels = sum(9 * width * (inputs + width * layer) + width for layer in range(depth))
    assert parameters("msdnet", depth=depth, width=width, inputs=inputs) == kernels + (inputs + depth * width) + 1
    assert 100 * parameters("msdnet") < parameters("unet")


@pytest.mark.parametrize("name", SEGMENTATION)
@pytest.mark.parametrize("inputs", [3, 5])
def test_any_size_and_any_number_of_slices(name: str, inputs: int) -> None:
    module = small(name, inputs=inputs, outputs=2).module
    for size in ((1, 1), (17, 33), (64, 48)):
        with torch.inference_mode():
            made = module(noise(2, inputs, *size))
        assert made.shape == (2, 2, *size)
        assert torch.isfinite(made).all()


@pytest.mark.parametrize("name", SEGMENTATION)
def test_every_slice_counts_and_the_output_is_raw(name: str) -> None:
    module: Any = build(name, **SMALL[name], inputs=3)[1].eval()
    x = noise(1, 3, 32, 48).requires_grad_()
    before = module(x)
    before.sum().backward()
    assert x.grad is not None
    assert x.grad.abs().amax((0, 2, 3)).min() > 1e-6
    with torch.inference_mode():
        module.last.bias -= 50
        torch.testing.assert_close(module(x), before - 50)


@pytest.mark.parametrize(("name", "side", "least"), [
    ("unet", 32, 1e-8), ("resunet", 32, 1e-8), *((name, 64, 1e-9) for name in SEGMENTATION if name not in ("unet", "resunet"))])
def test_the_gradient_reaches_every_weight(name: str, side: int, least: float) -> None:
    module = build(name, **SMALL[name], inputs=3, outputs=2)[1].train()
    module(noise(2, 3, side, side)).square().mean().backward()
    for key, parameter in module.named_parameters():
        assert parameter.grad is not None, key
        assert torch.isfinite(parameter.grad).all(), key
        if parameter.ndim > 1:  # a bias that a normalisation follows has no gradient but rounding
            assert parameter.grad.abs().max() > least, key


@pytest.mark.parametrize("name", SEGMENTATION)
def test_one_patch_is_learned_by_heart(name: str) -> None:
    module = build(name, **SMALL[name] | ({"dropout": 0.0} if name == "unet" else {}))[1].train()
    y, x = torch.meshgrid(torch.arange(48), torch.arange(48), indexing="ij")
    drawn = (((y - 20) ** 2 + (x - 25) ** 2 < 150) ^ (x % 16 < 2)).float()[None, None]
    grey = 0.5 * drawn + 0.3 * noise(1, 1, 48, 48)
    rate, updates, least, right = LEARNS[name]
    optimizer = torch.optim.Adam(module.parameters(), rate)
    for _ in range(updates):
        optimizer.zero_grad()
        loss = functional.binary_cross_entropy_with_logits(module(grey), drawn)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert loss.detach() < least
    assert ((module(grey) > 0) == (drawn > 0)).float().mean() > right


@pytest.mark.parametrize("name", SEGMENTATION)
def test_channels_last_and_made_fast_it_says_the_same(name: str) -> None:
    module, x = small(name).module, noise(2, 1, 40, 72)
    with torch.inference_mode():
        expected, quick = module(x), fast(module, torch.device("cpu"))(x)
        last = module.to(memory_format=torch.channels_last)(x.contiguous(memory_format=torch.channels_last))
    for found in (quick, last):
        assert (found - expected).abs().max() < 1e-4 * expected.abs().max()


@pytest.mark.parametrize("name", SEGMENTATION)
def test_it_predicts_a_stack_in_tiles(name: str) -> None:
    network = small(name, inputs=3, outputs=2)
    src = np.random.default_rng(1).integers(0, 256, (3, 64, 96), np.uint8)
    for tile in (64, 96):
        kept: dict[int, Any] = {}
        predict(src, network, kept.__setitem__, options=Options(tile=tile, device="cpu"))
        assert [kept[z].shape for z in range(3)] == [(2, 64, 96)] * 3
        assert all(np.isfinite(kept[z]).all() for z in range(3))
    with torch.inference_mode():
        whole = network.module(torch.from_numpy(network.scale.forward(src))[None])[0]
    np.testing.assert_allclose(kept[1], whole, atol=1e-4)  # of the larger tiles one is the slice


@pytest.mark.parametrize("name", SMALL)
def test_the_source_and_the_state_dict_stand_alone(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = small(name, inputs=3)
    path = tmp_path / "alone.py"
    path.write_text(to_source(network), encoding="utf-8")
    assert not any(word in path.read_text(encoding="utf-8") for word in ("import fibsem_ij", "from fibsem_ij", "fibsem_ij."))
    found = importlib.util.spec_from_file_location("alone", path)
    assert found is not None
    assert found.loader is not None
    alone = importlib.util.module_from_spec(found)
    monkeypatch.setitem(sys.modules, "alone", alone)  # a dataclass looks itself up there
    found.loader.exec_module(alone)
    copy = alone.build(**asdict(network.config))
    to_state_dict(network, tmp_path / "weights.pt")
    copy.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    x = noise(1, 3, 9, 14)
    with torch.inference_mode():
        assert torch.equal(copy.eval()(x), network.module(x))


@pytest.mark.parametrize("name", ["transunet", "setr", "msdnet"])  # unet, resunet: tests/files/test_bioimage.py
def test_another_engine_runs_it(tmp_path: Path, name: str) -> None:
    network = small(name, inputs=3)
    to_onnx(network, tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    for shape in ((1, 3, 1, 1), (2, 3, 7, 13), (1, 3, 65, 40)):
        x = noise(*shape)
        with torch.inference_mode():
            expected = network.module(x).numpy()
        np.testing.assert_allclose(session.run(None, {"input": x.numpy()})[0], expected, atol=1e-4)


@pytest.mark.parametrize(("depth", "width", "dilations"), [(7, 1, 3), (6, 2, 3), (2, 1, 5), (5, 1, 1)])
def test_a_mixed_scale_dense_network_is_what_the_paper_says(depth: int, width: int, dilations: int) -> None:
    """Layer by layer, each from all before it, with the kernels taken out of their groups."""
    module: Any = build("msdnet", depth=depth, width=width, dilations=dilations, inputs=2)[1]
    cycles = module.cycles
    for bias in (convolution.bias for convolution in cycles[0].later):
        nn.init.normal_(bias)
    with torch.inference_mode():
        seen = [noise(1, 2, 20, 23)]
        for layer in range(depth):
            now, step = divmod(layer, dilations)
            kernels = [cycles[k].later[step].weight[(now - k) * width :][:width] for k in range(now + 1)]
            kernels += [cycles[now].own[step - 1].weight] if step else []
            bias = cycles[0].later[step].bias[now * width :][:width]
            total = functional.conv2d(torch.cat(seen, 1), torch.cat(kernels, 1), bias, padding=step + 1, dilation=step + 1)
            seen.append(total.relu())
        expected = functional.conv2d(torch.cat(seen, 1), module.last.weight, module.last.bias)
        torch.testing.assert_close(module(seen[0]), expected)


def test_a_transformer_layer_sees_everywhere_and_knows_what_lies_beside_what() -> None:
    layer = Transformer(8, 2)
    x = noise(1, 8, 9, 11).requires_grad_()
    layer(x)[0, 0, 0, 0].backward()
    assert x.grad is not None
    assert x.grad[0].abs().amax(0).min() > 0
    mixed = torch.randperm(11, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        assert not torch.allclose(layer(x[..., mixed]), layer(x)[..., mixed], atol=1e-3)
        nn.init.zeros_(layer.place.weight)
        torch.testing.assert_close(layer(x[..., mixed]), layer(x)[..., mixed])


def test_an_encoder_is_loaded_for_any_number_of_slices(tmp_path: Path) -> None:
    from fibsem_ij.learn.nets.efficientunet import load_encoder

    coloured: Any = build("efficientunet", encoder="b0", base=1, inputs=3)[1].eval()
    grey: Any = build("efficientunet", seed=2, encoder="b0", base=1, inputs=5)[1].eval()
    path = tmp_path / "model.safetensors"
    save_file({**coloured.encoder.state_dict(), "classifier.bias": torch.zeros(9)}, path)
    load_encoder(grey, path)
    x = noise(1, 1, 64, 64)
    with torch.inference_mode():
        for a, b in zip(coloured.encoder(x.expand(-1, 3, -1, -1)), grey.encoder(x.expand(-1, 5, -1, -1)), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
    other: Any = build("efficientunet", encoder="b1", base=1)[1]
    with pytest.raises(ValueError, match="expected the weights of timm's efficientnet_b1"):
        load_encoder(other, path)
    torch.save({}, path)
    with pytest.raises(ValueError, match="never loaded"):
        load_encoder(grey, path)


@pytest.mark.parametrize(("name", "config", "error"), [
    ("efficientunet", {"encoder": "b9"}, "an encoder of b0"), ("efficientunet", {"encoder": "hf_hub:a/b"}, "an encoder of b0"),
    ("setr", {"heads": 7}, "dim as a multiple of heads"), ("transunet", {"base": 1}, "base from 2"), ("transunet", {"dim": 20}, "multiple"),
    ("msdnet", {"dilations": 0}, "dilations from 1"), ("msdnet", {"base": 2}, "expected options of msdnet")])
def test_a_config_that_cannot_be(name: str, config: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        configure(name, **config)
