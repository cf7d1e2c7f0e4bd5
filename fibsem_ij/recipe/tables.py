"""The tables of a recipe: each room's Options, and what its verbs take beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from fibsem_ij import denoise, measure, register, segment
from fibsem_ij.objects import components, linking, nuclei
from fibsem_ij.objects.cells import options as cells

LAST = "last"  # [segment] start


@dataclass(frozen=True)
class Input:
    src: str = ""  # the stack; none: the raw.zarr, raw.tif, raw folder that lies in the workspace
    voxel_nm: tuple[float, float, float] | None = None  # z, y, x, where the file does not say it
    copy: bool = True  # into the workspace, as raw.zarr; else it is linked
    detector: Literal["", "A", "B", "C", "D"] = ""  # of Janelia's .dat; none: the first that is on
    databar: bool = False  # keep the rows of text that a microscope writes below the picture
    gaps: bool = False  # slice numbers may be missing: what lies on both sides of a gap are neighbours


@dataclass(frozen=True)
class Register:
    options: register.Options = field(default_factory=register.Options)
    aligner: str = "turboreg"  # of register.Options, or fiji-turboreg, fiji-sift
    home: str = ""  # of the Fiji whose plugins align
    heap: str = ""  # the most that its Java may take: 4g
    anchors: str = ""  # file of known matrices
    interpolation: Literal["nearest", "linear", "cubic"] = "linear"  # nearest keeps noise white, for a denoiser that learns from it
    hold: bool = False  # slices that are placed stay where they are when others come, instead of being placed anew with them
    even_out: Literal["none", "equalise", "match"] = "none"  # contrast of the aligned slices; match: to their neighbours


@dataclass(frozen=True)
class Denoise:
    options: denoise.Options = field(default_factory=lambda: denoise.Options(method="blindspot"))
    clean: str = ""  # truth, a stack like the aligned one
    scans: str = ""  # repeated scans: a folder with one folder, or one stack, a field
    flips: bool = False
    draws: int = 0
    leave: float = 0.0


@dataclass(frozen=True)
class Segment:
    options: segment.Options = field(default_factory=segment.Options)
    preset: str = "quick"
    base: int | None = None
    encoder: str = ""
    layer: str = "classes"  # drawn/LAYER of the workspace
    drawn: str = ""  # copied there at the first run
    start: str = ""  # a network to train on from; "last": the one that this training made before, where it fits; none: afresh
    how: Literal["auto", "argmax", "threshold", "priority"] = "auto"
    threshold: float = 0.5
    priority: tuple[str, ...] = ()
    crumbs: bool = False  # leave pieces in that are smaller, in a slice, than what was drawn
    least_voxels: Mapping[str, int] = field(default_factory=dict)  # class -> voxels; smaller pieces go
    tile: int = 512


@dataclass(frozen=True)
class Cells:
    how: ClassVar[str] = "cells"
    options: cells.Options = field(default_factory=cells.Options)
    layer: str = "cells"
    drawn: str = ""


@dataclass(frozen=True)
class Components:
    how: ClassVar[str] = "components"
    options: components.Options = field(default_factory=components.Options)
    of: str = ""  # one class; else all, each piece of one class an object
    least_voxels: float | Mapping[str, float] = 0  # or by class


@dataclass(frozen=True)
class Link:
    how: ClassVar[str] = "link"
    options: linking.Options = field(default_factory=linking.Options)
    of: str = ""  # one class; else all as one mask
    layer: str = ""  # drawn objects, whose ids are kept
    drawn: str = ""


@dataclass(frozen=True)
class Nuclei:
    how: ClassVar[str] = "nuclei"
    options: nuclei.Options = field(default_factory=nuclei.Options)


@dataclass(frozen=True)
class Measure:
    options: measure.Options = field(default_factory=measure.Options)
    nearest: bool = False  # adds the nearest object of each


@dataclass(frozen=True)
class Output:
    labels_tif: bool = True
    rois: bool = True
    report: bool = True


Objects = Cells | Components | Link | Nuclei
OBJECTS: Mapping[str, type[Objects]] = {kind.how: kind for kind in (Cells, Components, Link, Nuclei)}
