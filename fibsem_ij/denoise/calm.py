"""No invented structure: what a network makes of noise alone is measured once, and what is no stronger than that is taken for noise.

Where there is nothing to see a network leaves faint blotches, some per cent of the noise it was given, which look like structure. After
a training the network is shown noise on nothing, as strong as the stack's own, at several brightnesses; `of` keeps how strong the
blotches are: the variance v about the mean of a wide window. A denoised slice is its wide mean and what is left, d. Around each pixel d
has a strength s, its mean square; `calmed` keeps of d the share 1 - (1.5 v / s) ** 4, and nothing where s is below 1.5 v. Blotches go,
membranes are far above (at twice the strength nine tenths of d stay), and a network that leaves nothing of noise changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.arrays.compiled import compiled
from fibsem_ij.arrays.slices import spread
from fibsem_ij.denoise.noise import Noise
from fibsem_ij.learn.network import Network
from fibsem_ij.learn.predict import Options, predict
from fibsem_ij.volume import ArrayLike

Floats = npt.NDArray[np.floating[Any]]
Alone = tuple[Floats, Floats]  # grey values, variances

KEY = "noise_alone"  # in a network's record: {"grey": [...], "variance": [...]}
_WIDE, _AROUND = 33, 21  # px: what blotches fit in; where their strength is taken
_MARGIN, _POWER = 1.5, 4
_LEVELS, _TAILS = 9, (0.02, 0.98)  # of the stack's brightness
_LOOKED, _BLOCK = 4, 8  # slices and px that it is read off
_SIDE = 256  # px of noise at each of them


def of(network: Network, noise: Noise, src: ArrayLike, *, slices: Sequence[int], device: str = "auto") -> dict[str, list[float]]:
    """Grey values, and the variance of what the network makes of noise upon each of them, in grey values squared."""
    levels = _levels([np.asarray(src[slices[n]]) for n in spread(len(slices), _LOOKED)])
    rng = np.random.default_rng(0)
    made = np.empty(_LEVELS)

    def keep(z: int, values: Floats) -> None:
        made[z // depth] = np.square(_parted(network.scale.grey(values[0]))[1]).mean()

    depth = 2 * network.neighbours + 1
    alone = np.repeat(levels, depth)[:, None, None]
    alone = alone + np.sqrt(noise.variance(alone)) * rng.standard_normal((len(alone), _SIDE, _SIDE))
    seen = network.scale.back(network.scale.forward(alone.astype(np.float32)))  # as the stack has it: rounded, cut at black and white
    predict(seen, network, keep, options=Options(device=device), slices=range(network.neighbours, len(seen), depth))
    return {"grey": levels.tolist(), "variance": made.tolist()}


def _levels(planes: Sequence[npt.NDArray[Any]]) -> npt.NDArray[np.float64]:
    """Brightnesses of the stack; those of small blocks, as noise alone would make single pixels darker and brighter than all there is."""
    import cv2

    blocks = [cv2.blur(plane.astype(np.float32), (_BLOCK, _BLOCK))[::_BLOCK, ::_BLOCK].ravel() for plane in planes]
    low, high = np.quantile(np.concatenate(blocks), _TAILS)
    return np.linspace(low, high, _LEVELS)


def kept(network: Network) -> Alone | None:
    """What `of` measured; None of a network that is older than this."""
    if KEY not in network.record:
        return None
    try:
        levels, variance = (np.asarray(network.record[KEY][key], np.float32) for key in ("grey", "variance"))
        steps = np.diff(levels)
        whole = levels.ndim == 1 and np.isfinite(np.stack([levels, variance])).all() and len(steps) and steps.min() >= 0
        whole = whole and np.allclose(steps, steps.mean(), rtol=1e-2)
    except (TypeError, KeyError, ValueError):
        whole = False
    if not whole:
        raise ValueError(f"expected rising grey values, evenly apart, and as many variances as {KEY} of the network, got "
                         f"{network.record[KEY]!r:.80}; its network.json was changed: fit it again")
    return levels, variance


def calmed(clean: Floats, alone: Alone) -> Floats:
    """A denoised slice in grey values, without what its network makes of noise."""
    import cv2

    wide, left = _parted(clean)
    return _kept_of(wide, left, np.asarray(cv2.blur(left * left, (_AROUND, _AROUND))), *alone)


@compiled
def _kept_of(wide: Floats, left: Floats, strength: Floats, levels: Floats, variance: Floats) -> Floats:
    """`wide`, and of what is left the share that is no noise. NB: one pass, where NumPy takes ten."""
    found, most = np.empty_like(wide), len(levels) - 1
    a_level = max((levels[most] - levels[0]) / most, np.float32(1e-30))
    for y in range(wide.shape[0]):
        for x in range(wide.shape[1]):
            at = min(max((wide[y, x] - levels[0]) / a_level, np.float32(0)), np.float32(most))
            low = min(int(at), most - 1)
            noise = np.float32(_MARGIN) * (variance[low] + (at - low) * (variance[low + 1] - variance[low]))
            share = np.float32(0)
            if strength[y, x] > noise:
                share = np.float32(1) - (noise / strength[y, x]) ** _POWER
            found[y, x] = wide[y, x] + share * left[y, x]
    return found


def _parted(clean: Floats) -> tuple[Floats, Floats]:
    """The mean of a wide window, and what is left."""
    import cv2

    wide = np.asarray(cv2.blur(clean, (_WIDE, _WIDE)))
    return wide, clean - wide
