"""The convex hull of points with whole coordinates, exact: no tolerance and no joggling, however many of them lie in one plane.

Beneath-beyond (Preparata, Shamos 1985): a point that lies beyond some triangles takes them off and is joined to the edge of
the gap. A point in the plane of a triangle does not lie beyond it, so what is flat stays flat and no triangle is without area.
Every point is held against every triangle: of some hundred points that is ten times as fast as Qhull, of many thousands slower.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.compiled import compiled

Ints = npt.NDArray[np.int64]
_MANY = 2000  # from here on Qhull (Barber, Dobkin, Huhdanpaa 1996) is faster


def triangles(points: Ints) -> Ints:
    """(n, 3) points -> (t, 3, 3) corners of the triangles of their hull; none where all points lie in a plane."""
    if len(points) < _MANY:
        return points[_hull(points)]
    from scipy.spatial import ConvexHull, QhullError

    try:
        corners: Ints = ConvexHull(points).simplices
    except QhullError:
        return np.empty((0, 3, 3), np.int64)
    return points[corners]


def fan(points: Ints) -> Ints:
    """(n, 3) points of a plane, or of a line -> (t, 3, 3) corners of triangles that cover their hull; some may be without area."""
    normal = np.linalg.svd(points - points.mean(0))[2][2]
    u, v = np.delete(points, np.abs(normal).argmax(), 1).T  # seen along an axis: no two fall together
    corners = points[_outline(u, v)]
    return np.stack([corners[[0] * (len(corners) - 1)], corners[:-1], corners[1:]], 1)


def _outline(u: Ints, v: Ints) -> list[int]:
    """Indices around the convex outline of points in a plane (Andrew's chain, 1979)."""
    order, found = np.lexsort((v, u)).tolist(), []
    for way in (order, order[::-1]):
        chain: list[int] = []
        for c in way:
            while len(chain) > 1:
                a, b = chain[-2:]
                if (u[b] - u[a]) * (v[c] - v[a]) > (v[b] - v[a]) * (u[c] - u[a]):
                    break
                chain.pop()
            chain.append(c)
        found += chain[:-1]
    return found


@compiled
def _hull(points: Ints) -> Ints:
    """Indices (t, 3); seen from outside all triangles turn the same way."""
    points = points - points[0]
    b, c, d, across, height = 0, 0, 0, np.zeros(3, np.int64), 0  # four points that are not in a plane: 0, b, c, d
    for i in range(len(points)):
        p, q = points[i], points[b]
        if c > 0:
            height = (across * p).sum()
            if height != 0:
                d = i
                break
        elif b > 0:
            across[:] = q[1] * p[2] - q[2] * p[1], q[2] * p[0] - q[0] * p[2], q[0] * p[1] - q[1] * p[0]
            c = i if across.any() else 0
        elif p.any():
            b = i
    if d == 0:
        return np.empty((0, 3), np.int64)
    if height > 0:
        b, c = c, b
    room = 4 * len(points) + 4
    corners, planes, edges = np.empty((room, 3), np.int64), np.empty((room, 4), np.int64), np.empty((3 * room, 2), np.int64)
    corners[0, :], corners[1, :], corners[2, :], corners[3, :] = (0, b, c), (0, d, b), (b, d, c), (c, d, 0)
    kept, count = 0, 4  # triangles from `kept` on have no plane yet
    for i in range(len(points) + 1):
        for t in range(kept, count):
            a, b, c = points[corners[t, 0]], points[corners[t, 1]], points[corners[t, 2]]
            planes[t, 0] = (b[1] - a[1]) * (c[2] - a[2]) - (b[2] - a[2]) * (c[1] - a[1])
            planes[t, 1] = (b[2] - a[2]) * (c[0] - a[0]) - (b[0] - a[0]) * (c[2] - a[2])
            planes[t, 2] = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
            planes[t, 3] = planes[t, 0] * a[0] + planes[t, 1] * a[1] + planes[t, 2] * a[2]
        if i == len(points):
            break
        kept, free = 0, 0
        z, y, x = points[i]
        for t in range(count):
            if planes[t, 0] * z + planes[t, 1] * y + planes[t, 2] * x > planes[t, 3]:
                for j in range(3):
                    edges[free, 0], edges[free, 1] = corners[t, j], corners[t, (j + 1) % 3]
                    free += 1
            else:
                if kept < t:
                    for j in range(3):
                        corners[kept, j] = corners[t, j]
                    for j in range(4):
                        planes[kept, j] = planes[t, j]
                kept += 1
        count = kept
        for e in range(free):
            for f in range(free):  # an edge between two triangles that went is there both ways
                if edges[e, 0] == edges[f, 1] and edges[e, 1] == edges[f, 0]:
                    break
            else:
                corners[count, 0], corners[count, 1], corners[count, 2] = edges[e, 0], edges[e, 1], i
                count += 1
    return corners[:count]
