"""What a room gives the training loop, and what a user may choose in it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from fibsem_ij.learn.ahead import Batch
from fibsem_ij.learn.schedule import SCHEDULES

_MAY_CHANGE = {"minutes", "updates", "patience", "device", "compile", "amp"}  # between a training and its resumption


class Task(Protocol):
    """What a room gives the loop.

    `batch` is called ahead of time from other threads, two at a time, also while `score` runs: it must depend on nothing but
    its arguments. `generator` is of the device that the batch was moved to. `score` finds the module in eval mode.
    """

    def batch(self, rng: np.random.Generator, size: int) -> Batch: ...  # on the CPU; first is the input
    def loss(self, module: nn.Module, batch: Batch, *, generator: torch.Generator) -> Tensor: ...
    def score(self, module: nn.Module) -> float: ...  # higher is better, on slices not trained on; the same weights, the same score


@dataclass(frozen=True)
class Options:
    seed: int = 1
    minutes: float | None = None  # budget, validation included; of both budgets the one that is reached first ends the training
    updates: int | None = None
    batch: int = 4
    rate: float = 1e-3
    schedule: str = "cosine"  # cosine (to 0 at the end of the budget) | constant | steps (a tenth at each of `drops`)
    drops: tuple[float, ...] = (0.5,)  # shares of the budget
    warmup: int = 0  # updates that the rate takes to rise
    clip: float = 1.0  # greatest norm of the gradient; 0: any
    weight_decay: float = 0.0  # of weights; biases and normalisations are left alone
    eps: float = 1e-8  # of Adam
    every: int = 100  # updates between validations, each of which writes the state
    patience: int | None = None  # validations without gain before an early stop; None: never
    slack: float = 0.0  # later weights are kept, as long as their score is not so far below the best
    device: str = "auto"
    average: float = 0.0  # decay of the moving average of the weights, which is then scored and kept; 0: off
    channels_last: bool = True
    compile: bool = False
    amp: str = "auto"  # bf16 | off | auto: bf16 where it saves time

    def __post_init__(self) -> None:
        if self.minutes is None and self.updates is None:
            raise ValueError("expected a budget, got neither minutes nor updates; give one of them")
        for name, allowed in {"schedule": SCHEDULES, "amp": ("auto", "bf16", "off")}.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"expected {name} as one of {', '.join(allowed)}, got {getattr(self, name)!r}; choose one of them")
        for name in ("minutes", "updates", "batch", "rate", "every", "patience", "eps"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"expected {name} above 0, got {value}; leave it out for the default")
        for name in ("seed", "warmup", "clip", "weight_decay", "slack"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"expected {name} of 0 or more, got {getattr(self, name)}; leave it out for the default")
        if not 0 <= self.average < 1:
            raise ValueError(f"expected average from 0 (off) to below 1, got {self.average}; 0.999 is usual")

    def shared(self) -> dict[str, Any]:
        """What a resumed training must have in common with the stopped one, as JSON gives it back."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items() if name not in _MAY_CHANGE}
