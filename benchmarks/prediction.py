"""Prediction, side by side with other engines in one run: what, asked, measured.

    python benchmarks/prediction.py [--small] [--threads 2] [--rounds 7]

The engines take the same tile of the same network in turn, each in a process of its own, so that a busy machine is busy for all;
what is compared is the median of the rounds, in seconds and in CPU seconds (which a busy machine changes less; engines that spin
while they wait pay for it). "torch" is the module as it is, channels last, with the allocator as it is; "ours" is what
`learn.predict` runs. ONNX Runtime and OpenVINO are measured where they are installed. On a GPU `predict` is measured against the
bare network.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
import turns

from fibsem_ij.arrays import tiles
from fibsem_ij.learn import device
from fibsem_ij.learn.fast import Runner, fast
from fibsem_ij.learn.network import Network, build
from fibsem_ij.learn.predict import GRID, Options, predict

Row = tuple[str, str, str]
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {"U-Net 31 M": ("unet", {}), "ResUNet base 32": ("resunet", {"base": 32}),
                                                   "U-Net base 16": ("unet", {"base": 16})}
ENGINES = ("torch", "ours", "ours, bf16", "ours, torch.compile", "ONNX Runtime", "OpenVINO")
CPU = torch.device("cpu")


def engine(kind: str, name: str, x: torch.Tensor, onnx: Path, threads: int) -> Callable[[], Any]:
    torch.set_num_threads(threads)
    if kind == "ONNX Runtime":
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(onnx, settings, providers=["CPUExecutionProvider"])
        return lambda: session.run(None, {"x": x.numpy()})
    if kind == "OpenVINO":
        import openvino

        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
        compiled = openvino.Core().compile_model(onnx, "CPU", settings)
        return lambda: compiled(x.numpy())
    module = build(NETWORKS[name][0], **NETWORKS[name][1])[1].eval()
    if kind == "torch":
        net = module.to(memory_format=torch.channels_last)
    else:
        device.choose("cpu")
        net = fast(module, CPU)
    if kind.endswith("compile"):
        net = torch.compile(net)

    def forward() -> torch.Tensor:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=kind.endswith("bf16")):
            return net(x)

    return forward


def serve(pipe: Connection, kind: str, *arguments: Any) -> None:
    """In a process of its own: one forward for every message; answers (seconds, CPU seconds), or why there is no engine."""
    began = time.perf_counter()
    try:
        forward = engine(kind, *arguments)
        forward()
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {error}".splitlines()[0][:80])
        return
    pipe.send(time.perf_counter() - began)
    while pipe.recv():
        wall, cpu = time.perf_counter(), time.process_time()
        forward()
        pipe.send((time.perf_counter() - wall, time.process_time() - cpu))


def export(name: str, x: torch.Tensor, path: Path) -> None:
    module = build(NETWORKS[name][0], **NETWORKS[name][1])[1].eval()
    torch.onnx.export(module, (x,), path, dynamo=True, verbose=False, input_names=["x"])


def race(name: str, size: int, rounds: int, threads: int, kinds: tuple[str, ...]) -> Iterator[Row]:
    context = multiprocessing.get_context("spawn")
    x = torch.rand(1, 1, size, size)
    pipes, seconds = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            export(name, x, onnx := Path(folder) / "net.onnx")
        except ImportError as error:
            yield f"{name}: ONNX", "", f"{error}"
        for kind in kinds:
            pipe, theirs = context.Pipe()
            context.Process(target=serve, args=(theirs, kind, name, x, onnx, threads), daemon=True).start()
            start = pipe.recv()
            if isinstance(start, str):
                yield f"{name}: {kind}", "", start
            else:
                pipes[kind], seconds[kind] = pipe, start
    taken: dict[str, list[tuple[float, float]]] = {kind: [] for kind in pipes}
    for _ in range(rounds):
        for kind, pipe in pipes.items():
            pipe.send(True)
            taken[kind].append(pipe.recv())
    for pipe in pipes.values():
        pipe.send(False)
    median = {kind: np.median(taken[kind], 0) for kind in pipes}
    best = np.min(list(median.values()), 0)
    for kind, (wall, cpu) in median.items():
        yield (f"{name}, {size} px: {kind}", "80 % of the best" if kind == "ours" else "",
               f"{size**2 / 1e6 / wall:.3f} Mpx/s, {best[0] / wall:.0%} of the best ({best[1] / cpu:.0%} in CPU time); "
               f"ready after {seconds[kind]:.1f} s")


def overhead(name: str, size: int, rounds: int, where: torch.device) -> Iterator[Row]:
    """`predict` over slices, against the bare network over as many tiles, in turn."""
    config, module = build(NETWORKS[name][0], **NETWORKS[name][1])
    network, options = Network(NETWORKS[name][0], config, module.eval()), Options(device=where.type)
    src = np.random.default_rng(0).integers(0, 255, (3, size, size), np.uint8)
    count = len(src) * len(options.spans(size)) ** 2
    runner = Runner(fast(module, where), where, bf16=where.type == "cuda")  # as predict has it
    side = len(options.spans(size)[0].weights)
    batch = torch.rand(min(runner.batch, count), 1, side, side, device=where)

    def bare() -> None:
        for _ in range(count // len(batch)):
            runner(batch)
        if count % len(batch):
            runner(batch[:count % len(batch)])
        if where.type == "cuda":
            torch.cuda.synchronize()

    def ours() -> None:
        predict(src, network, lambda z, out: None, options=options)

    times = []
    for _ in range(rounds + 1):
        each = []
        for job in (bare, ours):
            wall, cpu = time.perf_counter(), time.process_time()
            job()
            each.append((time.perf_counter() - wall, time.process_time() - cpu))
        times.append(each)
    wall, cpu = np.median([(o[0] / b[0], o[1] / b[1]) for b, o in times[1:]], 0)
    fastest = min(o[0] for _, o in times[1:])
    asked = "< 1.10" if where.type == "cpu" else "< 1.11, 90 % of the rate"
    yield (f"{name}: predict to the bare network, {count} tiles, {where.type}", asked,
           f"{wall:.3f} ({cpu:.3f} in CPU time); {src.size / 1e6 / fastest:.2f} Mpx/s of slice")


def beside(size: int, rounds: int) -> Iterator[Row]:
    """A slice by the clock, where nothing else runs and beside a program that keeps a core busy."""
    config, module = build("resunet", base=24, fold=2)
    network = Network("resunet", config, module.eval())
    src = np.random.default_rng(0).integers(0, 255, (2, size, size), np.uint8)
    runs = {name: partial(predict, src, network, lambda z, out: None, options=Options(device="cpu", bf16=bf16))
            for name, bf16 in (("float32", False), ("bfloat16 where the CPU has it", True))}
    for name, (seconds, beside_it) in turns.beside(runs, rounds).items():
        yield f"folded ResUNet base 24, {size} px, {name}: {seconds / len(src):.3f} s a slice", "report", beside_it


def blending(size: int) -> Iterator[Row]:
    for blend, overlap in (("cosine", 0), ("cosine", 64), ("cosine", 128), ("cosine", 256), ("centre", None)):
        spans = Options(overlap=overlap, blend=blend).spans(size)
        side = len(spans[0].weights)
        layout = list(product([(span.where, torch.from_numpy(span.weights)) for span in spans], repeat=2))
        result, canvas, taken = torch.rand(1, side, side), torch.zeros(1, spans[-1].where.stop, spans[-1].where.stop), []
        for _ in range(9):
            began = time.perf_counter()
            for (rows, down), (cols, along) in layout:
                canvas[:, rows, cols].addcmul_(result, down[:, None] * along)
            taken.append((time.perf_counter() - began) / (size**2 / 1e6))
        yield (f"{size} px, tile {side}, {blend}" + ("" if overlap is None else f", overlap {overlap}"), "",
               f"{len(layout) * side**2 / size**2:.2f} forwards a pixel, blending {min(taken) * 1e3:.1f} ms/Mpx")


def seams(size: int) -> Iterator[Row]:
    """What tiles change, against the whole slice in one forward."""
    config, module = build("unet", base=8)
    network = Network("unet", config, module.eval())
    src = np.random.default_rng(0).integers(0, 255, (1, size, size), np.uint8)
    kept: dict[int, Any] = {}
    with torch.inference_mode():
        whole = module(torch.from_numpy(network.scale.forward(tiles.pad(src, grid=GRID)))[None])[0, :, :size, :size].numpy()
    for blend, overlap in (("cosine", 0), ("cosine", 32), ("cosine", 64), ("cosine", 128), ("centre", None)):
        predict(src, network, kept.__setitem__, options=Options(tile=256, overlap=overlap, blend=blend, device="cpu"))
        error = np.abs(kept[0] - whole) / whole.std()
        step = np.abs(np.diff(kept[0] - whole, axis=2)).max() / whole.std()
        yield (f"U-Net base 8, random weights, tile 256, {blend}" + ("" if overlap is None else f", overlap {overlap}"), "no seams",
               f"error to one forward, of the deviation: mean {error.mean():.1e}, worst {error.max():.1e}, worst step {step:.1e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="some minutes: small tiles, few rounds, no torch.compile")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES, help="bf16 and torch.compile take most of the time")
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), help="all of them; with --small the smaller ones")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    few, rounds = args.small, 3 if args.small else args.rounds
    print("| what | asked | measured |\n|---|---|---|")
    print(f"| this machine | | {', '.join(f'{name} {value}' for name, value in device.report().items())} |", flush=True)
    parts = [blending(2048), seams(512 if few else 1024), beside(512 if few else 1024, rounds)]
    names = args.networks or list(NETWORKS)[1 if few else 0:]
    kinds = tuple(kind for kind in args.engines if not (few and kind.endswith(("compile", "bf16"))))
    parts += [race(name, 256 if few else 512, rounds, args.threads, kinds) for name in names]
    quick = {"U-Net base 16"} if few else {"U-Net base 16", "ResUNet base 32"}
    parts += [overhead(name, 700 if few else 1400, rounds, CPU) for name in names if name in quick]
    if torch.cuda.is_available():
        parts += [overhead(name, 4000, rounds, torch.device("cuda")) for name in NETWORKS]
    for part in parts:
        for row in part:
            print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
