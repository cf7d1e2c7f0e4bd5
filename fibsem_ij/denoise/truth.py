"""Truth from repeated scans: the same field scanned several times, scans put on one another, the median of each pixel.

A field is (scan, y, x): a stack, or any sequence of slices; a stack scanned again and again is a sequence of fields. The median
forgives the scan that charged or jumped; without outliers the mean is 1.6 dB better with five scans, and a trimmed mean lies between.
`align` puts a field's scans (scan, y, x) onto the first of them: the register room does it, but rooms do not import one another, so
whoever knows both hands it in.

NB: a truth that the noisy scan itself had a say in carries a share of that scan's noise, and a network trained on it learns to let
that share through (1.5 dB lost at 20 dB with five scans). So each scan is trained against the others alone (`Others`), and where the
noisy slice is found to be one of an odd number of scans under a median, its share is taken out again (`Apart`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.volume import ArrayLike

Scans = ArrayLike  # (scan, y, x)
Align = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]  # scans (n, y, x) -> the same on the grid of the first

_ODD = (3, 5, 7, 9, 11)  # scans under a median that `share` looks for
_NEAR = 0.02
_NEARER = 1.05  # times as much in common with the noisy slice: half a pixel's worth; smoothing by resampling alone gains less


def truth(scans: Scans, *, trim: float | None = None, align: Align | None = None) -> npt.NDArray[np.float32]:
    """The median of the scans (n, y, x), or with `trim` their mean without that share at either end (0: the plain mean)."""
    stack = np.asarray(scans[:])
    if stack.ndim != 3 or len(stack) < 2:
        raise ValueError(f"expected at least two scans (scan, y, x) of a field, got shape {stack.shape}; scan it again")
    if stack.dtype.kind == "f" and not np.isfinite(stack).all():
        bad = int(np.argmin(np.isfinite(stack).all((1, 2))))
        raise ValueError(f"scan {bad}: expected finite grey values, got NaN or infinity; leave it out")
    return _middle(align(stack) if align else stack, trim)


def _middle(stack: npt.NDArray[Any], trim: float | None) -> npt.NDArray[np.float32]:
    if trim is None:
        return np.asarray(np.median(stack, axis=0), np.float32)
    if not 0 <= trim < 0.5:
        raise ValueError(f"expected a trim from 0 to below .5, got {trim}; .2 leaves out the least and the greatest of five")
    cut = int(trim * len(stack))
    ordered = np.sort(stack, axis=0) if cut else stack
    return np.asarray(ordered[cut : len(stack) - cut].mean(0, dtype=np.float32))


class Scan:
    """Scan `i` of every field, as a stack (field, y, x)."""

    def __init__(self, fields: Sequence[Scans], i: int) -> None:
        self.fields, self.i = fields, i
        self.shape, self.dtype = (len(fields), *fields[0].shape[1:]), fields[0].dtype

    def __getitem__(self, key: Any) -> Any:
        z, window = _slice(key)
        return np.asarray(self.fields[z][(self.i, *window)])


class Others:
    """Truth for scan `i` of every field: from all the other scans, put on the grid of scan `i`."""

    def __init__(self, fields: Sequence[Scans], i: int, *, trim: float | None = None, align: Align | None = None) -> None:
        self.fields, self.i, self.trim, self.align = fields, i, trim, align
        self.shape, self.dtype = (len(fields), *fields[0].shape[1:]), np.dtype(np.float32)

    def __getitem__(self, key: Any) -> Any:
        z, window = _slice(key)
        if self.align is None:
            stack = np.asarray(self.fields[z][(slice(None), *window)])
            return _middle(np.delete(stack, self.i, axis=0), self.trim)
        stack = np.asarray(self.fields[z][:])
        first = self.align(np.concatenate([stack[self.i : self.i + 1], np.delete(stack, self.i, axis=0)]))
        return _middle(first[1:], self.trim)[window]


class Apart:
    """Truth without the noisy slice's own say in it: (truth - share * noisy) / (1 - share)."""

    def __init__(self, noisy: ArrayLike, clean: ArrayLike, share: float) -> None:
        self.noisy, self.clean, self.share = noisy, clean, np.float32(share)
        self.shape, self.dtype = clean.shape, np.dtype(np.float32)

    def __getitem__(self, key: Any) -> Any:
        noisy, clean = (np.asarray(stack[key]).astype(np.float32) for stack in (self.noisy, self.clean))
        return (clean - self.share * noisy) / (1 - self.share)


def onto(noisy: ArrayLike, clean: ArrayLike, align: Align, *, slices: Sequence[int], bad: Collection[int] = ()) -> ArrayLike:
    """Truth put slice by slice onto the noisy stack, in memory; as it is where the slices looked at lie on one another already."""

    def moved(z: int) -> npt.NDArray[np.float32]:
        return np.asarray(align(np.stack([np.asarray(stack[z], np.float32) for stack in (noisy, clean)]))[1], np.float32)

    looked = [z for z in slices if z not in bad]
    gains = [_common(noisy[z], moved(z)) - _NEARER * _common(noisy[z], clean[z]) for z in looked]
    if not gains or np.median(gains) <= 0:
        return clean
    return np.stack([np.asarray(clean[z], np.float32) if z in bad else moved(z) for z in range(clean.shape[0])])


def _common(noisy: Any, clean: Any) -> float:
    """Correlation, which knows nothing of contrast; 0 where one is blank."""
    a, b = (np.asarray(plane, np.float64) - np.mean(plane, dtype=np.float64) for plane in (noisy, clean))
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / size if size else 0.0


def share(noisy: ArrayLike, clean: ArrayLike, *, slices: Sequence[int]) -> float:
    """The say that `noisy` had in `clean`: 1/n where clean is the median of n = 3, 5, ... scans of which noisy is one, else 0.

    Such a median IS the noisy value in every n-th pixel; in another truth only as often as in the values next to it.
    """
    same = near = pixels = 0
    for z in slices:
        a, b = np.asarray(noisy[z]), np.asarray(clean[z])
        inside = (a > a.min()) & (a < a.max())  # the ends hold all that was clipped there
        off = a[inside].astype(np.float64) - b[inside]
        same, pixels = same + int((off == 0).sum()), pixels + off.size
        near += int((np.abs(off) == 1).sum()) if a.dtype.kind in "iu" else 0
    found = (same - near / 2) / pixels if pixels else 0.0
    return next((1 / n for n in _ODD if abs(found - 1 / n) < _NEAR), 0.0)


def checked(fields: Sequence[Scans]) -> int:
    """The number of scans, the same in every field; fields are of one size and dtype."""
    if not fields:
        raise ValueError("expected at least one field of repeated scans, got none; give a folder a field")
    kinds = {(tuple(f.shape), str(f.dtype)) for f in fields}
    if len(kinds) > 1 or len(fields[0].shape) != 3 or fields[0].shape[0] < 2:
        raise ValueError(f"expected fields of one shape (scan, y, x), two scans or more, and one dtype, got {sorted(map(str, kinds))}; "
                         "leave out scans so that each field has as many")
    return int(fields[0].shape[0])


def _slice(key: Any) -> tuple[int, tuple[Any, ...]]:
    z, *window = key if isinstance(key, tuple) else (key,)
    return int(z), tuple(window)
