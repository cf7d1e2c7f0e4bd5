"""Session: everything a Python user asks of ImageJ, in one object. Each method is a line; the work is in the modules it names.

ImageJ keeps global state (current image, macro options, static plugin parameters), so one call is at work at a time, whichever
thread makes it. Images made here live until `close`, a macro's end, or Java's garbage collector.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import numpy as np
import numpy.typing as npt

from fibsem_ij.fiji import convert, gateway, macro, rois, script, show, tables
from fibsem_ij.fiji.errors import FijiError, translated
from fibsem_ij.fiji.jobs import Jobs
from fibsem_ij.fiji.macro import MacroResult
from fibsem_ij.fiji.rois import RoiBytes
from fibsem_ij.fiji.show import Active, DrawnRois
from fibsem_ij.volume import Labels, Volume, WritableArray

T = TypeVar("T")
Mode = Literal["headless", "interactive"]


@dataclass(frozen=True)
class _Asked:
    home: Path | None
    mode: str
    heap: int | None


_started: tuple[_Asked, Session] | None = None
_starting = threading.Lock()


def start(home: str | Path | None = None, *, mode: Mode = "headless", heap: str | int | None = None) -> Session:
    """The session of this process. `home`: a Fiji (else FIBSEM_IJ_FIJI, else the embedded ImageJ). `mode`: "headless" or
    "interactive" (windows). `heap`: "4g" or bytes (None: Java's own choice, a quarter of the memory).
    Asked again in the same way it returns the same session; a JVM cannot be started twice in another way."""
    global _started
    if mode not in ("headless", "interactive"):
        raise FijiError(f'expected mode "headless" or "interactive", got {mode!r}')
    asked = _Asked(gateway.find_fiji(home), mode, gateway.heap_bytes(heap))
    with _starting:
        if _started is None:
            _started = asked, Session(gateway.start_jvm(asked.home, mode=mode, heap=asked.heap), home=asked.home, mode=mode)
        if _started[0] != asked:
            raise FijiError(f"expected the session of this process ({_started[0]}), got another request ({asked}); a JVM cannot be "
                            "restarted, use a new process")
        return _started[1]


class Session:
    """A running ImageJ. `ij` is pyimagej's gateway where a Fiji runs, None with the embedded ImageJ."""

    def __init__(self, ij: Any, *, home: Path | None, mode: str) -> None:
        import scyjava

        self.ij = ij
        self.home = home
        self.mode = mode
        self.alive: Callable[[], None] = lambda: None  # what works long calls it now and then, for who waits in another process
        self._jobs = Jobs()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._shown: list[Any] = []
        if self._windows and ij is None:
            with translated("make ImageJ's main window"):
                image_j = scyjava.jimport("ij.ImageJ")
                image_j(image_j.NO_SHOW)
        scyjava.when_jvm_stops(self.close)

    @property
    def _windows(self) -> bool:
        return self.mode == "interactive"

    @property
    def version(self) -> str:
        """ImageJ's own, such as 1.54p."""
        import scyjava

        with translated("ask ImageJ for its version"):
            return str(scyjava.jimport("ij.IJ").getVersion())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the images that `show` opened and remove the files of virtual stacks. The JVM, and so the session, stays."""
        from fibsem_ij.fiji import windows

        with self._jobs.lock:
            with translated("close images"):
                for imp in self._shown:
                    windows.close(imp)
            self._shown.clear()
            if self._folder is not None:
                self._folder.cleanup()
                self._folder = None

    # Nouns

    def to_fiji(self, noun: Volume, *, title: str | None = None) -> Any:
        """Volume or Labels -> ij.ImagePlus, not shown."""
        with self._jobs.lock:
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="fibsem_ij-", ignore_cleanup_errors=True)
            name = title if title is not None else "labels" if isinstance(noun, Labels) else "volume"
            return convert.to_fiji(noun, title=name, folder=Path(self._folder.name))

    def from_fiji(
        self, imp: Any, *, labels: bool | None = None, voxel_nm: Sequence[float] | None = None, out: WritableArray | None = None
    ) -> Volume | Labels:
        """ij.ImagePlus -> Volume or Labels; see `convert`."""
        with self._jobs.lock:
            return convert.from_fiji(imp, labels=labels, voxel_nm=voxel_nm, out=out)

    def to_dataset(self, noun: Volume) -> Any:
        """Volume or Labels -> net.imagej.Dataset that shares NumPy's memory. With a Fiji only."""
        from fibsem_ij.fiji import dataset

        with self._jobs.lock:
            return dataset.to_dataset(self._need_ij("a Dataset"), noun)

    def from_dataset(self, data: Any, *, labels: bool = False) -> Volume | Labels:
        """net.imagej.Dataset -> Volume or Labels. With a Fiji only."""
        from fibsem_ij.fiji import dataset

        with self._jobs.lock:
            return dataset.from_dataset(self._need_ij("a Dataset"), data, labels=labels)

    def _need_ij(self, what: str) -> Any:
        if self.ij is None:
            raise FijiError(f"expected a Fiji for {what}, got the embedded ImageJ; start with fiji.start(home=...) or use to_fiji")
        return self.ij

    # Code

    def macro(self, path_or_code: str | Path, argument: str = "", *, images: Sequence[Any] = (), leave_open: bool = False) -> MacroResult:
        """Run an ImageJ macro. `images` (nouns or ImagePlus) are open while it runs, the last is current. What it opens is closed
        again, unless `leave_open`."""
        code, name = macro.source_of(path_or_code)
        with self._jobs.lock:
            given = [self._image_plus(image) for image in images]
            return self._jobs.run(lambda: macro.run_macro(code, name, argument, given, **self._how(leave_open)), name=name)

    def command(self, name: str, image: Volume | Any | None = None, /, *, leave_open: bool = False, **options: object) -> Volume | None:
        """Run a menu command on an image: `command("Gaussian Blur...", volume, sigma=2)`. Gives the image that it opened, else the
        given one as the command left it. Every slice is processed, unless stack=False."""
        with self._jobs.lock:
            imp = None if image is None else self._image_plus(image)
            return self._jobs.run(lambda: macro.run_command(name, imp, options, **self._how(leave_open)), name=name)

    def script(self, path: str | Path, /, *, leave_open: bool = False, **inputs: Any) -> dict[str, Any]:
        """Run a script with #@ parameters; its outputs by name."""
        path = Path(path)
        with self._jobs.lock:
            context = self.ij.context() if self.ij is not None else script.embedded_context()
            given = {name: self._to_java(value) for name, value in inputs.items()}
            return self._jobs.run(lambda: script.run_script(context, path, given, **self._how(leave_open)), name=path.name)

    def job(self, call: Callable[[], T], *, name: str) -> T:
        """Run code of ours that drives Java as one job: alone, and Ctrl-C gets through. NB: it must not call this session."""
        with self._jobs.lock:
            return self._jobs.run(call, name=name)

    def _how(self, leave_open: bool) -> dict[str, Any]:
        return {"leave_open": leave_open, "windows": self._windows, "noun": convert.from_fiji}

    def _image_plus(self, image: Any) -> Any:
        return self.to_fiji(image) if isinstance(image, Volume) else image

    def _to_java(self, value: Any) -> Any:
        return self.to_fiji(value) if isinstance(value, Volume) else script.to_java(value)

    # ROIs and tables

    def to_overlay(self, rois_: Iterable[RoiBytes]) -> Any:
        """(name, bytes) -> ij.gui.Overlay."""
        return rois.to_overlay(rois_)

    def from_overlay(self, overlay: Any) -> list[RoiBytes]:
        """ij.gui.Overlay -> (name, bytes)."""
        return rois.from_overlay(overlay)

    def to_table(self, columns: Mapping[str, npt.ArrayLike]) -> Any:
        """Columns -> ij.measure.ResultsTable."""
        return tables.to_table(columns)

    def table(self, title: str | None = None) -> dict[str, npt.NDArray[np.generic]]:
        """The columns of ImageJ's Results, or of the table window with that title."""
        import scyjava

        with self._jobs.lock, translated("find the results table"):
            results = scyjava.jimport("ij.measure.ResultsTable")
            found = results.getResultsTable() if title is None else results.getResultsTable(title)
            if found is None:
                raise FijiError(f"expected an open table {title!r}, got none of that title")
            return tables.from_table(found)

    # The live session

    def show(self, volume: Volume, labels: Labels | None = None, rois: Iterable[RoiBytes] | None = None) -> Any:
        """Open windows in front of the person; gives the volume's ij.ImagePlus."""
        show.need_windows(self.mode, "show images")
        with self._jobs.lock:
            show.show_toolbar(self.ij)
            imp, painted = self.to_fiji(volume), None if labels is None else self.to_fiji(labels)
            self._shown += [each for each in (painted, imp) if each is not None]
            show.show_images(imp, painted, rois)
            return imp

    def active(self) -> Active | None:
        """The image in front and the selection on it; None if no image is open."""
        with self._jobs.lock:
            imp = show.current_image()
            if imp is None:
                return None
            return Active(self.from_fiji(imp), str(imp.getTitle()), int(imp.getCurrentSlice()) - 1, show.selection_of(imp))

    def image(self, title: str) -> Volume | None:
        """The open image of that title, the one opened last; None if there is none."""
        from fibsem_ij.fiji import windows

        with self._jobs.lock, translated("look for an image"):
            found = [imp for imp in windows.open_images() if str(imp.getTitle()) == title]
            return self.from_fiji(found[-1]) if found else None

    def rois(self) -> DrawnRois:
        """The ROIs of the RoiManager and of the overlay in front."""
        with self._jobs.lock:
            return show.drawn_rois()
