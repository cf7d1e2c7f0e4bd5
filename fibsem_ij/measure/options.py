"""What a user may choose in measuring."""

from __future__ import annotations

from dataclasses import dataclass

from fibsem_ij.measure import groups


@dataclass(frozen=True)
class Options:
    groups: tuple[str, ...] = ("size", "surface", "hull", "topology")  # what is cheap and needs labels only
    levels: int = 32  # grey levels of the texture measures
    span: tuple[float, float] | None = None  # grey range of the levels; None: 1st to 99th percentile over all objects together
    spectrum_radius: int = 3  # openings and closings up to this many voxels
    spectrum_columns: bool = False  # the spectrum itself, not only its moments
    crop_voxels: int = 2**27  # the skeleton of an object with a larger box is measured on a coarser grid, and a column says so

    def __post_init__(self) -> None:
        if others := [name for name in self.groups if name not in groups.GROUPS]:
            known = groups.names()
            if unknown := [name for name in others if name not in known]:
                raise ValueError(f"expected groups of {', '.join(known)}, got {', '.join(map(repr, unknown))}; choose some of them")
        for name, least in (("levels", 2), ("spectrum_radius", 1), ("crop_voxels", 4096)):
            if getattr(self, name) < least:
                raise ValueError(f"expected {name} of at least {least}, got {getattr(self, name)}; leave it out for the default")
        if self.spectrum_radius > 16:
            raise ValueError(f"expected spectrum_radius of 1 to 16, got {self.spectrum_radius}; leave it out for the default")
        if self.span is not None and not self.span[0] < self.span[1]:
            raise ValueError(f"expected span as a lower and a higher grey value, got {self.span}; leave it out for the default")
