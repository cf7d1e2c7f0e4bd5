"""OME-Zarr 0.4 (Zarr v2), in and out: a pyramid by 2, lengths in nanometres, labels as label groups.

A label stack is a store of its own (`labels.zarr`), or a group in the `labels` of an image (`raw.zarr/labels/cells`).
Chunks are one slice deep, so that slices can be written in any order, from several threads or processes, with one in
memory and no chunk written twice. Every pixel type is held as it is. The record is in the attribute "fibsem_ij".

All chunks are written, zeros too, and the store says so ("whole") and how its array is laid out ("array"): what chunks.py holds against it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from fibsem_ij.files import chunks
from fibsem_ij.files.behind import behind
from fibsem_ij.files.journal import Journal
from fibsem_ij.files.json_files import read_json, write_json
from fibsem_ij.files.pyramid import Copies, coarser, placed
from fibsem_ij.files.stack import Filled, Pixels, Slices, Window, check_slice
from fibsem_ij.files.stored import Found, checked_record, record_of
from fibsem_ij.files.units import nanometres
from fibsem_ij.files.whole import whole_folder
from fibsem_ij.volume import Labels, Volume

CHUNK = 1024
OURS = "fibsem_ij"
VERSION = "0.4"
# NB: a store names the codecs that open it, and numcodecs' pickle would run what the store says.
CODECS = {"blosc", "bz2", "delta", "fixedscaleoffset", "gzip", "lz4", "lzma", "packbits", "shuffle", "zlib", "zstd"}


def look(path: Path) -> Found:
    try:
        node = zarr.open(store=str(path), mode="r")
        if isinstance(node, zarr.Array):
            return Found(_stack(node, path, whole=False))
        attributes: dict[str, Any] = dict(node.attrs)
        scales = attributes["multiscales"][0]
        names, finest = [axis["name"] for axis in scales["axes"]], scales["datasets"][0]
        array: Any = node[finest["path"]]
        ours = attributes.get(OURS, {})
        record = checked_record(ours | {"classes": _classes(attributes)}, str(path))
        stack = _stack(array, path / finest["path"], whole=bool(ours.get("whole")))
        if ours.get("array", laid := chunks.laid_out(array)) != laid:
            raise ValueError(f"{path}: expected {finest['path']}/.zarray to say {ours['array']}, got {laid}; it was changed: copy it again")
        found = Found(stack, _voxel(scales["axes"], finest), record=record)
    except Exception as error:  # NB: metadata can be wrong in every way, and each has its own error
        if isinstance(error, ValueError) and str(error).startswith(str(path)):
            raise
        got = f"{type(error).__name__}: {error}"
        raise ValueError(f"{path}: expected an OME-Zarr 0.4 image, got {got}; give the path of an image") from error
    if names[-3:] != ["z", "y", "x"]:
        raise ValueError(f"{path}: expected axes z, y, x, got {', '.join(map(str, names))}; save it as a stack")
    return found


def labels_in(path: Path) -> Path:
    """The label store that `path` means: itself, or the one label group of an image."""
    inside = read_json(path / ".zattrs") if (path / ".zattrs").exists() else {}
    groups = read_json(path / "labels" / ".zattrs").get("labels", []) if (path / "labels" / ".zattrs").exists() else []
    if "image-label" in inside or not groups:
        return path
    if len(groups) > 1:
        raise ValueError(f"{path}: expected one label group, got {', '.join(map(str, groups))}; name one: {path.name}/labels/{groups[0]}")
    return path / "labels" / str(groups[0])


@contextmanager
def create(path: Path, noun: Volume, *, resume: str = "", of: Sequence[str] = ()) -> Iterator[Filled]:
    inside = path.parent.name == "labels" and path.parent.parent.suffix.lower() == ".zarr"
    if inside and not isinstance(noun, Labels):
        raise ValueError(f"expected Labels to write into {path.parent}, got a grey stack; write it to a store of its own")
    size = int(np.prod(noun.shape, dtype=np.float64)) * noun.dtype.itemsize * 8 // 7  # with its smaller copies
    store = whole_folder(path, stranger=_stranger, stays=bool(resume), size=size)
    with _label_group(path) if inside else nullcontext(), store as part:
        journal = Journal(part, resume, of) if resume else None
        group = begun(part)
        finest: Any = group["0"] if "0" in group else _array(group, 0, noun.shape, noun.dtype)
        back = _stack(finest, part / "0", whole=True)
        smaller = [_array(group, level, shape, noun.dtype) for level, shape in enumerate(coarser(noun.shape), 1)]
        levels = [chunks.Packed(array, part / str(level)) for level, array in enumerate((finest, *smaller))]
        copies = Copies(levels, nearest=_nearest(noun))

        def put(z: int, pixels: Pixels) -> None:
            levels[0][z] = pixels
            copies.add(z, pixels)
            if journal:
                journal.add(z, pixels)

        if journal:
            journal.take_over(path, ["0"])
            journal.check(back.__getitem__)
        with behind(put, back) as writing:
            out = Filled(noun.names, noun.shape, noun.dtype, put=writing.put, back=writing, done=journal.sums if journal else ())
            yield out
            out.check_done()
            writing.wait()
        copies.finish()
        if journal:
            journal.sort()
        of_labels = _label_attributes(noun, inside=inside) if isinstance(noun, Labels) else {}
        group.attrs.update(_attributes(path.stem, noun, laid=chunks.laid_out(group["0"])) | of_labels)


def begun(part: Path) -> zarr.Group:
    """The group of a store to fill. Of an unfinished one go chunks that were cut, and the smaller copies, which are made anew."""
    for torn in (part / "0").rglob("*.partial"):
        torn.unlink()
    for level in part.iterdir():
        if level.is_dir() and level.name != "0":
            shutil.rmtree(level)
    return zarr.open_group(store=str(part), mode="a", zarr_format=2)


def _array(group: zarr.Group, level: int, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> Any:
    size = (1, min(CHUNK, shape[1]), min(CHUNK, shape[2]))
    return group.create_array(str(level), shape=shape, dtype=dtype, chunks=size, compressors=chunks.CODEC, fill_value=0,
                              chunk_key_encoding={"name": "v2", "separator": "/"}, config={"write_empty_chunks": True})


def _nearest(noun: Volume) -> bool:
    return isinstance(noun, Labels) or noun.dtype == bool


def _attributes(name: str, noun: Volume, *, laid: str) -> dict[str, Any]:
    unit = {"unit": "nanometer"} if noun.voxel_nm else {}
    datasets = []
    for level, (scale, centre) in enumerate(placed(noun.shape, noun.voxel_nm)):
        changes: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
        if level and not _nearest(noun):
            changes.append({"type": "translation", "translation": centre})
        datasets.append({"path": str(level), "coordinateTransformations": changes})
    multiscale = {"version": VERSION, "name": name, "axes": [{"name": a, "type": "space", **unit} for a in "zyx"], "datasets": datasets}
    return {"multiscales": [multiscale], OURS: {"whole": True, "array": laid, **record_of(noun, noun.dtype, names=True)}}


def _label_attributes(labels: Labels, *, inside: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"version": VERSION}
    if labels.classes:
        told["properties"] = [{"label-value": k, "name": v} for k, v in labels.classes.items()]
    if inside:
        told["source"] = {"image": "../../"}
    return {"image-label": told}


@contextmanager
def _label_group(path: Path) -> Iterator[None]:
    """The `labels` group around a label store of an image; it lists the store once that is whole."""
    folder, image = path.parent, path.parent.parent
    if not (image / ".zgroup").exists():
        raise FileNotFoundError(f"expected an OME-Zarr 0.4 image at {image}, got none; write the image first")
    made = not folder.exists()
    folder.mkdir(exist_ok=True)
    try:
        yield
        write_json(folder / ".zgroup", {"zarr_format": 2})
        before = read_json(folder / ".zattrs") if (folder / ".zattrs").exists() else {}
        write_json(folder / ".zattrs", before | {"labels": sorted({*before.get("labels", []), path.name})})
    finally:
        if made and not any(folder.iterdir()):
            folder.rmdir()


def _stack(array: Any, path: Path, *, whole: bool) -> Slices:
    shape, lead = array.shape[-3:], array.shape[:-3]
    if len(shape) < 3 or any(n != 1 for n in lead):
        raise ValueError(f"{path}: expected a stack (z, y, x), got shape {array.shape}; save each channel or time as its own store")
    check_slice(shape, array.dtype, str(path))
    check_slice((1, *array.chunks), array.dtype, f"{path}, one chunk")
    if array.metadata.zarr_format != 2:
        raise ValueError(f"{path}: expected Zarr v2 (OME-Zarr 0.4), got v{array.metadata.zarr_format}; write it again as 0.4")
    codecs = {codec.codec_id for codec in (array.metadata.compressor, *(array.metadata.filters or ())) if codec}
    if codecs - CODECS or array.dtype.kind not in "buif":
        got = f"{array.dtype} with {', '.join(sorted(codecs)) or 'no codec'}"
        raise ValueError(f"{path}: expected numbers with {', '.join(sorted(CODECS))}, got {got}; write it again with one of them")
    return Slices(shape, array.dtype.newbyteorder("="), partial(_pixels, array, path, whole))


def _pixels(array: Any, path: Path, whole: bool, z: int, window: Window) -> Pixels:
    lead = (0,) * (array.ndim - 3)
    plain = all(isinstance(i, int | np.integer) or (isinstance(i, slice) and (i.step or 1) > 0) for i in window)
    key = (*lead, z, *window) if plain else (*lead, z)
    pixels = chunks.read(array, path, (*lead, z // array.chunks[-3]), key, whole=whole, where=f"{path}, slice {z}")
    pixels = pixels if plain else np.array(pixels[window])
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def _voxel(axes: list[dict[str, str]], finest: dict[str, Any]) -> tuple[float, float, float] | None:
    units = [nanometres(axis.get("unit")) for axis in axes[-3:]]
    scales = [c["scale"] for c in finest.get("coordinateTransformations", ()) if c["type"] == "scale"]
    if not scales or None in units:
        return None
    z, y, x = (float(s) * (u or 0.0) for s, u in zip(scales[0][-3:], units, strict=True))
    return (z, y, x)


def _classes(attributes: dict[str, Any]) -> dict[str, str]:
    properties = attributes.get("image-label", {}).get("properties") or []
    return {str(p["label-value"]): p["name"] for p in properties if "label-value" in p and "name" in p}


def _stranger(path: Path) -> str | None:
    """What in an older store a new one would cost."""
    inside = sorted(p.name for p in path.iterdir())
    if (path / "labels" / ".zattrs").exists():
        return "the labels " + ", ".join(map(str, read_json(path / "labels" / ".zattrs").get("labels", [])))
    return inside[0] if inside and not {".zgroup", ".zarray", "zarr.json"} & set(inside) else None
