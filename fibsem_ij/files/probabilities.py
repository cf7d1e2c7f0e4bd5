"""Class probabilities on disk: one OME-Zarr 0.4 (c, z, y, x) of uint8, 255 is certain, each channel with the name of its class.

Channels are exclusive, what is left of 255 is the background's; or each is for itself. A store that does not say so is of the first kind.

Fiji and napari show the channels under those names. Chunks are one slice of one channel deep, so slices are written in any order with
one in memory. Only what was written here is read again: Zstandard with checksums, every chunk there, so nothing that was cut or
changed on the way goes by.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import zarr

from fibsem_ij.arrays.colours import colours_of
from fibsem_ij.files import chunks
from fibsem_ij.files.behind import Behind, behind
from fibsem_ij.files.journal import NAME, Journal
from fibsem_ij.files.json_files import read_json
from fibsem_ij.files.pyramid import Copies, coarser, placed
from fibsem_ij.files.stack import Pixels, Slices, Window, check_slice
from fibsem_ij.files.whole import whole_folder
from fibsem_ij.files.zarr import CHUNK, OURS, VERSION, begun
from fibsem_ij.volume import Volume, slice_names

Voxel = tuple[float, float, float]
_AXES = ("c", "z", "y", "x")


@dataclass(frozen=True, eq=False)
class Probabilities:
    """`[c]` is the stack of a channel, read when it is asked; `[c, z]` a slice of it; `[:, z]` that of all channels."""

    data: Any  # (c, z, y, x)
    names: Mapping[int, str]  # class id -> name, in the order of the channels
    voxel_nm: Voxel | None = None
    slice_names: tuple[str, ...] = ()
    path: Path = Path()
    least_px: Mapping[str, int] = field(default_factory=dict)  # class -> area of its smallest pieces in a slice
    exclusive: bool = True  # channels and background share 255 between them

    @property
    def shape(self) -> tuple[int, int, int, int]:
        c, z, y, x = (int(n) for n in self.data.shape)
        return (c, z, y, x)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint8)

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.names.values())

    def __getitem__(self, key: Any) -> Any:
        channels, *rest = key if isinstance(key, tuple) else (key,)
        if isinstance(channels, slice):
            return np.stack([np.asarray(self._stack(c)[tuple(rest)]) for c in range(self.shape[0])[channels]])
        stack = self._stack(range(self.shape[0])[channels])
        return stack[tuple(rest)] if rest else Volume(stack, self.voxel_nm, self.slice_names)

    def of(self, name: str) -> Volume:
        """The stack of a class."""
        if name not in self.classes:
            raise ValueError(f"{self.path}: expected a class {name!r}, got {', '.join(self.classes)}; name one of them")
        stack: Volume = self[self.classes.index(name)]
        return stack

    def _stack(self, channel: int) -> Slices:
        return Slices(self.shape[1:], self.dtype, partial(_pixels, self.data, self.path, channel))


class Filled:
    """What `create` hands out: whole slices in, `out[c, z] = slice` or `out[:, z] = slices`, and out again. They are written two at a time
    while the next ones are made, and the coarser copies with them."""

    writing: Behind  # two at a time, by `put`

    def __init__(self, levels: Sequence[Any], part: Path, journal: Journal | None) -> None:
        """`levels`: the array and its copies, the finest first."""
        self.shape, self.dtype = tuple(levels[0].shape), np.dtype(np.uint8)
        self._journal, self._done, self._lock = journal, np.zeros(self.shape[:2], bool), Lock()
        self._channels = [[chunks.Packed(array, part / str(level), (c,)) for level, array in enumerate(levels)]
                          for c in range(self.shape[0])]
        self._copies = [Copies(stack, nearest=False) for stack in self._channels]
        if journal:
            journal.check(lambda z: np.asarray(levels[0][:, z]))
            self._done[:, list(journal.sums)] = True

    @property
    def done(self) -> frozenset[int]:
        """The slices that are there with all their channels, an earlier run's among them."""
        return frozenset(np.flatnonzero(self._done.all(0)).tolist())

    def __setitem__(self, key: tuple[Any, int], value: Pixels) -> None:
        if value.dtype != np.uint8 or value.shape[-2:] != self.shape[2:]:
            raise ValueError(f"expected slices of {self.shape[2:]} uint8, got {value.shape} {value.dtype}; scale probabilities to 0..255")
        channels, z = key
        these = range(self.shape[0])[channels]
        at = (these,) if isinstance(these, int) else tuple(these)
        self.writing.put((at, range(self.shape[1])[z]), value.reshape(len(at), *self.shape[2:]))

    def put(self, key: tuple[tuple[int, ...], int], pixels: Pixels) -> None:
        channels, z = key
        for c, one in zip(channels, pixels, strict=True):
            self._channels[c][0][z] = one
            self._copies[c].add(z, one)
        with self._lock:
            self._done[list(channels), z] = True
            whole = self._done[:, z].all()
        if self._journal and whole:
            self._journal.add(z, pixels if len(channels) == self.shape[0] else np.stack([stack[0][z] for stack in self._channels]))

    def __getitem__(self, key: Any) -> Pixels:
        return self.writing[key]

    def finish(self) -> None:
        self.writing.wait()
        if not self._done.all():
            missing = ", ".join(f"channel {c}, slice {z}" for c, z in np.argwhere(~self._done)[:3].tolist())
            raise ValueError(f"expected all {self._done.size} slices to be written, got {self._done.sum()}; missing {missing}")
        for copies in self._copies:
            copies.finish()


def found(path: Path) -> bool:
    """Whether `path` is such a store."""
    attributes = Path(path) / ".zattrs"
    return attributes.exists() and "probabilities" in read_json(attributes).get(OURS, {})


