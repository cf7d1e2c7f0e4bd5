"""What a user may choose in denoising."""

from __future__ import annotations

from dataclasses import dataclass, field

from fibsem_ij.learn.augment import Augment

METHODS = ("supervised", "vae", "blindspot")


@dataclass(frozen=True)
class Options:
    method: str = "supervised"  # supervised (needs truth) | vae | blindspot
    neighbours: int = 0  # slices to each side that the network also sees
    trim: float | None = None  # of repeated scans: None for their median; else their mean without this share at either end
    minutes: float | None = 10.0  # of both budgets the one that is reached first ends the training
    updates: int | None = None
    seed: int = 1
    depth: int = 4  # levels of the network
    base: int = 16  # maps of its first level; 32 and more pay on a GPU
    patch: int = 64  # px
    batch: int = 16
    rate: float = 3e-3
    flat: float = 0.15  # share of patches that are noise on nothing, so that the network invents no structure
    held: float = 0.1  # share of the slices that are not trained on but tell which weights are best
    every: int = 100  # updates between validations
    patience: int | None = None  # validations without gain before an early stop
    augment: Augment = field(default_factory=Augment)  # turns; zoom, blur and noise when asked
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"expected a method of {', '.join(METHODS)}, got {self.method!r}; choose one of them")
        for name, low, high in (("neighbours", 0, 64), ("patch", 16, 4096), ("flat", 0, 0.5), ("held", 0, 0.5), ("trim", 0, 0.49)):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ValueError(f"expected {name} from {low} to {high}, got {value}; leave it out for the default")
