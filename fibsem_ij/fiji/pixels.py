"""Slices between NumPy and an ImageJ stack, one copy each, compared on both sides.

A slice crosses in one bulk move between NumPy's memory and a Java array (`java.nio` direct buffer): faster than any of JPype's
array assignments, and it lands where it stays. A slice that has no memory of its own to move from (another dtype, a lazy
source) is first laid into one staging slice a thread, which also does the cast.
What does not fit Java's heap becomes a raw file that ImageJ reads slice by slice (a virtual stack).
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from fibsem_ij.fiji.errors import FijiError, translated

T = TypeVar("T")
Slice = npt.NDArray[Any]  # (y, x)
Lay = Callable[[int, Slice], None]  # lays slice z into a staging slice

_HEAP_SHARE = 0.6  # of the free heap that one stack may take; ImageJ needs room to work on it
_COLLECT_EVERY = 16 << 20  # bytes sent in small stacks, after which Java is asked to collect garbage
_LEFT_TO_JAVA = 64 << 20  # bytes; a stack above this collects for itself, and would cross at half the rate
_THREADS_FROM = 16 << 20  # bytes; a smaller stack crosses faster on one thread
_RUNS = 16  # a large stack is handed to the threads in so many runs of slices


@dataclass(frozen=True)
class Pixel:
    """One of ImageJ's pixel types."""

    dtype: np.dtype[Any]
    java: str  # the primitive
    view: str  # the ByteBuffer method that gives it in this machine's byte order; "" for bytes
    file_type: str  # its name in ij.io.FileInfo


PIXELS = {
    8: Pixel(np.dtype(np.uint8), "byte", "", "GRAY8"),
    16: Pixel(np.dtype(np.uint16), "short", "asShortBuffer", "GRAY16_UNSIGNED"),
    24: Pixel(np.dtype(np.int32), "int", "asIntBuffer", "RGB"),  # 0x00RRGGBB; read only
    32: Pixel(np.dtype(np.float32), "float", "asFloatBuffer", "GRAY32_FLOAT"),
}


def to_stack(source: npt.NDArray[Any] | Lay, shape: tuple[int, int, int], pixel: Pixel, names: Sequence[str]) -> Any:
    """An ij.ImageStack in the heap. `source`: the array itself, or what lays its slices."""
    from jpype import JArray, JClass

    _, height, width = shape
    java = JArray(_primitive(pixel))
    staging = _Staging((height, width), pixel)

    def moved(z: int) -> Any:
        array = java(height * width)
        if isinstance(source, np.ndarray):
            _buffer(source[z], pixel).get(array)
        else:
            stage, buffer = staging.of_thread()
            source(z, stage)
            buffer.clear().get(array)
        return array

    with translated("copy the pixels to ImageJ"):
        _litter.add(shape[0] * height * width * pixel.dtype.itemsize)
        stack = JClass("ij.ImageStack")(width, height)
        for name, array in zip(names, each_slice(moved, shape, pixel.dtype), strict=True):
            stack.addSlice(name, array)
    return stack


def to_virtual_stack(source: npt.NDArray[Any] | Lay, shape: tuple[int, int, int], pixel: Pixel, names: Sequence[str], folder: Path) -> Any:
    """An ij.VirtualStack over a raw file in `folder`."""
    from jpype import JArray, JClass, JString

    depth, height, width = shape
    need = depth * height * width * pixel.dtype.itemsize
    if (free := shutil.disk_usage(folder).free) < need:
        raise FijiError(f"expected {need >> 20} MiB of disk in {folder} for a stack that does not fit Java's heap, got {free >> 20} MiB; "
                        "start with a larger heap, or set TMPDIR to a larger disk")
    handle, path = tempfile.mkstemp(dir=folder, suffix=".raw")
    stage = np.empty((height, width), pixel.dtype)
    with os.fdopen(handle, "wb") as out:
        for z in range(depth):
            if isinstance(source, np.ndarray):
                stage[...] = source[z]
            else:
                source(z, stage)
            out.write(stage.data)
    with translated("open the raw file as a virtual stack"):
        info = JClass("ij.io.FileInfo")()
        info.fileFormat = info.RAW
        info.fileType = getattr(info, pixel.file_type)
        info.intelByteOrder = sys.byteorder == "little"
        info.width, info.height, info.nImages = width, height, depth
        info.directory, info.fileName = str(Path(path).parent) + os.sep, Path(path).name
        info.sliceLabels = JArray(JString)(list(names))
        return JClass("ij.plugin.FileInfoVirtualStack")(info, False)


