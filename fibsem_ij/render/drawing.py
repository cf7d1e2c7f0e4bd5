"""Where VTK draws: a process of its own, which gets a scene once and then gives a picture of it for each pose.

Why apart: where no driver draws, VTK ends the process that asked it to. And Mesa's software OpenGL brings an LLVM of its own, beside
which torch's compiler ends a process too: whoever drew in 3D could not train afterwards. Without multiprocessing, which imports a
script that has no `if __name__ == "__main__"` over and over.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import numpy.typing as npt

Triple = tuple[float, float, float]

REMEDY = "install Mesa (Debian, Ubuntu: apt-get install libegl1 libgl1-mesa-dri libosmesa6), or draw on a machine with a display"
_LIGHTS: tuple[tuple[str, Triple | None, float], ...] = (("headlight", None, 0.5), ("camera light", (-0.7, 0.9, 1.0), 0.65))
_SERVE = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from fibsem_ij.render.drawing import serve; serve()"


@dataclass(frozen=True)
class Scene:
    """Triangles, and the box they stand in."""

    points: npt.NDArray[np.float32]  # (n, 3) x, y, z
    triangles: npt.NDArray[np.int64]  # (m, 3) of points
    rgb: npt.NDArray[np.uint8]  # (m, 3)
    box: tuple[float, ...]  # x, x, y, y, z, z
    size: tuple[int, int]  # width, height
    paper: tuple[int, int, int]
    ink: tuple[int, int, int]
    clear: bool  # the paper is transparent


@dataclass(frozen=True)
class Pose:
    """Of the eye; `angle` in degrees."""

    at: Triple
    towards: Triple
    up: Triple
    angle: float


@contextmanager
def drawn(scene: Scene) -> Iterator[Callable[[Pose], npt.NDArray[np.uint8]]]:
    """Pictures (y, x, 3 or 4) of a scene, pose by pose."""
    command = [sys.executable, "-P", "-c", _SERVE, json.dumps(sys.path)]
    with tempfile.TemporaryFile() as said, subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said) as child:
        try:
            _told(child, said, scene)
            yield lambda pose: _told(child, said, pose)
        finally:
            child.kill()
            with contextlib.suppress(OSError):  # what it did not read is lost
                child.communicate()


def _told(child: subprocess.Popen[bytes], said: IO[bytes], asked: Scene | Pose) -> Any:
    assert child.stdin
    assert child.stdout
    try:
        pickle.dump(asked, child.stdin, pickle.HIGHEST_PROTOCOL)
        child.stdin.flush()
        return pickle.load(child.stdout)
    except (OSError, EOFError, pickle.UnpicklingError):
        code = child.wait()
        said.seek(0)
        lines = said.read().decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        raise OSError(f"expected VTK to draw, it failed with {code}{f' ({last:.200})' if last else ''}; {REMEDY}") from None


def serve() -> None:
    """The process that draws, until nobody asks any more."""
    asked, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # NB: what VTK prints is no answer
    with contextlib.suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        scene: Scene = pickle.load(asked)
        plotter = _plotter(scene)
        _answer(answers, None)
        while True:
            _answer(answers, _shot(plotter, pickle.load(asked), clear=scene.clear))
    os._exit(0)  # NB: VTK's own ending takes a second, and sometimes ends in a crash


def _answer(answers: IO[bytes], value: Any) -> None:
    pickle.dump(value, answers, pickle.HIGHEST_PROTOCOL)
    answers.flush()


def _plotter(scene: Scene) -> Any:
    import pyvista

    pyvista.vtk_verbosity("off")  # NB: VTK would tell that there is no X server, and go on without
    net = pyvista.PolyData.from_regular_faces(scene.points, scene.triangles)
    net.cell_data["rgb"] = scene.rgb
    plotter = pyvista.Plotter(off_screen=True, window_size=list(scene.size), lighting="none")
    plotter.set_background(scene.paper)
    plotter.add_mesh(net, scalars="rgb", rgb=True, smooth_shading=True, ambient=0.25, diffuse=0.85, specular=0.15, specular_power=15)
    plotter.add_mesh(pyvista.Box(scene.box), style="wireframe", color=scene.ink, opacity=0.45, line_width=1, lighting=False)
    for kind, at, strength in _LIGHTS:
        light = pyvista.Light(light_type=kind, intensity=strength)
        if at:
            light.position = at
        plotter.add_light(light)
    plotter.enable_anti_aliasing("ssaa")
    return plotter


def _shot(plotter: Any, pose: Pose, *, clear: bool) -> npt.NDArray[np.uint8]:
    plotter.camera_position = [pose.at, pose.towards, pose.up]
    plotter.camera.view_angle = pose.angle
    plotter.reset_camera_clipping_range()
    plotter.render()
    return np.ascontiguousarray(plotter.screenshot(return_img=True, transparent_background=clear))
