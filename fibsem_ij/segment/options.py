"""What a user may choose in segmentation. The defaults are the preset `quick`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from fibsem_ij import sockets
from fibsem_ij.arrays.grain import areas
from fibsem_ij.learn.augment import Augment
from fibsem_ij.learn.nets import GENERATIVE, NETS

NETWORKS = tuple(name for name in NETS if name not in GENERATIVE)
LOSSES = ("both", "dice", "cross-entropy")
ACTIVATIONS = ("softmax", "sigmoid")
GRAIN = (0.01, 0.05)  # published, of 256 x 256: some 650 and 3200 px

Prepare = Callable[[Any, Sequence[str]], str | None]  # a module before its training, its outputs -> what is to be told of it


@dataclass(frozen=True)
class Options:
    # The network, and what it sees
    network: str = "resunet"  # of NETWORKS, or plugged in
    config: Mapping[str, Any] | None = None  # of the network, {} its defaults; None: a small one (presets.SMALL)
    neighbours: int = 0  # slices to each side that it also sees
    context: int = 1  # it sees the slices this many times smaller
    grain: tuple[float, ...] = ()  # more channels: the slice without grains smaller than these shares of a patch, as GRAIN
    # What is asked for
    activation: str = "softmax"  # one class a pixel | sigmoid: each class for itself
    loss: str = "both"  # dice | cross-entropy | both, their sum
    weights: Mapping[str, float] = field(default_factory=dict)  # in the loss, by class, "background" too; those not named: 1
    ignore: tuple[str, ...] = ()  # drawn classes that are kept out of the loss and are no output
    unlabelled_is_ignored: bool = False  # slices are drawn in part: what has no class there may be anything
    boundary_px: int | None = None  # drawn are objects: their interior and, this wide, their boundary are the classes
    per_class: bool = False  # one network a class
    # Patches
    patch: int = 192  # px
    share: float | None = None  # of the patches hold a class; None: .8, down to .5 where much lies far from any, see `task.near`
    least_px: int = 1  # px of it, at least
    of: tuple[str, ...] = ()  # of these classes together; none named: of any
    common: float = 0.25  # classes come up as their drawn pixels to this power: 0, each as often; 1, as they lie there
    augment: Augment = field(default_factory=lambda: Augment(tilt=0.5, bend_px=2, zoom=0.1, brightness=0.3, contrast=0.3))
    # Training
    minutes: float | None = 10.0  # of each network; of both budgets the one that is reached first ends the training
    updates: int | None = None
    batch: int = 4
    rate: float = 3e-3
    schedule: str = "cosine"  # see learn.train
    eps: float = 1e-8
    weight_decay: float = 0.01
    warmup: int = 50
    average: float = 0.99
    every: int = 100  # updates between validations
    patience: int | None = None
    slack: float = 0.05  # later weights are kept as long as their F1 is not so far below the best: what is held back is little
    held: float = 0.05  # share of the drawn slices that are not trained on but tell which weights are best
    trainings: int = 1  # from as many seeds
    keep: int = 1  # the best of them, used together
    seed: int = 1
    device: str = "auto"
    flips: bool = True  # applied, the mean over mirrored tiles, unless said otherwise then

    def __post_init__(self) -> None:
        networks = NETWORKS if self.network in NETWORKS else sockets.names("networks", NETWORKS)
        for name, allowed in (("network", networks), ("loss", LOSSES), ("activation", ACTIVATIONS)):
            if (value := getattr(self, name)) not in allowed:
                near, = get_close_matches(value, allowed, n=1, cutoff=0)
                raise ValueError(f"expected {name} as one of {', '.join(allowed)}, got {value!r}; did you mean {near!r}?")
        limits = {"neighbours": (0, 64), "context": (1, 64), "patch": (16, 8192), "share": (0, 1), "least_px": (1, self.patch**2),
                  "boundary_px": (1, 64), "held": (0, 0.5), "trainings": (1, 1000), "keep": (1, self.trainings)}
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ValueError(f"expected {name} from {low} to {high}, got {value}; leave it out for the default")
        if not all(0 < share < 1 for share in self.grain):
            raise ValueError(f"expected grain as shares of a patch between 0 and 1, got {self.grain}; {GRAIN} is usual")
        if not all(weight >= 0 for weight in self.weights.values()):
            raise ValueError(f"expected weights of 0 or more, got {dict(self.weights)}; 1 is usual")

    @property
    def grain_px(self) -> tuple[int, ...]:
        """Areas in pixels of the slice."""
        return areas(self.grain, patch_px=self.patch * self.context)
