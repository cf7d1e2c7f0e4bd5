"""Volume and Labels <-> ij.ImagePlus. One undoes the other.

| in Python          | in ImageJ                                    | back                                              |
|--------------------|----------------------------------------------|---------------------------------------------------|
| uint8              | 8-bit                                        | the same                                          |
| uint16             | 16-bit                                       | the same                                          |
| float32            | 32-bit                                       | the same, NaN and -0.0 included                   |
| bool               | 8-bit, 0 and 255                             | bool while only 0 and 255 are there, else uint8   |
| float16            | 32-bit                                       | float16 while every value fits, else float32      |
| other integers     | 16-bit if all in 0..65535, 32-bit if all     | the dtype it left in while every value fits,      |
|                    | within +-2^24, else refused                  | else uint16 or float32                            |
| float64, longer    | 32-bit if every value is exact there,        | the dtype it left in                              |
|                    | else refused                                 |                                                   |
| Labels             | 16-bit to 65,535, 32-bit to 2^24; beyond,    | Labels of the dtype it left in, with its ids and  |
|                    | renumbered with the ids kept, else refused   | classes                                           |

What only Python knows (that a stack is labels, its dtype, ids, classes) travels as the image property "fibsem_ij", which ImageJ
keeps through Duplicate and in its TIFFs. From ImageJ also: signed 16-bit as int16, RGB as grey where the channels agree.
Voxels are written in nm. A name that ImageJ lacks becomes the default name of its slice; one that comes twice gets "-2", "-3".
A label image shows id k in row k of the label colours up to 255; with larger ids the table is stretched over 0..largest id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.fiji import grey, label_ids
from fibsem_ij.fiji.errors import FijiError, translated
from fibsem_ij.fiji.pixels import PIXELS, fits_heap, from_stack, to_stack, to_virtual_stack
from fibsem_ij.fiji.words import one_line
from fibsem_ij.volume import Labels, Volume, WritableArray, slice_names

_MARK = "fibsem_ij"
_UNIT_NM = {
    "pm": 1e-3, "å": 0.1, "angstrom": 0.1, "nm": 1.0, "nanometer": 1.0, "nanometre": 1.0,
    "um": 1e3, "µm": 1e3, "μm": 1e3, "micron": 1e3, "microns": 1e3, "micrometer": 1e3, "micrometre": 1e3,
    "mm": 1e6, "millimeter": 1e6, "millimetre": 1e6, "cm": 1e7, "m": 1e9, "meter": 1e9, "metre": 1e9,
    "inch": 25.4e6, "inches": 25.4e6, "in": 25.4e6,
}
_NO_UNIT = ("", "pixel", "pixels", "px", "voxel", "voxels")


@dataclass(frozen=True)
class Mark:
    """What only Python knows of an image, as it travels with it."""

    dtype: str = ""
    labels: bool = False
    classes: Mapping[int, str] = field(default_factory=dict)
    ids: Sequence[int] = ()  # pixel value k stands for ids[k]; empty: for itself

    def write(self, imp: Any) -> None:
        imp.setProp(_MARK, json.dumps({"dtype": self.dtype, "labels": self.labels, "classes": dict(self.classes), "ids": list(self.ids)}))

    @classmethod
    def read(cls, imp: Any) -> Mark:
        text = imp.getProp(_MARK)
        if text is None:
            return cls()
        try:
            said = json.loads(str(text))
            classes = {int(k): str(v) for k, v in said["classes"].items()}
            return cls(str(np.dtype(said["dtype"])), bool(said["labels"]), classes, tuple(int(i) for i in said["ids"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FijiError(f'expected image property "{_MARK}" as written here, got {str(text)[:80]!r}; remove it') from error


def to_fiji(noun: Volume, *, title: str, folder: Path) -> Any:
    """An ij.ImagePlus, not shown. What does not fit Java's heap is file-backed in `folder`."""
    names = [one_line(name, "a slice name") for name in noun.names]
    crossing = label_ids.crossing(noun) if isinstance(noun, Labels) else grey.crossing(noun)
    pixel = PIXELS[crossing.bits]
    if fits_heap(noun.shape, pixel):
        stack = to_stack(crossing.source, noun.shape, pixel, names)
    else:
        stack = to_virtual_stack(crossing.source, noun.shape, pixel, names, folder)
    with translated("make an ImagePlus"):
        imp = _image_plus(one_line(title, "an image title"), stack, noun)
        if isinstance(noun, Labels):
            Mark(str(noun.dtype), True, noun.classes, [int(i) for i in crossing.ids]).write(imp)
            _colour(imp, crossing.largest)
        elif noun.dtype != pixel.dtype:
            Mark(str(noun.dtype.newbyteorder("="))).write(imp)
    return imp


