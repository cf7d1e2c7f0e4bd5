"""How hard the phantom is, what it costs, and that its borders can be found by a method that sees them.

    python benchmarks/phantom_floors.py [--small]

Otsu and the random forest work on the raw slices (drifting and noisy), with the truth carried onto each by the true drift; bad
slices are left out. Otsu: three classes a slice, the best class for nucleoli, and the best of two polarities of two classes.
The forest sees Gaussian, gradient and Hessian features from 1 to 16 px, learns five drawn slices spread through the stack and is
asked for others between them (at its best threshold).
Watershed: on the distance transform of the true mask of all cells, flooded from its maxima, and from the middles of the true
cells; each true cell counts as much, matched with the region that overlaps it best. "Borders seen" floods from the parts into
which the true cells fall when one pixel of each contact is taken away: the ceiling.
"""

from __future__ import annotations

import argparse
import time

import cv2
import numpy as np
import numpy.typing as npt
from peak import peak_gb
from scipy.ndimage import distance_transform_edt, label, maximum_filter
from skimage.feature import multiscale_basic_features, peak_local_max
from skimage.filters import threshold_multiotsu, threshold_otsu
from skimage.segmentation import watershed
from sklearn.ensemble import RandomForestClassifier

from fibsem_ij.arrays.scores import dice, object_dice, overlaps
from fibsem_ij.phantom import CLASSES, REGIMES, Phantom, make
from fibsem_ij.phantom.cells import told_apart

NUCLEOLUS = next(number for number, name in CLASSES.items() if name == "nucleolus")
Bool = npt.NDArray[np.bool_]


def drawn(phantom: Phantom, zs: list[int]) -> tuple[npt.NDArray[np.uint8], Bool]:
    """Raw slices and their nucleoli, carried onto them by the true drift."""
    truth = onto_raw((phantom.classes.data == NUCLEOLUS), phantom, zs)
    return np.stack([phantom.raw[z] for z in zs]), truth


def onto_raw(mask: Bool, phantom: Phantom, zs: list[int]) -> Bool:
    size = mask.shape[:0:-1]  # (width, height)
    return np.stack([cv2.warpAffine(mask[z].astype(np.uint8), phantom.drift.matrices[z][:2], size, flags=cv2.INTER_NEAREST)
                     for z in zs]).astype(bool)


def otsu(raw: npt.NDArray[np.uint8], truth: Bool) -> float:
    masks = []
    three = [np.digitize(s, threshold_multiotsu(s, 3)) for s in raw]
    masks += [np.stack([s == k for s in three]) for k in range(3)]
    dark = np.stack([s < threshold_otsu(s) for s in raw])
    return max(dice(mask, truth) for mask in [*masks, dark, ~dark])


