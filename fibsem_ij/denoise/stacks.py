"""A stack as denoising reads it: numbers only, bad slices replaced, each slice read once."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.volume import ArrayLike


class Finite:
    """A stack whose NaN and infinity are errors that name the slice."""

    def __init__(self, src: ArrayLike, what: str) -> None:
        self.src, self.what, self.shape, self.dtype = src, what, tuple(src.shape), src.dtype

    def __getitem__(self, key: Any) -> Any:
        found = np.asarray(self.src[key])
        if found.dtype.kind == "f" and not np.isfinite(found).all():
            z = key[0] if isinstance(key, tuple) else key
            where = self.what if isinstance(z, slice) else f"slice {z} of {self.what}"
            raise ValueError(f"{where}: expected finite grey values, got NaN or infinity; replace them first")
        return found


class Good:
    """A stack that shows, for a bad slice, the nearest good one.

    Of two as near it is one that is not in `asking`: those slices see it as a neighbour, and should not see their own noise twice.
    """

    def __init__(self, src: ArrayLike, bad: Collection[int], *, asking: Collection[int] = ()) -> None:
        self.src, self.shape, self.dtype, self.bad, self.asking = src, tuple(src.shape), src.dtype, bad, asking

    def __getitem__(self, key: Any) -> Any:
        z, *window = key if isinstance(key, tuple) else (key,)
        z = self.instead(z) if z in self.bad else z
        return self.src[(z, *window)] if window else self.src[z]

    def instead(self, z: int) -> int:
        return min((n for n in range(self.shape[0]) if n not in self.bad), key=lambda n: (abs(n - z), n in self.asking))


class Once:
    """A stack whose slices are remembered as they are read, until they, or later ones, are taken."""

    def __init__(self, src: ArrayLike) -> None:
        self.src, self.shape, self.dtype = src, tuple(src.shape), src.dtype
        self.held: dict[int, npt.NDArray[Any]] = {}

    def __getitem__(self, z: int) -> npt.NDArray[Any]:
        self.held[z] = np.asarray(self.src[z])
        return self.held[z]

    def take(self, z: int) -> npt.NDArray[Any]:
        for before in [n for n in list(self.held) if n < z]:  # it was read as a neighbour alone
            self.held.pop(before, None)
        return self.held.pop(z)


def left_out(bad: Iterable[int], depth: int) -> frozenset[int]:
    """Bad slices of a stack, of which some are good."""
    found = frozenset(int(z) for z in bad)
    if found and not 0 <= min(found) <= max(found) < depth:
        raise ValueError(f"expected bad slices within 0..{depth - 1}, got {sorted(found)}; count from 0")
    if len(found) == depth:
        raise ValueError(f"expected some good slices, got all {depth} of them as bad; name those that are")
    return found