@contextmanager
def create(path: Path, *, names: Mapping[int, str], shape: Sequence[int], voxel_nm: Voxel | None = None,
           slice_names: Sequence[str] = (), least_px: Mapping[str, int] | None = None, exclusive: bool = True, resume: str = "",
           of: Sequence[str] = ()) -> Iterator[Filled]:
    """An array (c, z, y, x) to fill for `names`, class id -> name; `shape` is that of the stack, (z, y, x). `resume`, `of`: see files."""
    z, y, x = (int(n) for n in shape)
    if not names or len(set(names.values())) < len(names):
        raise ValueError(f"expected classes of different names, got {dict(names)}; name each once")
    like = Probabilities(np.broadcast_to(np.uint8(0), (len(names), z, y, x)), names, voxel_nm, tuple(slice_names), least_px=least_px or {},
                         exclusive=exclusive)
    with whole_folder(Path(path), stranger=_stranger, stays=bool(resume), size=len(names) * x * y * z * 8 // 7) as part:
        journal = Journal(part, resume, of) if resume else None
        group = begun(part)
        finest: Any = group["0"] if "0" in group else _array(group, 0, like.shape)
        if journal:
            journal.take_over(Path(path), [f"0/{c}" for c in range(len(names))])
        levels = [finest, *(_array(group, level, (len(names), *coarse)) for level, coarse in enumerate(coarser((z, y, x)), 1))]
        out = Filled(levels, part, journal)
        with behind(out.put, levels[0]) as out.writing:
            yield out
            out.finish()
        if journal:
            journal.sort()
        group.attrs.update(_attributes(Path(path).stem, like, laid=chunks.laid_out(group["0"])))


def read(path: Path) -> Probabilities:
    """The store at `path`, opened and checked but not read."""
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"expected {path}, it does not exist; check the name")
    if not found(path):
        raise ValueError(f"{path}: expected class probabilities as segment apply writes them (--probabilities); name such a store")
    said = read_json(path / ".zattrs")
    try:
        array: Any = zarr.open_array(store=str(path / "0"), mode="r", zarr_format=2)
        names = {int(i): str(name) for i, name in said[OURS]["probabilities"]}
        scale = said["multiscales"][0]
        voxel = tuple(scale["datasets"][0]["coordinateTransformations"][0]["scale"][1:]) if "unit" in scale["axes"][1] else None
        least = {str(name): int(px) for name, px in said[OURS].get("least_px", {}).items()}
        result = Probabilities(array, names, voxel, tuple(said[OURS].get("names", ())), path, least,
                               bool(said[OURS].get("exclusive", True)))
        packed = array.metadata.compressor == chunks.CODEC and not array.metadata.filters
        if not packed or array.dtype != np.uint8 or len(names) != array.shape[0] or array.chunks[:2] != (1, 1):
            raise ValueError(f"{array.shape} {array.dtype} of {len(names)} classes, packed by {array.metadata.compressor}")
        if said[OURS].get("array", laid := chunks.laid_out(array)) != laid:
            raise ValueError(f"an array of {laid} that was written as {said[OURS]['array']}")
        check_slice(result.shape[1:], result.dtype, str(path))
        check_slice((1, *array.chunks[2:]), result.dtype, f"{path}, one chunk")
        Volume(result._stack(0), voxel, result.slice_names)
    except Exception as error:  # NB: metadata can be wrong in every way, and each has its own error
        raise ValueError(f"{path}: expected class probabilities, got {type(error).__name__}: {error}; copy it again") from error
    return result


def _pixels(array: Any, path: Path, channel: int, z: int, window: Window) -> Pixels:
    where = f"{path}, channel {channel}, slice {z}"
    return chunks.read(array, path / "0", (channel, z), (channel, z), whole=True, where=where)[window]


def _array(group: zarr.Group, level: int, shape: tuple[int, int, int, int]) -> Any:
    size = (1, 1, min(CHUNK, shape[2]), min(CHUNK, shape[3]))
    return group.create_array(str(level), shape=shape, dtype=np.uint8, chunks=size, compressors=chunks.CODEC, fill_value=0,
                              chunk_key_encoding={"name": "v2", "separator": "/"}, config={"write_empty_chunks": True})


def _attributes(name: str, like: Probabilities, *, laid: str) -> dict[str, Any]:
    unit = {"unit": "nanometer"} if like.voxel_nm else {}
    datasets = [{"path": str(level), "coordinateTransformations": [
        {"type": "scale", "scale": [1.0, *scale]}, {"type": "translation", "translation": [0.0, *centre]}]}
        for level, (scale, centre) in enumerate(placed(like.shape[1:], like.voxel_nm))]
    axes = [{"name": "c", "type": "channel"}, *({"name": axis, "type": "space", **unit} for axis in "zyx")]
    window = {"min": 0, "max": 255, "start": 0, "end": 255}
    channels = [{"label": label, "color": colours_of(i).tobytes().hex().upper(), "window": window, "active": True}
                for i, label in like.names.items()]
    ours: dict[str, Any] = {"whole": True, "array": laid, "probabilities": list(like.names.items()), "least_px": dict(like.least_px),
                            "exclusive": like.exclusive}
    if like.slice_names and like.slice_names != slice_names(like.shape[1]):
        ours["names"] = list(like.slice_names)
    return {"multiscales": [{"version": VERSION, "name": name, "axes": axes, "datasets": datasets}],
            "omero": {"version": VERSION, "channels": channels}, OURS: ours}


def _stranger(path: Path) -> str | None:
    """What in an older folder was never one of ours."""
    ours = found(path)
    own = (".zattrs", ".zgroup", NAME)
    return next((p.name for p in sorted(path.iterdir()) if not (ours and (p.name in own or p.name.isdecimal()))), None)
