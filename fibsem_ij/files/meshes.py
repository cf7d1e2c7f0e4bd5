"""Surfaces as STL, OBJ and PLY, for Fiji's 3D Viewer and Blender; each `read` has its `write`.

Points are (x, y, z) in `unit`, the centre of the first voxel at 0, 0, 0, so that a mesh in nm lies where Fiji's 3D Viewer
shows the image it was made from. None of the formats has a unit: it is written as a comment, and read from there.
STL (binary) holds triangles alone, three corners each. PLY (binary, little endian) has the colour at every point; OBJ (text)
names a material of `colours.mtl`, which lies beside it and holds the label colours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.colours import glasbey
from fibsem_ij.files.whole import whole, whole_folder, write_text

Colour = tuple[int, int, int]

FORMATS = (".stl", ".obj", ".ply")
MATERIALS = "colours.mtl"
_STL = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_POINT = np.dtype([("at", "<f4", 3), ("colour", "u1", 3)])
_FACE = np.dtype([("count", "u1"), ("corners", "<i4", 3)])
_UNIT = re.compile(r"unit: ?(nm|um|px)")
_PLY = ("ply\nformat binary_little_endian 1.0\ncomment fibsem_ij, unit: {unit}\nelement vertex {points}\n"
        "property float x\nproperty float y\nproperty float z\nproperty uchar red\nproperty uchar green\nproperty uchar blue\n"
        "element face {triangles}\nproperty list uchar int vertex_indices\nend_header\n")
_PLY_PATTERN = re.compile(re.escape(_PLY).replace(r"\{unit\}", "(nm|um|px)").replace(r"\{points\}", r"(\d{1,10})")
                          .replace(r"\{triangles\}", r"(\d{1,10})").encode())


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles of three numbers of points, counter-clockwise as seen from outside."""

    points: npt.NDArray[np.float32]  # (n, 3) x, y, z
    triangles: npt.NDArray[np.int32]  # (m, 3)
    unit: str = "nm"
    colour: Colour = (200, 200, 200)

    def __post_init__(self) -> None:
        points, triangles = np.asarray(self.points, np.float32), np.asarray(self.triangles, np.int32)
        if points.ndim != 2 or points.shape[1] != 3 or triangles.ndim != 2 or triangles.shape[1] != 3 or not np.isfinite(points).all():
            raise ValueError(f"expected finite points (n, 3) and triangles (m, 3), got {points.shape} and {triangles.shape}")
        if len(triangles) and not 0 <= triangles.min() <= triangles.max() < len(points):
            raise ValueError(f"expected triangles of points 0 to {len(points) - 1}, got {triangles.min()} to {triangles.max()}")
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "triangles", triangles)

    @property
    def corners(self) -> npt.NDArray[np.float32]:
        """(m, 3 corners, 3)"""
        return self.points[self.triangles]

    def volume(self) -> float:
        """What a closed mesh encloses, in unit^3: the sum of the tetrahedra to the origin."""
        a, b, c = np.moveaxis(self.corners.astype(np.float64), 1, 0)
        return float((a * np.cross(b, c)).sum() / 6)

    def area(self) -> float:
        a, b, c = np.moveaxis(self.corners.astype(np.float64), 1, 0)
        return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def write(path: str | Path, mesh: Mesh) -> None:
    path = Path(path)
    if _kind(path) == ".obj":
        _write_materials(path.parent / MATERIALS)
        write_text(path, _as_obj(mesh))
        return
    with whole(path) as part:
        part.write_bytes(_as_stl(mesh) if _kind(path) == ".stl" else _as_ply(mesh))


def write_all(folder: Path, meshes: Iterable[tuple[int, Mesh]], *, ending: str) -> int:
    """label_0001.stl and so on, over an older folder of meshes; how many."""
    count = 0
    with whole_folder(folder, stranger=_stranger) as part:
        for number, mesh in meshes:
            write(part / f"label_{number:04d}{ending}", mesh)
            count += 1
    return count


def read(path: str | Path) -> Mesh:
    """What `write` wrote; of others' files binary STL and any OBJ of triangles."""
    path = Path(path)
    content = path.read_bytes()
    try:
        return {".stl": _from_stl, ".obj": _from_obj, ".ply": _from_ply}[_kind(path)](content)
    except (ValueError, IndexError, OverflowError) as error:
        raise ValueError(f"{path}: expected a mesh of triangles, got {error}; save it as binary STL, or as OBJ of triangles") from error


def _stranger(folder: Path) -> str | None:
    return next((path.name for path in sorted(folder.iterdir()) if path.name != MATERIALS and path.suffix.lower() not in FORMATS), None)


