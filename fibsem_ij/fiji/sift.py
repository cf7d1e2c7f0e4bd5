"""Fiji's own SIFT (mpicbg: Lowe 2004, with RANSAC) as an aligner; its source is at github.com/axtimwalde/mpicbg.

The keypoints of a slice are found once, and those of a pair are matched once. Each run takes a random half of the matched
keypoints and gives them to mpicbg's own RANSAC and outlier filter; a single run takes them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fibsem_ij.fiji.aligner import Grey, Matrix, Slice, agreed, check_choice, float_pixels
from fibsem_ij.fiji.errors import translated
from fibsem_ij.fiji.session import Session

_MODELS = {"translation": "TranslationModel2D", "rigid": "RigidModel2D", "similarity": "SimilarityModel2D", "affine": "AffineModel2D"}
# What Fiji's dialogs of SIFT start with.
_RATIO = 0.92  # of the distances to the best and the next best descriptor
_ITERATIONS = 1000
_REACH_PX = 25.0  # for RANSAC; what disagrees with the rest is filtered out afterwards
_LEAST_SHARE = 0.05
_LEAST_INLIERS = 7
_SCALES = 1.5  # how far apart in size a keypoint and its match may be
_ANY_DISTANCE = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Sift:
    """An aligner of a session. Model: translation, rigid, similarity or affine."""

    session: Session
    model: str = "affine"
    runs: int = 25

    def __post_init__(self) -> None:
        check_choice(self.session, "SIFT", model=self.model, runs=self.runs)

    def prepare(self, image: Slice) -> Any:
        """The keypoints of a slice: a java.util.List of mpicbg.imagefeatures.Feature."""
        return self.session.job(lambda: _keypoints(_stretched(image)), name="SIFT")

    def __call__(self, fixed: Any, moving: Any, *, rng: np.random.Generator) -> Matrix:
        still, moved = (self.prepare(each) if isinstance(each, np.ndarray) else each for each in (fixed, moving))
        return self.session.job(lambda: self._runs(still, moved, rng), name="SIFT")

    def _runs(self, fixed: Any, moving: Any, rng: np.random.Generator) -> Matrix:
        from jpype import JClass

        with translated("match SIFT keypoints"):
            sift = JClass("mpicbg.imagefeatures.FloatArray2DSIFT")
            matches = list(sift.createMatches(fixed, moving, _SCALES, None, _ANY_DISTANCE, _RATIO))
            self.session.alive()
            count = len(matches) if self.runs == 1 else (len(matches) + 1) // 2
            drawn = [rng.permutation(len(matches))[:count] for _ in range(self.runs)]
            return agreed([self._fit([matches[i] for i in some], int(rng.integers(2**48))) for some in drawn], runs=self.runs)

    def _fit(self, matches: Sequence[Any], seed: int) -> Matrix | None:
        from jpype import JClass

        if len(matches) < _LEAST_INLIERS:
            return None
        _seed_ransac(seed)
        model, java_list = JClass(f"mpicbg.models.{_MODELS[self.model]}")(), JClass("java.util.ArrayList")
        if not model.filterRansac(java_list(matches), java_list(), _ITERATIONS, _REACH_PX, _LEAST_SHARE, _LEAST_INLIERS):
            return None
        self.session.alive()
        affine = model.createAffine()
        return np.array([(affine.getScaleX(), affine.getShearX(), affine.getTranslateX()),
                         (affine.getShearY(), affine.getScaleY(), affine.getTranslateY()), (0, 0, 1)], np.float64)


def _stretched(image: Slice) -> Grey:
    """Grey values on 0..1, because SIFT's thresholds are absolute."""
    grey = image.astype(np.float32)
    low, high = np.percentile(grey, (0.5, 99.5))
    stretched: Grey = np.clip((grey - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)
    return stretched


def _keypoints(grey: Grey) -> Any:
    from jpype import JClass

    with translated("find SIFT keypoints"):
        found = JClass("java.util.ArrayList")()
        processor = JClass("ij.process.FloatProcessor")(grey.shape[1], grey.shape[0], float_pixels(grey))
        processor.setMinAndMax(0, 1)
        sift = JClass("mpicbg.imagefeatures.FloatArray2DSIFT")
        JClass("mpicbg.ij.SIFT")(sift(sift.Param())).extractFeatures(processor, found)
        return found


def _seed_ransac(seed: int) -> None:
    """NB: mpicbg draws from one generator that is static, protected, and goes on from call to call."""
    from jpype import JClass

    generator = JClass("mpicbg.models.AbstractModel").class_.getDeclaredField("rnd")
    generator.setAccessible(True)
    generator.get(None).setSeed(seed)
