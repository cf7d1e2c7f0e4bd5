"""The knobs of the phantom, the materials it is built of, and four ready mixtures.

A *material* is finer than a class: a mitochondrion has a membrane, a matrix and cristae. The anatomy writes materials;
the truth (classes) and the grey values both follow from this one table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import NamedTuple

CLASSES = MappingProxyType({0: "resin", 1: "cytoplasm", 2: "membrane", 3: "nucleus", 4: "nucleolus", 5: "nuclear envelope",
                            6: "mitochondrion", 7: "ER", 8: "endosome", 9: "lysosome"})


class Material(IntEnum):
    RESIN = 0
    CYTOSOL = 1
    MEMBRANE = 2
    CHROMATIN = 3
    HETEROCHROMATIN = 4
    NUCLEOLUS = 5
    ENVELOPE = 6
    ENVELOPE_LUMEN = 7
    MITO_MEMBRANE = 8
    MITO_MATRIX = 9
    CRISTA = 10
    ER_MEMBRANE = 11
    ER_LUMEN = 12
    ENDOSOME_MEMBRANE = 13
    ENDOSOME_LUMEN = 14
    LYSOSOME_MEMBRANE = 15
    LYSOSOME = 16
    LYSOSOME_PALE = 17
    VESICLE_MEMBRANE = 18
    VESICLE_LUMEN = 19


class Look(NamedTuple):
    """What a material is called in the truth, and how it looks: mean grey, ribosome-like dots, grain, slow shade (sd)."""

    kind: int
    grey: float
    dots: float
    grain: float
    shade: float


# Greys follow the public CA1 volume of EPFL: cytoplasm about 165, membranes about 95, mitochondria about 110.
LOOKS = MappingProxyType({
    Material.RESIN: Look(0, 176, 0, 1.5, 2), Material.CYTOSOL: Look(1, 182, 42, 13, 7), Material.MEMBRANE: Look(2, 84, 0, 5, 7),
    Material.CHROMATIN: Look(3, 170, 36, 12, 6), Material.HETEROCHROMATIN: Look(3, 138, 8, 14, 6),
    Material.NUCLEOLUS: Look(4, 99, 6, 18, 4),
    Material.ENVELOPE: Look(5, 84, 0, 5, 6), Material.ENVELOPE_LUMEN: Look(5, 136, 0, 4, 4),
    Material.MITO_MEMBRANE: Look(6, 82, 0, 5, 6), Material.MITO_MATRIX: Look(6, 124, 8, 11, 7), Material.CRISTA: Look(6, 80, 0, 5, 6),
    Material.ER_MEMBRANE: Look(7, 84, 0, 6, 6), Material.ER_LUMEN: Look(7, 150, 0, 4, 5),
    Material.ENDOSOME_MEMBRANE: Look(8, 98, 0, 6, 6), Material.ENDOSOME_LUMEN: Look(8, 170, 2, 4, 6),
    Material.LYSOSOME_MEMBRANE: Look(9, 92, 0, 5, 6), Material.LYSOSOME: Look(9, 100, 6, 18, 6),
    Material.LYSOSOME_PALE: Look(9, 152, 4, 6, 6),
    Material.VESICLE_MEMBRANE: Look(1, 92, 0, 6, 6), Material.VESICLE_LUMEN: Look(1, 166, 0, 4, 4)})


@dataclass(frozen=True)
class Options:
    """Lengths in px of the (isotropic) voxel; fractions are of slices or of contacts. A zero switches the thing off."""

    voxel_nm: tuple[float, float, float] = (10.0, 10.0, 10.0)
    # Cells
    spacing_px: float = 165.0  # between cell bodies
    kept: float = 1.0  # of the bodies that would fit
    grow_px: float = 5.0  # bodies are grown until they meet, at most by this; negative keeps them apart
    warp_px: float = 10.0  # how far membranes wander
    filopodia: int = 7  # a body
    fibres: float = 3.0  # processes without a nucleus, a body
    indent_px: float = 16.0  # how deep a filopodium presses into another cell
    membrane_px: float = 2.0  # on each side of a contact
    unseen: float = 0.15  # of the contact area shows no membrane
    # Organelles, a million voxels of cells
    mitochondria: float = 5.0
    lysosomes: float = 4.5
    endosomes: float = 5.0
    vesicles: float = 500.0
    nucleolus: float = 0.56  # radius, of the radius of the nucleus
    # Microscope
    psf_px: float = 0.9
    electron_grey: float = 0.4  # grey levels an electron: shot variance = this x grey
    read_sd: float = 5.0
    curtain: float = 0.03  # sd of the stripes, of the grey level
    charging: float = 0.25  # of the slices
    brightness_sd: float = 2.5
    jumps: float = 0.03  # of the slices, where brightness and contrast step
    blank: float = 0.015
    half_blank: float = 0.015
    defocused: float = 0.02
    duplicate: float = 0.015
    # Stage
    walk_px: float = 0.7  # a slice, random walk
    jitter_px: float = 0.8
    shear: float = 0.0015  # sd of rotation, shear and scale; its slow part is as large
    margin_px: int = 24  # anatomy beyond the field; drift stays within it

    def __post_init__(self) -> None:
        for name in ("kept", "unseen", "charging", "jumps", "blank", "half_blank", "defocused", "duplicate"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"expected {name} as a fraction from 0 to 1, got {getattr(self, name)!r}")
        if self.spacing_px < 20:
            raise ValueError(f"expected spacing_px of at least 20, got {self.spacing_px!r}; smaller cells hold no nucleus")
        for name in ("margin_px", "filopodia", "fibres", "psf_px", "electron_grey", "read_sd", "walk_px", "jitter_px", "shear"):
            if getattr(self, name) < 0:
                raise ValueError(f"expected {name} of 0 or more, got {getattr(self, name)!r}")


REGIMES = MappingProxyType({
    "separate": Options(grow_px=-6.0, kept=0.8, filopodia=5, fibres=0.0),
    "touching": Options(),
    "packed": Options(grow_px=40.0, fibres=6.0),
    "resin-heavy": Options(kept=0.3, fibres=2.0, grow_px=2.0)})
