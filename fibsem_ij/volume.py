"""The nouns that travel between the rooms: Volume, Labels, Transforms.

Every convention on axes and units is written here and nowhere else:

- Arrays are (z, y, x). One slice is (y, x). Pixel centres lie at whole numbers.
- `voxel_nm` is (z, y, x) in nanometres, or None where nobody knows it.
- Matrices are 3 x 3, act on the column (x, y, 1), and map OUTPUT pixel to INPUT pixel:
  out[y, x] = src[M @ (x, y, 1)]. So `inverse()` tells where an input pixel went.
- A slice has a name: its file's stem in a folder, the zero-padded z in a stack. A drawn slice belongs
  to the slice of its name.
- Label 0 is background.

`data` is anything with `.shape`, `.dtype` and `[]`: a NumPy array, a Zarr array, a memory-mapped file.
Nothing here reads it before it is asked for, so a noun can stand for 50 Gvoxel on disk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

MODELS = ("translation", "rigid", "similarity", "affine")


class ArrayLike(Protocol):
    """What a room asks of `src`: a shape, a dtype, and slices by index."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    def __getitem__(self, key: Any, /) -> Any: ...


class WritableArray(ArrayLike, Protocol):
    """What a room asks of `out`."""

    def __setitem__(self, key: Any, value: Any, /) -> None: ...


def slice_names(depth: int) -> tuple[str, ...]:
    """The names of unnamed slices: "0000", "0001", ...; wider when there are more than 10,000."""
    width = max(4, len(str(max(depth - 1, 0))))
    return tuple(f"{z:0{width}d}" for z in range(depth))


def checked_voxel(voxel_nm: Sequence[float] | None) -> tuple[float, float, float] | None:
    if voxel_nm is None:
        return None
    try:
        z, y, x = (float(v) for v in voxel_nm)
    except (TypeError, ValueError):
        z = y = x = float("nan")
    if not all(np.isfinite(v) and v > 0 for v in (z, y, x)):
        raise ValueError(f"expected voxel_nm as three positive numbers (z, y, x), got {voxel_nm!r}; give nanometres or None")
    return (z, y, x)


@dataclass(frozen=True, eq=False)
class Volume:
    """A grey stack. `volume[z]` is slice z in memory; `np.asarray(volume)` is all of it."""

    data: Any  # (z, y, x)
    voxel_nm: tuple[float, float, float] | None = None
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for need in ("shape", "dtype", "__getitem__"):
            if not hasattr(self.data, need):
                raise ValueError(f"expected an array, got {type(self.data).__name__}; wrap it with numpy.asarray")
        if len(self.data.shape) != 3 or 0 in self.data.shape:
            raise ValueError(f"expected a stack (z, y, x) with at least one pixel, got shape {tuple(self.data.shape)}; "
                             "add or drop axes first (one slice: array[None])")
        if np.dtype(self.data.dtype).kind not in self._kinds:
            raise ValueError(f"expected {self._wanted}, got dtype {self.data.dtype}; convert it with .astype first")
        names = tuple(str(n) for n in self.names) or slice_names(self.data.shape[0])
        if len(names) != self.data.shape[0]:
            raise ValueError(f"expected {self.data.shape[0]} slice names, one a slice, got {len(names)}")
        if len(set(names)) != len(names):
            twice = next(n for i, n in enumerate(names) if n in names[:i])
            raise ValueError(f"expected slice names that differ, got {twice!r} twice; rename one of the slices")
        object.__setattr__(self, "voxel_nm", checked_voxel(self.voxel_nm))
        object.__setattr__(self, "names", names)

    _kinds = "buif"
    _wanted = "grey values (bool, integer or float)"

    @property
    def shape(self) -> tuple[int, int, int]:
        z, y, x = (int(n) for n in self.data.shape)
        return (z, y, x)

    @property
    def dtype(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = np.dtype(self.data.dtype)
        return dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        return np.asarray(self.data[key])

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        whole = np.asarray(self.data[:] if not isinstance(self.data, np.ndarray) else self.data, dtype=dtype)
        return whole.copy() if copy and np.shares_memory(whole, self.data) else whole

    def with_data(self, data: Any) -> Self:
        """The same slices and voxel size with other pixels."""
        return replace(self, data=data)


@dataclass(frozen=True, eq=False)
class Labels(Volume):
    """A stack of object or class numbers. `classes` names the numbers of a class layer; an instance layer has none."""

    classes: Mapping[int, str] = field(default_factory=dict)

    _kinds = "ui"
    _wanted = "label numbers (integers)"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "classes", MappingProxyType({int(k): str(v) for k, v in self.classes.items()}))

    def __reduce__(self) -> tuple[Any, ...]:  # NB: a mapping proxy cannot be pickled
        return type(self), (self.data, self.voxel_nm, self.names, dict(self.classes))


