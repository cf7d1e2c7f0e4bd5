"""SIFT (Lowe 2004, OpenCV's) as an aligner: for slices whose grey values differ but whose corners are the same.

The keypoints of a slice are found once. Of a pair, the mutual best matches that pass Lowe's ratio are kept; each
stochastic run takes a random half of them and fits the model by least squares with Cauchy weights, from the start that
MAGSAC finds (Barath et al. 2020), so that one run is robust by itself and the runs tell how far the matches agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fibsem_ij.register.models import Frame, Matrix, basis, project

_CAUCHY = 2.385
_LEAST_MATCHES = 8


@dataclass(frozen=True, eq=False)
class Keypoints:
    frame: Frame
    points: npt.NDArray[np.float64]  # (n, 2) x, y
    descriptors: npt.NDArray[np.float32]  # (n, 128)


@dataclass(frozen=True)
class Sift:
    """An aligner: (fixed, moving, *, rng) -> matrices (runs, 3, 3), or none where too little matches."""

    model: str = "affine"
    runs: int = 25
    keypoints: int = 4000
    ratio: float = 0.8  # Lowe 2004, section 7.1
    reach_px: float = 3.0  # a match that is farther off is no inlier
    longest_px: int = 1024  # a larger slice is looked at in smaller size: detail below it is noise

    def prepare(self, image: npt.NDArray[np.generic]) -> Keypoints:
        grey = image.astype(np.float32)
        low, high = np.percentile(grey, (0.5, 99.5))
        grey = np.clip((grey - low) * (255 / max(high - low, 1e-6)), 0, 255)
        ratio = max(1.0, max(image.shape) / self.longest_px)
        small = cv2.resize(grey, (round(image.shape[1] / ratio), round(image.shape[0] / ratio)), interpolation=cv2.INTER_AREA)
        found, descriptors = cv2.SIFT.create(nfeatures=self.keypoints).detectAndCompute(np.rint(small).astype(np.uint8), None)
        points = np.array([point.pt for point in found], np.float64).reshape(-1, 2)
        scale = np.array([image.shape[1] / small.shape[1], image.shape[0] / small.shape[0]])
        words = np.zeros((0, 128), np.float32) if descriptors is None else descriptors
        return Keypoints(Frame((image.shape[0], image.shape[1])), (points + 0.5) * scale - 0.5, words)

    def __call__(self, fixed: Keypoints | npt.NDArray[np.generic], moving: Keypoints | npt.NDArray[np.generic], *,
                 rng: np.random.Generator) -> Matrix:
        fixed = fixed if isinstance(fixed, Keypoints) else self.prepare(fixed)
        moving = moving if isinstance(moving, Keypoints) else self.prepare(moving)
        source, target = self._matches(fixed, moving)
        start = _start(source, target, self.reach_px)
        if start is None:
            return np.zeros((0, 3, 3))
        start = project(start, model=self.model, frame=fixed.frame)
        count = len(source) if self.runs == 1 else max(_LEAST_MATCHES // 2, (len(source) + 1) // 2)
        drawn = [rng.permutation(len(source))[:count] for _ in range(self.runs)]
        return np.stack([_fit(source[some], target[some], start, self, fixed.frame) for some in drawn])

    def _matches(self, fixed: Keypoints, moving: Keypoints) -> tuple[Matrix, Matrix]:
        """Points of the fixed slice and where they are in the moving one."""
        if min(len(fixed.points), len(moving.points)) < 2:
            return np.zeros((0, 2)), np.zeros((0, 2))
        two = cv2.BFMatcher(cv2.NORM_L2).knnMatch(fixed.descriptors, moving.descriptors, k=2)
        there = {m.queryIdx: m.trainIdx for m, second in two if m.distance < self.ratio * second.distance}
        back = {m.queryIdx: m.trainIdx for m in cv2.BFMatcher(cv2.NORM_L2).match(moving.descriptors, fixed.descriptors)}
        mutual = np.array([(i, j) for i, j in there.items() if back.get(j) == i], int).reshape(-1, 2)
        return fixed.points[mutual[:, 0]], moving.points[mutual[:, 1]]


def _start(source: Matrix, target: Matrix, reach_px: float) -> Matrix | None:
    if len(source) < _LEAST_MATCHES:
        return None
    found, inliers = cv2.estimateAffine2D(source, target, method=cv2.USAC_MAGSAC, ransacReprojThreshold=reach_px, maxIters=2000,
                                          confidence=0.999)
    if found is None or inliers.sum() < _LEAST_MATCHES:
        return None
    return np.vstack([found, (0, 0, 1)])


def _fit(source: Matrix, target: Matrix, start: Matrix, sift: Sift, frame: Frame) -> Matrix:
    """Least squares of the model, Cauchy weights of fixed reach: the start is near, so a few rounds do."""
    free = basis(sift.model)
    x, y = ((source - frame.centre) / frame.half).T
    lever = np.zeros((len(source), 2, 6))
    lever[:, 0, 0] = lever[:, 1, 1] = 1
    lever[:, 0, 2] = lever[:, 1, 4] = x
    lever[:, 0, 3] = lever[:, 1, 5] = y
    lever = lever @ free
    matrix = start
    for _ in range(5):
        off = target - (np.column_stack([source, np.ones(len(source))]) @ matrix.T)[:, :2]
        weight = 1 / (1 + (off**2).sum(1) / (sift.reach_px / _CAUCHY) ** 2)
        squares = np.einsum("nij,nik,n->jk", lever, lever, weight) + 1e-9 * np.eye(free.shape[1])
        step = np.linalg.solve(squares, np.einsum("nij,ni,n->j", lever, off, weight)) @ free.T
        # NB: the step is in the moving slice, so it comes after the matrix; about the same centre it adds.
        matrix = project(matrix + frame.from_numbers(step) - np.eye(3), model=sift.model, frame=frame)
    return matrix
