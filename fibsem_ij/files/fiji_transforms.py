"""Transforms as Fiji's `Transform Virtual Stack Slices` reads and `Register Virtual Stack Slices` writes them: a folder, NAME.xml a slice.

    <ict_transform_list>
      <iict_transform class="mpicbg.trakem2.transform.AffineModel2D" data="m00 m10 m01 m11 m02 m12" />
    </ict_transform_list>

TrakEM2 stores the transform of a patch in the same XML. Learned from the sources of fiji/register_virtual_stack_slices
(readCoordinateTransform, saveTransform), axtimwalde/mpicbg (models, TransformMesh) and trakem2-transform (init, toXML):

- x' = m00 x + m01 y + m02, y' = m10 x + m11 y + m12: data goes column by column, and INPUT pixel -> OUTPUT pixel, so it is
  the inverse of ours. Pixel centres lie at whole numbers there as here: nothing is to be shifted.
- A list is applied from the first to the last. Fiji reads line by line, one transform a line, class before data.
- Only AffineModel2D is parsed as double there, the other models as float: written is always that, whatever the model.
- Fiji matches images and transforms by rank, each listed in plain alphabetic order, not by name, and wants as many of both.
- Files know neither canvas, voxel size, spread nor bad slices: transforms.json does. NB: Fiji's own canvas is what
  all slices and the first one unmoved need, so its pixel (0, 0) may be another pixel than ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import cos, sin
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

from fibsem_ij.files.folder import check_names, natural
from fibsem_ij.files.whole import whole_folder
from fibsem_ij.volume import MODELS, Transforms

Matrix = npt.NDArray[np.float64]
_PACKAGE = "mpicbg.trakem2.transform."
_LISTS, _ONES = ("ict_transform_list", "iict_transform_list"), ("ict_transform", "iict_transform")
_LARGEST = 2**20  # bytes; a list of affines has a few hundred
_XML = "<ict_transform_list>\n\t<iict_transform class=\"{}AffineModel2D\" data=\"{}\" />\n</ict_transform_list>\n"

# Model -> its numbers in the file, and these as m00 m10 m01 m11 m02 m12.
_READ: dict[str, tuple[int, Callable[..., tuple[float, ...]]]] = {
    "translation": (2, lambda tx, ty: (1, 0, 0, 1, tx, ty)),
    "rigid": (3, lambda angle, tx, ty: (cos(angle), sin(angle), -sin(angle), cos(angle), tx, ty)),
    "similarity": (4, lambda c, s, tx, ty: (c, s, -s, c, tx, ty)),
    "affine": (6, lambda *six: six),
}
_MODEL_OF = {f"{_PACKAGE}{model.capitalize()}Model2D": model for model in MODELS}


def write(folder: Path, transforms: Transforms, *, names: Sequence[str]) -> None:
    """One XML a slice, of the name of the slice."""
    _check_names(names, len(transforms))
    forward = transforms.inverse(transforms.canvas).matrices
    with whole_folder(Path(folder), stranger=_stranger) as part:
        for name, matrix in zip(names, forward, strict=True):
            data = " ".join(repr(v) for v in matrix[:2].T.ravel().tolist())
            (part / f"{name}.xml").write_text(_XML.format(_PACKAGE, data), encoding="utf-8", newline="\n")


def read(folder: Path, *, canvas: tuple[int, int], names: Sequence[str] | None = None,
         voxel_nm: tuple[float, float, float] | None = None) -> Transforms:
    """The transforms of a folder, by the natural order of their names, or those of the slices `names`, all of them.

    `canvas` is the size (height, width) that the output is to have: that of the slices, or what was given to `write`.
    """
    files = _files(Path(folder))
    if names is not None and (odd := sorted(set(names) ^ {file.stem for file in files}, key=natural)):
        raise ValueError(f"{folder}: expected one .xml for each of {len(names)} slices, got {len(files)}; look at {odd[0]}.xml")
    found = [_transform(file) for file in files]
    # The model that holds them all: MODELS goes from the strict to the free.
    model = max((used for _, used in found), key=MODELS.index)
    return Transforms(np.stack([matrix for matrix, _ in found]), canvas, model, voxel_nm).inverse(canvas)


def _transform(file: Path) -> tuple[Matrix, str]:
    """The matrix of a file, input -> output pixel, and its freest model."""
    steps = [_step(element, file) for element in _parsed(file).iter() if element.tag not in _LISTS]
    matrix = np.eye(3)
    with np.errstate(all="ignore"):
        for step, _ in steps:
            matrix = step @ matrix
        determinant = np.linalg.det(matrix)
    if not np.isfinite(matrix).all() or not abs(determinant) > 1e-12:
        raise ValueError(f"{file}: expected a transform that can be inverted, got {matrix[:2].tolist()}; register this slice again")
    return matrix, max((model for _, model in steps), key=MODELS.index, default=MODELS[0])


def _step(element: ElementTree.Element, file: Path) -> tuple[Matrix, str]:
    if element.tag not in _ONES:
        raise ValueError(f"{file}: expected {_LISTS[0]} and {_ONES[1]}, got {element.tag[:80]!r}; this is no transform file")
    kind, data = element.get("class", ""), element.get("data", "")
    if kind not in _MODEL_OF:
        raise ValueError(f"{file}: expected a class of {', '.join(_MODEL_OF)}, got {kind[:80]!r}; "
                         "register with a translation, rigid, similarity or affine model, others have no matrix")
    model = _MODEL_OF[kind]
    count, as_affine = _READ[model]
    try:
        numbers = [float(word) for word in data.split()]
    except ValueError as error:
        raise ValueError(f"{file}: expected numbers in data, got {data[:80]!r}; the file is damaged") from error
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise ValueError(f"{file}: expected {count} finite numbers in data of {kind}, got {data[:80]!r}; the file is damaged")
    step = np.eye(3)
    step[:2] = np.reshape(as_affine(*numbers), (3, 2)).T
    return step, model


def _parsed(file: Path) -> ElementTree.Element:
    """The XML of a file from anywhere: no entities are declared in it, so none can blow up or name other files."""
    if file.stat().st_size > _LARGEST:
        raise ValueError(f"{file}: expected at most {_LARGEST} bytes, got {file.stat().st_size}; this is no transform of a slice")
    try:
        text = file.read_text(encoding="utf-8-sig")
        if "<!DOCTYPE" in text:
            raise ValueError("got a DOCTYPE, which Fiji does not write; remove it")
        return ElementTree.fromstring(text)
    except (ValueError, ElementTree.ParseError) as error:
        raise ValueError(f"{file}: expected the XML of a transform, {error}") from error


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise FileNotFoundError(f"expected a folder with an .xml for each slice, got {folder}; check the name")
    files = sorted((p for p in folder.iterdir() if p.suffix.lower() == ".xml" and p.name[0] != "."), key=lambda p: natural(p.stem))
    if not files:
        raise ValueError(f"{folder}: expected an .xml for each slice, got none; check the name")
    return files


def _check_names(names: Sequence[str], count: int) -> None:
    if len(names) != count:
        raise ValueError(f"expected a name for each of {count} slices, got {len(names)}; give those of the stack")
    check_names(names)
    # NB: Fiji goes by rank, and `a` comes before `a.x` as .tif but after it as .xml.
    images, files = (sorted(name + suffix for name in names) for suffix in (".tif", ".xml"))
    name = next((a[:-4] for a, b in zip(images, files, strict=True) if a[:-4] != b[:-4]), None)
    if name is not None:
        raise ValueError(f"expected names that sort alike as .tif and as .xml, got {name!r} and the like; use names without dots")


def _stranger(folder: Path) -> str | None:
    """What in an older folder was never one of our results."""
    return next((p.name for p in sorted(folder.iterdir()) if p.is_dir() or p.suffix.lower() != ".xml"), None)