@dataclass(frozen=True, eq=False)
class Transforms:
    """One matrix a slice, output pixel -> input pixel, onto a canvas (height, width)."""

    matrices: npt.NDArray[np.float64]  # (z, 3, 3)
    canvas: tuple[int, int]
    model: str = "affine"
    voxel_nm: tuple[float, float, float] | None = None
    spread_px: npt.NDArray[np.float64] | None = None  # (z,) how far the runs disagree
    bad: tuple[int, ...] = ()
    why: Mapping[int, str] = field(default_factory=dict)  # bad slice -> what is wrong with it, where somebody knows

    def __post_init__(self) -> None:
        matrices = np.array(self.matrices, np.float64)
        if matrices.ndim != 3 or matrices.shape[1:] != (3, 3) or not len(matrices):
            raise ValueError(f"expected matrices (slices, 3, 3), got shape {matrices.shape}")
        with np.errstate(all="ignore"):
            determinant = matrices[:, 0, 0] * matrices[:, 1, 1] - matrices[:, 0, 1] * matrices[:, 1, 0]
        wrong = ~(np.isfinite(matrices).all((1, 2)) & (np.abs(determinant) > 1e-12) & (matrices[:, 2] == (0, 0, 1)).all(1))
        if wrong.any():
            raise ValueError(f"expected invertible matrices with last row 0 0 1, slice {int(wrong.argmax())} has "
                             f"{matrices[wrong.argmax()].tolist()}; use the identity for a slice without a transform")
        if self.model not in MODELS:
            raise ValueError(f"expected a model of {', '.join(MODELS)}, got {self.model!r}")
        height, width = (int(n) for n in self.canvas)
        if height < 1 or width < 1:
            raise ValueError(f"expected a canvas (height, width) of at least 1 x 1, got {self.canvas!r}")
        spread = np.zeros(len(matrices)) if self.spread_px is None else np.array(self.spread_px, np.float64)
        if spread.shape != (len(matrices),):
            raise ValueError(f"expected one spread_px a slice ({len(matrices)}), got shape {spread.shape}")
        bad = tuple(sorted({int(z) for z in self.bad}))
        if bad and not 0 <= bad[0] <= bad[-1] < len(matrices):
            raise ValueError(f"expected bad slices within 0..{len(matrices) - 1}, got {list(bad)}")
        why = MappingProxyType({int(z): str(self.why[z]) for z in sorted(self.why)})
        if good := sorted(why.keys() - set(bad)):
            raise ValueError(f"expected reasons of bad slices in why, got one of slice {good[0]}; take it out, or name the slice in bad")
        for array in (matrices, spread):
            array.setflags(write=False)
        checked = {"matrices": matrices, "canvas": (height, width), "voxel_nm": checked_voxel(self.voxel_nm),
                   "spread_px": spread, "bad": bad, "why": why}
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.matrices, self.canvas, self.model, self.voxel_nm, self.spread_px, self.bad, dict(self.why))

    def __len__(self) -> int:
        return len(self.matrices)

    def inverse(self, canvas: tuple[int, int]) -> Transforms:
        """Input pixel -> output pixel; `canvas` is the size of the input slices, which these matrices do not know."""
        inverted = np.linalg.inv(self.matrices)
        inverted[:, 2] = (0, 0, 1)
        return replace(self, matrices=inverted.astype(np.float64), canvas=canvas)
