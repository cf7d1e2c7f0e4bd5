"""Noise as a line, and the peers of denoising, tuned as no user could: they are told the true noise and the strength best for the truth.

careamics runs in an interpreter of its own, for its terms are its own, and so are BM3D's: it is measured where `bm3d` is importable.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle

try:
    from bm3d import bm3d
except ImportError:
    bm3d = None

Way = Callable[[Any, float], Any]  # stack of deviation 1 everywhere, strength -> stack

_CAREAMICS = """
import sys, time, numpy as np
from careamics import CAREamist
from careamics.config import create_n2v_config
from lightning.pytorch.callbacks import Callback
train, test, out, minutes = sys.argv[1:]
began = time.process_time()
class Budget(Callback):
    def on_train_batch_end(self, trainer, *_):
        trainer.should_stop = time.process_time() - began > 60 * float(minutes)
config = create_n2v_config("n2v", data_type="array", axes="SYX", patch_size=[64, 64], batch_size=16, num_epochs=10000)
model = CAREamist(config, work_dir=out + ".work", callbacks=[Budget()], enable_progress_bar=False)
model.train(train_data=np.load(train).astype(np.float32))
result, _ = model.predict(np.load(test).astype(np.float32), data_type="array", axes="SYX")
np.save(out, np.concatenate([np.reshape(r, (-1, *np.shape(r)[-2:])) for r in result]))
"""


@dataclass(frozen=True)
class Noise:
    """variance = grain * grey + read ** 2"""

    grain: float
    read: float

    @classmethod
    def of(cls, clean: Any, level: float) -> Noise:
        """Half shot, half reading, of a PSNR in dB."""
        half = 255**2 / 10 ** (level / 10) / 2
        return cls(half / float(clean.mean()), half**0.5)

    def scan(self, clean: Any, seed: int) -> Any:
        rng = np.random.default_rng([seed, 7])
        grey = rng.poisson(clean / self.grain) * self.grain + rng.normal(0, self.read, clean.shape)
        return np.clip(np.rint(grey), 0, 255).astype(np.uint8)

    def stable(self, grey: Any) -> Any:
        """Generalised Anscombe: deviation 1 everywhere."""
        return 2 / self.grain * np.sqrt(np.maximum(self.grain * grey + 0.375 * self.grain**2 + self.read**2, 0))

    def back(self, stable: Any) -> Any:
        return ((stable * self.grain / 2) ** 2 - 0.125 * self.grain**2 - self.read**2) / self.grain


def best(noisy: Any, clean: Any, noise: Noise) -> Iterator[tuple[str, Any, float]]:
    """Each peer's name, its result at the strength nearest to the truth, and the seconds it took."""
    stable = noise.stable(noisy.astype(float))
    for name, (way, strengths) in _ways(stable.min(), stable.max()).items():
        tried = []
        for strength in strengths:
            began = time.perf_counter()
            result = noise.back(way(stable, strength))
            tried.append((result, time.perf_counter() - began))
        result, seconds = min(tried, key=lambda one: float(np.square(np.clip(one[0], 0, 255) - clean).mean()))
        yield name, result, seconds


def _ways(low: float, high: float) -> dict[str, tuple[Way, tuple[float, ...]]]:
    def means(stack: Any, strength: float) -> Any:
        eight = np.rint((stack - low) / (high - low) * 255).astype(np.uint8)
        done = np.stack([cv2.fastNlMeansDenoising(s, None, strength * 255 / (high - low), 7, 21) for s in eight])
        return done / 255 * (high - low) + low

    def means_skimage(stack: Any, strength: float) -> Any:
        return np.stack([denoise_nl_means(s, h=strength, sigma=1, patch_size=5, patch_distance=6) for s in stack])

    ways: dict[str, tuple[Way, tuple[float, ...]]] = {
        "Gaussian": (lambda s, h: np.stack([cv2.GaussianBlur(p, (0, 0), h) for p in s]), (0.6, 0.8, 1, 1.3, 1.6, 2, 2.5)),
        "non-local means, cv2": (means, (0.6, 0.8, 0.9, 1, 1.2)),
        "non-local means, skimage": (means_skimage, (0.4, 0.5, 0.6, 0.7, 0.8)),
        "total variation": (lambda s, h: np.stack([denoise_tv_chambolle(p, weight=h) for p in s]), (0.5, 1, 1.5, 2, 3)),
    }
    if bm3d is not None:
        ways["BM3D"] = (lambda s, h: np.stack([bm3d(p, h) for p in s]), (1.0,))
    return ways


def careamics(trained: Any, noisy: Any, python: str, minutes: float) -> Any:
    """Noise2Void of careamics after so many minutes of processor time; or what it died of."""
    with tempfile.TemporaryDirectory() as folder:
        train, test, out = (str(Path(folder) / name) for name in ("train.npy", "test.npy", "out.npy"))
        np.save(train, trained)
        np.save(test, noisy)
        done = subprocess.run([python, "-c", _CAREAMICS, train, test, out, str(minutes)], capture_output=True, text=True, check=False)
        return np.load(out).astype(float) if done.returncode == 0 else f"failed: {(done.stderr.splitlines() or [''])[-1]}"