def from_fiji(
    imp: Any, *, labels: bool | None = None, voxel_nm: Sequence[float] | None = None, out: WritableArray | None = None
) -> Volume | Labels:
    """The noun of an ij.ImagePlus. `labels`: read it as Labels or not (None: as it is marked). `voxel_nm` overrides ImageJ's.
    `out` takes the pixels slice by slice (a Zarr array, a memory map) instead of a new array."""
    with translated("read the image"):
        shape = _shape(imp)
        mark = Mark.read(imp)
        as_labels = mark.labels if labels is None else labels
        voxel: Any = voxel_nm if voxel_nm is not None else _voxel_nm(imp)
        names = _names(imp, shape[0])
        stack, bits = imp.getStack(), int(imp.getBitDepth())
        if bits not in PIXELS or (stack.isVirtual() and int(stack.getSize()) != shape[0]):
            raise FijiError(f"expected 8, 16, 32 bit or RGB and {shape[0]} slices, got {bits} bit and {int(stack.getSize())} slices")
        signed = bits == 16 and bool(imp.getLocalCalibration().isSigned16Bit())
    reader: grey.Reader | label_ids.Reader
    if as_labels:
        reader = label_ids.Reader(mark.dtype or "uint32", mark.ids, bits)
    else:
        reader = grey.Reader(bits, signed, "" if mark.labels else mark.dtype)
    data = _read(stack, shape, bits, reader, out)
    try:
        return Labels(data, voxel, names, mark.classes) if as_labels else Volume(data, voxel, names)
    except ValueError as error:
        raise FijiError(f"{error}; correct it under Image > Properties, or pass voxel_nm") from error


def _read(stack: Any, shape: tuple[int, int, int], bits: int, reader: grey.Reader | label_ids.Reader, out: WritableArray | None) -> Any:
    if out is not None and tuple(out.shape) != shape:
        raise FijiError(f"expected `out` of shape {shape}, got {tuple(out.shape)}")
    pixel = PIXELS[bits]
    target: Any = np.empty(shape, reader.dtype) if out is None else out
    if reader.plain and target.dtype == pixel.dtype and isinstance(target, np.ndarray) and target.flags.c_contiguous:
        from_stack(stack, shape, pixel, target)
    else:

        def take(z: int, raw: npt.NDArray[Any]) -> None:
            values = reader.values(z, raw)
            target[z] = values if out is None else exactly(values, target.dtype, z)

        from_stack(stack, shape, pixel, take)
    return reader.restored(target) if out is None else target


def exactly(values: npt.NDArray[Any], dtype: np.dtype[Any], z: int) -> npt.NDArray[Any]:
    """The same values in another dtype, or a FijiError."""
    cast = grey.cast_if_exact(values, dtype)
    if cast is None:
        raise FijiError(f"expected slice {z} to fit `out` of dtype {dtype}, got {values.dtype} values that do not; use a wider dtype")
    return cast


def _image_plus(title: str, stack: Any, noun: Volume) -> Any:
    from jpype import JClass

    imp = JClass("ij.ImagePlus")(title, stack)
    got = (int(imp.getStackSize()), int(imp.getHeight()), int(imp.getWidth()))
    if got != noun.shape:
        raise FijiError(f"expected {noun.shape} (slices, height, width) in ImageJ, got {got}; start with a larger heap")
    imp.setDimensions(1, noun.shape[0], 1)
    if noun.voxel_nm is not None:
        calibration = imp.getCalibration()
        calibration.pixelDepth, calibration.pixelHeight, calibration.pixelWidth = noun.voxel_nm
        calibration.setUnit("nm")
    return imp


def _colour(imp: Any, largest: int) -> None:
    """The label colours. ImageJ scales min..max onto the 256 rows."""
    from jpype import JArray, JByte, JClass

    from fibsem_ij.arrays.colours import as_lut

    lut = JClass("ij.process.LUT")(*(JArray(JByte)(channel.view(np.int8).tolist()) for channel in as_lut()))
    imp.setLut(lut)
    imp.setDisplayRange(0, max(largest, 255))


def _shape(imp: Any) -> tuple[int, int, int]:
    channels, slices, frames = int(imp.getNChannels()), int(imp.getNSlices()), int(imp.getNFrames())
    if channels > 1:
        raise FijiError(f"expected one channel, got {channels}; use Image > Color > Split Channels and take one")
    if frames > 1:
        raise FijiError(f"expected one time point, got {frames} frames and {slices} slices; if the frames are slices, "
                        "swap them in Image > Properties, else take one with Image > Duplicate")
    return (int(imp.getStackSize()), int(imp.getHeight()), int(imp.getWidth()))


def _voxel_nm(imp: Any) -> tuple[float, float, float] | None:
    calibration = imp.getLocalCalibration()
    sizes = (calibration.pixelDepth, calibration.pixelHeight, calibration.pixelWidth)
    units = [str(unit or "").strip().lower() for unit in (calibration.getZUnit(), calibration.getYUnit(), calibration.getXUnit())]
    if all(unit in _NO_UNIT for unit in units):
        return None
    unknown = [unit for unit in units if unit not in _UNIT_NM]
    if unknown:
        raise FijiError(f"expected a unit of length (nm, um, mm, inch, pixel, ...), got {unknown[0]!r}; "
                        "correct it under Image > Properties, or pass voxel_nm")
    z, y, x = (float(size) * _UNIT_NM[unit] for size, unit in zip(sizes, units, strict=True))
    return (z, y, x)


def _names(imp: Any, depth: int) -> tuple[str, ...]:
    stack = imp.getStack()
    labels = [stack.getSliceLabel(z) for z in range(1, depth + 1)]
    if depth == 1 and not labels[0]:
        labels = [imp.getProp("Slice_Label")]
    # NB: below the first line of a slice label ImageJ keeps metadata.
    given = [str(label or "").split("\n")[0].strip() for label in labels]
    names: list[str] = []
    taken = set(given)
    for name, default in zip(given, slice_names(depth), strict=True):
        base, unique, times = name or default, name or default, 1
        while unique in names or (unique != name and unique in taken):
            times += 1
            unique = f"{base}-{times}"
        names.append(unique)
    return tuple(names)
