"""Least squares over slices in a row, each with a few unknowns, each tied to near ones only: a banded system.

Time and memory grow linearly with the slices.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import solveh_banded

from fibsem_ij.register.models import Index, Matrix

_LOOSE = 1e-9  # holds what nothing holds: a stack as a whole may lie anywhere


class System:
    """Collects observations of the unknowns (slices, free); `solved` gives them."""

    def __init__(self, slices: int, free: int, reach: int) -> None:
        self.blocks = np.zeros((reach + 1, slices, free, free))  # blocks[d, i] ties slice i + d (rows) to slice i
        self.blocks[0] += _LOOSE * np.eye(free)
        self.right = np.zeros((slices, free))

    def observe(self, first: Index, second: Index, weight: Matrix, difference: Matrix) -> None:
        """x[second] - x[first] is `difference` (pairs, free), known by `weight` (pairs, free, free)."""
        np.add.at(self.blocks[0], first, weight)
        np.add.at(self.blocks[0], second, weight)
        np.add.at(self.blocks, (second - first, first), -weight)
        pulled = np.einsum("pij,pj->pi", weight, difference)
        np.add.at(self.right, second, pulled)
        np.add.at(self.right, first, -pulled)

    def prefer(self, which: Index, weight: Matrix, value: Matrix) -> None:
        """x[which] is `value` (n, free), each number known by its `weight` (n, free)."""
        np.add.at(self.blocks[0], which, weight[:, :, None] * np.eye(weight.shape[1]))
        np.add.at(self.right, which, weight * value)

    def solved(self) -> Matrix:
        reach, slices, free = (n - 1 if i == 0 else n for i, n in enumerate(self.blocks.shape[:3]))
        lower = np.zeros(((reach + 1) * free, slices * free))  # lower[r - c, c] holds row r, column c
        for d in range(reach + 1):
            for row in range(free):
                for column in range(free):
                    below = d * free + row - column
                    if below >= 0:
                        lower[below, column::free] = self.blocks[d, :, row, column]
        solution: Matrix = solveh_banded(lower, self.right.ravel(), lower=True)
        return solution.reshape(slices, free)
