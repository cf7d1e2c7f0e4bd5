"""The one training loop, for every network and every room.

A room hands in a module and a `Task`: how a batch is drawn, what its loss is, what a validation scores. The loop owns the
rest: seeds, optimizer (Adam with decoupled weight decay, Loshchilov & Hutter 2019), schedule, precision, averaged weights,
validation, best weights, budget, state and log.

Repeatable: all that is random in update n is seeded by (seed, n), the drawing through a NumPy generator, dropout and
sampling through torch. So batches can be drawn ahead on other threads, and a training that was stopped anywhere and is
started again with the same `state` ends with the same bits (on a CPU, with the same number of threads, given `updates`;
a budget of minutes depends on the clock, and so does the number of cores that it takes then, see `pace`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from fibsem_ij.learn import checkpoint, interrupt
from fibsem_ij.learn.ahead import Ahead, Batch
from fibsem_ij.learn.checkpoint import Run, Weights
from fibsem_ij.learn.device import choose, computes_in_bf16, out_of_memory
from fibsem_ij.learn.history import History, Row, logged
from fibsem_ij.learn.pace import paced
from fibsem_ij.learn.schedule import rate_at
from fibsem_ij.learn.task import Options, Task

__all__ = ["History", "Options", "Task", "train"]

Progress = Callable[[dict[str, Any]], None]


def train(module: nn.Module, task: Task, *, options: Options, state: Path | None = None, log: Path | None = None,
          progress: Progress | None = None) -> History:
    """Trains in place; the module ends on the CPU, in eval mode, with the weights of the best validation (or nearly, see Options.slack).

    `state`: a folder, see `checkpoint`. `log`: a folder for history.csv, curve.png and TensorBoard. `progress` is called after every
    update with update, position (0 to 1), seconds, rate, loss, score, best, notes.
    """
    device = choose(options.device)
    run = _start(module, device, options)
    if state:
        checkpoint.resume(state, run, options.shared())
    forward = torch.compile(module) if options.compile else module
    began = time.perf_counter() - run.seconds

    def save() -> None:
        if state:
            checkpoint.save(state, run, options.shared())

    def validate(rate: float) -> None:
        score = _score(run, task, options, device)
        run.seconds = time.perf_counter() - began
        row = Row(run.update, run.seconds, rate, float(np.mean(run.losses)), score)
        run.history.rows.append(row)
        run.losses.clear()
        if run.history.kept is row:
            run.best = _copy(run.average or module.state_dict())
        write_log()
        save()

    cards = [torch.cuda.current_device()] if device.type == "cuda" else []
    with (paced(device, by_clock=options.minutes is not None) as took, torch.random.fork_rng(cards), interrupt.held() as interrupted,
          logged(log, run.history) as write_log,
          Ahead(task.batch, seed=options.seed, device=device, channels_last=options.channels_last) as ahead):
        try:
            while not _ended(run, options):
                rate = _rate(run, options)
                started = time.perf_counter()
                loss = _update(run, task, forward, ahead, rate=rate, options=options, device=device)
                took(time.perf_counter() - started)
                run.seconds = time.perf_counter() - began
                if run.update % options.every == 0 or _ended(run, options):
                    validate(rate)
                try:
                    if progress:
                        progress(_told(run, options, rate, loss))
                    if interrupted():
                        raise KeyboardInterrupt
                except KeyboardInterrupt:
                    save()
                    raise
            if run.losses:  # stopped within the budget, resumed with a smaller one
                validate(_rate(run, options))
        finally:
            if run.best:
                module.load_state_dict(run.best)
            module.eval().to("cpu")
    return run.history


def _start(module: nn.Module, device: torch.device, options: Options) -> Run:
    if options.channels_last:
        module.to(memory_format=torch.channels_last)
    module.to(device).train()
    trained = [p for p in module.parameters() if p.requires_grad]
    groups = [{"params": [p for p in trained if p.ndim > 1], "weight_decay": options.weight_decay},
              {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=options.rate, eps=options.eps, fused=device.type in ("cpu", "cuda"))
    average = _copy(module.state_dict()) if options.average else None
    return Run(module, optimizer, batch=options.batch, average=average, history=History(slack=options.slack))


def _position(run: Run, options: Options) -> float:
    return max(run.update / options.updates if options.updates else 0.0, run.seconds / (60 * options.minutes) if options.minutes else 0.0)


def _ended(run: Run, options: Options) -> bool:
    return _position(run, options) >= 1 or (options.patience is not None and run.history.stale >= options.patience)


def _rate(run: Run, options: Options) -> float:
    return rate_at(_position(run, options), run.update, rate=options.rate, schedule=options.schedule, warmup=options.warmup,
                   drops=options.drops)


def _update(run: Run, task: Task, forward: Any, ahead: Ahead, *, rate: float, options: Options, device: torch.device) -> float:
    """One update; where memory runs out, with half the batch, and so from then on."""
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    while True:
        batch = ahead.take(run.update, run.batch)
        try:
            loss = _gradient(run, task, forward, batch, options, device)
            break
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            if run.batch == 1:
                other = "" if device.type == "cpu" else ", or the device cpu"
                raise ValueError(f"expected memory for a batch of one, {device} ran out; take smaller patches, or a smaller network"
                                 f"{other}") from error
        del batch
        run.batch //= 2
        run.history.notes.append(f"update {run.update}: {device} ran out of memory; batch of {run.batch} from here on")
        if device.type == "cuda":
            torch.cuda.empty_cache()
    run.optimizer.step()
    if run.average:
        _follow(run.average, run.module.state_dict(), min(options.average, (1 + run.update) / (10 + run.update)))
    run.losses.append(loss)
    run.update += 1
    return loss


def _gradient(run: Run, task: Task, forward: Any, batch: Batch, options: Options, device: torch.device) -> float:
    torch.manual_seed(_seed(options.seed, run.update, 1))
    generator = torch.Generator(device).manual_seed(_seed(options.seed, run.update, 2))
    run.optimizer.zero_grad()
    with _precision(options, device):
        loss = task.loss(forward, batch, generator=generator)
    loss.backward()  # type: ignore[no-untyped-call]
    if options.clip:
        nn.utils.clip_grad_norm_(run.module.parameters(), options.clip)
    value = loss.item()
    if not math.isfinite(value):
        _refuse(value, run, batch)
    return value


def _refuse(loss: float, run: Run, batch: Batch) -> None:
    rate = run.optimizer.param_groups[0]["lr"]
    cause = (f"take a lower rate, {rate / 10:.2g} say" if all(t.isfinite().all() for t in batch if t.is_floating_point())
             else "the batch drawn holds NaN or infinity already: clean the stack")
    last = run.history.kept
    kept = f"the weights of update {last.update} are kept" if last else "no validation came before it"
    raise ValueError(f"expected a finite loss, got {loss} at update {run.update} with rate {rate:.3g}; {cause} ({kept})")


def _score(run: Run, task: Task, options: Options, device: torch.device) -> float:
    """Of the averaged weights where there are some."""
    now = _copy(run.module.state_dict()) if run.average else None
    if run.average:
        run.module.load_state_dict(run.average)
    run.module.eval()
    torch.manual_seed(_seed(options.seed, 0, 3))  # the same noise every time, where a score samples
    with torch.no_grad(), _precision(options, device):
        score = float(task.score(run.module))
    if math.isnan(score):
        raise ValueError(f"expected a score, got nan at update {run.update}; take a lower rate, or look for NaN in the validation slices")
    if now:
        run.module.load_state_dict(now)
    run.module.train()
    return score


def _told(run: Run, options: Options, rate: float, loss: float) -> dict[str, Any]:
    last, best = (run.history.rows[-1], run.history.best) if run.history.rows else (None, None)
    return {"update": run.update, "position": min(1.0, _position(run, options)), "seconds": run.seconds, "rate": rate, "loss": loss,
            "score": last and last.score, "best": best and best.score, "notes": tuple(run.history.notes)}


def _precision(options: Options, device: torch.device) -> Any:
    enabled = options.amp == "bf16" or (options.amp == "auto" and computes_in_bf16(device))
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


def _copy(weights: Weights) -> Weights:
    return {name: tensor.detach().clone() for name, tensor in weights.items()}


def _follow(average: Weights, weights: Weights, decay: float) -> None:
    floating = [name for name, tensor in weights.items() if tensor.is_floating_point()]
    get_ema_multi_avg_fn(decay)([average[name] for name in floating], [weights[name] for name in floating], None)  # type: ignore[no-untyped-call]
    for name in weights.keys() - set(floating):
        average[name].copy_(weights[name])


def _seed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