def features(slice_: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Of the slice brought to median 0 and quartiles 1 apart, so that brightness jumps do not count against the forest."""
    low, middle, high = np.percentile(slice_, (25, 50, 75))
    found = multiscale_basic_features((slice_ - middle) / max(high - low, 1), sigma_min=1, sigma_max=16)
    return np.asarray(found.reshape(-1, found.shape[-1]), np.float32)


def forest(phantom: Phantom, zs: list[int], rng: np.random.Generator, *, told: bool) -> float:
    """`told`: which pixels belong to a nucleus is one more feature."""
    raw, truth = drawn(phantom, zs)
    nuclei = onto_raw(phantom.nuclei.data > 0, phantom, zs)

    def look(i: int) -> npt.NDArray[np.float32]:
        seen = features(raw[i])
        return np.column_stack([seen, nuclei[i].ravel()]).astype(np.float32) if told else seen

    seen = list(range(1, len(zs), max(1, len(zs) // 5)))[:5]
    unseen = [i for i in range(len(zs)) if min(abs(i - k) for k in seen) > 1][:: max(1, len(zs) // 8)]
    columns, answers = [], []
    for i in seen:
        flat = truth[i].ravel()
        pick = np.concatenate([rng.permutation(np.flatnonzero(flat))[:3000], rng.permutation(np.flatnonzero(~flat))[:9000]])
        columns.append(look(i)[pick])
        answers.append(flat[pick])
    trees = RandomForestClassifier(100, min_samples_leaf=5, n_jobs=2, random_state=0).fit(np.concatenate(columns), np.concatenate(answers))
    chance = np.stack([trees.predict_proba(look(i))[:, 1].reshape(raw[i].shape) for i in unseen])
    return max(dice(chance > at, truth[unseen]) for at in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9))


def per_cell(found: npt.NDArray[np.int32], cells: npt.NDArray[np.uint16]) -> float:
    """Mean over true cells of the Dice with the region that overlaps best."""
    return float(object_dice(overlaps(found, cells))[1].mean())


def watersheds(cells: npt.NDArray[np.uint16]) -> tuple[float, float, float]:
    """Mean Dice a cell: seeds from maxima, from the middles of the true cells, and with the borders seen."""
    mask = cells > 0
    depth = distance_transform_edt(mask).astype(np.float32)
    peaks = np.zeros(cells.shape, np.int32)
    at = peak_local_max(depth, min_distance=12, labels=mask.astype(np.int32), exclude_border=False)
    peaks[tuple(at.T)] = np.arange(1, len(at) + 1)
    inner = mask & (maximum_filter(cells, 3) == -maximum_filter(-cells.astype(np.int32), 3))
    own = distance_transform_edt(inner)
    middles = np.zeros(cells.shape, np.int32)
    order = np.argsort(own.ravel())  # the last write wins: the deepest voxel of each cell
    deepest = np.zeros(int(cells.max()) + 1, np.int64)
    deepest[cells.ravel()[order]] = order
    middles.ravel()[deepest[1:]] = np.arange(1, len(deepest))
    parts = label(inner, np.ones((3, 3, 3)))[0]
    return (per_cell(watershed(-depth, peaks, mask=mask), cells), per_cell(watershed(-depth, middles, mask=mask), cells),
            per_cell(watershed(-own, parts, mask=mask), cells))


def row(what: str, asked: str, measured: str) -> None:
    print(f"{what:58s} {asked:12s} {measured}", flush=True)


def floors(name: str, seed: int, shape: tuple[int, int, int]) -> None:
    phantom = make(shape, seed=seed, options=REGIMES[name])
    zs = [z for z in range(0, shape[0], 3) if z not in phantom.bad]
    raw, truth = drawn(phantom, zs)
    who = f"{name}, seed {seed}"
    row(f"{who}: Otsu, nucleoli, Dice", "< .60", f"{otsu(raw, truth):.3f}")
    row(f"{who}: random forest, nucleoli, Dice", "< .85", f"{forest(phantom, zs, np.random.default_rng(seed), told=False):.3f}")
    row(f"{who}: the same, told what is nucleus", "", f"{forest(phantom, zs, np.random.default_rng(seed), told=True):.3f}")
    peaks, middles, seen = watersheds(told_apart(phantom.cells[:64, :256, :256], least=1000))
    row(f"{who}: watershed of the mask, Dice a cell", "< .80", f"{peaks:.3f}")
    row(f"{who}: the same from true middles", "< .80", f"{middles:.3f}")
    row(f"{who}: borders seen (ceiling)", "> .90", f"{seen:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="one seed of each regime, and no full-size phantom")
    small = parser.parse_args().small
    row("what", "asked", "measured")
    if not small:
        start = time.perf_counter()
        make((256, 512, 512), seed=0)
        row("256 x 512 x 512: seconds", "about 60", f"{time.perf_counter() - start:.0f}")
        row("256 x 512 x 512: peak memory of the process, GB", "< 3", "not measured here" if (peak := peak_gb()) is None else f"{peak:.2f}")
    for name in ("touching", "packed"):
        for seed in range(1 if small else 2):
            floors(name, seed, (64, 256, 256) if small else (72, 384, 384))


if __name__ == "__main__":
    main()
