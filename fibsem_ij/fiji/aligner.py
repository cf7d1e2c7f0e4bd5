"""What Fiji's aligners share: finding the plugin, pixels for it, and what its runs add up to.

An aligner is `(fixed, moving, *, rng) -> matrices (runs, 3, 3)`, fixed pixel -> moving pixel, empty where nothing is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.fiji.errors import FijiError
from fibsem_ij.fiji.pixels import PIXELS, to_stack
from fibsem_ij.fiji.session import Session
from fibsem_ij.volume import MODELS

Matrix = npt.NDArray[np.float64]
Slice = npt.NDArray[np.generic]  # (y, x)
Grey = npt.NDArray[np.float32]  # (y, x)

_PLUGINS = {"TurboReg": ("TurboReg_", "BIG-EPFL"), "SIFT": ("mpicbg.ij.SIFT", "Fiji")}  # class, update site


def check_choice(session: Session, plugin: str, *, model: str, runs: int) -> None:
    """Raises where the session has no such plugin, or the plugin no such model."""
    if model not in MODELS:
        raise ValueError(f"expected a model of {', '.join(MODELS)}, got {model!r}; choose one of them")
    if runs < 1:
        raise ValueError(f"expected at least 1 run, got {runs}; leave it out for the default")
    class_name, site = _PLUGINS[plugin]
    if not _has_class(class_name):
        remedy = f"in Fiji: Help > Update... > Manage update sites, tick {site}"
        where = f"the Fiji in {session.home} without it; {remedy}"
        embedded = f"the embedded ImageJ, which has no plugins; start with fiji.start(home=...) and a Fiji that has it ({remedy})"
        raise FijiError(f"expected the plugin {plugin} (class {class_name}), got {where if session.home else embedded}")


def _has_class(name: str) -> bool:
    from jpype import JClass

    try:
        JClass(name)
    except TypeError:  # JPype's word for a class that is not there
        return False
    return True


def float_pixels(grey: Grey) -> Any:
    """A Java float[]."""
    return to_stack(grey[None], (1, *grey.shape), PIXELS[32], [""]).getPixels(1)


def agreed(found: Sequence[Matrix | None], *, runs: int) -> Matrix:
    """The runs that found something; none at all where fewer than half did."""
    some = [matrix for matrix in found if matrix is not None and np.isfinite(matrix).all()]
    return np.stack(some) if some and 2 * len(some) >= runs else np.zeros((0, 3, 3))
