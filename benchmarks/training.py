"""What the training loop, its state on disk and its patches cost: what, asked, measured.

    python benchmarks/training.py [--small]

The loop is compared with bare forward, backward and step on the same batches, turn by turn: the median of the ratios. Time is the
processor's, on one thread, which other programs on the machine disturb less than the clock. Network: U-Net of base 16,
batches of 4 x 128 x 128.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import turns
from torch import nn
from torch.nn import functional

from fibsem_ij.learn import checkpoint, network
from fibsem_ij.learn.augment import Augment
from fibsem_ij.learn.device import choose
from fibsem_ij.learn.patches import Patches, Rule
from fibsem_ij.learn.train import Options, train

core_seconds = partial(turns.seconds, clock=time.process_time)
Row = tuple[str, str, str]


class Copying:
    """Batches that were drawn before the clock starts: their input is their truth."""

    def __init__(self, count: int) -> None:
        self.batches = [torch.from_numpy(np.random.default_rng(n).random((4, 1, 128, 128), np.float32)) for n in range(count)]

    def batch(self, rng: np.random.Generator, size: int) -> tuple[torch.Tensor, ...]:
        return (self.batches[rng.integers(len(self.batches))],)

    def loss(self, module: nn.Module, batch: tuple[torch.Tensor, ...], *, generator: torch.Generator) -> torch.Tensor:
        return functional.mse_loss(module(batch[0]), batch[0])

    def score(self, module: nn.Module) -> float:
        return 0.0


def unet() -> nn.Module:
    return network.build("unet", base=16)[1].to(memory_format=torch.channels_last).train()


def bare(task: Copying, updates: int, module: nn.Module) -> Callable[[], object]:
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3, fused=True)

    def run() -> None:
        for n in range(updates):
            optimizer.zero_grad()
            task.loss(module, (task.batches[n % len(task.batches)],), generator=torch.default_generator).backward()
            nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimizer.step()

    return run


def looped(task: Copying, updates: int, module: nn.Module, **options: Any) -> Callable[[], object]:
    return lambda: train(module, task, options=Options(updates=updates, every=updates, device="cpu", **{"amp": "off"} | options))


def overhead(updates: int, rounds: int) -> Iterator[Row]:
    task = Copying(4)
    runs = {"bare": bare(task, updates, unet()), "loop": looped(task, updates, unet()),
            "averaged": looped(task, updates, unet(), average=0.999)}
    core_seconds(runs, 1)  # imports and memory
    found = core_seconds(runs, rounds)
    for name, asked in (("loop", "< 5 % over bare"), ("averaged", "report")):
        ratio = np.median(found[name] / found["bare"])
        yield f"{name}: {found[name].min() / updates * 1e3:.0f} ms an update", asked, f"{ratio - 1:+.1%}"
    found = core_seconds({"bare": bare(task, 200, nn.Conv2d(1, 1, 1)), "loop": looped(task, 200, nn.Conv2d(1, 1, 1))}, 5)
    added = np.median(found["loop"] - found["bare"]) / 200
    yield "what the loop adds to an update of one 1x1 convolution", "report", f"{added * 1e3:.2f} ms"


def beside(updates: int, rounds: int) -> Iterator[Row]:
    """By the clock, with all threads that torch takes by itself; another program has a core to itself, or not."""
    threads, task = torch.get_num_threads(), Copying(4)
    torch.set_num_threads(os.cpu_count() or 1)
    runs = {f"{amp}, {ended}": looped(task, updates, unet(), amp=amp, **budget) for amp in ("off", "bf16")
            for ended, budget in (("by updates", {}), ("by the clock", {"minutes": 600.0}))}
    try:
        found = turns.beside(runs, rounds)
    finally:
        torch.set_num_threads(threads)
    for name, (seconds, beside_it) in found.items():
        yield f"an update, bfloat16 {name}: quiet {seconds / updates * 1e3:.0f} ms", "report", beside_it


def state(rounds: int) -> Iterator[Row]:
    module = unet()
    run = checkpoint.Run(module, torch.optim.AdamW(module.parameters(), fused=True), batch=4, best=unet().state_dict())
    module(torch.zeros(1, 1, 64, 64)).mean().backward()
    run.optimizer.step()
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        found = core_seconds({"save": lambda: checkpoint.save(where, run, {}), "resume": lambda: checkpoint.resume(where, run, {})}, rounds)
        size = sum(path.stat().st_size for path in where.iterdir())
    yield f"state of {size / 1e6:.0f} MB: save, resume", "report", ", ".join(f"{s.min() * 1e3:.0f} ms" for s in found.values())


def drawing(rounds: int) -> Iterator[Row]:
    src = np.random.default_rng(1).integers(0, 256, (8, 1024, 1024), np.uint8)
    truth = (src > 254).astype(np.uint8)
    kinds: dict[str, dict[str, Any]] = {
        "turns only": {}, "5 slices": {"neighbours": 2}, "labels, rule of 80 %": {"truth": truth, "labels": True, "rules": [Rule(0.8)]},
        "context 4": {"context": 4}, "zoom, blur, noise": {"augment": Augment(zoom=0.2, blur_px=1, noise=0.1, shot=0.01)}}
    for name, options in kinds.items():
        patches = Patches(src, size=256, **options)
        found = core_seconds({name: partial(patches.batch, np.random.default_rng(0), 4)}, rounds)
        yield f"draw 4 patches of 256: {name}", "report", f"{found[name].min() * 1e3:.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a minute instead of five")
    few = parser.parse_args().small
    choose("cpu")
    torch.set_num_threads(1)
    print("| what | asked | measured |\n|---|---|---|")
    for part in (overhead(6, 3) if few else overhead(10, 12), beside(40, 2), state(5), drawing(10)):
        for row in part:
            print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