def _kind(path: Path) -> str:
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"expected a name that ends in {', '.join(FORMATS)}, got {path}; choose one of them")
    return path.suffix.lower()


def _as_stl(mesh: Mesh) -> bytes:
    faces = np.zeros(len(mesh.triangles), _STL)
    faces["corners"] = corners = mesh.corners
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    faces["normal"] = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    head = f"fibsem_ij, unit: {mesh.unit}".encode().ljust(80)  # NB: a header that begins with "solid" would be taken for text
    return head + np.uint32(len(faces)).tobytes() + faces.tobytes()


def _from_stl(content: bytes) -> Mesh:
    count = int.from_bytes(content[80:84], "little")
    if len(content) < 84 or len(content) != 84 + count * _STL.itemsize:
        raise ValueError(f"{len(content)} bytes, not the {84 + count * _STL.itemsize} of a binary STL")
    corners = np.frombuffer(content, _STL, offset=84)["corners"].reshape(-1, 3)
    points, where = np.unique(corners, axis=0, return_inverse=True)
    return Mesh(points, where.reshape(-1, 3).astype(np.int32), _unit(content[:80]))


def _as_ply(mesh: Mesh) -> bytes:
    points, faces = np.zeros(len(mesh.points), _POINT), np.zeros(len(mesh.triangles), _FACE)
    points["at"], points["colour"] = mesh.points, mesh.colour
    faces["count"], faces["corners"] = 3, mesh.triangles
    head = _PLY.format(unit=mesh.unit, points=len(points), triangles=len(faces))
    return head.encode() + points.tobytes() + faces.tobytes()


def _from_ply(content: bytes) -> Mesh:
    if not (head := _PLY_PATTERN.match(content)):
        raise ValueError("a header that is not ours")
    count, triangles = int(head[2]), int(head[3])
    size = head.end() + count * _POINT.itemsize + triangles * _FACE.itemsize
    if len(content) != size:
        raise ValueError(f"{len(content)} bytes, not the {size} of its header")
    points = np.frombuffer(content, _POINT, count, head.end())
    faces = np.frombuffer(content, _FACE, triangles, head.end() + points.nbytes)
    if (faces["count"] != 3).any():
        raise ValueError("faces of other than 3 corners")
    return Mesh(points["at"], faces["corners"], head[1].decode(), _colour(points["colour"][0] if count else (200, 200, 200)))


def _as_obj(mesh: Mesh) -> str:
    """NB: OBJ counts from 1."""
    head = f"# fibsem_ij, unit: {mesh.unit}\nmtllib {MATERIALS}\nusemtl {_material(mesh.colour)}\n"
    points = ("v %.9g %.9g %.9g\n" * len(mesh.points)) % tuple(mesh.points.ravel().tolist())
    return head + points + ("f %d %d %d\n" * len(mesh.triangles)) % tuple((mesh.triangles.ravel() + 1).tolist())


def _from_obj(content: bytes) -> Mesh:
    lines = [line.split() for line in content.decode(errors="replace").splitlines()]
    points = [[float(v) for v in parts[1:4]] for parts in lines if parts[:1] == ["v"]]
    faces = [[int(v.split("/")[0]) for v in parts[1:]] for parts in lines if parts[:1] == ["f"]]
    if any(len(face) != 3 for face in faces) or any(len(point) != 3 for point in points):
        raise ValueError("faces or points of other than 3 numbers")
    named = next((parts[1] for parts in lines if parts[:1] == ["usemtl"] and len(parts) > 1), "")
    colour = _colour(bytes.fromhex(named)) if re.fullmatch("[0-9a-f]{6}", named) else (200, 200, 200)
    triangles: Any = np.array(faces, np.int64).reshape(-1, 3)
    return Mesh(np.array(points, np.float32).reshape(-1, 3), triangles - 1, _unit(content[:200]), colour)


def _write_materials(path: Path) -> None:
    """One for each label colour, named by its hexadecimal digits, and the grey of what has none."""
    colours = [_colour(row) for row in glasbey()[1:]] + [(200, 200, 200)]
    text = "".join("newmtl {}\nKd {:.4f} {:.4f} {:.4f}\n".format(_material(c), *(v / 255 for v in c)) for c in colours)
    if not path.exists() or path.read_text(encoding="utf-8", errors="replace") != text:
        write_text(path, text)


def _material(colour: Colour) -> str:
    return bytes(colour).hex()


def _colour(values: Sequence[int] | npt.NDArray[Any] | bytes) -> Colour:
    red, green, blue = (int(v) for v in values)
    return (red, green, blue)


def _unit(head: bytes) -> str:
    found = _UNIT.search(head.decode(errors="replace"))
    return found[1] if found else "px"
