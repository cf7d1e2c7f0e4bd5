"""3D pictures show what there is: the colours of the label image, nothing mirrored, proportions kept, films that turn."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fibsem_ij.arrays.colours import colours_of
from fibsem_ij.render.objects import View, picture, save_film, turntable
from fibsem_ij.volume import Labels

pytestmark = pytest.mark.usefixtures("drawing")

FRONT = View(azimuth=0, elevation=0, size=(240, 180), smoothing=0.5)
RED, BLUE = 3, 6  # ids whose colours are that


def where(shown: np.ndarray, number: int) -> np.ndarray:
    """Pixels of the hue of a label, (n, 2) y, x."""
    colour = colours_of(number).astype(float)
    centred, wanted = shown[..., :3] - shown[..., :3].mean(-1, keepdims=True), colour - colour.mean()
    length = np.linalg.norm(centred, axis=-1)
    return np.argwhere((centred @ wanted > 0.93 * length * np.linalg.norm(wanted)) & (length > 25))


def two(first: tuple[slice, slice, slice], second: tuple[slice, slice, slice], voxel: tuple[float, float, float] = (10, 10, 10)) -> Labels:
    data = np.zeros((16, 24, 32), np.uint16)
    data[first], data[second] = RED, BLUE
    return Labels(data, voxel)


CORNERS = two(np.s_[2:6, 2:8, 2:8], np.s_[2:6, 16:22, 24:30])
BEHIND = two(np.s_[1:5, 6:18, 10:22], np.s_[11:15, 6:18, 10:22])


def test_the_front_is_slice_0_as_it_is_seen_in_2d() -> None:
    shown = picture(CORNERS, view=FRONT)
    assert (shown.shape, shown.dtype) == ((180, 240, 3), np.uint8)
    red, blue = where(shown, RED), where(shown, BLUE)
    assert min(len(red), len(blue)) > 300
    assert red.mean(0)[0] < 60 < 120 < blue.mean(0)[0], "y goes down"
    assert red.mean(0)[1] < 90 < 150 < blue.mean(0)[1], "x goes right"


def test_what_is_nearer_hides_what_is_behind_it() -> None:
    front, back = picture(BEHIND, view=FRONT), picture(BEHIND, view=View(azimuth=180, elevation=0, size=(240, 180)))
    assert len(where(front, RED)) > 10 * max(len(where(front, BLUE)), 1), "slice 0 is nearest"
    assert len(where(back, BLUE)) > 10 * max(len(where(back, RED)), 1)
    above = picture(two(np.s_[4:12, 2:6, 8:24], np.s_[4:12, 18:22, 8:24]), view=View(0, 80, size=(240, 180)))
    assert len(where(above, RED)) > 2 * len(where(above, BLUE)), "an eye that rises sees low y first"
    left = picture(two(np.s_[4:12, 6:18, 2:6], np.s_[4:12, 6:18, 26:30]), view=View(88, 0, size=(240, 180)))
    assert len(where(left, RED)) > 5 * max(len(where(left, BLUE)), 1), "an eye that goes left sees low x first"


def test_voxels_keep_their_proportions() -> None:
    data = np.zeros((6, 24, 24), np.uint16)
    data[1:5, 4:20, 4:20] = RED
    for voxel, ratio in (((40, 10, 10), 1.0), ((10, 10, 10), 4.0), ((160, 40, 40), 1.0)):
        red = where(picture(Labels(data, voxel), view=View(90, 0, size=(300, 300), smoothing=0)), RED)
        high, wide = np.ptp(red, axis=0)
        assert high / wide == pytest.approx(ratio, rel=0.12), "y against z"


@pytest.mark.parametrize(("paper", "corner"), [("dark", 18), ("white", 255), ("clear", 0)])
def test_paper_is_what_was_asked_and_the_note_lies_below(paper: str, corner: int) -> None:
    view = View(size=(320, 240), paper=paper)
    bare, noted = picture(CORNERS, view=view), picture(CORNERS, view=view, note="2 objects; 5 µm")
    assert bare.shape[-1] == (4 if paper == "clear" else 3)
    assert (bare[0, 0, -1:] == corner).all()
    assert noted.shape[0] > 240
    assert np.array_equal(noted[:240], bare)
    assert noted[240:, :, -1].std() > 5, "the note"


@pytest.mark.parametrize("view", [View(28, 24, (300, 200)), View(60, -40, (160, 320)), View(0, 89, (200, 200))])
def test_all_of_the_stack_is_in_the_picture_and_fills_it(view: View) -> None:
    shown = picture(two(np.s_[:, :, :], np.s_[0:0, :, :]), view=view)
    inside = np.argwhere(np.abs(shown.astype(int) - 18).max(-1) > 6)
    margin = np.concatenate([inside.min(0), np.array(shown.shape[:2]) - 1 - inside.max(0)])
    assert margin.min() >= 2, "nothing is cut"
    assert (np.ptp(inside, axis=0) > 0.75 * np.array(shown.shape[:2])).any(), "nor lost in the middle"


def test_films_turn_once_round_and_their_size_does_not_breathe(tmp_path: Path) -> None:
    view, seen = View(size=(120, 90)), []
    frames = list(turntable(BEHIND, frames=6, view=view, progress=lambda done, total: seen.append((done, total))))
    assert seen == [(n, 6) for n in range(1, 7)]
    assert len({frame.tobytes() for frame in frames}) == 6
    with Image.open(save_film(tmp_path / "spin.gif", frames, fps=10)) as gif:
        assert (gif.n_frames, gif.info["duration"], gif.info["loop"]) == (6, 100, 0)  # type: ignore[attr-defined]
        for n, frame in enumerate(frames):
            gif.seek(n)
            assert np.abs(np.asarray(gif.convert("RGB")).astype(int) - frame).mean() < 4, "256 colours are enough"
    import cv2

    film = cv2.VideoCapture(str(save_film(tmp_path / "spin.mp4", iter(frames), fps=10)))
    read = [film.read() for _ in range(7)]
    assert [ok for ok, _ in read] == [True] * 6 + [False]
    assert np.abs(read[2][1][..., ::-1].astype(int) - frames[2]).mean() < 12
    assert sorted(p.name for p in tmp_path.iterdir()) == ["spin.gif", "spin.mp4"]


def test_what_cannot_be_drawn_is_said(tmp_path: Path) -> None:
    for wrong in ({"paper": "pink"}, {"size": (3, 300)}):
        with pytest.raises(ValueError, match="expected"):
            View(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="empty stack"):
        picture(Labels(np.zeros((3, 4, 5), np.uint8)))
    with pytest.raises(ValueError, match=r"\.gif, \.mp4"):
        save_film(tmp_path / "a.avi", [])
    for ending in (".gif", ".mp4"):
        with pytest.raises(ValueError, match="frames of a film"):
            save_film(tmp_path / f"a{ending}", [])
    assert not list(tmp_path.iterdir())


def test_where_vtk_cannot_draw_there_is_a_remedy_and_no_crash() -> None:
    code = ("import numpy as np\nfrom fibsem_ij.render.objects import View, picture\nfrom fibsem_ij.volume import Labels\n"
            "print(picture(Labels(np.ones((2, 3, 4), np.uint8)), view=View(size=(64, 48))).shape)")
    env = {**os.environ, "VTK_DEFAULT_OPENGL_WINDOW": "vtkOSOpenGLRenderWindow"}  # OSMesa, which few have
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode == 0:
        assert done.stdout.strip() == "(48, 64, 3)"
    else:
        assert done.returncode == 1, "an exception, not a signal"
        assert "install Mesa" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
def test_no_driver_comes_into_this_process() -> None:
    """Mesa's brings an LLVM, beside which torch's compiler ends the process: a training after a picture crashed."""
    picture(BEHIND, view=FRONT)
    mapped = {Path(line.split()[-1]).name for line in Path("/proc/self/maps").read_text().splitlines() if "/" in line}
    assert not [name for name in mapped if name.startswith(("libLLVM", "libgallium", "libEGL_mesa")) or name.endswith("_dri.so")]
