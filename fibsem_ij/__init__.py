"""fibsem_ij: FIB-SEM volumes between Python and Fiji. This docstring is the map.

    slices --register--> aligned --denoise--> clean --segment--> probabilities --objects--> labels --measure--> table

Nouns, with all conventions on axes and units: `fibsem_ij.volume`
    Volume, Labels, Transforms          frozen, validated, the voxel size in nm travels with the data

Doors, which bring arrays in and out:
    files      TIFF, folders of slices, OME-Zarr, MRC, NumPy, ROI sets, tables: each read has its write
    fiji       the one JVM: images, labels, ROI sets, macros, scripts, the windows a person works in

Rooms, which compute on arrays and know neither files nor Java, come one by one; the ones that are here:
    register   slices that wander -> slices that sit still
    denoise    noisy -> clean
    segment    grey -> classes, from a handful of drawn slices
    objects    probabilities, masks, drawn slices -> numbered things that keep their number
    measure    labels -> one row per object; what lies in what, how far apart, what touches
    learn      what the rooms that learn share: networks, training, prediction
    arrays     what the rooms share: outlines of labels, the colour table, scores, a map over slices

And beside them: `phantom` (a synthetic stack with its truth), `render` (pictures, 3D, meshes), `report` (a page of a whole
workspace), `demo`, `doctor`, `cli`.

Everything is loaded when it is first used, so `import fibsem_ij` costs nothing: neither torch nor a JVM.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fibsem_ij.volume import Labels, Transforms, Volume

__version__ = "0.1.0"
__all__ = ["Labels", "Transforms", "Volume", "denoise", "fiji", "files", "measure", "objects", "phantom", "register", "render", "report",
           "segment", "volume"]

_NOUNS = ("Labels", "Transforms", "Volume")


def __getattr__(name: str) -> Any:
    if name in _NOUNS:
        return getattr(importlib.import_module("fibsem_ij.volume"), name)
    if name in __all__:
        return importlib.import_module(f"fibsem_ij.{name}")
    raise AttributeError(f"module 'fibsem_ij' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted(__all__)
