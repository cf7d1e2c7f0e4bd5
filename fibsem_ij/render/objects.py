"""Labelled objects in 3D: a picture, or a film that turns around them; each object in the colour of its label image.

Drawn by VTK (pyvista) off screen, in a process of its own, without a window or a graphics card. Nothing is mirrored: x to the
right, y down as in a slice, z away from the eye; so the front of the picture is slice 0. Voxels keep their proportions. What is
drawn, how large it is, and on which grid (meshes.py makes large stacks coarser) stands below the picture.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from fibsem_ij.arrays.colours import colours_of
from fibsem_ij.files.whole import whole
from fibsem_ij.render import RGB
from fibsem_ij.render.drawing import REMEDY, Pose, Scene, drawn
from fibsem_ij.render.meshes import surface
from fibsem_ij.volume import Labels

FILMS = (".gif", ".mp4")
_PAPERS = {"dark": ((18, 18, 18), (230, 230, 230)), "white": ((255, 255, 255), (40, 40, 40)), "clear": ((128, 128, 128), (128, 128, 128))}
_FILLED = 0.92  # of the picture, by what is shown
_DIAGONALS = 2.6  # from the eye to the middle: a gentle perspective


@dataclass(frozen=True)
class View:
    """`azimuth`: degrees that the eye goes round to the left, `elevation`: degrees that it rises; 0 and 0 look along z on slice 0."""

    azimuth: float = 28.0
    elevation: float = 24.0
    size: tuple[int, int] = (1200, 900)  # width, height
    paper: str = "dark"  # white; clear: nothing, the picture is (y, x, 4)
    smoothing: float = 1.0

    def __post_init__(self) -> None:
        if self.paper not in _PAPERS:
            raise ValueError(f"expected paper of {', '.join(_PAPERS)}, got {self.paper!r}")
        if min(self.size) < 16 or max(self.size) > 8192:
            raise ValueError(f"expected a size of 16 to 8192 pixels, got {self.size}")


def picture(labels: Labels, *, view: View = View(), note: str = "") -> RGB:
    """`note`, such as the caption of a `Thin`, is written below."""
    with _scene(labels, view) as shot:
        return _noted(shot(view), view, note)


def turntable(labels: Labels, *, frames: int = 48, view: View = View(), note: str = "",
              progress: Callable[[int, int], None] | None = None) -> Iterator[RGB]:
    """Once round, starting from `view`."""
    if frames < 2:
        raise ValueError(f"expected at least 2 frames, got {frames}")
    views = [replace(view, azimuth=view.azimuth + 360 * k / frames) for k in range(frames)]
    angle = max(_angle(_corners(labels), one) for one in views)  # one for all, or it would breathe
    with _scene(labels, view) as shot:
        for n, one in enumerate(views, 1):
            yield _noted(shot(one, angle=angle), one, note)
            if progress:
                progress(n, frames)


def save_film(path: str | Path, frames: Iterable[RGB], *, fps: float = 16) -> Path:
    """A GIF that repeats (browsers, slides), or an MP4 (MPEG-4 Part 2: VLC, QuickTime, PowerPoint, Fiji's FFmpeg)."""
    path = Path(path)
    if path.suffix.lower() not in FILMS:
        raise ValueError(f"expected a film that ends in {', '.join(FILMS)}, got {path}; choose one of them")
    with whole(path) as part:
        (_gif if path.suffix.lower() == ".gif" else _mp4)(part, frames, fps)
    return path


@contextmanager
def _scene(labels: Labels, view: View) -> Iterator[Callable[..., RGB]]:
    """A function view -> picture; the surface is made once."""
    net, corners = surface(labels, smoothing=view.smoothing), _corners(labels)
    paper, ink = _PAPERS[view.paper]
    box = tuple(np.stack([corners.min(0), corners.max(0)], 1).ravel().tolist())
    scene = Scene(np.asarray(net.points, np.float32), net.regular_faces, colours_of(net.cell_data["ids"]), box, view.size, paper, ink,
                  clear=view.paper == "clear")
    with drawn(scene) as draw:
        yield functools.partial(_shot, draw, corners)


def _shot(draw: Callable[[Pose], RGB], corners: npt.NDArray[np.float64], view: View, *, angle: float | None = None) -> RGB:
    middle, back, up = corners.mean(0), axes(view)[0], axes(view)[2]
    at, towards, upwards = (tuple(one.tolist()) for one in (middle + _distance(corners) * back, middle, up))
    shown = draw(Pose(at, towards, upwards, angle or _angle(corners, view)))
    if shown.shape[:2] != view.size[::-1] or (shown == shown[0, 0]).all():
        raise OSError(f"expected a 3D picture, VTK drew an empty one; {REMEDY}")
    return shown


def _angle(corners: npt.NDArray[np.float64], view: View) -> float:
    """Of the eye, in degrees, so that all corners are seen."""
    back, right, up = axes(view)
    across, rise, near = np.moveaxis((corners - corners.mean(0)) @ np.stack([right, up, back], 1), 1, 0)
    depth = _distance(corners) - near
    half = max((np.abs(rise) / depth).max(), (np.abs(across) / depth).max() * view.size[1] / view.size[0]) / _FILLED
    return float(np.degrees(2 * np.arctan(half)))


def _distance(corners: npt.NDArray[np.float64]) -> float:
    return _DIAGONALS * float(np.linalg.norm(np.ptp(corners, axis=0)))


def axes(view: View) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Towards the eye, to the right of the picture, and up in it; as (x, y, z) of the stack."""
    a, e = np.radians(view.azimuth), np.radians(view.elevation)
    back = np.array([-np.sin(a) * np.cos(e), -np.sin(e), -np.cos(a) * np.cos(e)])
    right = np.array([np.cos(a), 0, -np.sin(a)])
    return back, right, np.cross(back, right)


def _corners(labels: Labels) -> npt.NDArray[np.float64]:
    """Of the stack, (x, y, z)."""
    size = labels.voxel_nm or (1.0, 1.0, 1.0)
    z, y, x = ((-0.5 * s, (n - 0.5) * s) for n, s in zip(labels.shape, size, strict=True))
    return np.array(list(itertools.product(x, y, z)))


def _noted(shown: RGB, view: View, note: str) -> RGB:
    import matplotlib

    if not note:
        return shown
    paper, ink = _PAPERS[view.paper]
    height, width = shown.shape[:2]
    size = max(13, width // 60)
    font = ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), size)  # NB: Pillow's own has no µ
    strip = Image.new("RGBA", (width, height + 2 * size), (*paper, 0 if view.paper == "clear" else 255))
    strip.paste(Image.fromarray(shown))
    ImageDraw.Draw(strip).text((size, height), note, fill=(*ink, 255), font=font)
    noted: RGB = np.asarray(strip)[..., :shown.shape[-1]]
    return noted


def _gif(path: Path, frames: Iterable[RGB], fps: float) -> None:
    """One palette for all frames, or colours would flicker."""
    images = [Image.fromarray(frame) for frame in frames]
    if not images:
        raise ValueError("expected frames of a film, got none")
    few = images[:: max(1, len(images) // 6)]
    sample = Image.fromarray(np.concatenate([np.asarray(image) for image in few]))
    palette = sample.quantize(256, method=Image.Quantize.MEDIANCUT)
    indexed = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    indexed[0].save(path, format="GIF", save_all=True, append_images=indexed[1:], duration=round(1000 / fps), loop=0, optimize=False)


def _mp4(path: Path, frames: Iterable[RGB], fps: float) -> None:
    import cv2

    named = path.with_name(f"{path.name}.mp4")  # NB: OpenCV takes the format from the name
    film = None
    try:
        for frame in frames:
            height, width = (n // 2 * 2 for n in frame.shape[:2])
            film = film or cv2.VideoWriter(str(named), cv2.VideoWriter.fourcc(*"mp4v"), fps, (width, height))
            if not film.isOpened():
                raise OSError("expected OpenCV to write MP4, this build cannot; write a .gif")
            film.write(np.ascontiguousarray(frame[:height, :width, ::-1]))
        if film is None:
            raise ValueError("expected frames of a film, got none")
        film.release()
        named.replace(path)
    finally:
        named.unlink(missing_ok=True)