def fits_heap(shape: tuple[int, int, int], pixel: Pixel) -> bool:
    """Whether a stack of this size leaves ImageJ room to work."""
    from jpype import JClass

    need = shape[0] * shape[1] * shape[2] * pixel.dtype.itemsize
    runtime = JClass("java.lang.Runtime").getRuntime()

    def room() -> float:
        return float(runtime.maxMemory() - runtime.totalMemory() + runtime.freeMemory()) * _HEAP_SHARE

    if need > room():
        runtime.gc()
    return need <= room()


def from_stack(stack: Any, shape: tuple[int, int, int], pixel: Pixel, take: Callable[[int, Slice], None] | npt.NDArray[Any]) -> None:
    """Every slice of an ij.ImageStack into an array of the pixel's dtype, or handed to `take(z, slice)`, which must not keep it."""
    _check_files(stack)
    staging = _Staging(shape[1:], pixel)

    def moved(z: int) -> None:
        array = stack.getPixels(z + 1)
        if array is None or len(array) != shape[1] * shape[2]:
            got = 0 if array is None else len(array)
            raise FijiError(f"expected {shape[1] * shape[2]} pixels in slice {z}, got {got}; open the image again")
        if isinstance(take, np.ndarray):
            _buffer(take[z], pixel).put(array)
        else:
            stage, buffer = staging.of_thread()
            buffer.clear().put(array)
            take(z, stage)

    with translated("copy the pixels from ImageJ"):
        # NB: a virtual stack reads its file on each call and is not made for two threads.
        for _ in map(moved, range(shape[0])) if stack.isVirtual() else each_slice(moved, shape, pixel.dtype):
            pass


def each_slice(work: Callable[[int], T], shape: tuple[int, int, int], dtype: np.dtype[Any]) -> Iterator[T]:
    """`work(z)` for every slice, in order; on several threads if the stack is large."""
    depth = shape[0]
    if depth == 1 or depth * shape[1] * shape[2] * dtype.itemsize <= _THREADS_FROM:
        return map(work, range(depth))
    # Runs of slices, because handing over a single one costs as much as moving it.
    run = -(-depth // _RUNS)
    return chain.from_iterable(_pool().map(lambda start: [work(z) for z in range(start, min(start + run, depth))], range(0, depth, run)))


@cache
def _pool() -> ThreadPoolExecutor:
    # More threads than this wait for memory, not for each other. One pool for good: each new thread would stay attached to Java.
    return ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="fibsem_ij-pixels")


class _Litter:
    """Java collects garbage only when its heap is full, so slices sent one after the other would fill the memory up to the heap's limit.
    Large stacks are left to Java: collecting would cost as much as their crossing."""

    def __init__(self) -> None:
        self._since = 0

    def add(self, nbytes: int) -> None:
        from jpype import JClass

        if nbytes > _LEFT_TO_JAVA:
            return
        self._since += nbytes
        if self._since >= _COLLECT_EVERY:
            JClass("java.lang.System").gc()
            self._since = 0


_litter = _Litter()


class _Staging(threading.local):
    """One slice a thread that both NumPy and Java see."""

    def __init__(self, shape: tuple[int, int], pixel: Pixel) -> None:
        self._shape, self._pixel = shape, pixel
        self._made: tuple[Slice, Any] | None = None

    def of_thread(self) -> tuple[Slice, Any]:
        if self._made is None:
            stage = np.empty(self._shape, self._pixel.dtype)
            self._made = stage, _buffer(stage, self._pixel)
        return self._made


def _buffer(contiguous: Slice, pixel: Pixel) -> Any:
    """A java.nio buffer over NumPy's own memory."""
    from jpype import JClass, nio

    bytes_ = nio.convertToDirectBuffer(contiguous.reshape(-1).view(np.uint8)).order(JClass("java.nio.ByteOrder").nativeOrder())
    return getattr(bytes_, pixel.view)() if pixel.view else bytes_


def _primitive(pixel: Pixel) -> Any:
    import jpype

    return {"byte": jpype.JByte, "short": jpype.JShort, "int": jpype.JInt, "float": jpype.JFloat}[pixel.java]


def _check_files(stack: Any) -> None:
    """NB: a virtual stack whose file is gone gives black slices and a line in the log."""
    if not stack.isVirtual() or not hasattr(stack, "getDirectory") or stack.getDirectory() is None:
        return
    for z in range(1, int(stack.getSize()) + 1):
        name = stack.getFileName(z)
        path = Path(str(stack.getDirectory())) / str(name or "")
        if name is not None and not path.is_file():
            raise FijiError(f"expected the file of slice {z - 1} of a virtual stack, got no file {path}; open the stack again")
