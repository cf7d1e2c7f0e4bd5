"""Texture of the grey values inside each object, in 3D: co-occurrence, size zones, pattern spectrum.

    levels     grey values -> levels of each object, block by block
    glcm       which levels are next to each other
    zones      how large the pieces of one level are
    spectrum   how much is bright or dark detail of each size

All of it is in voxels and grey levels and has no unit. Of whole numbers as far as can be, it is the same to the bit whatever is in
memory at a time and however many threads there are.
"""

from __future__ import annotations

from types import MappingProxyType

from fibsem_ij.measure.columns import Definition, Table
from fibsem_ij.measure.objects import Objects
from fibsem_ij.measure.texture import glcm, spectrum, zones
from fibsem_ij.measure.texture.levels import Span, span_of
from fibsem_ij.volume import ArrayLike

DEFINITIONS: MappingProxyType[str, Definition] = MappingProxyType({**glcm.DEFINITIONS, **zones.DEFINITIONS, **spectrum.DEFINITIONS})


def texture(labels: ArrayLike, objects: Objects, image: ArrayLike, *, levels: int = 32, span: Span | None = None) -> Table:
    """The columns of `glcm` and `zones`, of the same levels."""
    span = span or span_of(labels, objects, image)
    return {**glcm.glcm(labels, objects, image, levels=levels, span=span), **zones.zones(labels, objects, image, levels=levels, span=span)}
