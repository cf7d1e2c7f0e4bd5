"""The part of a report on what the microscope's headers say of the slices: how thick they are, and which make one doubt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fibsem_ij.files.scans import GOOD
from fibsem_ij.report import page


def part(said: Mapping[str, Any] | None) -> str:
    """Of slices.csv; nothing where there is none, or another's."""
    if not said or not {"slice", "thickness_nm", "note"} <= said.keys():
        return ""
    rows = [(str(name), str(note)) for name, note in zip(said["slice"], said["note"], strict=True) if note != GOOD]
    listed = page.table(("slice", "what"), rows) if rows else ""
    return page.heading("By the headers of the microscope (slices.csv)") + page.text(_thickness(said["thickness_nm"], rows)) + listed


def _thickness(steps: Any, rows: list[tuple[str, str]]) -> str:
    if steps.dtype.kind not in "if" or not np.isfinite(steps).any():
        return "They say nothing of the thickness of slices, or of missing ones."
    low, middle, high = np.nanpercentile(steps, (5, 50, 95))
    return f"Slices are {middle:.4g} nm thick, nine in ten between {low:.4g} and {high:.4g}" + (":" if rows else "; none is missing.")
