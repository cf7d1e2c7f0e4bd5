"""Fiji's own TurboReg (Thevenaz, Ruttimann and Unser 1998) as an aligner; its manual is at bigwww.epfl.ch/thevenaz/turboreg.

Each run sees a random half of the blocks of the moving slice, through the plugin's own mask (the second slice of a stack), and
starts where the fit of the whole slice ended; a single run is that of the whole slice. The plugin takes its images from
ImageJ's list of open ones, so no temporary file is written, and it looks them up by title, so titles are unique.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from fibsem_ij.fiji.aligner import Grey, Matrix, Slice, agreed, check_choice, float_pixels
from fibsem_ij.fiji.console import Heard, listening
from fibsem_ij.fiji.errors import FijiError, translated
from fibsem_ij.fiji.session import Session
from fibsem_ij.fiji.windows import tidied

_BLOCKS = 8  # along each side of a slice
# The plugin's word for a model, and the landmarks it asks for, in widths and heights of the slice.
_LANDMARKS = {
    "translation": ("-translation", ((0.5, 0.5),)),
    "rigid": ("-rigidBody", ((0.5, 0.5), (0.5, 0.25), (0.5, 0.75))),
    "similarity": ("-scaledRotation", ((0.25, 0.5), (0.75, 0.5))),
    "affine": ("-affine", ((0.5, 0.25), (0.25, 0.75), (0.75, 0.75))),
}


class _Pixels(NamedTuple):
    """A slice in Java."""

    shape: tuple[int, int]
    grey: Any  # float[]
    mask: Any = None  # float[], 0 where the fit must not look


@dataclass(frozen=True)
class TurboReg:
    """An aligner of a session. Model: translation, rigid, similarity or affine."""

    session: Session
    model: str = "affine"
    runs: int = 25

    def __post_init__(self) -> None:
        check_choice(self.session, "TurboReg", model=self.model, runs=self.runs)

    def __call__(self, fixed: Slice, moving: Slice, *, rng: np.random.Generator) -> Matrix:
        still, moved = (np.ascontiguousarray(image, np.float32) for image in (fixed, moving))
        if still.shape != moved.shape:
            raise ValueError(f"expected two slices of one shape, got {still.shape} and {moved.shape}; pad the smaller one")
        if not (_has_contrast(still) and _has_contrast(moved)):
            return agreed([], runs=self.runs)  # NB: TurboReg would answer its start, with great agreement
        return self.session.job(lambda: self._runs(still, moved, rng), name="TurboReg")

    def _runs(self, fixed: Grey, moving: Grey, rng: np.random.Generator) -> Matrix:
        with translated("run TurboReg"), _own_results():
            target, source = (_Pixels(image.shape, float_pixels(image)) for image in (fixed, moving))
            whole = self._fit(target, source, np.eye(3))
            if self.runs == 1 or whole is None:
                return agreed([whole], runs=1)
            masks = (float_pixels(_half(moving.shape, rng)) for _ in range(self.runs))
            return agreed([self._fit(target, source._replace(mask=mask), whole) for mask in masks], runs=self.runs)

    def _fit(self, target: _Pixels, source: _Pixels, start: Matrix) -> Matrix | None:
        """The motion from target to source: in the plugin's words the source is what moves."""
        from jpype import JClass

        height, width = target.shape
        word, places = _LANDMARKS[self.model]
        there = np.array(places) * (width, height)
        here = there @ start[:2, :2].T + start[:2, 2]
        numbers = " ".join(map(repr, np.hstack([here, there]).ravel().tolist()))
        plugin = JClass("TurboReg_")()
        with tidied(leave_open=False), listening(windows=self.session.mode == "interactive") as heard:
            # NB: by the manual a crop is left, top, right, bottom; the code reads left, top, width, height. This is all of it either way.
            images = " ".join(f"-window {_opened(pixels)} 0 0 {width} {height}" for pixels in (source, target))
            plugin.run(f"-align {images} {word} {numbers} -hideOutput")
        self.session.alive()
        _check(plugin, heard)
        moved, fixed = (np.array([tuple(point) for point in points], np.float64)[: len(places)]
                        for points in (plugin.getSourcePoints(), plugin.getTargetPoints()))
        return through(fixed, moved, model=self.model) if np.isfinite(moved).all() else None


def through(points: Matrix, moved: Matrix, *, model: str) -> Matrix:
    """The motion (3, 3) that takes points (n, 2) of x, y to where they moved."""
    if model == "affine":
        solved = np.linalg.solve(np.column_stack([points, np.ones(3)]), moved)
        return np.vstack([solved.T, (0, 0, 1)])
    before, after = (p[:, 0] + 1j * p[:, 1] for p in (points, moved))
    turn = 1 + 0j
    if model != "translation":
        turn = complex(np.vdot(before - before.mean(), after - after.mean()) / (np.abs(before - before.mean()) ** 2).sum())
    if model == "rigid":
        turn /= abs(turn)
    shift = complex(after.mean() - turn * before.mean())
    return np.array([(turn.real, -turn.imag, shift.real), (turn.imag, turn.real, shift.imag), (0, 0, 1)])


def _half(shape: tuple[int, int], rng: np.random.Generator) -> Grey:
    """1 on a random half of the blocks, else 0."""
    rows, columns = (np.arange(n) * _BLOCKS // n for n in shape)
    chosen = rng.permutation(_BLOCKS**2).reshape(_BLOCKS, _BLOCKS) % 2
    return chosen[np.ix_(rows, columns)].astype(np.float32)


def _has_contrast(grey: Grey) -> bool:
    """False with NaN or infinity in it, too."""
    return bool(0 < np.ptp(grey) < np.inf)


def _opened(pixels: _Pixels) -> str:
    """Put the slice, and its mask if it has one, into ImageJ's list of images; its title."""
    from jpype import JClass

    stack = JClass("ij.ImageStack")(pixels.shape[1], pixels.shape[0])
    for plane in pixels[1:]:
        if plane is not None:
            stack.addSlice("", plane)
    imp = JClass("ij.ImagePlus")("", stack)
    imp.setTitle(f"fibsem_ij{imp.getID()}")
    imp.show()
    return str(imp.getTitle())


def _check(plugin: Any, heard: Heard) -> None:
    """NB: TurboReg only logs its errors, and an exception in one of its threads leaves the landmarks at their start."""
    if plugin.getTransformedImage() is None or "Exception in thread" in heard.errors or "Unexpected interruption" in heard.log:
        said = [*heard.errors.splitlines()[:1], *heard.log.splitlines()[-1:], "no answer"][0]
        raise FijiError(f"expected TurboReg to align two slices, got {said!r}; update it (Help > Update...)")


@contextmanager
def _own_results() -> Iterator[None]:
    """NB: TurboReg 2.0.0 writes its landmarks over ImageJ's Results."""
    from jpype import JClass

    analyzer = JClass("ij.plugin.filter.Analyzer")
    before = analyzer.getResultsTable()
    analyzer.setResultsTable(JClass("ij.measure.ResultsTable")())
    try:
        yield
    finally:
        analyzer.setResultsTable(before)
